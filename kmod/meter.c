// SPDX-License-Identifier: GPL-2.0-only
/* What events cost: one in so many is timed. */
#include <linux/compiler.h>
#include <asm/barrier.h>

#include "clock.h"
#include "meter.h"

DEFINE_PER_CPU(struct hftmon_meter, hftmon_meter) = { .countdown = HFTMON_METER_INTERVAL };

/*
 * End of a timed run. If the countdown moved, another probe nested in this
 * run, and an interrupt with it: that is not our time.
 */
noinline void hftmon_meter_stop(u64 start)
{
	if (this_cpu_read(hftmon_meter.countdown) != HFTMON_METER_INTERVAL)
		return;
	this_cpu_add(hftmon_meter.ticks, hftmon_clock() - start);
	this_cpu_inc(hftmon_meter.samples);
}

/* Adds, so that probes that nest in here are counted. Order: hftmon_meter_read(). */
noinline u64 hftmon_meter_start(void)
{
	this_cpu_add(hftmon_meter.runs, HFTMON_METER_INTERVAL);
	barrier();
	this_cpu_add(hftmon_meter.countdown, HFTMON_METER_INTERVAL);
	return hftmon_clock();
}

/**
 * hftmon_meter_read() - the meter of a CPU, whose probes may run meanwhile
 * @cpu: any possible one
 * @to:  a copy; its runs are all events so far, its countdown is meaningless
 *
 * Looks again while an interval ends: what it has counted stands in neither or
 * both words then. That takes the writer some instructions and what interrupts
 * it, so the number of looks is bounded; beyond it, runs are one interval off.
 */
void hftmon_meter_read(unsigned int cpu, struct hftmon_meter *to)
{
	const struct hftmon_meter *meter = per_cpu_ptr(&hftmon_meter, cpu);
	unsigned int tries = 1000;
	u64 runs;
	s32 left;

	do {
		runs = READ_ONCE(meter->runs);
		smp_rmb();	/* pairs with the order of meter_start() */
		left = READ_ONCE(meter->countdown);
		smp_rmb();	/* the same, the other way round */
	} while ((left <= 0 || READ_ONCE(meter->runs) != runs) && --tries);
	to->runs = runs + HFTMON_METER_INTERVAL - left;
	to->samples = READ_ONCE(meter->samples);
	to->ticks = READ_ONCE(meter->ticks);
}
