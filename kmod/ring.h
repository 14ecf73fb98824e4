/* SPDX-License-Identifier: GPL-2.0-only */
/* One CPU's ring of one session: its pages, its mapping, its writer. */
#ifndef HFTMON_RING_H
#define HFTMON_RING_H

#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/irq_work.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/local.h>
#include <hftmon/abi/record.h>
#include <hftmon/abi/ring.h>

#include "clock.h"
#include "compat.h"
#include "running.h"

/* What ring_core.h asks for, in the kernel's words. */
static_assert(sizeof(local_t) == sizeof(u64), "positions are 64 bits wide");
#define hftmon_local_t			local_t
#define hftmon_local_read(word)		((u64)local_read(word))
#define hftmon_local_set(word, value)	local_set(word, value)
#define hftmon_local_add(word, n)	local_add(n, word)
#define hftmon_read(lvalue)		READ_ONCE(lvalue)
#define hftmon_write(lvalue, value)	WRITE_ONCE(lvalue, value)
#define hftmon_load_acquire(p)		smp_load_acquire(p)	/* (A)..(D): ring_core.h */
#define hftmon_store_release(p, value)	smp_store_release(p, value)	/* says with whom */
#define hftmon_wmb()			smp_wmb()	/* each of them pairs */
#define hftmon_mb()			smp_mb()	/* (E) */
#define hftmon_cmpxchg(p, old, new)	cmpxchg(p, old, new)
#define hftmon_barrier()		barrier()
#define hftmon_current_tid()		hftmon_running_tid()

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
 * @core:         the writer's state; wake_at is written by pollers, what freezes
 *                by anybody, the rest on this CPU only
 * @enabled:      its first record has been written; by this CPU
 * @may_wake:     the CPU is not on its way down: an irq_work would run
 * @shed:         what the session's sources lack here now; by this CPU
 * @shed_untold:  the ring had no room for that; by this CPU
 * @ever_shed:    what they lacked at some time
 * @held:         durations that ended here and were no hits of the trigger; by this CPU
 * @wake:         leaves the probe's context to wake the session's pollers
 * @session:      whose ring this is
 * @control_page: mapped read-only by the reader
 * @reader_page:  mapped read-write by the reader
 * @data_pages:   the records, also mapped contiguously at core.slots
 */
struct hftmon_ring {
	struct hftmon_ring_core core;
	bool enabled;
	bool may_wake;
	u64 shed;
	u64 ever_shed;
	bool shed_untold;
	local_t held;
	struct irq_work wake;
	struct hftmon_session *session;
	struct page *control_page;
	struct page *reader_page;
	struct page **data_pages;
	unsigned long nr_data_pages;
} ____cacheline_aligned;

unsigned long hftmon_ring_pages(const struct hftmon_session *session);
int hftmon_ring_alloc(struct hftmon_ring *ring, struct hftmon_session *session, int cpu);
void hftmon_ring_free(struct hftmon_ring *ring);
int hftmon_ring_mmap(struct hftmon_ring *ring, struct vm_area_struct *vma, u32 region);
void hftmon_ring_allow_wake(struct hftmon_ring *ring, bool allow);
bool hftmon_ring_has_unread(struct hftmon_ring *ring, u32 records);

#endif /* HFTMON_RING_H */
