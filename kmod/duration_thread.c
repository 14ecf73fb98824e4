// SPDX-License-Identifier: GPL-2.0-only
/*
 * Durations of threads: how long each waited, ran, and was away.
 *
 * What a thread began is kept in a table with room for one thread for each value
 * of the low bits of the id. A thread that finds another one there takes the place
 * over; what the other had begun cannot be ended and is counted as missed.
 *
 * Who writes an entry: the CPU that switches the thread, under its run queue's
 * lock; wakers, one at a time, under the thread's pi_lock or, of themselves, with
 * preemption off. A thread is not switched in before its waking is over, but can
 * be on its way out while it is woken: then the two write different fields, and
 * a waking that comes as the thread loses the CPU may count once too often. Two
 * threads that share an entry have no lock in common: where one takes it over
 * just when the other writes, a single duration may be wrong, too short.
 */
#include <linux/bits.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "duration.h"
#include "meter.h"
#include "thread_histograms.h"
#include "threshold.h"

/**
 * struct thread_times - when the last of each began; 0: none is open
 * @tid:     whose
 * @state:   RUNNING: it has the CPU; LOST: it lost it while it could run, at @out
 * @slot:    of its own histograms, where it has some, counted from 1; else 0
 * @waker:   the CPU from which it was asked to wake, where that is seen
 * @out:     it lost or gave away the CPU
 * @waking:  it was asked to wake
 * @queued:  it was put in a run queue, or stayed in it as it lost the CPU
 */
struct thread_times {
	u32 tid;
	u8 state;
	u8 slot;
	u16 waker;
	u64 out;
	u64 waking;
	u64 queued;
};

#define RUNNING BIT(0)
#define LOST BIT(1)

#define TABLE_BITS 16
#define TABLE_ENTRIES BIT(TABLE_BITS)

static struct thread_times *table __read_mostly;

/* The table is there while a kind of threads is counted. */
static __always_inline bool are_counted(void)
{
	return READ_ONCE(hftmon_duration_kinds) & HFTMON_DURATIONS_OF_THREADS;
}

/* Threads begun one after another, which often work together, share no cache line. */
static __always_inline struct thread_times *times_of(u32 tid)
{
	return &table[(tid << 4 | (tid >> (TABLE_BITS - 4) & 0xf)) % TABLE_ENTRIES];
}

/* The thread's entry; another one's is taken over. */
static __always_inline struct thread_times *claim(u32 tid)
{
	struct thread_times *times = times_of(tid);
	struct hftmon_histograms *histograms;
	unsigned int open;

	if (likely(READ_ONCE(times->tid) == tid))
		return times;
	histograms = hftmon_histograms_here();
	open = !!times->out + !!READ_ONCE(times->waking) + !!READ_ONCE(times->queued);
	if (histograms && open)
		local_add(open, (local_t *)&histograms->missed);
	*times = (struct thread_times){ .tid = tid, .waker = smp_processor_id() };
	return times;
}

/* Whose duration ends, and where it is counted. */
struct ending {
	struct hftmon_histograms *here;
	struct thread_times *times;
	u32 tid;
};

/* Preemption disabled. */
static noinline void count_by_thread(const struct ending *of, unsigned int kind, u32 bucket)
{
	u8 *slot = READ_ONCE(of->times->tid) == of->tid ? &of->times->slot : NULL;
	struct hftmon_thread_histograms *thread = hftmon_thread_histograms_find(of->tid, slot);

	if (thread)
		hftmon_thread_histograms_count(thread, kind, bucket);
}

/* @kind: a constant. */
static __always_inline void end(const struct ending *of, unsigned int kind, u64 from, u64 to,
				u32 cause, unsigned int sender)
{
	u64 ticks = hftmon_duration_between(from, to);
	u32 bucket = hftmon_histogram_bucket(ticks);

	hftmon_duration_count(of->here, kind, bucket);
	if ((HFTMON_DURATION_BIT(kind) & HFTMON_DURATIONS_BY_THREAD) &&
	    static_branch_unlikely(&hftmon_threads_counted))
		count_by_thread(of, kind, bucket);
	hftmon_threshold_check(kind, ticks, to, of->tid, cause, sender);
}

static __always_inline void switch_out(struct hftmon_durations *here, u32 tid, bool runnable,
				       bool dead, u64 now)
{
	struct thread_times *times = times_of(tid);
	struct ending of = { hftmon_histograms_here(), times, tid };

	if (here->switched && of.here && hftmon_duration_is_counted(HFTMON_DURATION_ON_CPU))
		end(&of, HFTMON_DURATION_ON_CPU, here->switched, now, 0, smp_processor_id());
	if (dead) {
		if (static_branch_unlikely(&hftmon_threads_counted))
			hftmon_thread_histograms_end(tid);
		if (times->tid == tid)
			*times = (struct thread_times){};
		return;
	}
	times = claim(tid);
	WRITE_ONCE(times->state, runnable ? LOST : 0);
	times->out = now;
	WRITE_ONCE(times->queued, runnable ? now : 0);
	/* Asked to wake and awake: it had not slept. Else it was on its way out. */
	if (runnable)
		WRITE_ONCE(times->waking, 0);
}

static __always_inline void switch_in(u32 tid, u32 prev_tid, u64 now)
{
	struct thread_times *times = claim(tid);
	struct ending of = { hftmon_histograms_here(), times, tid };
	u32 kinds = READ_ONCE(hftmon_duration_kinds);
	bool lost = times->state & LOST;

	if (of.here) {
		if (times->waking && (kinds & HFTMON_DURATION_BIT(HFTMON_DURATION_WAKEUP)))
			end(&of, HFTMON_DURATION_WAKEUP, times->waking, now, prev_tid,
			    times->waker);
		if (times->queued && (kinds & HFTMON_DURATION_BIT(HFTMON_DURATION_RUN_QUEUE)))
			end(&of, HFTMON_DURATION_RUN_QUEUE, times->queued, now, prev_tid,
			    lost ? smp_processor_id() : times->waker);
		if (times->out && (kinds & HFTMON_DURATION_BIT(HFTMON_DURATION_OFF_CPU)))
			end(&of, HFTMON_DURATION_OFF_CPU, times->out, now, prev_tid,
			    lost ? smp_processor_id() : times->waker);
		if (times->out && lost &&
		    (kinds & HFTMON_DURATION_BIT(HFTMON_DURATION_PREEMPTED)))
			end(&of, HFTMON_DURATION_PREEMPTED, times->out, now, prev_tid,
			    smp_processor_id());
	}
	times->out = 0;
	WRITE_ONCE(times->waker, smp_processor_id());
	WRITE_ONCE(times->waking, 0);
	WRITE_ONCE(times->queued, 0);
	WRITE_ONCE(times->state, RUNNING);
}

static noinline void count_switch(const struct task_struct *prev, const struct task_struct *next,
				  bool runnable, bool dead, u64 now)
{
	struct hftmon_durations *here = this_cpu_ptr(&hftmon_durations);

	if (prev->pid)
		switch_out(here, prev->pid, runnable, dead, now);
	if (next->pid)
		switch_in(next->pid, prev->pid, now);
	here->switched = now;
}

static noinline void count_switch_timed(const struct task_struct *prev,
					const struct task_struct *next, bool runnable, bool dead,
					u64 now)
{
	u64 start = hftmon_meter_start();

	count_switch(prev, next, runnable, dead, now);
	hftmon_meter_stop(start, HFTMON_COST_HISTOGRAMS);
}

/**
 * hftmon_duration_switch() - a CPU goes from one thread to another
 * @prev:     leaves
 * @next:     comes
 * @runnable: @prev stays in the run queue
 * @dead:     it is @prev's last switch
 * @now:      when
 *
 * Context: the probe of sched_switch, interrupts off; some kind is counted.
 */
void hftmon_duration_switch(const struct task_struct *prev, const struct task_struct *next,
			    bool runnable, bool dead, u64 now)
{
	if (!are_counted())
		return;
	if (hftmon_meter_due())
		count_switch_timed(prev, next, runnable, dead, now);
	else
		count_switch(prev, next, runnable, dead, now);
}

static void count_waking(const struct task_struct *task)
{
	struct thread_times *times = claim(task->pid);

	/* A thread in a run queue is awake already. One that runs may be on its way out. */
	if (!READ_ONCE(times->queued)) {
		WRITE_ONCE(times->waker, smp_processor_id());
		WRITE_ONCE(times->waking, hftmon_clock());
	}
}

static void count_wakeup(const struct task_struct *task)
{
	struct thread_times *times = claim(task->pid);

	if (READ_ONCE(times->state) & RUNNING)
		WRITE_ONCE(times->waking, 0);	/* it was not on its way out */
	else if (!READ_ONCE(times->queued))
		WRITE_ONCE(times->queued, hftmon_clock());
}

static void count_wakeup_new(const struct task_struct *task)
{
	struct thread_times *times = claim(task->pid);
	u64 now = hftmon_clock();

	WRITE_ONCE(times->waker, smp_processor_id());
	WRITE_ONCE(times->waking, now);
	WRITE_ONCE(times->queued, now);
}

typedef void count_wake_fn(const struct task_struct *task);

static noinline void count_wake_timed(count_wake_fn *count, const struct task_struct *task)
{
	u64 start = hftmon_meter_start();

	count(task);
	hftmon_meter_stop(start, HFTMON_COST_HISTOGRAMS);
}

static __always_inline void count_wake(count_wake_fn *count, const struct task_struct *task)
{
	if (!are_counted())
		return;
	if (hftmon_meter_due())
		count_wake_timed(count, task);
	else
		count(task);
}

/** hftmon_duration_waking() - @task is asked to wake; who may write: see above */
void hftmon_duration_waking(const struct task_struct *task)
{
	count_wake(count_waking, task);
}

/** hftmon_duration_wakeup() - @task is awake; its pi_lock or run queue's lock is held */
void hftmon_duration_wakeup(const struct task_struct *task)
{
	count_wake(count_wakeup, task);
}

/** hftmon_duration_wakeup_new() - @task is ready to run for the first time */
void hftmon_duration_wakeup_new(const struct task_struct *task)
{
	count_wake(count_wakeup_new, task);
}

/* ---- memory; duration.c serialises ------------------------------------------ */

int hftmon_duration_threads_alloc(void)
{
	if (!table)
		table = vzalloc(array_size(TABLE_ENTRIES, sizeof(*table)));
	return table ? 0 : -ENOMEM;
}

/** hftmon_duration_threads_forget_slots() - of thread_histograms.c; nobody counts in them */
void hftmon_duration_threads_forget_slots(void)
{
	u32 i;

	for (i = 0; table && i < TABLE_ENTRIES; i++)
		WRITE_ONCE(table[i].slot, 0);
}

/** hftmon_duration_threads_forget() - no probe of threads runs */
void hftmon_duration_threads_forget(void)
{
	if (table)
		memset(table, 0, array_size(TABLE_ENTRIES, sizeof(*table)));
}

void hftmon_duration_threads_free(void)
{
	vfree(table);
	table = NULL;
}
