/* SPDX-License-Identifier: GPL-2.0-only */
/* From a probe to the rings of every session that wants the event. */
#ifndef HFTMON_EMIT_H
#define HFTMON_EMIT_H

#include <linux/bits.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "session.h"

/**
 * hftmon_emit() - write one event
 * @source: enum hftmon_source, a constant
 * @event:  type, flags and payload; tsc and seq are ignored
 * @comm:   a thread's name for a COMM continuation, or NULL
 *
 * Disables preemption itself: since 7.x a tracepoint no longer does.
 *
 * Context: any, NMI included; takes no lock, never sleeps.
 */
static __always_inline void hftmon_emit(unsigned int source, const struct hftmon_record *event,
					const char *comm)
{
	const struct hftmon_active *active;
	u64 start = 0;
	unsigned int i;

	preempt_disable_notrace();
	if (unlikely(!(this_cpu_inc_return(hftmon_meter.runs) % HFTMON_METER_INTERVAL)))
		start = hftmon_clock();

	active = rcu_dereference_sched(hftmon_active);
	for (i = 0; i < active->count; i++) {
		struct hftmon_session *session = active->sessions[i];
		struct hftmon_ring *ring;

		if (!(session->active_sources & BIT_ULL(source)))
			continue;
		ring = this_cpu_ptr(session->rings);
		if (unlikely(!READ_ONCE(ring->enabled)))
			continue;
		hftmon_ring_write(ring, event->type, event->flags, event->payload[0],
				  event->payload[1], comm);
	}

	if (unlikely(start)) {
		this_cpu_inc(hftmon_meter.samples);
		this_cpu_add(hftmon_meter.ticks, hftmon_clock() - start);
	}
	preempt_enable_notrace();
}

#endif /* HFTMON_EMIT_H */
