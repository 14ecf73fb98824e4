// SPDX-License-Identifier: GPL-2.0-only
/* The hot path: one event into the ring of every session that wants it. */
#include <linux/bitops.h>
#include <linux/log2.h>
#include <linux/preempt.h>

#include "emit.h"
#include "meter.h"

#define TYPE(kind)	((u16)(kind))
#define FLAGS(kind)	((u16)((kind) >> 16))

static __always_inline void write_one(struct hftmon_ring *ring, u32 kind, u64 payload0,
				      u64 payload1, const char *comm)
{
	if (unlikely(hftmon_ring_write(&ring->core, TYPE(kind), FLAGS(kind), payload0, payload1,
				       comm)) && READ_ONCE(ring->may_wake))
		irq_work_queue(&ring->wake);
}

static noinline void write_many(const struct hftmon_cpu *here, unsigned int slots, u32 kind,
				u64 payload0, u64 payload1, const char *comm)
{
	for (; slots; slots &= slots - 1)
		write_one(here->rings[__ffs(slots)], kind, payload0, payload1, comm);
}

/* To sessions that record here only what concerns the threads they watch. */
static noinline void write_watched(const struct hftmon_cpu *here, unsigned int slots, u32 kind,
				   u64 payload0, u64 payload1)
{
	const struct hftmon_record event = { .payload = { payload0, payload1 } };

	for (; slots; slots &= slots - 1) {
		unsigned int slot = __ffs(slots);
		u32 told = kind;

		/* Each watches others, and is told which of the two it does not watch. */
		if (TYPE(kind) == HFTMON_REC_SCHED_SWITCH) {
			if (!(hftmon_watchers_of(event.sched_switch.prev_tid) & BIT(slot)))
				told |= HFTMON_SWITCH_PREV_PARTIAL << 16;
			if (!(hftmon_watchers_of(event.sched_switch.next_tid) & BIT(slot)))
				told |= HFTMON_SWITCH_NEXT_PARTIAL << 16;
		}
		write_one(here->rings[slot], told, payload0, payload1, NULL);
	}
}

static __always_inline void emit_event(u32 kind, unsigned int slots, u64 payload0, u64 payload1)
{
	const struct hftmon_cpu *here = this_cpu_ptr(&hftmon_cpu);
	unsigned int whole = slots & READ_ONCE(here->whole);

	/* Of neither kind: the thread was preempted, and is on another CPU. */
	if (unlikely(slots != whole))
		write_watched(here, slots & READ_ONCE(here->partial), kind, payload0, payload1);
	if (likely(is_power_of_2(whole)))
		write_one(here->rings[__ffs(whole)], kind, payload0, payload1, NULL);
	else
		write_many(here, whole, kind, payload0, payload1, NULL);
}

/* What hftmon_emit_hot() could not do; the meter has counted it. Preemption disabled. */
void hftmon_emit_again(u32 kind, unsigned int slots, u64 payload0, u64 payload1)
{
	emit_event(kind, slots, payload0, payload1);
}

void hftmon_emit_wake(struct hftmon_ring *ring)
{
	if (READ_ONCE(ring->may_wake))
		irq_work_queue(&ring->wake);
}

/* Apart, so that the others need no room for the time. Preemption disabled. */
void hftmon_emit_timed(u32 kind, unsigned int slots, u64 payload0, u64 payload1)
{
	u64 start = hftmon_meter_start();

	emit_event(kind, slots, payload0, payload1);
	hftmon_meter_stop(start, hftmon_meter_source(kind, payload0));
}

/**
 * hftmon_emit_event() - write one event, given in pieces
 * @kind:     type and flags of the record, see emit.h
 * @slots:    to these sessions
 * @payload0: first and
 * @payload1: second half of the payload
 *
 * Disables preemption itself: since 7.x a tracepoint no longer does.
 *
 * Context: any, NMI included; takes no lock, never sleeps.
 */
void hftmon_emit_event(u32 kind, unsigned int slots, u64 payload0, u64 payload1)
{
	preempt_disable_notrace();
	if (hftmon_meter_due())
		hftmon_emit_timed(kind, slots, payload0, payload1);
	else
		emit_event(kind, slots, payload0, payload1);
	preempt_enable_notrace();
}

/* The same of a switch, at the end of its probe; current is who leaves. */
void hftmon_emit_switch(u32 kind, unsigned int slots, u64 payload0, u64 payload1)
{
	hftmon_emit_event(kind, slots, payload0, payload1);
	hftmon_running_next(current, payload0 >> 32);
}

void hftmon_emit_switch_timed(u32 kind, unsigned int slots, u64 payload0, u64 payload1)
{
	hftmon_emit_timed(kind, slots, payload0, payload1);
	hftmon_running_next(current, payload0 >> 32);
}

void hftmon_emit_switch_again(u32 kind, unsigned int slots, u64 payload0, u64 payload1)
{
	emit_event(kind, slots, payload0, payload1);
	hftmon_running_next(current, payload0 >> 32);
}

/**
 * hftmon_emit_name() - the same, with a name, to all sessions of this CPU
 * @source:   enum hftmon_source
 * @kind:     type and flags of the record
 * @payload0: first and
 * @payload1: second half of the payload
 * @comm:     for a COMM continuation
 *
 * Context: any, NMI included; takes no lock, never sleeps.
 */
void hftmon_emit_name(unsigned int source, u32 kind, u64 payload0, u64 payload1,
		      const char *comm)
{
	const struct hftmon_cpu *here;
	u64 start = 0;

	preempt_disable_notrace();
	if (hftmon_meter_due())
		start = hftmon_meter_start();
	here = this_cpu_ptr(&hftmon_cpu);
	write_many(here, this_cpu_read(hftmon_wanted[source]) &
		   (READ_ONCE(here->whole) | READ_ONCE(here->partial)), kind, payload0, payload1,
		   comm);
	if (unlikely(start))
		hftmon_meter_stop(start, source);
	preempt_enable_notrace();
}
