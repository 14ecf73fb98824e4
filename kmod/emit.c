// SPDX-License-Identifier: GPL-2.0-only
/* The hot path: one event into the ring of every session that wants it. */
#include <linux/bitops.h>
#include <linux/preempt.h>

#include "emit.h"
#include "meter.h"
#include "running.h"
#include "slot.h"
#include "watch.h"

#define SOURCE(head)	((u8)(head))
#define TYPE(head)	((u16)((head) >> 16))
#define FLAGS(head)	((u16)((head) >> 32))

static __always_inline void write_event(const struct hftmon_cpu *here, unsigned int slots,
					u64 head, u64 payload0, u64 payload1, const char *comm)
{
	do {
		struct hftmon_ring *ring = here->rings[__ffs(slots)];

		slots &= slots - 1;
		if (unlikely(hftmon_ring_write(&ring->core, TYPE(head), FLAGS(head), payload0,
					       payload1, comm)) && READ_ONCE(ring->may_wake))
			irq_work_queue(&ring->wake);
	} while (unlikely(slots));
}

/* For sessions that watch, on a CPU where they record no more than that. */
static noinline void write_watched(const struct hftmon_cpu *here, unsigned int slots, u64 head,
				   u32 tid, u64 payload0, u64 payload1)
{
	if (TYPE(head) != HFTMON_REC_SCHED_SWITCH) {
		write_event(here, slots, head, payload0, payload1, NULL);
		return;
	}
	/* Each watches others, and is told which of the two it does not watch. */
	for (; slots; slots &= slots - 1) {
		unsigned int slot = BIT(__ffs(slots));
		u64 told = head;

		if (!(hftmon_watchers_of(hftmon_running_tid()) & slot))
			told |= (u64)HFTMON_SWITCH_PREV_PARTIAL << 32;
		if (!(hftmon_watchers_of(tid) & slot))
			told |= (u64)HFTMON_SWITCH_NEXT_PARTIAL << 32;
		write_event(here, slot, told, payload0, payload1, NULL);
	}
}

/**
 * hftmon_emit_event() - write one event, given in pieces
 * @head:     see hftmon_emit_head()
 * @tid:      a thread that it names, or 0
 * @payload0: first and
 * @payload1: second half of the payload
 *
 * Disables preemption itself: since 7.x a tracepoint no longer does.
 *
 * Context: any, NMI included; takes no lock, never sleeps.
 */
void hftmon_emit_event(u64 head, u32 tid, u64 payload0, u64 payload1)
{
	const struct hftmon_cpu *here;
	unsigned int wanted, slots;
	u64 start = 0;

	preempt_disable_notrace();
	if (unlikely(!this_cpu_dec_return(hftmon_meter.countdown)))
		start = hftmon_meter_start();

	here = this_cpu_ptr(&hftmon_cpu);
	wanted = READ_ONCE(hftmon_wanted[SOURCE(head)]);
	slots = wanted & READ_ONCE(here->whole);
	if (likely(slots))
		write_event(here, slots, head, payload0, payload1, NULL);
	slots = wanted & READ_ONCE(here->partial);
	if (slots) {
		slots &= hftmon_watchers_of(hftmon_running_tid()) | hftmon_watchers_of(tid);
		if (slots)
			write_watched(here, slots, head, tid, payload0, payload1);
	}

	if (unlikely(start))
		hftmon_meter_stop(start);
	preempt_enable_notrace();
}

/**
 * hftmon_emit_name() - the same, with a name, to all sessions of this CPU
 * @head:     see hftmon_emit_head()
 * @payload0: first and
 * @payload1: second half of the payload
 * @comm:     for a COMM continuation
 *
 * Context: any, NMI included; takes no lock, never sleeps.
 */
void hftmon_emit_name(u64 head, u64 payload0, u64 payload1, const char *comm)
{
	const struct hftmon_cpu *here;
	unsigned int slots;
	u64 start = 0;

	preempt_disable_notrace();
	if (unlikely(!this_cpu_dec_return(hftmon_meter.countdown)))
		start = hftmon_meter_start();

	here = this_cpu_ptr(&hftmon_cpu);
	slots = READ_ONCE(hftmon_wanted[SOURCE(head)]) &
		(READ_ONCE(here->whole) | READ_ONCE(here->partial));
	if (slots)
		write_event(here, slots, head, payload0, payload1, comm);

	if (unlikely(start))
		hftmon_meter_stop(start);
	preempt_enable_notrace();
}
