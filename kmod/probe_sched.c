// SPDX-License-Identifier: GPL-2.0-only
/* Scheduler probes: who runs, who was woken by whom, who moved. */
#include <linux/preempt.h>
#include <linux/sched.h>

#include "clock.h"
#include "duration.h"
#include "emit.h"
#include "probes.h"
#include "running.h"
#include "stack.h"

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

/* A SCHED_SWITCH record, put together in registers. */
struct switch_words {
	u32 kind;
	u64 tids;
	u64 rest;
};

static __always_inline struct switch_words switch_words(bool preempt,
							const struct task_struct *prev,
							const struct task_struct *next,
							unsigned int prev_state)
{
	u32 flags = (preempt ? HFTMON_SWITCH_PREEMPT : 0) |
		    (stays_runnable(prev) ? HFTMON_SWITCH_PREV_QUEUED : 0) |
		    (prev->policy << HFTMON_SWITCH_PREV_POLICY_SHIFT) |
		    (next->policy << HFTMON_SWITCH_NEXT_POLICY_SHIFT);

	return (struct switch_words){
		.kind = HFTMON_REC_SCHED_SWITCH | flags << 16,
		.tids = (u32)prev->pid | (u64)next->pid << 32,
		.rest = (u16)prev->prio | (u32)next->prio << 16 | (u64)prev_state << 32,
	};
}

/*
 * The most frequent event, in the most frequent case. This and those below take what the
 * probe gets, in the same order, so that nothing has to be moved.
 */
static noinline __noclone void record_sole_switch(void *data, bool preempt,
						  struct task_struct *prev,
						  struct task_struct *next,
						  unsigned int prev_state)
{
	struct switch_words words = switch_words(preempt, prev, next, prev_state);

	hftmon_emit_sole(words.kind, words.tids, words.rest, true);
}

static noinline __noclone void record_switch(unsigned long slots, bool preempt,
					     struct task_struct *prev,
					     struct task_struct *next,
					     unsigned int prev_state)
{
	struct switch_words words = switch_words(preempt, prev, next, prev_state);

	hftmon_emit_switch(words.kind, slots, words.tids, words.rest);
}

/* Of who leaves, for those that get the switch: not because they watch who comes. */
static unsigned int find_stack_of_prev(const struct task_struct *prev, unsigned int slots,
				       struct hftmon_record *event)
{
	/* As emit_event(): slots in neither mask are stopping. */
	unsigned int partial = slots & this_cpu_read(hftmon_cpu.partial);

	if (partial)
		slots &= ~partial | hftmon_watchers_of(prev->pid);
	return prev->pid ? hftmon_stack_find(HFTMON_STACK_OF_SWITCH, slots, event) : 0;
}

static __always_inline unsigned int slots_of_switch(const struct task_struct *prev,
						    const struct task_struct *next)
{
	return hftmon_emit_slots_of(HFTMON_SOURCE_SCHED_SWITCH, prev->pid, next->pid, 0);
}

/* Durations are counted, and somebody records; a record stands before a trigger freezes. */
static noinline __noclone void record_and_count_switch(void *data, bool preempt,
						       struct task_struct *prev,
						       struct task_struct *next,
						       unsigned int prev_state)
{
	u64 now = hftmon_clock();
	unsigned int slots;

	if (hftmon_emit_is_sole(HFTMON_SOURCE_SCHED_SWITCH)) {
		record_sole_switch(data, preempt, prev, next, prev_state);
	} else {
		slots = slots_of_switch(prev, next);
		if (slots)
			record_switch(slots, preempt, prev, next, prev_state);
		else
			hftmon_running_next(prev, next->pid);
	}
	hftmon_duration_switch(prev, next, stays_runnable(prev), now);
}

/* Keeps nothing across a call where histograms are all that is wanted. */
static noinline __noclone void counted_switch(void *data, bool preempt, struct task_struct *prev,
					      struct task_struct *next,
					      unsigned int prev_state)
{
	if (this_cpu_read(hftmon_wanted[HFTMON_SOURCE_SCHED_SWITCH])) {
		record_and_count_switch(data, preempt, prev, next, prev_state);
		return;
	}
	hftmon_running_next(prev, next->pid);
	if (static_branch_likely(&hftmon_clock_is_tsc))
		hftmon_duration_switch(prev, next, stays_runnable(prev), hftmon_hot_clock());
	else
		hftmon_duration_switch(prev, next, stays_runnable(prev), hftmon_clock());
}

/* A thread's last switch, or stacks are taken. */
static noinline __noclone void other_switch(void *data, bool preempt, struct task_struct *prev,
					    struct task_struct *next, unsigned int prev_state)
{
	unsigned int slots = slots_of_switch(prev, next);
	bool dead = prev_state & TASK_DEAD;
	struct hftmon_record stack;
	unsigned int with_stack = 0;
	u64 now;

	if (dead)
		hftmon_emit_dead(prev);
	/* Before the switch is told: the time that it takes is still the old thread's. */
	else if (static_branch_unlikely(&hftmon_stacks_taken) && slots)
		with_stack = find_stack_of_prev(prev, slots, &stack);
	now = hftmon_clock();
	if (slots)
		record_switch(slots, preempt, prev, next, prev_state);
	else
		hftmon_running_next(prev, next->pid);
	/* Before a trigger freezes the ring. */
	if (with_stack)
		hftmon_stack_write(with_stack, &stack);
	if (!static_branch_unlikely(&hftmon_durations_counted))
		return;
	if (dead)
		hftmon_duration_last_switch(prev, next, now);
	else
		hftmon_duration_switch(prev, next, stays_runnable(prev), now);
}

/* Calls nothing before the filter has passed: then it needs no stack for that. */
void hftmon_probe_sched_switch(void *data, HFTMON_SWITCH_ARGS)
{
	unsigned int prev_state = HFTMON_SWITCH_PREV_STATE;
	unsigned int slots;

	if (static_branch_unlikely(&hftmon_stacks_taken) || unlikely(prev_state & TASK_DEAD)) {
		other_switch(data, preempt, prev, next, prev_state);
		return;
	}
	if (static_branch_unlikely(&hftmon_durations_counted)) {
		counted_switch(data, preempt, prev, next, prev_state);
		return;
	}
	if (likely(hftmon_emit_is_sole(HFTMON_SOURCE_SCHED_SWITCH))) {
		record_sole_switch(data, preempt, prev, next, prev_state);
		return;
	}
	slots = slots_of_switch(prev, next);
	if (slots)
		record_switch(slots, preempt, prev, next, prev_state);
	else
		hftmon_running_next(prev, next->pid);
}

/* switch_words() relies on it. */
static_assert(offsetof(struct hftmon_sched_switch, prev_tid) == 0 &&
	      offsetof(struct hftmon_sched_switch, next_tid) == 4 &&
	      offsetof(struct hftmon_sched_switch, prev_prio) == 8 &&
	      offsetof(struct hftmon_sched_switch, next_prio) == 10 &&
	      offsetof(struct hftmon_sched_switch, prev_state) == 12);

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

/* @slots: 0 if hftmon_emit_is_sole(). */
static noinline __noclone void record_wake(u16 type, unsigned int slots, struct task_struct *task)
{
	u64 tids = (u32)task->pid | (u64)current->pid << 32;
	u64 rest = (u16)task->prio | (u32)task_cpu(task) << 16;
	u32 kind = type | (u32)calling_context() << 16;

	if (likely(!slots))
		hftmon_emit_sole(kind, tids, rest, false);
	else
		hftmon_emit_event(kind, slots, tids, rest);
}

/* record_wake() relies on it. */
static_assert(offsetof(struct hftmon_sched_wake, tid) == 0 &&
	      offsetof(struct hftmon_sched_wake, waker_tid) == 4 &&
	      offsetof(struct hftmon_sched_wake, prio) == 8 &&
	      offsetof(struct hftmon_sched_wake, target_cpu) == 10);

static __always_inline void emit_wake(unsigned int source, u16 type, struct task_struct *task)
{
	unsigned int slots = 0;

	/* Who wakes itself may have interrupts on, all others hold a lock of the scheduler. */
	if (unlikely(task == current) || !hftmon_emit_is_sole(source)) {
		slots = hftmon_emit_slots(source, task->pid, 0);
		if (!slots)
			return;
	}
	record_wake(type, slots, task);
}

/* The stack last: what it takes is no part of the wakeup. */
static noinline void waking_with_stack(struct task_struct *task)
{
	struct hftmon_record stack;
	unsigned int slots;

	preempt_disable_notrace();
	slots = hftmon_emit_slots(HFTMON_SOURCE_SCHED_WAKING, task->pid, 0);
	if (slots)
		record_wake(HFTMON_REC_SCHED_WAKING, slots, task);
	if (static_branch_unlikely(&hftmon_durations_counted))
		hftmon_duration_waking(task);
	slots = hftmon_stack_find(HFTMON_STACK_OF_WAKING, slots, &stack);
	if (slots)
		hftmon_stack_write(slots, &stack);
	preempt_enable_notrace();
}

void hftmon_probe_sched_waking(void *data, struct task_struct *task)
{
	if (static_branch_unlikely(&hftmon_stacks_taken)) {
		waking_with_stack(task);
		return;
	}
	emit_wake(HFTMON_SOURCE_SCHED_WAKING, HFTMON_REC_SCHED_WAKING, task);
	if (static_branch_unlikely(&hftmon_durations_counted))
		hftmon_duration_waking(task);
}

void hftmon_probe_sched_wakeup(void *data, struct task_struct *task)
{
	emit_wake(HFTMON_SOURCE_SCHED_WAKEUP, HFTMON_REC_SCHED_WAKEUP, task);
	if (static_branch_unlikely(&hftmon_durations_counted))
		hftmon_duration_wakeup(task);
}

void hftmon_probe_sched_wakeup_new(void *data, struct task_struct *task)
{
	emit_wake(HFTMON_SOURCE_SCHED_WAKEUP_NEW, HFTMON_REC_SCHED_WAKEUP_NEW, task);
	if (static_branch_unlikely(&hftmon_durations_counted))
		hftmon_duration_wakeup_new(task);
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

	hftmon_emit_about(HFTMON_SOURCE_SCHED_MIGRATE_TASK, &event, task->pid);
}

/*
 * Told before the change: the new priority is worked out as the kernel is about
 * to. The task's own lock is held, so both stand still.
 */
void hftmon_probe_sched_pi_setprio(void *data, struct task_struct *task, struct task_struct *donor)
{
	int prio = donor ? min(task->normal_prio, donor->prio) : task->normal_prio;
	struct hftmon_record event = {
		.type = HFTMON_REC_SCHED_PI_SETPRIO,
		.pi_setprio = {
			.tid = task->pid,
			.donor_tid = donor ? donor->pid : 0,
			.old_prio = task->prio,
			.new_prio = prio,
		},
	};

	hftmon_emit_about_two(HFTMON_SOURCE_SCHED_PI_SETPRIO, &event, task->pid,
			      event.pi_setprio.donor_tid);
}

void hftmon_probe_sched_set_need_resched_tp(void *data, struct task_struct *task, int cpu, int tif)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_SCHED_NEED_RESCHED,
		.need_resched = {
			.tid = task->pid,
			.cpu = cpu,
			.lazy = tif != TIF_NEED_RESCHED,
		},
	};

	hftmon_emit_about(HFTMON_SOURCE_SCHED_SET_NEED_RESCHED, &event, task->pid);
}

/* Only while schedstats are on (sysctl kernel.sched_schedstats). */
static __always_inline void emit_blocked(unsigned int source, u16 type, struct task_struct *task,
					 u64 delay)
{
	struct hftmon_record event = {
		.type = type,
		.blocked = { .tid = task->pid, .ns = delay },
	};

	hftmon_emit_about(source, &event, task->pid);
}

void hftmon_probe_sched_stat_blocked(void *data, struct task_struct *task, u64 delay)
{
	emit_blocked(HFTMON_SOURCE_SCHED_STAT_BLOCKED, HFTMON_REC_SCHED_BLOCKED, task, delay);
}

void hftmon_probe_sched_stat_iowait(void *data, struct task_struct *task, u64 delay)
{
	emit_blocked(HFTMON_SOURCE_SCHED_STAT_IOWAIT, HFTMON_REC_SCHED_IOWAIT, task, delay);
}

static __always_inline void emit_numa(unsigned int source, struct task_struct *task,
				      struct task_struct *other, int from, int to)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_SCHED_NUMA,
		.numa = {
			.tid = task->pid,
			.swapped_tid = other ? other->pid : 0,
			.from_cpu = from,
			.to_cpu = to,
		},
	};

	hftmon_emit_about_two(source, &event, task->pid, event.numa.swapped_tid);
}

void hftmon_probe_sched_move_numa(void *data, struct task_struct *task, int from, int to)
{
	emit_numa(HFTMON_SOURCE_SCHED_MOVE_NUMA, task, NULL, from, to);
}

void hftmon_probe_sched_swap_numa(void *data, struct task_struct *task, int cpu,
				  struct task_struct *other, int other_cpu)
{
	emit_numa(HFTMON_SOURCE_SCHED_SWAP_NUMA, task, other, cpu, other_cpu);
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_SWITCH(hftmon_probe_sched_switch);
	HFTMON_CHECK_sched_waking(hftmon_probe_sched_waking);
	HFTMON_CHECK_sched_wakeup(hftmon_probe_sched_wakeup);
	HFTMON_CHECK_sched_wakeup_new(hftmon_probe_sched_wakeup_new);
	HFTMON_CHECK_sched_migrate_task(hftmon_probe_sched_migrate_task);
	HFTMON_CHECK_sched_pi_setprio(hftmon_probe_sched_pi_setprio);
	HFTMON_CHECK_sched_set_need_resched_tp(hftmon_probe_sched_set_need_resched_tp);
	HFTMON_CHECK_sched_stat_blocked(hftmon_probe_sched_stat_blocked);
	HFTMON_CHECK_sched_stat_iowait(hftmon_probe_sched_stat_iowait);
	HFTMON_CHECK_sched_move_numa(hftmon_probe_sched_move_numa);
	HFTMON_CHECK_sched_swap_numa(hftmon_probe_sched_swap_numa);
}
