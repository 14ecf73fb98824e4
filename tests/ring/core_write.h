/* SPDX-License-Identifier: MIT */
/*
 * MIRROR of hftmon_ring_write() in kmod/ring.h, in the kernel-independent form
 * that is proposed for kmod/ring_core.h (then this file goes). Two differences:
 * the payload is stored by hftmon_write(), because a reader in flight mode may
 * load it meanwhile, and the thread is named by a binding,
 *
 *	hftmon_current_tid()		thread running here
 *
 * which is asked for a GAP record only.
 */
#ifndef HFTMON_TESTS_RING_CORE_WRITE_H
#define HFTMON_TESTS_RING_CORE_WRITE_H

static __always_inline void hftmon_ring_fill(struct hftmon_ring_core *ring, u64 position, u64 tsc,
					     u16 type, u16 flags, u64 payload0, u64 payload1)
{
	struct hftmon_record *slot = hftmon_ring_begin(ring, position);

	hftmon_write(slot->tsc, tsc);
	hftmon_write(slot->type, type);
	hftmon_write(slot->flags, flags);
	hftmon_write(slot->payload[0], payload0);
	hftmon_write(slot->payload[1], payload1);
	hftmon_ring_commit(slot, position);
}

/**
 * hftmon_ring_core_write() - one record, or a record and its COMM continuation
 *
 * Context: any, preemption disabled, on the ring's CPU.
 * Return: true when the reader should be woken.
 */
static __always_inline bool hftmon_ring_core_write(struct hftmon_ring_core *ring, u16 type,
						   u16 flags, u64 payload0, u64 payload1,
						   const char *comm)
{
	struct hftmon_reservation res;
	struct hftmon_record more;

	if (unlikely(!hftmon_ring_reserve(ring, comm ? 2 : 1, &res)))
		return false;

	if (unlikely(res.first != res.position)) {
		more.gap.lost_total = res.lost;
		more.gap.current_tid = hftmon_current_tid();
		more.gap.reserved = 0;
		hftmon_ring_fill(ring, res.first, res.tsc, HFTMON_REC_GAP, 0, more.payload[0],
				 more.payload[1]);
		hftmon_ring_gap_told(ring, &res);
	}

	hftmon_ring_fill(ring, res.position, res.tsc, type, flags, payload0, payload1);

	if (comm) {
		/* The name may change under us: the copy can be torn, never unterminated. */
		memcpy(more.comm, comm, HFTMON_COMM_LEN);
		more.comm[HFTMON_COMM_LEN - 1] = '\0';
		hftmon_ring_fill(ring, res.position + 1, res.tsc, HFTMON_REC_COMM, 0,
				 more.payload[0], more.payload[1]);
	}
	return hftmon_ring_publish(ring, &res);
}

#endif /* HFTMON_TESTS_RING_CORE_WRITE_H */
