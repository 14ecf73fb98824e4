/* SPDX-License-Identifier: GPL-2.0-only */
/* One CPU's ring of one session: its pages, its mapping, its writer. */
#ifndef HFTMON_RING_H
#define HFTMON_RING_H

#include <linux/compiler.h>
#include <linux/irq_work.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/local.h>
#include <hftmon/abi/record.h>
#include <hftmon/abi/ring.h>

#include "clock.h"
#include "compat.h"

/* What ring_core.h asks for, in the kernel's words. local_t is 64 bits wide. */
#define hftmon_local_t			local_t
#define hftmon_local_read(word)		((u64)local_read(word))
#define hftmon_local_add(word, n)	local_add(n, word)
#define hftmon_read(lvalue)		READ_ONCE(lvalue)
#define hftmon_write(lvalue, value)	WRITE_ONCE(lvalue, value)
#define hftmon_load_acquire(p)		smp_load_acquire(p)	/* (A)..(D): ring_core.h */
#define hftmon_store_release(p, value)	smp_store_release(p, value)	/* says with whom */
#define hftmon_wmb()			smp_wmb()	/* each of them pairs */
#define hftmon_barrier()		barrier()

static __always_inline bool hftmon_local_try_cmpxchg(local_t *word, u64 old, u64 new)
{
	long expected = old;

	return local_try_cmpxchg(word, &expected, new);
}

#include "ring_core.h"

struct vm_area_struct;
struct hftmon_session;

/**
 * struct hftmon_ring - per CPU and session
 * @core:         the writer's state; written on this CPU only
 * @enabled:      records are accepted; written on this CPU
 * @wake:         wakes the session's pollers out of any context
 * @session:      whose ring this is
 * @control_page: mapped read-only by the reader
 * @reader_page:  mapped read-write by the reader
 * @data_pages:   the records, also mapped contiguously at core.slots
 */
struct hftmon_ring {
	struct hftmon_ring_core core;
	bool enabled;
	struct irq_work wake;
	struct hftmon_session *session;
	struct page *control_page;
	struct page *reader_page;
	struct page **data_pages;
	unsigned long nr_data_pages;
};

int hftmon_ring_alloc(struct hftmon_ring *ring, struct hftmon_session *session, int cpu);
void hftmon_ring_free(struct hftmon_ring *ring);
int hftmon_ring_mmap(struct hftmon_ring *ring, struct vm_area_struct *vma, u32 region);
u64 hftmon_ring_unread(const struct hftmon_ring *ring);

/*
 * Write one record, or a record and its COMM continuation.
 * Context: any, preemption disabled, on the ring's CPU.
 */
static __always_inline void hftmon_ring_write(struct hftmon_ring *ring, u16 type, u16 flags,
					      u64 payload0, u64 payload1, const char *comm)
{
	struct hftmon_ring_core *core = &ring->core;
	struct hftmon_reservation res;
	struct hftmon_record *slot;

	if (unlikely(!hftmon_ring_reserve(core, comm ? 2 : 1, &res)))
		return;

	if (unlikely(res.first != res.position)) {
		slot = hftmon_ring_begin(core, res.first);
		slot->tsc = res.tsc;
		slot->type = HFTMON_REC_GAP;
		slot->flags = 0;
		slot->gap = (struct hftmon_gap){
			.lost_total = res.lost,
			.current_tid = current->pid,
		};
		hftmon_ring_commit(slot, res.first);
		hftmon_ring_gap_told(core, &res);
	}

	slot = hftmon_ring_begin(core, res.position);
	slot->tsc = res.tsc;
	slot->type = type;
	slot->flags = flags;
	slot->payload[0] = payload0;
	slot->payload[1] = payload1;
	hftmon_ring_commit(slot, res.position);

	if (comm) {
		slot = hftmon_ring_begin(core, res.position + 1);
		slot->tsc = res.tsc;
		slot->type = HFTMON_REC_COMM;
		slot->flags = 0;
		/* The name may change under us: the copy can be torn, never unterminated. */
		memcpy(slot->comm, comm, HFTMON_COMM_LEN);
		slot->comm[HFTMON_COMM_LEN - 1] = '\0';
		hftmon_ring_commit(slot, res.position + 1);
	}

	if (unlikely(hftmon_ring_publish(core, &res)))
		irq_work_queue(&ring->wake);
}

#endif /* HFTMON_RING_H */
