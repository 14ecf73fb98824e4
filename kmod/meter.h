/* SPDX-License-Identifier: GPL-2.0-only */
/* What events cost on each CPU. */
#ifndef HFTMON_METER_H
#define HFTMON_METER_H

#include <linux/percpu.h>
#include <linux/types.h>

/* One event in so many is timed; a prime, so that it meets every kind in turn. */
#define HFTMON_METER_INTERVAL 61

/**
 * struct hftmon_meter - what events cost on one CPU; this_cpu operations only
 * @countdown: events until the next that is timed; at most 0, signed, where one
 *             is timed just now and others nest in it
 * @runs:      events before that countdown began
 * @samples:   events that were timed, and not interrupted by another
 * @ticks:     time that those took
 */
struct hftmon_meter {
	u32 countdown;
	u64 runs;
	u64 samples;
	u64 ticks;
};

DECLARE_PER_CPU(struct hftmon_meter, hftmon_meter);
void hftmon_meter_read(unsigned int cpu, struct hftmon_meter *to);

/* Timed runs, for emit.c: start when the countdown reaches 0. */
u64 hftmon_meter_start(void);
void hftmon_meter_stop(u64 start);

#endif /* HFTMON_METER_H */
