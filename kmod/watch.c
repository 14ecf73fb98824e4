// SPDX-License-Identifier: GPL-2.0-only
/*
 * The threads that sessions watch, and their children.
 *
 * A map of one byte for each thread id there can be: a probe that asks whether
 * an event concerns anybody's threads pays two loads, whatever is watched. The
 * map exists while a session watches. A byte is set up when its thread is
 * created, so what the last holder of that id was is of no matter.
 */
#include <linux/bitops.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sizes.h>
#include <linux/threads.h>
#include <linux/vmalloc.h>

#include "hook.h"
#include "probes.h"
#include "slot.h"
#include "thread_histograms.h"
#include "watch.h"

u8 *hftmon_watchers __read_mostly;

/* Sessions whose new threads, and new processes, are watched if the parent is. */
static u8 inherit_threads;
static u8 inherit_processes;

/* Sessions that watch at all: only of those a bit may be set. */
static u8 watching;

/* Of the three above, and of the map. */
static DEFINE_MUTEX(watch_lock);

/* Bytes are changed by who forks and by commands at once: as bits of a word. */
static void mark(u32 tid, u8 bits, bool on)
{
	unsigned long *words = (unsigned long *)hftmon_watchers;
	unsigned int bit;

	for (bit = 0; bit < HFTMON_MAX_SESSIONS; bit++) {
		if (!(bits & BIT(bit)))
			continue;
		if (on)
			set_bit((size_t)tid * BITS_PER_BYTE + bit, words);
		else
			clear_bit((size_t)tid * BITS_PER_BYTE + bit, words);
	}
}

/* Before the child runs. Its id may have been another thread's before. */
void hftmon_probe_task_newtask(void *data, struct task_struct *child, HFTMON_CLONE_FLAGS_T flags)
{
	u8 inherits = READ_ONCE(*(flags & CLONE_THREAD ? &inherit_threads : &inherit_processes));
	u8 watchers = hftmon_watchers_of(current->pid) & inherits;

	mark(child->pid, (u8)~watchers, false);
	mark(child->pid, watchers, true);
}

/*
 * A thread that did not lead its process has taken the leader's id, some time
 * ago: where it alone was watched, what it did meanwhile is missing.
 */
void hftmon_probe_watch_exec(void *data, struct task_struct *task, pid_t old_pid,
			     struct linux_binprm *bprm)
{
	if (old_pid == task->pid)
		return;
	mark(task->pid, hftmon_watchers_of(old_pid) & READ_ONCE(watching), true);
	if (static_branch_unlikely(&hftmon_threads_counted))
		hftmon_thread_histograms_end(old_pid);
}

static int map_alloc(void)
{
	int err;

	hftmon_watchers = __vmalloc(PID_MAX_LIMIT, GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
	if (!hftmon_watchers)
		return -ENOMEM;
	err = hftmon_hook_threads();
	if (err) {
		vfree(hftmon_watchers);
		hftmon_watchers = NULL;
	}
	return err;
}

static void map_free(void)
{
	hftmon_unhook_threads();
	vfree(hftmon_watchers);
	hftmon_watchers = NULL;
}

/* The next session in this slot watches nobody yet. */
static void forget_slot(int slot)
{
	unsigned long *words = (unsigned long *)hftmon_watchers;
	size_t tid;

	for (tid = 0; tid < PID_MAX_LIMIT; tid++) {
		if (hftmon_watchers[tid] & BIT(slot))
			clear_bit(tid * BITS_PER_BYTE + slot, words);
		if (!(tid % SZ_64K))
			cond_resched();
	}
}

/**
 * hftmon_watch_begin() - a session is going to watch threads
 * @slot:  the session's
 * @flags: HFTMON_SETUP_INHERIT_*
 *
 * Context: process, may sleep.
 * Return: 0, -ENOMEM, -EOPNOTSUPP when this kernel does not tell of new threads.
 */
int hftmon_watch_begin(int slot, u32 flags)
{
	int err = 0;

	mutex_lock(&watch_lock);
	if (!watching)
		err = map_alloc();
	if (!err) {
		WRITE_ONCE(watching, watching | BIT(slot));
		if (flags & HFTMON_SETUP_INHERIT_THREADS)
			WRITE_ONCE(inherit_threads, inherit_threads | BIT(slot));
		if (flags & HFTMON_SETUP_INHERIT_PROCESSES)
			WRITE_ONCE(inherit_processes, inherit_processes | BIT(slot));
	}
	mutex_unlock(&watch_lock);
	return err;
}

/** hftmon_watch_end() - it has been stopped, no probe asks on its behalf any more */
void hftmon_watch_end(int slot)
{
	mutex_lock(&watch_lock);
	WRITE_ONCE(inherit_threads, inherit_threads & ~BIT(slot));
	WRITE_ONCE(inherit_processes, inherit_processes & ~BIT(slot));
	WRITE_ONCE(watching, watching & ~BIT(slot));
	if (watching) {
		/* A fork or exec that began before may still hand the bit on. */
		hftmon_hook_synchronize();
		forget_slot(slot);
	} else {
		map_free();
	}
	mutex_unlock(&watch_lock);
}

/*
 * One look at the threads asked for. A thread that is not known to the hook of
 * new threads yet is left for another look: the hook would undo the mark.
 */
static bool mark_threads(int slot, struct hftmon_watch *watch, u32 *found)
{
	bool on = watch->op == HFTMON_WATCH_ADD, again = false;
	struct task_struct *task, *thread;

	*found = 0;
	rcu_read_lock();
	task = pid_task(find_pid_ns(watch->tid, &init_pid_ns), PIDTYPE_PID);
	if (!task)
		goto out;
	if (!(watch->flags & HFTMON_WATCH_PROCESS)) {
		*found = 1;
		again = hftmon_task_is_new(task);
		if (!again)
			mark(task->pid, BIT(slot), on);
		goto out;
	}
	/* A new thread is behind the one that made it: it inherits, or is met here. */
	for_each_thread(task, thread) {
		++*found;
		if (hftmon_task_is_new(thread))
			again = true;
		else
			mark(thread->pid, BIT(slot), on);
	}
out:
	rcu_read_unlock();
	return again;
}

/**
 * hftmon_watch_change() - watch threads, or no longer
 * @slot:  of a session between hftmon_watch_begin() and _end()
 * @watch: arguments checked; @watch->threads is set
 *
 * Context: process, may sleep, for a second where a thread that is being
 * created does not get on.
 * Return: 0, -ESRCH when there is no such thread, -EAGAIN when one was still
 * being created (others are marked).
 */
int hftmon_watch_change(int slot, struct hftmon_watch *watch)
{
	unsigned int looks = 1000;
	u32 found;

	while (mark_threads(slot, watch, &found)) {
		if (!--looks || fatal_signal_pending(current))
			return -EAGAIN;
		usleep_range(100, 1000);
	}
	watch->threads = found;
	return found ? 0 : -ESRCH;
}

/**
 * hftmon_watch_tell() - mark the threads that are watched
 * @slot:    of a session between hftmon_watch_begin() and _end()
 * @entries: threads
 * @count:   of them
 */
void hftmon_watch_tell(int slot, struct hftmon_thread_entry *entries, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (hftmon_watchers_of(entries[i].id.tid) & BIT(slot))
			entries[i].id.flags |= HFTMON_THREAD_WATCHED;
	}
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_NEWTASK(hftmon_probe_task_newtask);
	HFTMON_CHECK_sched_process_exec(hftmon_probe_watch_exec);
}
