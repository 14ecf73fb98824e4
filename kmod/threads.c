// SPDX-License-Identifier: GPL-2.0-only
/* The list of all threads, with their names, at one moment. */
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <hftmon/abi/ioctl.h>

#include "threads.h"

/**
 * hftmon_threads_list() - describe every thread but the idle ones
 * @entries: zeroed; not looked at when @room is 0
 * @room:    how many @entries there is room for
 *
 * A thread that starts or ends meanwhile may be in the list or not; the
 * session's stream tells about it.
 *
 * Context: process.
 * Return: how many threads there are, more than @room if it was too small.
 */
u32 hftmon_threads_list(struct hftmon_thread_entry *entries, u32 room)
{
	struct task_struct *process, *task;
	u32 count = 0;

	rcu_read_lock();
	for_each_process_thread(process, task) {
		struct hftmon_thread_entry *entry = &entries[count];

		if (count++ >= room)
			continue;
		entry->id.tid = task->pid;
		entry->id.tgid = task->tgid;
		entry->id.related_tid = rcu_dereference(task->real_parent)->tgid;
		entry->id.prio = task->prio;
		entry->id.policy = task->policy;
		/* Without the task's lock: a torn name is better than a stall. */
		strscpy_pad(entry->comm, task->comm, HFTMON_COMM_LEN);
	}
	rcu_read_unlock();
	return count;
}
