// SPDX-License-Identifier: GPL-2.0-only
/* The hot path: one event into the ring of every session that wants it. */
#include <linux/bitops.h>
#include <linux/preempt.h>

#include "emit.h"
#include "meter.h"

#define TYPE(kind)	((u16)(kind))
#define FLAGS(kind)	((u16)((kind) >> 16))

static __always_inline void write_one(struct hftmon_ring *ring, u32 kind, u64 payload0,
				      u64 payload1)
{
	if (unlikely(hftmon_ring_write(&ring->core, TYPE(kind), FLAGS(kind), payload0, payload1,
				       NULL)) && READ_ONCE(ring->may_wake))
		irq_work_queue(&ring->wake);
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
		write_one(here->rings[slot], told, payload0, payload1);
	}
}

static __always_inline void emit_event(u32 kind, unsigned int slots, u64 payload0, u64 payload1)
{
	const struct hftmon_cpu *here = this_cpu_ptr(&hftmon_cpu);
	unsigned int whole = slots & READ_ONCE(here->whole);

	/* Of neither kind: the thread was preempted, and is on another CPU. */
	if (unlikely(slots != whole))
		write_watched(here, slots & READ_ONCE(here->partial), kind, payload0, payload1);
	for (; whole; whole &= whole - 1)
		write_one(here->rings[__ffs(whole)], kind, payload0, payload1);
}

/* For who has counted the event with the meter, and timed it. Preemption disabled. */
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
static noinline void emit_timed(u32 kind, unsigned int slots, u64 payload0, u64 payload1)
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
		emit_timed(kind, slots, payload0, payload1);
	else
		emit_event(kind, slots, payload0, payload1);
	preempt_enable_notrace();
}

/* Preemption disabled; current is who leaves. */
void hftmon_emit_switch(u32 kind, unsigned int slots, u64 payload0, u64 payload1)
{
	if (hftmon_meter_due())
		emit_timed(kind, slots, payload0, payload1);
	else
		emit_event(kind, slots, payload0, payload1);
	hftmon_running_next(current, payload0 >> 32);
}

/* Looks anew for whom the event is: with interrupts off there are no more of them. */
static __always_inline unsigned int sole_slot(u32 kind, u64 payload0)
{
	return this_cpu_read(hftmon_wanted[hftmon_meter_source(kind, payload0)]) &
	       this_cpu_read(hftmon_cpu.whole);
}

static void end_sole(u32 kind, u64 payload0)
{
	if (TYPE(kind) == HFTMON_REC_SCHED_SWITCH)
		hftmon_running_next(current, payload0 >> 32);
}

/* The event is to be timed. */
void hftmon_emit_sole_timed(u32 kind, u64 payload0, u64 payload1)
{
	emit_timed(kind, sole_slot(kind, payload0), payload0, payload1);
	end_sole(kind, payload0);
}

/* The ring has no room, has to tell of a loss, or is to be frozen; the meter has counted. */
void hftmon_emit_sole_again(u32 kind, u64 payload0, u64 payload1)
{
	emit_event(kind, sole_slot(kind, payload0), payload0, payload1);
	end_sole(kind, payload0);
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
	unsigned int slots;
	u64 start = 0;

	preempt_disable_notrace();
	if (hftmon_meter_due())
		start = hftmon_meter_start();
	here = this_cpu_ptr(&hftmon_cpu);
	slots = this_cpu_read(hftmon_wanted[source]) &
		(READ_ONCE(here->whole) | READ_ONCE(here->partial));
	for (; slots; slots &= slots - 1) {
		struct hftmon_ring *ring = here->rings[__ffs(slots)];

		if (hftmon_ring_write(&ring->core, TYPE(kind), FLAGS(kind), payload0, payload1,
				      comm))
			hftmon_emit_wake(ring);
	}
	if (unlikely(start))
		hftmon_meter_stop(start, source);
	preempt_enable_notrace();
}
