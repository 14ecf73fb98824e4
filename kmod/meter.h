/* SPDX-License-Identifier: GPL-2.0-only */
/* What events cost on each CPU, and which sources. */
#ifndef HFTMON_METER_H
#define HFTMON_METER_H

#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/types.h>
#include <hftmon/abi/ioctl.h>

/* One event in so many is timed; a prime, so that it meets every kind in turn. */
#define HFTMON_METER_INTERVAL 61

/* Longer than any event: an interruption that caused no event is not our time. */
#define HFTMON_METER_LONGEST_NS 50000

/**
 * struct hftmon_meter - what events cost on one CPU; this_cpu operations only
 * @countdown: events until the next that is timed; at most 0, signed, where one
 *             is timed just now and others nest in it
 * @runs:      events before that countdown began
 * @samples:   events that were timed, and not interrupted
 * @ticks:     time that those took
 *
 * An update of histograms is counted as an event of its own.
 */
struct hftmon_meter {
	u32 countdown;
	u64 runs;
	u64 samples;
	u64 ticks;
};

DECLARE_PER_CPU(struct hftmon_meter, hftmon_meter);
void hftmon_meter_read(unsigned int cpu, struct hftmon_meter *to);
void hftmon_meter_read_costs(unsigned int cpu, struct hftmon_source_cost *costs);

/* Is the next event to be timed? Preemption disabled. */
static __always_inline bool hftmon_meter_due(void)
{
	return unlikely(!this_cpu_dec_return(hftmon_meter.countdown));
}

/* A timed run, when it is due: from the one to the other, preemption disabled. */
u64 hftmon_meter_start(void);
void hftmon_meter_stop(u64 start, unsigned int cost);

/* Of which source a record is; @kind as hftmon_emit_event() has it. */
unsigned int hftmon_meter_source(u32 kind, u64 payload0);

#endif /* HFTMON_METER_H */
