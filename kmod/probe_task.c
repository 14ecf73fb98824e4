// SPDX-License-Identifier: GPL-2.0-only
/* Thread identity probes: a name stands in the stream wherever it changes. */
#include <linux/sched.h>
#include <linux/string.h>

#include "emit.h"
#include "probes.h"

/* 5.10 leaves what a longer name had behind the end of a shorter one; the ABI does not. */
static __always_inline void emit_thread(unsigned int source, u16 type, struct task_struct *task,
					u32 related_tid, const char *comm)
{
	char name[HFTMON_COMM_LEN];
	struct hftmon_record event = {
		.type = type,
		.thread = {
			.tid = task->pid,
			.tgid = task->tgid,
			.related_tid = related_tid,
			.prio = task->prio,
			.policy = task->policy,
		},
	};

	strscpy_pad(name, comm, sizeof(name));
	hftmon_emit_identity(source, &event, name);
}

void hftmon_probe_sched_process_fork(void *data, struct task_struct *parent,
				     struct task_struct *child)
{
	emit_thread(HFTMON_SOURCE_SCHED_PROCESS_FORK, HFTMON_REC_FORK, child, parent->pid,
		    child->comm);
}

void hftmon_probe_sched_process_exec(void *data, struct task_struct *task, pid_t old_pid,
				     struct linux_binprm *bprm)
{
	emit_thread(HFTMON_SOURCE_SCHED_PROCESS_EXEC, HFTMON_REC_EXEC, task, old_pid, task->comm);
}

void hftmon_probe_sched_process_exit(void *data, HFTMON_EXIT_ARGS)
{
	emit_thread(HFTMON_SOURCE_SCHED_PROCESS_EXIT, HFTMON_REC_EXIT, task, 0, task->comm);
}

/* Old name, then new one: a window that starts here still knows both. */
void hftmon_probe_task_rename(void *data, struct task_struct *task, const char *comm)
{
	emit_thread(HFTMON_SOURCE_TASK_RENAME, HFTMON_REC_THREAD, task, 0, task->comm);
	emit_thread(HFTMON_SOURCE_TASK_RENAME, HFTMON_REC_RENAME, task, 0, comm);
}

/*
 * A thread may have passed sched_process_exit before the hooks, or before the
 * window of a flight recorder, and still run for long: it closes files. Nobody
 * lists it afterwards, so it leaves its name at its last switch.
 */
void hftmon_emit_dead(struct task_struct *task)
{
	emit_thread(HFTMON_SOURCE_SCHED_SWITCH, HFTMON_REC_DEAD, task, 0, task->comm);
}

static_assert(TASK_COMM_LEN == HFTMON_COMM_LEN);

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_sched_process_fork(hftmon_probe_sched_process_fork);
	HFTMON_CHECK_sched_process_exec(hftmon_probe_sched_process_exec);
	HFTMON_CHECK_EXIT(hftmon_probe_sched_process_exit);
	HFTMON_CHECK_task_rename(hftmon_probe_task_rename);
}
