// SPDX-License-Identifier: GPL-2.0-only
/* Scheduler probes: who runs, who was woken by whom, who moved. */
#include <linux/preempt.h>
#include <linux/sched.h>

#include "emit.h"
#include "probes.h"

static_assert(SCHED_DEADLINE <= HFTMON_SWITCH_POLICY_MASK);

/*
 * A thread that a signal keeps from going to sleep: the kernel has taken its
 * state back, but tells the tracepoint what it was before. It has not left the
 * run queue, as a sleeper has (unless its dequeue is delayed).
 */
static __always_inline bool stays_runnable(const struct task_struct *prev)
{
	return prev->on_rq && !hftmon_dequeue_is_delayed(prev);
}

void hftmon_probe_sched_switch(void *data, bool preempt, struct task_struct *prev,
			       struct task_struct *next, unsigned int prev_state)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_SCHED_SWITCH,
		.flags = (preempt ? HFTMON_SWITCH_PREEMPT : 0) |
			 (stays_runnable(prev) ? HFTMON_SWITCH_PREV_QUEUED : 0) |
			 (prev->policy << HFTMON_SWITCH_PREV_POLICY_SHIFT) |
			 (next->policy << HFTMON_SWITCH_NEXT_POLICY_SHIFT),
		.sched_switch = {
			.prev_tid = prev->pid,
			.next_tid = next->pid,
			.prev_prio = prev->prio,
			.next_prio = next->prio,
			.prev_state = prev_state,
		},
	};

	if (unlikely(prev_state & TASK_DEAD))
		hftmon_emit_dead(prev);
	hftmon_emit(HFTMON_SOURCE_SCHED_SWITCH, &event, NULL);
}

static __always_inline u16 calling_context(void)
{
	if (in_nmi())
		return HFTMON_CONTEXT_NMI;
	if (in_hardirq())
		return HFTMON_CONTEXT_HARDIRQ;
	if (in_serving_softirq())
		return HFTMON_CONTEXT_SOFTIRQ;
	return HFTMON_CONTEXT_TASK;
}

static __always_inline void emit_wake(unsigned int source, u16 type, struct task_struct *task)
{
	struct hftmon_record event = {
		.type = type,
		.flags = calling_context(),
		.wake = {
			.tid = task->pid,
			.waker_tid = current->pid,
			.prio = task->prio,
			.target_cpu = task_cpu(task),
		},
	};

	hftmon_emit(source, &event, NULL);
}

void hftmon_probe_sched_waking(void *data, struct task_struct *task)
{
	emit_wake(HFTMON_SOURCE_SCHED_WAKING, HFTMON_REC_SCHED_WAKING, task);
}

void hftmon_probe_sched_wakeup(void *data, struct task_struct *task)
{
	emit_wake(HFTMON_SOURCE_SCHED_WAKEUP, HFTMON_REC_SCHED_WAKEUP, task);
}

void hftmon_probe_sched_wakeup_new(void *data, struct task_struct *task)
{
	emit_wake(HFTMON_SOURCE_SCHED_WAKEUP_NEW, HFTMON_REC_SCHED_WAKEUP_NEW, task);
}

void hftmon_probe_sched_migrate_task(void *data, struct task_struct *task, int dest_cpu)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_SCHED_MIGRATE,
		.migrate = {
			.tid = task->pid,
			.prio = task->prio,
			.orig_cpu = task_cpu(task),
			.dest_cpu = dest_cpu,
		},
	};

	hftmon_emit(HFTMON_SOURCE_SCHED_MIGRATE_TASK, &event, NULL);
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_sched_switch(hftmon_probe_sched_switch);
	HFTMON_CHECK_sched_waking(hftmon_probe_sched_waking);
	HFTMON_CHECK_sched_wakeup(hftmon_probe_sched_wakeup);
	HFTMON_CHECK_sched_wakeup_new(hftmon_probe_sched_wakeup_new);
	HFTMON_CHECK_sched_migrate_task(hftmon_probe_sched_migrate_task);
}
