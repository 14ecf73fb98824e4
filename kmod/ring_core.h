/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Reserve and commit: the writing side of one CPU's ring, without locks.
 *
 * Freestanding: whoever includes this defines, before it,
 *
 *	hftmon_local_t			a 64-bit word of the owning CPU
 *	hftmon_local_read(p)		plain load
 *	hftmon_local_add(p, n)		add, whole with respect to interrupts of
 *					this CPU (no other CPU writes)
 *	hftmon_local_try_cmpxchg(p, old, new)
 *					likewise; true when *p was old
 *	hftmon_read(lvalue), hftmon_write(lvalue, value)
 *					single, untorn accesses (READ_ONCE ...)
 *	hftmon_load_acquire(p), hftmon_store_release(p, value)
 *	hftmon_wmb()			orders stores before it to stores after it
 *	hftmon_barrier()		compiler barrier
 *	hftmon_clock()			time stamp; must not decrease on one CPU
 *	likely(), unlikely(), __always_inline, u64, u32, bool
 *
 * The kernel binds these in ring.h, the tests in user space bind them to
 * C11 atomics or to an explorer of interleavings.
 *
 * Writers. One CPU writes to a ring. Its contexts nest like a stack: a softirq
 * interrupts a task, a hard interrupt either, an NMI all, and each finishes
 * before what it interrupted goes on. So "another writer" always means: one
 * that runs, whole, between two instructions of this one. The caller has
 * preemption disabled.
 *
 * Reserve. Positions are handed out by compare-and-exchange of `head`. The
 * time is read between the load of `head` and the exchange: if a nested writer
 * reserved meanwhile, the exchange fails and the time is read again. Hence
 * time stamps never decrease from one position to the next.
 *
 * Publish. Everything below control->head must be complete. Let H be `head`
 * when a writer has committed its slots [first, H0), H0 <= H. Slots in [H0, H)
 * belong to writers that nested inside this one; those are complete. Slots
 * below `first` are complete unless this writer is itself nested. `committed`
 * is what was last published, so
 *
 *	committed == first  <=>  nobody below is unfinished: publish
 *	committed != first  <=>  nested inside the owner of `committed`, who
 *	                         will look at head again: leave it to him
 *
 * The outermost writer W stores control->head = committed = H and looks again:
 *  - a writer that nests before the store of `committed` sees an old value
 *    there, does not publish, but has moved head: W sees that and loops;
 *  - one that nests after it reserves at H == committed and publishes itself.
 * Either way control->head ends at head. It can step back for a moment inside
 * the loop (W stores H after a nested writer has published more); what a
 * reader sees is then an older value, still true, so a reader keeps the
 * largest it has seen.
 *
 * Trust. `ureader` lies in a page that user space writes. It is read in one
 * place, checked against the ring's own positions, and only ever moves the
 * private `limit`.
 */
#ifndef HFTMON_RING_CORE_H
#define HFTMON_RING_CORE_H

struct hftmon_ring_core {
	hftmon_local_t head;		/* next position to hand out */
	u64 committed;			/* published so far */
	u64 limit;			/* positions below this may be written */
	hftmon_local_t lost;		/* records that found no room */
	u64 gap_reported;		/* `lost` as told by the last GAP record */
	u64 wake_at;			/* publishing this position wakes the reader */
	struct hftmon_record *slots;
	struct hftmon_ring_control *control;	/* published, never read back */
	struct hftmon_ring_reader *ureader;	/* untrusted */
	u32 capacity;			/* power of two */
	u32 wakeup_records;
};

struct hftmon_reservation {
	u64 tsc;
	u64 first;		/* first position, that of the GAP if there is one */
	u64 position;		/* first position of the caller's own records */
	u64 lost;		/* cumulative count for the GAP record */
};

/* Flight mode: no limit, every position may be written. */
#define HFTMON_RING_NO_LIMIT (~(u64)0)

static inline void hftmon_ring_core_init(struct hftmon_ring_core *ring, bool overwrite,
					 u32 capacity, u32 wakeup_records)
{
	ring->capacity = capacity;
	ring->wakeup_records = wakeup_records;
	ring->wake_at = overwrite ? HFTMON_RING_NO_LIMIT : wakeup_records;
	ring->limit = overwrite ? HFTMON_RING_NO_LIMIT : capacity;
}

static __always_inline struct hftmon_record *hftmon_ring_slot(struct hftmon_ring_core *ring,
							      u64 position)
{
	return &ring->slots[position & (ring->capacity - 1)];
}

/*
 * The ring looks full up to `position`: has the reader moved on? Slow path of
 * a reserve. Pairs with the reader's release store of `tail`: the slots below
 * it have been read before this writer reuses them.
 */
static inline bool hftmon_ring_make_room(struct hftmon_ring_core *ring, u64 position, u64 want)
{
	u64 tail = hftmon_load_acquire(&ring->ureader->tail);

	/* A tail outside [position - capacity, position] is not true: ignore. */
	if (position - tail > ring->capacity)
		return false;
	hftmon_write(ring->limit, tail + ring->capacity);
	return position + want <= tail + ring->capacity;
}

static inline void hftmon_ring_count_lost(struct hftmon_ring_core *ring, u32 count)
{
	hftmon_local_add(&ring->lost, count);
	/* Nested writers may publish an older sum last; the next loss mends it. */
	hftmon_write(ring->control->lost, hftmon_local_read(&ring->lost));
}

/**
 * hftmon_ring_reserve() - take @count neighbouring positions and the time
 * @ring:  the ring of this CPU
 * @count: 1 or more; far below the capacity
 * @out:   filled in when true is returned
 *
 * One more position, for a GAP record, is taken when records were lost since
 * the last one; then out->first != out->position and the caller writes it.
 *
 * Context: any, preemption disabled.
 * Return: false when there is no room; the records are counted as lost.
 */
static __always_inline bool hftmon_ring_reserve(struct hftmon_ring_core *ring, u32 count,
						struct hftmon_reservation *out)
{
	u64 position, want, lost;

	do {
		position = hftmon_local_read(&ring->head);
		lost = hftmon_local_read(&ring->lost);
		want = count + (lost != hftmon_read(ring->gap_reported));
		if (unlikely(position + want > hftmon_read(ring->limit)) &&
		    !hftmon_ring_make_room(ring, position, want)) {
			/* A nested writer moved head, so the check was stale. */
			if (hftmon_local_read(&ring->head) != position)
				continue;
			hftmon_ring_count_lost(ring, count);
			return false;
		}
		out->tsc = hftmon_clock();
	} while (unlikely(!hftmon_local_try_cmpxchg(&ring->head, position, position + want)));

	out->first = position;
	out->position = position + want - count;
	out->lost = lost;
	return true;
}

/**
 * hftmon_ring_begin() - open one reserved slot for writing
 *
 * Marks the slot as being written before its payload changes, so that a
 * reader in flight mode never takes a mixture for a record.
 */
static __always_inline struct hftmon_record *hftmon_ring_begin(struct hftmon_ring_core *ring,
							       u64 position)
{
	struct hftmon_record *slot = hftmon_ring_slot(ring, position);

	hftmon_write(slot->seq, (u32)position);
	hftmon_wmb();		/* (C) of abi/ring.h */
	return slot;
}

/** hftmon_ring_commit() - the slot is whole; pairs with the reader's (A) */
static __always_inline void hftmon_ring_commit(struct hftmon_record *slot, u64 position)
{
	hftmon_store_release(&slot->seq, (u32)(position + 1));
}

/** hftmon_ring_gap_told() - the GAP record of @res has been committed */
static inline void hftmon_ring_gap_told(struct hftmon_ring_core *ring,
					const struct hftmon_reservation *res)
{
	/*
	 * A nested writer may have told a larger sum already; going back to
	 * ours makes the next writer tell again. Sums are cumulative, so a
	 * GAP told twice says nothing new.
	 */
	hftmon_write(ring->gap_reported, res->lost);
}

/**
 * hftmon_ring_publish() - every slot of the reservation has been committed
 *
 * Return: true when the reader should be woken.
 */
static __always_inline bool hftmon_ring_publish(struct hftmon_ring_core *ring,
						const struct hftmon_reservation *res)
{
	u64 head;

	hftmon_barrier();
	if (hftmon_read(ring->committed) != res->first)
		return false;		/* nested: see "Publish" above */
	do {
		head = hftmon_local_read(&ring->head);
		hftmon_store_release(&ring->control->head, head);	/* (B) */
		hftmon_write(ring->committed, head);
		hftmon_barrier();
	} while (unlikely(hftmon_local_read(&ring->head) != head));

	if (likely(head < hftmon_read(ring->wake_at)))
		return false;
	hftmon_write(ring->wake_at, head + ring->wakeup_records);
	return true;
}

#endif /* HFTMON_RING_CORE_H */
