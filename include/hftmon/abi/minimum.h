/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * Minimum durations: of what is often and mostly short, record only what took
 * long, as one DURATION record when it has ended.
 */
#ifndef HFTMON_ABI_MINIMUM_H
#define HFTMON_ABI_MINIMUM_H

#include <linux/types.h>

#include "histogram.h"

/* Elements of arrays by kind: room for kinds to come. */
#define HFTMON_THRESHOLD_KINDS 16u

/**
 * struct hftmon_minimum - durations to be recorded (HFTMON_IOC_MINIMUM)
 * @kinds: bits of enum hftmon_duration, of those in hftmon_setup.durations
 * @over:  by kind: each duration of more ticks is recorded; on CPUs where not
 *         everything is, those of watched threads, and of handlers that interrupt them
 *
 * Between SETUP and START; replaces what was set before. Independent of
 * hftmon_setup.sources: whoever wants these records in place of a source's leaves
 * that source out. They are never shed to keep to the budget (cost.h). EINVAL for a
 * kind that is not counted.
 */
struct hftmon_minimum {
	__u32 size;
	__u32 kinds;
	__u64 over[HFTMON_THRESHOLD_KINDS];
	__u64 reserved[2];
};

#endif /* HFTMON_ABI_MINIMUM_H */
