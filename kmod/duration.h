/* SPDX-License-Identifier: GPL-2.0-only */
/* How long handlers ran and threads waited, counted in histograms. */
#ifndef HFTMON_DURATION_H
#define HFTMON_DURATION_H

#include <linux/cpumask.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <linux/types.h>
#include <asm/local.h>
#include <hftmon/abi/histogram.h>

#include "clock.h"

/* The other kinds are of handlers. */
#define HFTMON_DURATIONS_OF_THREADS \
	(HFTMON_DURATION_BIT(HFTMON_DURATION_WAKEUP) | \
	 HFTMON_DURATION_BIT(HFTMON_DURATION_RUN_QUEUE) | \
	 HFTMON_DURATION_BIT(HFTMON_DURATION_ON_CPU) | \
	 HFTMON_DURATION_BIT(HFTMON_DURATION_OFF_CPU) | \
	 HFTMON_DURATION_BIT(HFTMON_DURATION_PREEMPTED))

/* What of a thread began earlier than it got its CPU: kept with the thread. */
#define HFTMON_DURATIONS_KEPT \
	(HFTMON_DURATIONS_OF_THREADS & ~HFTMON_DURATION_BIT(HFTMON_DURATION_ON_CPU))

/* Kinds that are counted by thread, too. */
#define HFTMON_DURATIONS_BY_THREAD \
	((HFTMON_DURATION_BIT(HFTMON_THREAD_DURATIONS) - 1) << HFTMON_THREAD_DURATION_FIRST)

struct task_struct;
struct vm_area_struct;

/* Handlers of one kind that nest in each other, and are remembered. */
#define HFTMON_HANDLERS_DEEP 4

/**
 * struct hftmon_handlers - handlers of one kind that run on a CPU
 * @depth:   how many, and how many have been entered beyond those remembered
 * @entered: when each began, and in which thread, the outermost first
 *
 * A handler of an interrupt controller may call those of its lines. Softirqs of
 * PREEMPT_RT run in threads, and since 7.x one may begin while another thread
 * has been preempted in one. What is interrupted between two accesses finds them
 * as they were.
 */
struct hftmon_handlers {
	unsigned int depth;
	struct hftmon_entered {
		u64 time;
		const struct task_struct *task;
	} entered[HFTMON_HANDLERS_DEEP];
};

/**
 * struct hftmon_durations - of one CPU; only it writes, while it counts
 * @histograms: NULL where nobody counts
 * @switched:   when the thread that runs got the CPU; 0: not seen
 * @handlers:   of kinds HARDIRQ to VECTOR
 */
struct hftmon_durations {
	struct hftmon_histograms *histograms;
	u64 switched;
	struct hftmon_handlers handlers[HFTMON_DURATION_VECTOR + 1];
};

DECLARE_PER_CPU(struct hftmon_durations, hftmon_durations);

/* Some kind is counted; which ones. */
DECLARE_STATIC_KEY_FALSE(hftmon_durations_counted);
extern u32 hftmon_duration_kinds;

static __always_inline bool hftmon_duration_is_counted(unsigned int kind)
{
	return READ_ONCE(hftmon_duration_kinds) & HFTMON_DURATION_BIT(kind);
}

/* Preemption disabled. */
static __always_inline struct hftmon_histograms *hftmon_histograms_here(void)
{
	/* Pairs with the release store of alloc_on(): zeroed before seen. */
	return READ_ONCE(*this_cpu_ptr(&hftmon_durations.histograms));
}

/*
 * Preemption disabled. One instruction adds: what interrupts this CPU counts in
 * the same histograms.
 */
static __always_inline void hftmon_duration_count(struct hftmon_histograms *histograms,
						  unsigned int kind, u32 bucket)
{
	local_inc((local_t *)&histograms->of[kind].counts[bucket]);
}

/* Clocks of two CPUs may differ by less than a waking takes. */
static __always_inline u64 hftmon_duration_between(u64 from, u64 to)
{
	return likely(to > from) ? to - from : 0;
}

void hftmon_duration_handler_begin(unsigned int kind);
void hftmon_duration_handler_end(unsigned int kind, u32 cause);
void hftmon_duration_nmi(s64 ns);

/*
 * A handler of a kind up to VECTOR begins, or has ended, on this CPU; what it was
 * is for a trigger's record. After the event's own record: a trigger may freeze
 * the ring.
 */
static __always_inline void hftmon_duration_entry(unsigned int kind)
{
	if (static_branch_unlikely(&hftmon_durations_counted))
		hftmon_duration_handler_begin(kind);
}

static __always_inline void hftmon_duration_exit(unsigned int kind, u32 cause)
{
	if (static_branch_unlikely(&hftmon_durations_counted))
		hftmon_duration_handler_end(kind, cause);
}

/* Threads: duration_thread.c; behind the static key, see probe_sched.c. */
void hftmon_duration_switch(const struct task_struct *prev, const struct task_struct *next,
			    bool runnable, u64 now);
void hftmon_duration_last_switch(const struct task_struct *prev, const struct task_struct *next,
				 u64 now);
void hftmon_duration_waking(const struct task_struct *task);
void hftmon_duration_wakeup(const struct task_struct *task);
void hftmon_duration_wakeup_new(const struct task_struct *task);

int hftmon_duration_threads_alloc(void);
void hftmon_duration_threads_forget(void);
void hftmon_duration_threads_forget_slots(void);
void hftmon_duration_threads_free(void);

/* For sessions: duration.c. */
int hftmon_durations_get(const struct cpumask *cpus);
void hftmon_durations_put(void);
u64 hftmon_durations_sources(u32 kinds);
void hftmon_durations_start(u32 kinds);
void hftmon_durations_stop(u32 kinds);
int hftmon_durations_mmap(unsigned int cpu, struct vm_area_struct *vma);

#endif /* HFTMON_DURATION_H */
