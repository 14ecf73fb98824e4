/* SPDX-License-Identifier: GPL-2.0-only */
/* From a probe to the rings of every session that wants the event. */
#ifndef HFTMON_EMIT_H
#define HFTMON_EMIT_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/types.h>
#include <hftmon/abi/record.h>
#include <hftmon/abi/source.h>

#include "meter.h"
#include "running.h"
#include "slot.h"
#include "watch.h"

/*
 * One function for all probes: its code stays in the cache, and an event
 * travels in registers. Only what a session wants comes there. @kind is the
 * type, and above it the flags, of the record.
 */
void hftmon_emit_event(u32 kind, unsigned int slots, u64 payload0, u64 payload1);
void hftmon_emit_name(unsigned int source, u32 kind, u64 payload0, u64 payload1,
		      const char *comm);

static __always_inline void hftmon_emit_to(unsigned int slots, const struct hftmon_record *event)
{
	hftmon_emit_event(event->type | (u32)event->flags << 16, slots, event->payload[0],
			  event->payload[1]);
}

/* The same, of what the meter has counted already. */
void hftmon_emit_again(u32 kind, unsigned int slots, u64 payload0, u64 payload1);
/* The same of a switch, which also notes who comes: the upper half of @payload0. */
void hftmon_emit_switch(u32 kind, unsigned int slots, u64 payload0, u64 payload1);

/* What hftmon_emit_sole() leaves to others. */
void hftmon_emit_sole_timed(u32 kind, u64 payload0, u64 payload1);
void hftmon_emit_sole_again(u32 kind, u64 payload0, u64 payload1);
void hftmon_emit_wake(struct hftmon_ring *ring);

/* Does one session, which is alone on this CPU, record all events of a source here? */
static __always_inline bool hftmon_emit_is_sole(unsigned int source)
{
	return this_cpu_read(hftmon_cpu.sole_sources) & HFTMON_SOURCE_BIT(source);
}

/*
 * hftmon_emit_event() for the few events that are most frequent, here and now, when
 * hftmon_emit_is_sole() has said so: the common case pays for no other. Whatever is
 * uncommon is a call at the very end, so nothing has to be saved. @is_switch: a
 * constant, as the type in @kind says.
 *
 * Context: interrupts disabled, since that was asked.
 */
static __always_inline void hftmon_emit_sole(u32 kind, u64 payload0, u64 payload1,
					     bool is_switch)
{
	enum hftmon_ring_outcome outcome;
	struct hftmon_ring *ring;

	if (hftmon_meter_due()) {
		hftmon_emit_sole_timed(kind, payload0, payload1);
		return;
	}
	/* No other's: that may follow only after STOP has waited for this probe. */
	ring = this_cpu_read(hftmon_cpu.sole_ring);
	outcome = hftmon_ring_try(&ring->core, kind, payload0, payload1, true);
	if (unlikely(outcome == HFTMON_RING_NO_ROOM)) {
		hftmon_emit_sole_again(kind, payload0, payload1);
		return;
	}
	if (is_switch)
		hftmon_running_next(current, payload0 >> 32);
	if (unlikely(outcome == HFTMON_RING_WAKE))
		hftmon_emit_wake(ring);
}

/*
 * Sessions that want an event of this CPU: those that record everything here,
 * and those that watch one of the threads that it concerns, that which runs here
 * and up to two that it names (0: none).
 */
static __always_inline unsigned int hftmon_emit_slots_of(unsigned int source, u32 running_tid,
							 u32 tid, u32 other_tid)
{
	unsigned int slots = this_cpu_read(hftmon_cpu.partial);

	if (slots)
		slots &= hftmon_watchers_of(running_tid) | hftmon_watchers_of(tid) |
			 hftmon_watchers_of(other_tid);
	slots |= this_cpu_read(hftmon_cpu.whole);
	return slots & this_cpu_read(hftmon_wanted[source]);
}

static __always_inline unsigned int hftmon_emit_slots(unsigned int source, u32 tid, u32 other_tid)
{
	return hftmon_emit_slots_of(source, hftmon_running_tid(), tid, other_tid);
}

/**
 * hftmon_emit_about_two() - write one event that names two threads
 * @source: enum hftmon_source
 * @event:  type, flags and payload; tsc and seq are ignored
 * @tid:    one of them, or 0
 * @other_tid: the other, or 0
 *
 * Context: any, NMI included; takes no lock, never sleeps.
 */
static __always_inline void hftmon_emit_about_two(unsigned int source,
						  const struct hftmon_record *event, u32 tid,
						  u32 other_tid)
{
	unsigned int slots = hftmon_emit_slots(source, tid, other_tid);

	if (slots)
		hftmon_emit_to(slots, event);
}

/** hftmon_emit_about() - the same, of an event that names one thread */
static __always_inline void hftmon_emit_about(unsigned int source,
					      const struct hftmon_record *event, u32 tid)
{
	hftmon_emit_about_two(source, event, tid, 0);
}

/** hftmon_emit_to_all() - write one event of this CPU to all sessions, whoever is watched */
static __always_inline void hftmon_emit_to_all(unsigned int source,
					       const struct hftmon_record *event)
{
	unsigned int slots = this_cpu_read(hftmon_wanted[source]) &
			     (this_cpu_read(hftmon_cpu.whole) | this_cpu_read(hftmon_cpu.partial));

	if (slots)
		hftmon_emit_to(slots, event);
}

/** hftmon_emit() - write one event that concerns who runs here and nobody else */
static __always_inline void hftmon_emit(unsigned int source, const struct hftmon_record *event)
{
	hftmon_emit_about(source, event, 0);
}

/**
 * hftmon_emit_function() - write one event that tells a function of the kernel
 * @source:   enum hftmon_source
 * @type:     of the record
 * @function: its address, or NULL
 * @payload0: the first half of the payload, without it
 * @payload1: the second
 * @shift:    bit of @payload0 or (from 64 on) @payload1 where its low 32 bits go
 * @object:   @payload1 is the address of one, too
 *
 * Sessions that must not see addresses get it without them.
 */
static __always_inline void hftmon_emit_function(unsigned int source, u16 type,
						 const void *function, u64 payload0,
						 u64 payload1, unsigned int shift, bool object)
{
	unsigned int slots = hftmon_emit_slots(source, 0, 0);
	unsigned int seeing = slots & READ_ONCE(hftmon_slots_seeing);
	u64 low = (u32)(unsigned long)function;

	if (seeing)
		hftmon_emit_event(type, seeing, payload0 | (shift < 64 ? low << shift : 0),
				  payload1 | (shift < 64 ? 0 : low << (shift - 64)));
	if (slots & ~seeing)
		hftmon_emit_event(type, slots & ~seeing, payload0, object ? 0 : payload1);
}

/**
 * hftmon_emit_identity() - write what tells who a thread is, whoever is watched
 * @source: enum hftmon_source
 * @event:  as hftmon_emit_about()
 * @comm:   the thread's name for a COMM continuation
 */
static __always_inline void hftmon_emit_identity(unsigned int source,
						 const struct hftmon_record *event,
						 const char *comm)
{
	hftmon_emit_name(source, event->type | (u32)event->flags << 16, event->payload[0],
			 event->payload[1], comm);
}

#endif /* HFTMON_EMIT_H */
