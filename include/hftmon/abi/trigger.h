/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * Triggers: a duration over its threshold is a hit. A hit writes a SPIKE record
 * into the ring of the CPU on which the duration has ended, wakes who polls for
 * POLLPRI, and can freeze flight recorders.
 */
#ifndef HFTMON_ABI_TRIGGER_H
#define HFTMON_ABI_TRIGGER_H

#include <linux/types.h>

#include "minimum.h"

/*
 * hftmon_trigger.flags. The CPU from which a thread was woken is known where WAKEUP
 * is counted, too; that which sent a VECTOR, to call a function or to reschedule, where
 * IPI_SEND_CPU and IPI_SEND_CPUMASK are recorded, by whomever (Linux 6.4 and later).
 * Other CPUs may have added calls to an interrupt that was on its way.
 */
#define HFTMON_TRIGGER_FREEZE		0x1u	/* the ring of the CPU of the hit */
#define HFTMON_TRIGGER_FREEZE_SENDER	0x2u	/* and that of the CPU it came from */
#define HFTMON_TRIGGER_FREEZE_ALL	0x4u	/* and of all others */
#define HFTMON_TRIGGER_WATCHED		0x8u	/* only what happens to watched threads */

/**
 * struct hftmon_trigger - what is a hit, and what it does (HFTMON_IOC_TRIGGER)
 * @kinds:         bits of enum hftmon_duration, of those in hftmon_setup.durations;
 *                 0: nothing is
 * @flags:         HFTMON_TRIGGER_*. FREEZE, without which FREEZE_SENDER and FREEZE_ALL
 *                 mean nothing and are refused, is for flight mode, WATCHED for a
 *                 session that watches. On CPUs where not everything is
 *                 recorded, WATCHED holds in any case
 * @tail_records:  what a frozen ring still takes, counted from the hit, or on
 *                 another CPU from its next record: so many records ...
 * @tail_ticks:    ... or those within that time, whichever ends first. 0: no such
 *                 bound; both 0: no record
 * @holdoff_ticks: so long after a hit there is none, and then rings go on by
 *                 themselves. 0: until the session is told (HFTMON_SPIKES_REARM)
 * @over:          by kind: a duration of more ticks is a hit
 *
 * From SETUP until STOP; replaces what was set before, and arms. EINVAL for a kind
 * that is not counted, a ring that is no flight recorder, times from 2^63 on. A CPU
 * that goes down wakes nobody: its hit is told by the next poll.
 */
struct hftmon_trigger {
	__u32 size;
	__u32 kinds;
	__u32 flags;
	__u32 tail_records;
	__u64 tail_ticks;
	__u64 holdoff_ticks;
	__u64 over[HFTMON_THRESHOLD_KINDS];
	__u64 reserved[2];
};

/* hftmon_spikes.flags */
#define HFTMON_SPIKES_REARM 0x1u	/* frozen rings go on, and the next is a hit again */

/**
 * struct hftmon_spikes - hits so far (HFTMON_IOC_SPIKES); ends POLLPRI
 * @flags: HFTMON_SPIKES_*
 * @hits:  out: since SETUP
 * @held:  out: durations over their threshold that were none, because one had been
 *         and the trigger was not armed again
 * @tsc:   out: time of the latest hit; the rest of it is what its record says
 */
struct hftmon_spikes {
	__u32 size;
	__u32 flags;
	__u64 hits;
	__u64 held;
	__u64 tsc;
	__u64 ticks;
	__u32 tid;
	__u32 cause;
	__u32 kind;		/* enum hftmon_duration */
	__u32 cpu;
	__u64 reserved[2];
};

#endif /* HFTMON_ABI_TRIGGER_H */
