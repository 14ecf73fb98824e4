/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The writing side of one CPU's ring, without locks.
 *
 * Freestanding: whoever includes this defines, before it,
 *
 *	hftmon_local_t			a 64-bit word of the owning CPU (`limit` may be
 *					stored by others, see "Freeze")
 *	hftmon_local_read(p)		plain load
 *	hftmon_local_set(p, value)	plain store
 *	hftmon_local_add(p, n)		add, whole with respect to interrupts of
 *					this CPU (no other CPU writes)
 *	hftmon_local_try_cmpxchg(p, old, new)
 *					likewise; true when *p was old
 *	hftmon_read(lvalue), hftmon_write(lvalue, value)
 *					single, untorn accesses (READ_ONCE ...)
 *	hftmon_load_acquire(p), hftmon_store_release(p, value)
 *	hftmon_wmb()			orders stores before it to stores after it
 *	hftmon_mb()			orders all before it to all after it
 *	hftmon_cmpxchg(p, old, new)	whole with respect to other CPUs, too
 *	hftmon_barrier()		compiler barrier
 *	hftmon_clock()			time stamp; must not decrease on one CPU
 *	hftmon_hot_clock()		the same, cheaper, on a condition: hftmon_ring_try()
 *	hftmon_current_tid()		thread running here, for a GAP record
 *	likely(), unlikely(), __always_inline, noinline, memcpy, s64, u64, u32, u16, bool
 *
 * The kernel binds these in ring.h, the tests in user space bind them to
 * C11 atomics and to an explorer of interleavings.
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
 * Room. Positions below `limit` may be written. It is the lower of two bounds,
 * one capacity further on:
 *  - the reader's tail (stream mode): what has not been read is not overwritten;
 *  - `committed` (both modes): a writer that was interrupted still owns its
 *    slots, and those that nest in it must not come round to them.
 * A loss that no GAP record has told yet holds `limit` at zero, so that the
 * next writer takes the slow path, which tells it. A loss that happens before
 * a writer reads its time is seen by that writer (`lost` is looked at, or
 * `limit` is, after the clock); so no record stands before the GAP of a loss
 * that came earlier than itself.
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
 * Either way control->head ends at head. Both words can step back for a moment
 * inside the loop (W stores H after a nested writer has published more). What
 * a reader sees is then an older value, still true, so a reader keeps the
 * largest it has seen; `limit` is then lower than it need be.
 *
 * Freeze (flight mode). Any CPU may ask: it stores the time in `freeze_since`
 * and takes `limit` away. While a freeze is asked for, every writer takes the
 * slow path, which lets the stated tail of records or time pass, and then loses
 * what comes. The exchange of `limit` there is whole towards this CPU only, and
 * may undo the other's store: so a full barrier, and a look at `freeze_since`,
 * stand behind it (E), as one stands between the two stores of who asks. A thaw
 * clears `freeze_since`; the next writer then finds its way again.
 *
 * Trust. `ureader` lies in a page that user space writes. It is read in one
 * place, checked against the ring's own positions, and only ever moves the
 * private `limit`.
 */
#ifndef HFTMON_RING_CORE_H
#define HFTMON_RING_CORE_H

struct hftmon_ring_core {
	hftmon_local_t head;		/* next position to hand out */
	hftmon_local_t limit;		/* positions below this may be written */
	u64 committed;			/* published so far */
	u64 wake_at;			/* publishing this position wakes the poller */
	struct hftmon_record *slots;
	struct hftmon_ring_control *control;	/* published, never read back */
	u32 mask;			/* capacity - 1, a power of two less one */
	bool overwrite;			/* flight mode */
	/* Slow path. */
	u64 freeze_since;		/* when a freeze was asked for; 0: none; by any CPU */
	u64 freeze_seen;		/* the freeze that @freeze_at is of */
	u64 freeze_at;			/* it takes no record from this position on */
	u64 tail_records;		/* that a freeze lets pass, at most */
	u64 tail_ticks;			/* for how long it does, at most */
	u64 thaw_ticks;			/* a freeze ends by itself after that time; 0: never */
	hftmon_local_t lost;		/* records that found no room */
	u64 gap_reported;		/* `lost` as told by the last GAP record */
	struct hftmon_ring_reader *ureader;	/* untrusted */
};

struct hftmon_reservation {
	u64 tsc;
	u64 first;		/* first position, that of the GAP if there is one */
	u64 position;		/* first position of the caller's own records */
	u64 lost;		/* cumulative count, for the GAP record only */
};

/*
 * Values of `limit` that let nobody pass without the slow path, from position 1
 * on; at position 0 it is not taken, nor is a ring frozen there.
 */
#define HFTMON_RING_LOST	0	/* a loss is to be told */
#define HFTMON_RING_LOOKING	1	/* the slow path runs */

/* No poller waits. */
#define HFTMON_RING_NO_WAKE (~(u64)0)

static inline u64 hftmon_ring_capacity(const struct hftmon_ring_core *ring)
{
	return (u64)ring->mask + 1;
}

static inline void hftmon_ring_core_init(struct hftmon_ring_core *ring, bool overwrite,
					 u32 capacity)
{
	ring->mask = capacity - 1;
	ring->overwrite = overwrite;
	hftmon_local_set(&ring->limit, capacity);
	ring->wake_at = HFTMON_RING_NO_WAKE;
}

/* Does a freeze keep records from @position on out? */
static noinline bool hftmon_ring_keeps_out(struct hftmon_ring_core *ring, u64 since, u64 position)
{
	s64 age = hftmon_clock() - since;

	if (ring->thaw_ticks && age >= (s64)ring->thaw_ticks) {
		/* Another may have come meanwhile. */
		(void)hftmon_cmpxchg(&ring->freeze_since, since, 0);
		return false;
	}
	if (hftmon_read(ring->freeze_seen) != since) {
		hftmon_write(ring->freeze_at, position + ring->tail_records);
		hftmon_write(ring->freeze_seen, since);
	}
	return position >= hftmon_read(ring->freeze_at) || age >= (s64)ring->tail_ticks;
}

static inline bool hftmon_ring_is_frozen(struct hftmon_ring_core *ring, u64 position)
{
	u64 since = hftmon_read(ring->freeze_since);

	return unlikely(since) && hftmon_ring_keeps_out(ring, since, position);
}

/*
 * Move `limit` as far as the reader and unfinished writers allow, unless a loss
 * is to be told. A loss that comes in between sets HFTMON_RING_LOST, and the
 * exchange fails.
 * Return: is there room for @want positions from @position on?
 */
static inline bool hftmon_ring_make_room(struct hftmon_ring_core *ring, u64 position, u64 want)
{
	u64 capacity = hftmon_ring_capacity(ring);
	u64 reusable = hftmon_read(ring->committed);

	if (!ring->overwrite) {
		/* Pairs with the reader's release (D): what lies below it has been read. */
		u64 tail = hftmon_load_acquire(&ring->ureader->tail);

		/* A tail outside [position - capacity, position] is not true: ignore. */
		if (position - tail > capacity)
			return false;
		if ((s64)(tail - reusable) < 0)
			reusable = tail;
	}
	hftmon_local_set(&ring->limit, HFTMON_RING_LOOKING);
	if (hftmon_local_read(&ring->lost) != hftmon_read(ring->gap_reported))
		hftmon_local_set(&ring->limit, HFTMON_RING_LOST);
	else
		(void)hftmon_local_try_cmpxchg(&ring->limit, HFTMON_RING_LOOKING,
					       reusable + capacity);
	if (ring->overwrite) {
		hftmon_mb();		/* (E) */
		if (unlikely(hftmon_read(ring->freeze_since)))
			hftmon_local_set(&ring->limit, HFTMON_RING_LOST);
	}
	return position + want <= reusable + capacity;
}

static inline void hftmon_ring_count_lost(struct hftmon_ring_core *ring, u32 count)
{
	u64 lost;

	hftmon_local_add(&ring->lost, count);
	hftmon_local_set(&ring->limit, HFTMON_RING_LOST);
	/* Like the head: publish, and look again for what nested. */
	do {
		lost = hftmon_local_read(&ring->lost);
		hftmon_write(ring->control->lost, lost);
		hftmon_barrier();
	} while (unlikely(hftmon_local_read(&ring->lost) != lost));
}

/*
 * Reserve when the ring looks full, a loss has to be told, or a freeze was asked for.
 * Return: positions to take, with one for a GAP where it is due; 0: no room,
 * counted; -1: what was looked at has changed, start again.
 */
static noinline int hftmon_ring_reserve_slow(struct hftmon_ring_core *ring, u32 count,
					     u64 position, struct hftmon_reservation *out)
{
	u64 lost = hftmon_local_read(&ring->lost);
	u32 want = count + (lost != hftmon_read(ring->gap_reported));

	if (hftmon_ring_is_frozen(ring, position) ||
	    !hftmon_ring_make_room(ring, position, want)) {
		/* A nested writer moved head, so the check was stale. */
		if (hftmon_local_read(&ring->head) != position)
			return -1;
		hftmon_ring_count_lost(ring, count);
		return 0;
	}
	out->tsc = hftmon_clock();
	/* A loss before our time stamp belongs into a GAP before us. */
	if (unlikely(hftmon_local_read(&ring->lost) != lost))
		return -1;
	out->lost = lost;
	return want;
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
static inline bool hftmon_ring_reserve(struct hftmon_ring_core *ring, u32 count,
				       struct hftmon_reservation *out)
{
	u64 position;
	int want;

	for (;;) {
		position = hftmon_local_read(&ring->head);
		out->tsc = hftmon_clock();
		want = count;
		if (unlikely(position + count > hftmon_local_read(&ring->limit))) {
			want = hftmon_ring_reserve_slow(ring, count, position, out);
			if (want == 0)
				return false;
			if (want < 0)
				continue;
		}
		if (likely(hftmon_local_try_cmpxchg(&ring->head, position, position + want)))
			break;
	}
	out->first = position;
	out->position = position + want - count;
	return true;
}

/* Type and flags of a record in one word, as they lie in it: little-endian. */
typedef u32 __attribute__((__may_alias__)) hftmon_ring_kind_t;

static __always_inline u32 hftmon_ring_kind(u16 type, u16 flags)
{
	return type | (u32)flags << 16;
}

/*
 * Write one reserved slot. It is marked as being written before its payload
 * changes (C), so that a reader in flight mode never takes a mixture for a
 * record; the release of seq pairs with the reader's (A).
 */
static __always_inline void hftmon_ring_fill(struct hftmon_ring_core *ring, u64 position, u64 tsc,
					     u32 kind, u64 payload0, u64 payload1)
{
	struct hftmon_record *slot = &ring->slots[position & ring->mask];

	hftmon_write(slot->seq, (u32)position);
	hftmon_wmb();		/* (C) */
	hftmon_write(slot->tsc, tsc);
	hftmon_write(*(hftmon_ring_kind_t *)&slot->type, kind);
	hftmon_write(slot->payload[0], payload0);
	hftmon_write(slot->payload[1], payload1);
	hftmon_store_release(&slot->seq, (u32)(position + 1));	/* (A) */
}

static noinline void hftmon_ring_fill_gap(struct hftmon_ring_core *ring,
					  const struct hftmon_reservation *res)
{
	struct hftmon_record gap = {
		.gap = { .lost_total = res->lost, .current_tid = hftmon_current_tid() },
	};

	hftmon_ring_fill(ring, res->first, res->tsc, HFTMON_REC_GAP, gap.payload[0],
			 gap.payload[1]);
	/*
	 * A nested writer may have told a larger sum already; going back to
	 * ours makes the next writer tell again. Sums are cumulative, so a
	 * GAP told twice says nothing new.
	 */
	hftmon_write(ring->gap_reported, res->lost);
}

static noinline void hftmon_ring_fill_comm(struct hftmon_ring_core *ring, u64 position, u64 tsc,
					   const char *comm)
{
	struct hftmon_record name;

	/* The name may change under us: the copy can be torn, never unterminated. */
	memcpy(name.comm, comm, HFTMON_COMM_LEN);
	name.comm[HFTMON_COMM_LEN - 1] = '\0';
	hftmon_ring_fill(ring, position, tsc, HFTMON_REC_COMM, name.payload[0],
			 name.payload[1]);
}

/*
 * Every slot of the reservation has been committed.
 * Return: true when the poller should be woken.
 */
static __always_inline bool hftmon_ring_publish(struct hftmon_ring_core *ring, u64 first)
{
	u64 head;

	hftmon_barrier();
	if (hftmon_read(ring->committed) != first)
		return false;		/* nested: see "Publish" above */
	do {
		head = hftmon_local_read(&ring->head);
		hftmon_store_release(&ring->control->head, head);	/* (B) */
		hftmon_write(ring->committed, head);
		hftmon_barrier();
	} while (unlikely(hftmon_local_read(&ring->head) != head));

	if (likely(head < hftmon_read(ring->wake_at)))
		return false;
	/* Once, until a poller arms it again. */
	hftmon_write(ring->wake_at, HFTMON_RING_NO_WAKE);
	return true;
}

/* Any record, in any state of the ring. */
static noinline bool hftmon_ring_write_any(struct hftmon_ring_core *ring, u32 kind,
					   u64 payload0, u64 payload1, const char *comm)
{
	struct hftmon_reservation res;

	if (!hftmon_ring_reserve(ring, comm ? 2 : 1, &res))
		return false;
	if (res.first != res.position)
		hftmon_ring_fill_gap(ring, &res);
	hftmon_ring_fill(ring, res.position, res.tsc, kind, payload0, payload1);
	if (comm)
		hftmon_ring_fill_comm(ring, res.position + 1, res.tsc, comm);
	return hftmon_ring_publish(ring, res.first);
}

enum hftmon_ring_outcome {
	HFTMON_RING_WRITTEN,
	HFTMON_RING_WAKE,	/* the same, and the poller should be woken */
	HFTMON_RING_NO_ROOM	/* nothing was done: hftmon_ring_write_any() knows more */
};

/*
 * The common case, one record and room for it: hftmon_ring_reserve() again, with
 * everything in registers. @hot: the caller knows that hftmon_hot_clock() will do.
 */
static __always_inline enum hftmon_ring_outcome
hftmon_ring_try(struct hftmon_ring_core *ring, u32 kind, u64 payload0, u64 payload1, bool hot)
{
	u64 at, tsc;

	do {
		at = hftmon_local_read(&ring->head);
		tsc = hot ? hftmon_hot_clock() : hftmon_clock();
		if (unlikely(at >= hftmon_local_read(&ring->limit)))
			return HFTMON_RING_NO_ROOM;
	} while (unlikely(!hftmon_local_try_cmpxchg(&ring->head, at, at + 1)));
	hftmon_ring_fill(ring, at, tsc, kind, payload0, payload1);
	return hftmon_ring_publish(ring, at) ? HFTMON_RING_WAKE : HFTMON_RING_WRITTEN;
}

/**
 * hftmon_ring_write() - write one record, or a record and its COMM continuation
 * @ring:     the ring of this CPU
 * @type:     enum hftmon_record_type
 * @flags:    as the type says
 * @payload0: first and
 * @payload1: second half of the payload
 * @comm:     a thread's name for a COMM continuation, or NULL
 *
 * Context: any, preemption disabled.
 * Return: true when the poller should be woken.
 */
static __always_inline bool hftmon_ring_write(struct hftmon_ring_core *ring, u16 type, u16 flags,
					      u64 payload0, u64 payload1, const char *comm)
{
	enum hftmon_ring_outcome outcome = HFTMON_RING_NO_ROOM;
	u32 kind = hftmon_ring_kind(type, flags);

	if (!comm)
		outcome = hftmon_ring_try(ring, kind, payload0, payload1, false);
	if (unlikely(outcome == HFTMON_RING_NO_ROOM))
		return hftmon_ring_write_any(ring, kind, payload0, payload1, comm);
	return outcome == HFTMON_RING_WAKE;
}

/**
 * hftmon_ring_arm() - ask for a wake when @unread records wait; any CPU
 * @ring:   stream mode
 * @unread: 1 or more
 *
 * After arming, with a full barrier between, the caller looks whether that
 * many wait already. The writer has no such barrier between its store of head
 * and its look at `wake_at`: when both pass each other, the wake comes with
 * the next record of that CPU instead.
 */
static inline void hftmon_ring_arm(struct hftmon_ring_core *ring, u32 unread)
{
	u64 tail = hftmon_read(ring->ureader->tail);
	u64 head = hftmon_read(ring->control->head);

	/* An untrue tail costs its owner a wake too many or too late. */
	if (head - tail > hftmon_ring_capacity(ring))
		tail = head;
	hftmon_write(ring->wake_at, tail + unread);
}

/* The halves of hftmon_ring_freeze(), for who freezes many. */
static inline void hftmon_ring_ask_to_freeze(struct hftmon_ring_core *ring, u64 since)
{
	hftmon_write(ring->freeze_since, since);
}

static inline void hftmon_ring_take_limit(struct hftmon_ring_core *ring)
{
	hftmon_local_set(&ring->limit, HFTMON_RING_LOST);
}

/**
 * hftmon_ring_freeze() - keep what the ring holds; any CPU
 * @ring:  flight mode; a record has been written
 * @since: the time now, not 0
 *
 * Records that are written just now still come, and the tail.
 */
static inline void hftmon_ring_freeze(struct hftmon_ring_core *ring, u64 since)
{
	hftmon_ring_ask_to_freeze(ring, since);
	hftmon_mb();		/* (E) */
	hftmon_ring_take_limit(ring);
}

/** hftmon_ring_thaw() - go on; any CPU */
static inline void hftmon_ring_thaw(struct hftmon_ring_core *ring)
{
	hftmon_write(ring->freeze_since, 0);
}

#endif /* HFTMON_RING_CORE_H */
