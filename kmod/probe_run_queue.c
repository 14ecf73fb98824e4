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

/* task->on_rq of a thread that is in a queue; the kernel's own name of it is private. */
#define ON_RQ_QUEUED 1

/* Made once, when it is first wanted; published by a release, kept until the module goes. */
static struct queues *queues;

/*
 * Of each CPU's queue: threads in it, or UNKNOWN; above them how often that has changed.
 * Written under that queue's lock, on whatever CPU, and by count_threads().
 */
static DEFINE_PER_CPU(u64, running) = UNKNOWN;

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

/* The learner alone can get as far as this by itself, no interrupt of it. */
static noinline void learn(const struct rq *rq, int change)
{
	if (current != READ_ONCE(learner) || change != -1 || in_nmi() || in_hardirq() ||
	    in_serving_softirq() || hftmon_task_state(current) == TASK_RUNNING)
		return;
	WRITE_ONCE(learnt, (unsigned long)rq - per_cpu_offset(raw_smp_processor_id()));
	WRITE_ONCE(learner, NULL);
}

/* Told after the change, under the queue's lock. */
static u32 count(u32 cpu, int change)
{
	u64 *word = per_cpu_ptr(&running, cpu), before = READ_ONCE(*word);
	u32 now = (u32)before == UNKNOWN ? UNKNOWN : (u32)before + change;

	if (cpu == raw_smp_processor_id()) {
		if (single_task_running())
			now = 1;
		else if (now == 1)
			now = UNKNOWN;	/* something was missed */
	}
	if ((s32)now < 0)
		now = UNKNOWN;
	/* Over what count_threads() may have written meanwhile: it knew of no change. */
	WRITE_ONCE(*word, ((before >> 32) + 1) << 32 | now);
	return now;
}

void hftmon_probe_sched_update_nr_running_tp(void *data, struct rq *rq, int change)
{
	/* Pairs with hftmon_run_queue_learn(). */
	const struct queues *table = smp_load_acquire(&queues);
	struct hftmon_record event = { .type = HFTMON_REC_NR_RUNNING };

	if (unlikely(!table)) {
		learn(rq, change);
		return;
	}
	event.nr_running.cpu = cpu_of(table, rq);
	if (unlikely(event.nr_running.cpu == NO_CPU))
		return;
	event.nr_running.count = count(event.nr_running.cpu, change);
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
 * In which queues the threads stand: right for those that do not change from the
 * beginning of the first wait to the end of the second. The kernel changes a queue with
 * preemption off: a thread that was halfway in or out is all the way after a wait.
 * Threads of a group that is throttled just then are taken for queued.
 */
static void count_threads(u64 *before, u32 *found)
{
	struct task_struct *process, *thread;
	int cpu;

	for_each_possible_cpu(cpu) {
		before[cpu] = READ_ONCE(per_cpu(running, cpu));
		found[cpu] = 0;
	}
	synchronize_rcu();
	rcu_read_lock();
	for_each_process_thread(process, thread) {
		if (READ_ONCE(thread->on_rq) == ON_RQ_QUEUED)
			found[task_cpu(thread)]++;
	}
	rcu_read_unlock();
	synchronize_rcu();
	for_each_possible_cpu(cpu) {
		if ((u32)before[cpu] == UNKNOWN)
			cmpxchg(per_cpu_ptr(&running, cpu), before[cpu],
				(before[cpu] & ~(u64)U32_MAX) | found[cpu]);
	}
}

static bool all_known(void)
{
	int cpu;

	for_each_online_cpu(cpu) {
		if ((u32)READ_ONCE(per_cpu(running, cpu)) == UNKNOWN)
			return false;
	}
	return true;
}

/* A queue that changes all the time has one thread soon. */
static int learn_numbers(void)
{
	u64 *before = kvmalloc_array(nr_cpu_ids, sizeof(*before), GFP_KERNEL);
	u32 *found = kvmalloc_array(nr_cpu_ids, sizeof(*found), GFP_KERNEL);
	int err = before && found ? 0 : -ENOMEM;
	unsigned int tries;

	for (tries = 0; !err && tries < 5 && !all_known(); tries++)
		count_threads(before, found);
	kvfree(found);
	kvfree(before);
	return err;
}

/**
 * hftmon_run_queue_learn() - find out which CPU each run queue is of, and what it holds
 *
 * The probe is hooked, under hftmon_active_lock. Sleeps for some grace
 * periods, and the first time for some milliseconds more.
 *
 * Return: 0; -EBUSY when it could not be found (the kernel leaves a fair thread in
 * its queue for a while when others wait there, and one whose group is throttled is
 * not counted); -ENOMEM
 */
int hftmon_run_queue_learn(void)
{
	struct queues *table;
	unsigned int tries;

	if (queues)
		return learn_numbers();
	for (tries = 0; !READ_ONCE(learnt) && tries < 100; tries++) {
		WRITE_ONCE(learner, current);
		schedule_timeout_uninterruptible(1);
	}
	WRITE_ONCE(learner, NULL);
	if (!learnt)
		return -EBUSY;
	table = make_table(learnt);
	if (!table)
		return -ENOMEM;
	/* Pairs with the probe. */
	smp_store_release(&queues, table);
	return learn_numbers();
}

/** hftmon_run_queue_forget() - the numbers, as changes are not seen any more; no probe runs */
void hftmon_run_queue_forget(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(running, cpu) = UNKNOWN;
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
