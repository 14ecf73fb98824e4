// SPDX-License-Identifier: GPL-2.0-only
/*
 * Histograms of watched threads, on whatever CPU their durations end: one fixed
 * table for the module. A thread takes a slot of it when a duration of it ends for
 * the first time while a session that counts by thread watches it, and keeps it
 * until it dies. Slots are taken one after another, and what was counted in one
 * stays until no session holds the table.
 *
 * A thread's durations end where it is switched, under its run queue's lock, so
 * one CPU at a time looks for its slot, takes one, counts in it and ends it; the
 * next sees what the last one did, as it sees what the thread did.
 */
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "duration.h"
#include "thread_histograms.h"
#include "watch.h"

/* A slot and one is kept in a byte, as is that there was no room. */
#define MAX_SLOTS 254u
#define NO_ROOM 255

static unsigned int thread_slots = 64;
module_param(thread_slots, uint, 0644);
MODULE_PARM_DESC(thread_slots,
		 "Watched threads that have histograms of their own, 40 KiB each: 1 to 254 (default 64)");

DEFINE_STATIC_KEY_FALSE(hftmon_threads_counted);

/* There while a session holds it; how many slots it has, and how many are taken. */
static struct hftmon_thread_histograms *table;
static u32 slots;
static atomic_t taken;

/* By slot, whose it is, as long as that thread lives; else 0. Read in place of the table. */
static u32 owners[MAX_SLOTS];

/* Bits of sessions that count by thread. */
static u8 sessions;

/* Of the table, and of who holds it. */
static DEFINE_MUTEX(table_lock);
static unsigned int holders;

/* ---- probes ---------------------------------------------------------------- */

/* The slot of a thread, from 1 on; 0: it has none. */
static u8 look(u32 tid)
{
	u32 i, used = min_t(u32, atomic_read(&taken), slots);

	for (i = 0; i < used; i++) {
		if (READ_ONCE(owners[i]) == tid)
			return i + 1;
	}
	return 0;
}

/* Other CPUs take slots for other threads. */
static u8 take(u32 tid)
{
	int i = atomic_fetch_add_unless(&taken, 1, slots);

	if (i == slots)
		return NO_ROOM;
	WRITE_ONCE(owners[i], tid);
	WRITE_ONCE(table[i].tid, tid);
	/* Readers of the mapping see whose it is before they see that it is. */
	smp_store_release(&table[i].state, HFTMON_THREAD_LIVE);
	return i + 1;
}

/**
 * hftmon_thread_histograms_find() - where durations of a thread are counted
 * @tid:  the thread
 * @slot: where the caller remembers what was found, as long as it is this thread; or NULL
 *
 * Context: the probe of sched_switch, behind the static key, preemption disabled.
 * Return: NULL when nobody wants them, or there is no room, which is counted.
 */
noinline struct hftmon_thread_histograms *hftmon_thread_histograms_find(u32 tid, u8 *slot)
{
	struct hftmon_thread_histograms *thread;
	u8 found = slot ? *slot : 0;
	u32 watching;

	/* A session's bit is cleared before it waits for us and forgets whom it watched. */
	watching = READ_ONCE(sessions);
	if (!watching)
		return NULL;
	watching &= hftmon_watchers_of(tid);
	if (!watching)
		return NULL;
	/* Another thread that shares the caller's memory may have put its own there. */
	if (found && found != NO_ROOM && unlikely(READ_ONCE(owners[found - 1]) != tid))
		found = 0;
	if (!found)
		found = look(tid) ?: take(tid);
	if (slot)
		*slot = found;
	if (found == NO_ROOM) {
		local_inc((local_t *)&hftmon_histograms_here()->no_slot);
		return NULL;
	}
	thread = &table[found - 1];
	if (unlikely(watching & ~READ_ONCE(thread->sessions)))
		atomic_or(watching, (atomic_t *)&thread->sessions);
	return thread;
}

/**
 * hftmon_thread_histograms_end() - the thread is dead; another may get its id
 * @tid: the thread
 *
 * Context: any, behind the static key.
 */
noinline void hftmon_thread_histograms_end(u32 tid)
{
	u8 slot;

	if (!READ_ONCE(sessions))
		return;
	slot = look(tid);
	if (!slot)
		return;
	WRITE_ONCE(owners[slot - 1], 0);
	WRITE_ONCE(table[slot - 1].state, HFTMON_THREAD_ENDED);
}

/* ---- sessions -------------------------------------------------------------- */

/**
 * hftmon_thread_histograms_get() - hold the table
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int hftmon_thread_histograms_get(void)
{
	u32 wanted = clamp(READ_ONCE(thread_slots), 1u, MAX_SLOTS);
	int err = 0;

	mutex_lock(&table_lock);
	if (!holders) {
		table = vmalloc_user(array_size(wanted, sizeof(*table)));
		if (table) {
			slots = wanted;
			atomic_set(&taken, 0);
			memset(owners, 0, sizeof(owners));
		} else {
			err = -ENOMEM;
		}
	}
	if (!err)
		holders++;
	mutex_unlock(&table_lock);
	return err;
}

/** hftmon_thread_histograms_put() - the session is gone, with its mappings */
void hftmon_thread_histograms_put(void)
{
	mutex_lock(&table_lock);
	if (!--holders) {
		vfree(table);
		table = NULL;
		slots = 0;
	}
	mutex_unlock(&table_lock);
}

/**
 * hftmon_thread_histograms_start() - count what this session watches
 * @session: its slot; it holds the table; under hftmon_active_lock
 */
void hftmon_thread_histograms_start(int session)
{
	u32 i, used = atomic_read(&taken);

	/* While nobody counted, threads may have died, and others have their ids. */
	if (!sessions) {
		for (i = 0; i < used; i++) {
			owners[i] = 0;
			WRITE_ONCE(table[i].state, HFTMON_THREAD_ENDED);
		}
		hftmon_duration_threads_forget_slots();
	}
	for (i = 0; i < used; i++)
		atomic_andnot(BIT(session), (atomic_t *)&table[i].sessions);
	WRITE_ONCE(sessions, sessions | BIT(session));
	static_branch_inc(&hftmon_threads_counted);
}

/** hftmon_thread_histograms_stop() - undo it; the caller then waits for probes */
void hftmon_thread_histograms_stop(int session)
{
	WRITE_ONCE(sessions, sessions & ~BIT(session));
	static_branch_dec(&hftmon_threads_counted);
}

/** hftmon_thread_histograms_slots() - of the table; a session holds it */
u32 hftmon_thread_histograms_slots(void)
{
	return slots;
}

/**
 * hftmon_thread_histograms_mmap() - map the table, read-only
 * @vma: of a session that holds it; flags are checked
 */
int hftmon_thread_histograms_mmap(struct vm_area_struct *vma)
{
	if (vma->vm_end - vma->vm_start > PAGE_ALIGN(array_size(slots, sizeof(*table))))
		return -EINVAL;
	return remap_vmalloc_range(vma, table, 0);
}
