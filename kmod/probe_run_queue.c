// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many threads each CPU's run queue holds. The kernel tells the queue, which is
 * opaque to modules, and by how much its number changes.
 *
 * Which CPU's queue? They are per-CPU data: with the address of one, all are known.
 * To learn one, the thread that hooks the tracepoint goes to sleep: the first to
 * leave a queue while it still runs is that thread itself, and the queue is its CPU's.
 *
 * How many? Changes are added up from a moment at which the number is known: when
 * single_task_running() says on its CPU that it is one, or when the threads that stand
 * in it were counted and it did not change meanwhile.
 */
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>

#include "emit.h"
#include "probes.h"
#include "run_queue.h"

#define UNKNOWN HFTMON_NR_RUNNING_UNKNOWN

/* Who is about to sleep to learn a queue, and what it has learnt: the address that all share. */
static struct task_struct *learner;
static unsigned long learnt;

/**
 * struct queues - the CPU of each run queue
 * @base: address of the first possible CPU's queue, less that CPU's per-CPU offset
 * @bits: @cpus has 1 << @bits elements
 * @cpus: by hash of the offset from @base, then the next ones; NO_CPU ends a search
 */
struct queues {
	unsigned long base;
	unsigned int bits;
	u32 cpus[];
};

#define NO_CPU U32_MAX

/* Made once, when it is first wanted; published by a release, kept until the module goes. */
static struct queues *queues;

/*
 * Of each CPU's queue: threads in it, or UNKNOWN; above them COUNTED, the era in which that
 * is known, and how often it has changed. Written under that queue's lock, on whatever CPU,
 * and by learn_numbers().
 */
static DEFINE_PER_CPU(u64, running) = UNKNOWN;

#define COUNTED BIT_ULL(32)	/* single_task_running() has not said so yet */
#define ERA_SHIFT 33
#define ERA_MASK GENMASK_ULL(48, ERA_SHIFT)
#define CHANGE BIT_ULL(49)

/* What was known in another era is not any more. */
static atomic_t era;

/*
 * A CPU comes or goes: as long as it is not online it tells nothing of what it does to its
 * own queue and to others, and nothing is known.
 */
static bool in_transit;

static u64 word_of(u64 changes, u64 counted, u32 number)
{
	return (changes & ~(CHANGE - 1)) | ((u64)atomic_read(&era) << ERA_SHIFT & ERA_MASK) |
	       counted | number;
}

static u32 number_in(u64 word)
{
	/* Pairs with hftmon_run_queue_transit(): when it has ended, the era is another. */
	if (smp_load_acquire(&in_transit) || (word ^ word_of(0, 0, 0)) & ERA_MASK)
		return UNKNOWN;
	return (u32)word;
}

static unsigned int bucket_of(const struct queues *table, unsigned long offset)
{
	return hash_long(offset, table->bits);
}

static u32 cpu_of(const struct queues *table, const struct rq *rq)
{
	unsigned long offset = (unsigned long)rq - table->base;
	unsigned int cpu = raw_smp_processor_id(), i;

	if (likely(offset == per_cpu_offset(cpu)))
		return cpu;
	for (i = bucket_of(table, offset); table->cpus[i] != NO_CPU;
	     i = (i + 1) & (BIT(table->bits) - 1)) {
		if (per_cpu_offset(table->cpus[i]) == offset)
			return table->cpus[i];
	}
	return NO_CPU;
}

/* The learner itself on its way to sleep, not what interrupts it there. */
static noinline void learn(const struct rq *rq, int change)
{
	if (current != READ_ONCE(learner) || change >= 0 || in_nmi() || in_hardirq() ||
	    in_serving_softirq() || hftmon_task_state(current) == TASK_RUNNING)
		return;
	WRITE_ONCE(learnt, (unsigned long)rq - per_cpu_offset(raw_smp_processor_id()));
	WRITE_ONCE(learner, NULL);
}

/* Told after the change, under the queue's lock. Returns the word of that queue now. */
static u64 count(u32 cpu, int change)
{
	u64 *word = per_cpu_ptr(&running, cpu), before = READ_ONCE(*word);
	u32 now = number_in(before) == UNKNOWN ? UNKNOWN : (u32)before + change;
	u64 counted = before & COUNTED;

	if (cpu == raw_smp_processor_id()) {
		if (single_task_running()) {
			now = 1;
			counted = 0;
		} else if (now == 1) {
			now = UNKNOWN;	/* something was missed */
		}
	}
	if ((s32)now < 0 || READ_ONCE(in_transit))
		now = UNKNOWN;
	if (now == UNKNOWN)
		counted = 0;
	before = word_of(before + CHANGE, counted, now);
	/* Over what learn_numbers() may have written meanwhile: it knew of no change. */
	WRITE_ONCE(*word, before);
	return before;
}

void hftmon_probe_sched_update_nr_running_tp(void *data, struct rq *rq, int change)
{
	/* Pairs with hftmon_run_queue_learn(). */
	const struct queues *table = smp_load_acquire(&queues);
	struct hftmon_record event = { .type = HFTMON_REC_NR_RUNNING };
	u64 word;

	if (unlikely(!table)) {
		learn(rq, change);
		return;
	}
	event.nr_running.cpu = cpu_of(table, rq);
	if (unlikely(event.nr_running.cpu == NO_CPU))
		return;
	word = count(event.nr_running.cpu, change);
	event.nr_running.count = (u32)word;
	event.nr_running.counted = !!(word & COUNTED);
	event.nr_running.change = change;
	hftmon_emit(HFTMON_SOURCE_SCHED_UPDATE_NR_RUNNING, &event);
}

static struct queues *make_table(unsigned long base)
{
	unsigned int bits = ilog2(roundup_pow_of_two(2 * nr_cpu_ids)), cpu, i;
	struct queues *table = kvmalloc(struct_size(table, cpus, BIT(bits)), GFP_KERNEL);

	if (!table)
		return NULL;
	table->base = base;
	table->bits = bits;
	memset(table->cpus, 0xff, sizeof(table->cpus[0]) << bits);
	for_each_possible_cpu(cpu) {
		for (i = bucket_of(table, per_cpu_offset(cpu)); table->cpus[i] != NO_CPU;)
			i = (i + 1) & (BIT(bits) - 1);
		table->cpus[i] = cpu;
	}
	return table;
}

/*
 * In which queues the threads stand: right for those that do not change between the
 * grace periods before and behind it. The kernel changes a queue with preemption off: a
 * thread that was halfway in or out is all the way after one. Taken for queued are
 * threads that are throttled just then: real-time ones, or those of a group.
 */
static void count_threads(u32 *found)
{
	struct task_struct *process, *thread;

	memset(found, 0, nr_cpu_ids * sizeof(*found));
	rcu_read_lock();
	for_each_process_thread(process, thread) {
		/* As who runs, that is, queued. */
		if (READ_ONCE(thread->on_rq) == READ_ONCE(current->on_rq) &&
		    !thread->dl.dl_throttled)
			found[task_cpu(thread)]++;
	}
	rcu_read_unlock();
}

static bool all_known(void)
{
	int cpu;

	for_each_online_cpu(cpu) {
		if (number_in(READ_ONCE(per_cpu(running, cpu))) == UNKNOWN)
			return false;
	}
	return true;
}

/* Where it does not succeed, numbers are not known for a while. */
static void learn_numbers(void)
{
	u64 *before = kvmalloc_array(nr_cpu_ids, sizeof(*before), GFP_KERNEL);
	u32 *found = kvmalloc_array(nr_cpu_ids, sizeof(*found), GFP_KERNEL);
	unsigned int tries;
	int cpu;

	/* A queue that changes all the time has one thread soon. */
	for (tries = 0; before && found && tries < 2 && !all_known(); tries++) {
		for_each_possible_cpu(cpu)
			before[cpu] = READ_ONCE(per_cpu(running, cpu));
		synchronize_rcu();
		count_threads(found);
		synchronize_rcu();
		for_each_possible_cpu(cpu) {
			if (number_in(before[cpu]) == UNKNOWN)
				cmpxchg(per_cpu_ptr(&running, cpu), before[cpu],
					word_of(before[cpu], COUNTED, found[cpu]));
		}
	}
	kvfree(found);
	kvfree(before);
}

/* The same address from two sleeps, or 0. */
static unsigned long learn_address(void)
{
	unsigned long last = 0;
	unsigned int tries;

	for (tries = 0; tries < 100; tries++) {
		WRITE_ONCE(learnt, 0);
		WRITE_ONCE(learner, current);
		schedule_timeout_uninterruptible(1);
		WRITE_ONCE(learner, NULL);
		if (last && READ_ONCE(learnt) == last)
			return last;
		last = READ_ONCE(learnt);
	}
	return 0;
}

/**
 * hftmon_run_queue_learn() - find out which CPU each run queue is of, and what it holds
 *
 * The probe is hooked, under hftmon_active_lock. Takes two to four grace periods, and
 * the first time some milliseconds more, at most half a second.
 *
 * Return: 0; -EBUSY when the queues could not be found (the kernel leaves a fair thread
 * in its queue for a while when others wait there, and does not count one whose group
 * is throttled); -ENOMEM
 */
int hftmon_run_queue_learn(void)
{
	struct queues *table;
	unsigned long base;

	if (!queues) {
		base = learn_address();
		if (!base)
			return -EBUSY;
		table = make_table(base);
		if (!table)
			return -ENOMEM;
		/* Pairs with the probe. */
		smp_store_release(&queues, table);
	}
	learn_numbers();
	return 0;
}

/** hftmon_run_queue_forget() - numbers are not known: changes were not seen */
void hftmon_run_queue_forget(void)
{
	atomic_inc(&era);
}

/* Who reads must not go on with the last number until a queue changes next. */
static void tell_unknown(void)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_NR_RUNNING,
		.nr_running.count = UNKNOWN,
	};
	int cpu;

	/* Pairs with hftmon_run_queue_learn(). */
	if (!smp_load_acquire(&queues))
		return;
	/* Probes that still found a number have told it. */
	synchronize_rcu();
	for_each_online_cpu(cpu) {
		event.nr_running.cpu = cpu;
		preempt_disable();
		hftmon_emit_to_all(HFTMON_SOURCE_SCHED_UPDATE_NR_RUNNING, &event);
		preempt_enable();
	}
}

/**
 * hftmon_run_queue_transit() - a CPU comes or goes
 * @begins: it is on its way; else it has come or gone
 *
 * Context: hotplug callbacks, of one CPU at a time; may sleep
 */
void hftmon_run_queue_transit(bool begins)
{
	atomic_inc(&era);
	/* Pairs with number_in(). */
	smp_store_release(&in_transit, begins);
	if (begins)
		tell_unknown();
}

/** hftmon_run_queue_exit() - the module goes; no probe runs */
void hftmon_run_queue_exit(void)
{
	kvfree(queues);
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_sched_update_nr_running_tp(hftmon_probe_sched_update_nr_running_tp);
}
