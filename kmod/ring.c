// SPDX-License-Identifier: GPL-2.0-only
/* Pages of a ring: allocation on the CPU's node, mapping into the reader. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

#include "ring.h"
#include "session.h"

/* Charged to the memory cgroup of the caller of SETUP, who handles a failure. */
#define RING_GFP (GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY)

/* In hard interrupt context, on PREEMPT_RT too. */
static void hftmon_ring_wake(struct irq_work *work)
{
	struct hftmon_ring *ring = container_of(work, struct hftmon_ring, wake);

	hftmon_session_wake_later(ring->session);
}

static void free_data_pages(struct hftmon_ring *ring)
{
	unsigned long i;

	for (i = 0; i < ring->nr_data_pages; i++) {
		__free_page(ring->data_pages[i]);
		cond_resched();
	}
	kvfree(ring->data_pages);
	ring->data_pages = NULL;
	ring->nr_data_pages = 0;
}

static int alloc_data_pages(struct hftmon_ring *ring, unsigned long count, int node)
{
	ring->data_pages = kvcalloc(count, sizeof(*ring->data_pages), GFP_KERNEL_ACCOUNT);
	if (!ring->data_pages)
		return -ENOMEM;

	for (; ring->nr_data_pages < count; ring->nr_data_pages++) {
		struct page *page = alloc_pages_node(node, RING_GFP, 0);

		if (!page || fatal_signal_pending(current)) {
			if (page)
				__free_page(page);
			free_data_pages(ring);
			return page ? -EINTR : -ENOMEM;
		}
		ring->data_pages[ring->nr_data_pages] = page;
		cond_resched();
	}
	return 0;
}

static unsigned long data_pages(const struct hftmon_session *session)
{
	return (u64)session->ring_records * HFTMON_RECORD_SIZE / PAGE_SIZE;
}

/** hftmon_ring_pages() - pages of one ring of this session, once it is configured */
unsigned long hftmon_ring_pages(const struct hftmon_session *session)
{
	return data_pages(session) + 2;
}

/**
 * hftmon_ring_alloc() - allocate a ring as its session is configured
 * @ring:    zeroed
 * @session: gives mode and sizes
 * @cpu:     whose ring; the pages lie on its node
 *
 * The ring starts disabled.
 *
 * Context: process, may sleep.
 * Return: 0, -ENOMEM, or -EINTR; on failure nothing is left allocated.
 */
int hftmon_ring_alloc(struct hftmon_ring *ring, struct hftmon_session *session, int cpu)
{
	unsigned long count = data_pages(session);
	bool overwrite = session->mode == HFTMON_MODE_FLIGHT;
	int node = cpu_to_node(cpu);
	struct hftmon_ring_control *control;
	int err = -ENOMEM;

	ring->control_page = alloc_pages_node(node, RING_GFP, 0);
	if (!ring->control_page)
		return err;
	ring->reader_page = alloc_pages_node(node, RING_GFP, 0);
	if (!ring->reader_page)
		goto err_free_control;
	err = alloc_data_pages(ring, count, node);
	if (err)
		goto err_free_reader;
	err = -ENOMEM;
	ring->core.slots = vmap(ring->data_pages, count, VM_MAP, PAGE_KERNEL);
	if (!ring->core.slots)
		goto err_free_data;

	hftmon_ring_core_init(&ring->core, overwrite, session->ring_records);
	control = page_address(ring->control_page);
	control->cpu = cpu;
	control->mode = session->mode;
	control->capacity = session->ring_records;
	control->record_size = HFTMON_RECORD_SIZE;
	ring->core.control = control;
	ring->core.ureader = page_address(ring->reader_page);
	ring->session = session;
	ring->wake = IRQ_WORK_INIT_HARD(hftmon_ring_wake);
	ring->may_wake = true;
	return 0;

err_free_data:
	free_data_pages(ring);
err_free_reader:
	__free_page(ring->reader_page);
	ring->reader_page = NULL;
err_free_control:
	__free_page(ring->control_page);
	ring->control_page = NULL;
	return err;
}

/**
 * hftmon_ring_free() - undo hftmon_ring_alloc()
 * @ring: one that was never allocated is fine
 *
 * The caller has made sure that no probe can still write (session stopped and
 * tracepoints synchronized) and that no mapping is left (the file is gone).
 */
void hftmon_ring_free(struct hftmon_ring *ring)
{
	if (!ring->core.slots)
		return;
	irq_work_sync(&ring->wake);
	vunmap(ring->core.slots);
	ring->core.slots = NULL;
	free_data_pages(ring);
	__free_page(ring->reader_page);
	__free_page(ring->control_page);
}

static int map_page(struct vm_area_struct *vma, struct page *page)
{
	if (vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	return vm_insert_page(vma, vma->vm_start, page);
}

static int map_data_twice(struct hftmon_ring *ring, struct vm_area_struct *vma)
{
	unsigned long half = ring->nr_data_pages << PAGE_SHIFT;
	unsigned long left;
	int err;

	if (vma->vm_end - vma->vm_start != 2 * half)
		return -EINVAL;
	left = ring->nr_data_pages;
	err = vm_insert_pages(vma, vma->vm_start, ring->data_pages, &left);
	if (err)
		return err;
	left = ring->nr_data_pages;
	return vm_insert_pages(vma, vma->vm_start + half, ring->data_pages, &left);
}

/**
 * hftmon_ring_mmap() - map one region of a ring
 * @ring:   whose
 * @vma:    where; must have the region's length, flags are checked
 * @region: enum hftmon_mmap_region
 *
 * Return: 0 or -EINVAL for a wrong region or length.
 */
int hftmon_ring_mmap(struct hftmon_ring *ring, struct vm_area_struct *vma, u32 region)
{
	switch (region) {
	case HFTMON_MMAP_CONTROL:
		return map_page(vma, ring->control_page);
	case HFTMON_MMAP_READER:
		return map_page(vma, ring->reader_page);
	case HFTMON_MMAP_DATA:
		return map_data_twice(ring, vma);
	default:
		return -EINVAL;
	}
}

/**
 * hftmon_ring_allow_wake() - may probes of the ring's CPU queue its irq_work?
 * @ring:  whose
 * @allow: no is final when this returns: nothing is queued any more
 *
 * A CPU on its way down still has events, but an irq_work that is queued late
 * on that way is never run, and hftmon_ring_free() would wait for it for ever.
 *
 * Context: process, on the ring's CPU: no probe is between its look at
 * may_wake and the queueing.
 */
void hftmon_ring_allow_wake(struct hftmon_ring *ring, bool allow)
{
	WRITE_ONCE(ring->may_wake, allow);
	if (!allow)
		irq_work_sync(&ring->wake);
	/* A wake may have been due while it was not allowed: pollers look for themselves. */
	hftmon_session_wake_later(ring->session);
}

/* By the published head, not the writer's own word: that line is hot. */
static s64 unread_records(const struct hftmon_ring_core *core)
{
	return READ_ONCE(core->control->head) - READ_ONCE(core->ureader->tail);
}

/**
 * hftmon_ring_has_unread() - for a poller: do so many records wait?
 * @ring:    stream mode
 * @records: 1 or more
 *
 * When they do not, the ring will wake the session once they do; when they do,
 * once as many more have come, for who waits for an edge (EPOLLET). The poller
 * must be on the session's wait queue already.
 *
 * Return: true when they do.
 */
bool hftmon_ring_has_unread(struct hftmon_ring *ring, u32 records)
{
	struct hftmon_ring_core *core = &ring->core;
	s64 unread = unread_records(core);

	if (unread >= (s64)records) {
		u64 next = READ_ONCE(core->control->head) + records;

		/*
		 * Only if disarmed. An arm that stands belongs to a poller
		 * whom the writer is about to wake.
		 */
		cmpxchg(&core->wake_at, HFTMON_RING_NO_WAKE, next);
		return true;
	}
	hftmon_ring_arm(core, records);
	smp_mb();	/* arm, then look; see hftmon_ring_arm() for the writer's side */
	return unread_records(core) >= (s64)records;
}
