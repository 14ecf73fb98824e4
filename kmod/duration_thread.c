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
#include <linux/bitops.h>
#include <linux/limits.h>
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

/* Threads begun one after another, which often work together, share no cache line. */
static __always_inline struct thread_times *times_of(u32 tid)
{
	static_assert(TABLE_BITS == 16);
	return &table[rol16(tid, 4)];
}

static noinline void take_over(struct thread_times *times, u32 tid)
{
	struct hftmon_histograms *histograms = hftmon_histograms_here();
	unsigned int open = !!times->out + !!READ_ONCE(times->waking) +
			    !!READ_ONCE(times->queued);

	if (histograms && open)
		local_add(open, (local_t *)&histograms->missed);
	*times = (struct thread_times){ .tid = tid, .waker = smp_processor_id() };
}

/* The thread's entry; another one's is taken over. */
static __always_inline struct thread_times *claim(u32 tid)
{
	struct thread_times *times = times_of(tid);

	if (unlikely(READ_ONCE(times->tid) != tid))
		take_over(times, tid);
	return times;
}

/**
 * struct ended - a duration that has been counted on this CPU, for what else it may be
 * @times: the thread's entry; NULL where none is kept
 * @tid:   whose
 * @kind:  enum hftmon_duration
 * @cause: as struct hftmon_spike says
 * @sender: the CPU from which the thread was woken, else this one
 */
struct ended {
	struct thread_times *times;
	u32 tid;
	u16 kind;
	u16 sender;
	u32 cause;
};

/* Preemption disabled. Apart, for the others need no room for it. */
static noinline void end_rest(struct ended of, u64 ticks, u64 to)
{
	if (static_branch_unlikely(&hftmon_threads_counted) &&
	    (HFTMON_DURATION_BIT(of.kind) & HFTMON_DURATIONS_BY_THREAD)) {
		u8 *slot = of.times && READ_ONCE(of.times->tid) == of.tid ? &of.times->slot :
									     NULL;
		struct hftmon_thread_histograms *thread =
			hftmon_thread_histograms_find(of.tid, slot);

		if (thread)
			hftmon_thread_histograms_count(thread, of.kind,
						       hftmon_histogram_bucket(ticks));
	}
	hftmon_threshold_check(of.kind, ticks, to, of.tid, of.cause, of.sender);
}

/* @kind: a constant. */
static __always_inline void end(struct hftmon_histograms *here, struct ended of, u64 from, u64 to)
{
	u64 ticks = hftmon_duration_between(from, to);

	hftmon_duration_count(here, of.kind, hftmon_histogram_bucket(ticks));
	if (static_branch_unlikely(&hftmon_threads_counted) ||
	    unlikely(ticks > READ_ONCE(hftmon_thresholds[of.kind])))
		end_rest(of, ticks, to);
}

static __always_inline void end_on_cpu(struct hftmon_histograms *here, struct thread_times *times,
				       u32 tid, u64 switched, u64 now)
{
	struct ended of = {
		.times = times,
		.tid = tid,
		.kind = HFTMON_DURATION_ON_CPU,
		.sender = smp_processor_id(),
	};

	end(here, of, switched, now);
}

/*
 * Nobody asks when threads that do not run began something: no entry is looked at. Whoever
 * counts by thread looks for the thread's slot each time.
 */
static __always_inline void count_on_cpu(u32 tid, u64 now)
{
	struct hftmon_durations *here = this_cpu_ptr(&hftmon_durations);
	struct hftmon_histograms *histograms = READ_ONCE(here->histograms);
	u64 switched = here->switched;

	here->switched = now;
	if (tid && switched && histograms)
		end_on_cpu(histograms, NULL, tid, switched, now);
}

static __always_inline void switch_out(u32 tid, bool runnable, u64 now)
{
	struct thread_times *times = claim(tid);

	times->out = now;
	/* Asked to wake and awake: it had not slept. Else it was on its way out. */
	if (runnable) {
		WRITE_ONCE(times->state, LOST);
		WRITE_ONCE(times->queued, now);
		WRITE_ONCE(times->waking, 0);
	} else {
		WRITE_ONCE(times->state, 0);
		WRITE_ONCE(times->queued, 0);
	}
}

static __always_inline void end_wait(struct hftmon_histograms *here, unsigned int kind,
				     struct thread_times *times, u32 tid, u32 prev_tid,
				     bool here_woken, u64 from, u64 now)
{
	struct ended of = {
		.times = times,
		.tid = tid,
		.kind = kind,
		.cause = prev_tid,
		.sender = here_woken ? smp_processor_id() : times->waker,
	};

	end(here, of, from, now);
}

static __always_inline void switch_in(struct hftmon_histograms *here, u32 kinds, u32 tid,
				      u32 prev_tid, u64 now)
{
	struct thread_times *times = claim(tid);
	bool lost = times->state & LOST;

	if ((kinds & HFTMON_DURATION_BIT(HFTMON_DURATION_WAKEUP)) && times->waking)
		end_wait(here, HFTMON_DURATION_WAKEUP, times, tid, prev_tid, false,
			 times->waking, now);
	if ((kinds & HFTMON_DURATION_BIT(HFTMON_DURATION_RUN_QUEUE)) && times->queued)
		end_wait(here, HFTMON_DURATION_RUN_QUEUE, times, tid, prev_tid, lost,
			 times->queued, now);
	if ((kinds & HFTMON_DURATION_BIT(HFTMON_DURATION_OFF_CPU)) && times->out)
		end_wait(here, HFTMON_DURATION_OFF_CPU, times, tid, prev_tid, lost,
			 times->out, now);
	if ((kinds & HFTMON_DURATION_BIT(HFTMON_DURATION_PREEMPTED)) && lost && times->out)
		end_wait(here, HFTMON_DURATION_PREEMPTED, times, tid, prev_tid, true,
			 times->out, now);
	times->out = 0;
	WRITE_ONCE(times->waker, smp_processor_id());
	WRITE_ONCE(times->waking, 0);
	WRITE_ONCE(times->queued, 0);
	WRITE_ONCE(times->state, RUNNING);
}

/* Nothing of a thread that has died is there for the next one that gets its id. */
static noinline void bury(u32 tid)
{
	struct thread_times *times = times_of(tid);

	if (static_branch_unlikely(&hftmon_threads_counted))
		hftmon_thread_histograms_end(tid);
	if (READ_ONCE(times->tid) == tid)
		*times = (struct thread_times){};
}

/* @kinds: one of HFTMON_DURATIONS_KEPT is among them; @dead: a constant */
static __always_inline void count_switch(u32 kinds, u32 prev_tid, u32 next_tid, bool runnable,
					 bool dead, u64 now)
{
	struct hftmon_durations *here = this_cpu_ptr(&hftmon_durations);
	struct hftmon_histograms *histograms = READ_ONCE(here->histograms);
	u64 switched = here->switched;

	here->switched = now;
	if (unlikely(!histograms))
		kinds = 0;	/* entries are kept for other CPUs */
	if (prev_tid) {
		if ((kinds & HFTMON_DURATION_BIT(HFTMON_DURATION_ON_CPU)) && switched)
			end_on_cpu(histograms, times_of(prev_tid), prev_tid, switched, now);
		if (dead)
			bury(prev_tid);
		else
			switch_out(prev_tid, runnable, now);
	}
	if (next_tid)
		switch_in(histograms, kinds, next_tid, prev_tid, now);
}

static noinline void count_switch_timed(u32 kinds, u32 prev_tid, u32 next_tid, bool runnable,
					u64 now)
{
	u64 start = hftmon_meter_start();

	if (kinds & HFTMON_DURATIONS_KEPT)
		count_switch(kinds, prev_tid, next_tid, runnable, false, now);
	else
		count_on_cpu(prev_tid, now);
	hftmon_meter_stop(start, HFTMON_COST_HISTOGRAMS);
}

/* A function of its own: it needs many registers, which have to be saved. */
static noinline void count_kept_switch(u32 kinds, u32 prev_tid, u32 next_tid, bool runnable,
				       u64 now)
{
	count_switch(kinds, prev_tid, next_tid, runnable, false, now);
}

/**
 * hftmon_duration_switch() - a CPU goes from one thread to another
 * @prev:     leaves
 * @next:     comes
 * @runnable: @prev stays in the run queue
 * @now:      when
 *
 * Context: the probe of sched_switch, interrupts off; some kind is counted.
 */
void hftmon_duration_switch(const struct task_struct *prev, const struct task_struct *next,
			    bool runnable, u64 now)
{
	u32 kinds = READ_ONCE(hftmon_duration_kinds);

	if (!(kinds & HFTMON_DURATIONS_OF_THREADS))
		return;
	if (hftmon_meter_due())
		count_switch_timed(kinds, prev->pid, next->pid, runnable, now);
	else if (kinds & HFTMON_DURATIONS_KEPT)
		count_kept_switch(kinds, prev->pid, next->pid, runnable, now);
	else
		count_on_cpu(prev->pid, now);
}

/** hftmon_duration_last_switch() - the same, and @prev has died */
void hftmon_duration_last_switch(const struct task_struct *prev, const struct task_struct *next,
				 u64 now)
{
	u32 kinds = READ_ONCE(hftmon_duration_kinds), prev_tid = prev->pid;
	u64 start = 0;

	if (!(kinds & HFTMON_DURATIONS_OF_THREADS))
		return;
	if (hftmon_meter_due())
		start = hftmon_meter_start();
	if (kinds & HFTMON_DURATIONS_KEPT) {
		count_switch(kinds, prev_tid, next->pid, false, true, now);
	} else {
		count_on_cpu(prev_tid, now);
		if (static_branch_unlikely(&hftmon_threads_counted))
			hftmon_thread_histograms_end(prev_tid);
	}
	if (start)
		hftmon_meter_stop(start, HFTMON_COST_HISTOGRAMS);
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
	/* The table is there while one is. */
	if (!(READ_ONCE(hftmon_duration_kinds) & HFTMON_DURATIONS_KEPT))
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
