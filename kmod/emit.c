// SPDX-License-Identifier: GPL-2.0-only
/* The hot path: one event into the ring of every session that wants it. */
#include <linux/bits.h>
#include <linux/preempt.h>

#include "emit.h"
#include "session.h"

DEFINE_PER_CPU(struct hftmon_meter, hftmon_meter) = { .countdown = HFTMON_METER_INTERVAL };

/*
 * End of a timed run. If the countdown moved, another probe nested in this
 * run, and an interrupt with it: that is not our time.
 */
static noinline void meter_stop(u64 start)
{
	if (this_cpu_read(hftmon_meter.countdown) != HFTMON_METER_INTERVAL)
		return;
	this_cpu_add(hftmon_meter.ticks, hftmon_clock() - start);
	this_cpu_inc(hftmon_meter.samples);
}

/* Adds, so that probes that nest in here are counted. Order: hftmon_meter_read(). */
static noinline u64 meter_start(void)
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

/**
 * hftmon_emit_payload() - write one event, given in pieces
 * @source:   enum hftmon_source
 * @type:     enum hftmon_record_type
 * @flags:    as the type says
 * @payload0: first and
 * @payload1: second half of the payload
 * @comm:     a thread's name for a COMM continuation, or NULL
 *
 * Disables preemption itself: since 7.x a tracepoint no longer does.
 *
 * Context: any, NMI included; takes no lock, never sleeps.
 */
void hftmon_emit_payload(unsigned int source, u16 type, u16 flags, u64 payload0, u64 payload1,
			 const char *comm)
{
	const struct hftmon_active *active;
	unsigned int i;
	u64 start = 0;

	preempt_disable_notrace();
	if (unlikely(!this_cpu_dec_return(hftmon_meter.countdown)))
		start = meter_start();

	/* Constant until tracepoint_synchronize_unregister() has waited for us. */
	active = rcu_dereference_raw(hftmon_active);
	for (i = 0; i < active->count; i++) {
		struct hftmon_ring *ring;

		if (!(active->entries[i].sources & BIT_ULL(source)))
			continue;
		ring = this_cpu_ptr(active->entries[i].rings);
		if (unlikely(!READ_ONCE(ring->enabled)))
			continue;
		if (unlikely(hftmon_ring_write(&ring->core, type, flags, payload0, payload1,
					       comm)) && READ_ONCE(ring->may_wake))
			irq_work_queue(&ring->wake);
	}

	if (unlikely(start))
		meter_stop(start);
	preempt_enable_notrace();
}
