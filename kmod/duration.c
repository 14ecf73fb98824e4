// SPDX-License-Identifier: GPL-2.0-only
/*
 * Histograms of durations: handlers, and the memory and use of all.
 *
 * One set for the module. Sessions that want them hold it (get, put), and count
 * in it while they run (start, stop); what a session has seen is the difference
 * of two looks.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include <hftmon/abi/source.h>

#include "duration.h"
#include "hook.h"
#include "meter.h"
#include "running.h"
#include "threshold.h"

DEFINE_PER_CPU(struct hftmon_durations, hftmon_durations);
DEFINE_STATIC_KEY_FALSE(hftmon_durations_counted);
u32 hftmon_duration_kinds __read_mostly;

/* Of the two below, and of the memory. */
static DEFINE_MUTEX(durations_lock);

/* Sessions that hold the histograms; that count each kind. */
static unsigned int holders;
static unsigned int counters[HFTMON_DURATION_COUNT];

/* ---- probes ---------------------------------------------------------------- */

/* A handler has ended. Preemption disabled. */
static void took(unsigned int kind, u64 ticks, u64 end, u32 cause)
{
	struct hftmon_histograms *histograms = hftmon_histograms_here();

	if (!histograms)
		return;
	hftmon_duration_count(histograms, kind, hftmon_histogram_bucket(ticks));
	hftmon_threshold_check(kind, ticks, end, hftmon_running_tid(), cause, smp_processor_id());
}

/* Those below: a softirq of PREEMPT_RT can be preempted, and since 7.x so can its probes. */
void hftmon_duration_handler_begin(unsigned int kind)
{
	struct hftmon_handlers *handlers;
	unsigned int depth;
	u64 start = 0;

	if (!hftmon_duration_is_counted(kind))
		return;
	preempt_disable_notrace();
	if (hftmon_meter_due())
		start = hftmon_meter_start();
	handlers = this_cpu_ptr(&hftmon_durations.handlers[kind]);
	depth = handlers->depth;
	if (depth < HFTMON_HANDLERS_DEEP)
		handlers->entered[depth] = (struct hftmon_entered){ hftmon_clock(), current };
	handlers->depth = depth + 1;
	if (unlikely(start))
		hftmon_meter_stop(start, HFTMON_COST_HISTOGRAMS);
	preempt_enable_notrace();
}

/* Takes the innermost handler of this thread out, which is the last but on PREEMPT_RT. */
static struct hftmon_entered leave(struct hftmon_handlers *handlers)
{
	unsigned int last = handlers->depth - 1, at = last;
	struct hftmon_entered entered;

	handlers->depth = last;
	if (last >= HFTMON_HANDLERS_DEEP)
		return (struct hftmon_entered){};
	while (at && handlers->entered[at].task != current)
		at--;
	entered = handlers->entered[at];
	for (; at < last; at++)
		handlers->entered[at] = handlers->entered[at + 1];
	return entered;
}

void hftmon_duration_handler_end(unsigned int kind, u32 cause)
{
	struct hftmon_handlers *handlers;
	u64 start = 0;

	preempt_disable_notrace();
	handlers = this_cpu_ptr(&hftmon_durations.handlers[kind]);
	/* 0: it was entered before the kind was counted. */
	if (handlers->depth) {
		struct hftmon_entered entered;

		if (hftmon_meter_due())
			start = hftmon_meter_start();
		entered = leave(handlers);
		if (entered.task == current) {
			u64 now = hftmon_clock();

			took(kind, hftmon_duration_between(entered.time, now), now, cause);
		}
		if (unlikely(start))
			hftmon_meter_stop(start, HFTMON_COST_HISTOGRAMS);
	}
	preempt_enable_notrace();
}

/* @ns: as the kernel has measured it; wrong beyond 2 s, which it tells by 31 bits. */
void hftmon_duration_nmi(s64 ns)
{
	u64 start = 0;

	if (!hftmon_duration_is_counted(HFTMON_DURATION_NMI))
		return;
	preempt_disable_notrace();
	if (hftmon_meter_due())
		start = hftmon_meter_start();
	took(HFTMON_DURATION_NMI, hftmon_clock_from_ns(max_t(s64, ns, 0)), hftmon_clock(), 0);
	if (unlikely(start))
		hftmon_meter_stop(start, HFTMON_COST_HISTOGRAMS);
	preempt_enable_notrace();
}

/* ---- sessions -------------------------------------------------------------- */

static void free_all(void)
{
	unsigned int cpu;

	hftmon_duration_threads_free();
	for_each_possible_cpu(cpu) {
		struct hftmon_durations *durations = per_cpu_ptr(&hftmon_durations, cpu);

		vfree(durations->histograms);
		durations->histograms = NULL;
	}
}

static int alloc_on(const struct cpumask *cpus)
{
	unsigned int cpu;
	int err = hftmon_duration_threads_alloc();

	if (err)
		return err;
	for_each_cpu(cpu, cpus) {
		struct hftmon_durations *durations = per_cpu_ptr(&hftmon_durations, cpu);
		struct hftmon_histograms *histograms;

		if (durations->histograms)
			continue;
		histograms = vmalloc_user(sizeof(*histograms));
		if (!histograms)
			return -ENOMEM;
		/* That CPU may count already, for another session: zeroed before seen. */
		smp_store_release(&durations->histograms, histograms);
	}
	return 0;
}

/**
 * hftmon_durations_get() - hold histograms of these CPUs
 * @cpus: of a session
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int hftmon_durations_get(const struct cpumask *cpus)
{
	int err;

	mutex_lock(&durations_lock);
	err = alloc_on(cpus);
	if (!err)
		holders++;
	else if (!holders)
		free_all();
	mutex_unlock(&durations_lock);
	return err;
}

/** hftmon_durations_put() - the session is gone, with its mappings */
void hftmon_durations_put(void)
{
	mutex_lock(&durations_lock);
	if (!--holders)
		free_all();
	mutex_unlock(&durations_lock);
}

/** hftmon_durations_sources() - the sources that these kinds are measured by */
u64 hftmon_durations_sources(u32 kinds)
{
	u64 all = 0;
	unsigned int kind;

	for (kind = 0; kind < HFTMON_DURATION_COUNT; kind++) {
		if (kinds & HFTMON_DURATION_BIT(kind))
			all |= hftmon_duration_sources(kind);
	}
	return all;
}

/**
 * hftmon_durations_start() - count these kinds; their sources are hooked
 * @kinds: bits of enum hftmon_duration
 */
void hftmon_durations_start(u32 kinds)
{
	unsigned int kind;
	u32 counted = 0;

	mutex_lock(&durations_lock);
	for (kind = 0; kind < HFTMON_DURATION_COUNT; kind++) {
		if (kinds & HFTMON_DURATION_BIT(kind))
			counters[kind]++;
		if (counters[kind])
			counted |= HFTMON_DURATION_BIT(kind);
	}
	WRITE_ONCE(hftmon_duration_kinds, counted);
	static_branch_inc(&hftmon_durations_counted);
	mutex_unlock(&durations_lock);
}

/**
 * hftmon_durations_stop() - undo it; before its sources are unhooked
 * @kinds: the same
 *
 * Return: nothing is counted on behalf of the session any more; when nothing at
 * all is, what was begun is forgotten, lest it be ended much later.
 */
void hftmon_durations_stop(u32 kinds)
{
	unsigned int kind, cpu;
	u32 counted = 0;

	mutex_lock(&durations_lock);
	for (kind = 0; kind < HFTMON_DURATION_COUNT; kind++) {
		if (kinds & HFTMON_DURATION_BIT(kind))
			counters[kind]--;
		if (counters[kind])
			counted |= HFTMON_DURATION_BIT(kind);
	}
	WRITE_ONCE(hftmon_duration_kinds, counted);
	static_branch_dec(&hftmon_durations_counted);
	hftmon_hook_synchronize();
	for_each_possible_cpu(cpu) {
		struct hftmon_durations *durations = per_cpu_ptr(&hftmon_durations, cpu);

		for (kind = 0; kind <= HFTMON_DURATION_VECTOR; kind++) {
			if (!(counted & HFTMON_DURATION_BIT(kind)))
				WRITE_ONCE(durations->handlers[kind].depth, 0);
		}
		if (!(counted & HFTMON_DURATIONS_OF_THREADS))
			WRITE_ONCE(durations->switched, 0);
	}
	if (!(counted & HFTMON_DURATIONS_KEPT))
		hftmon_duration_threads_forget();
	mutex_unlock(&durations_lock);
}

/**
 * hftmon_durations_mmap() - map a CPU's histograms, read-only
 * @cpu: of a session that holds them, a valid index
 * @vma: where; flags are checked
 */
int hftmon_durations_mmap(unsigned int cpu, struct vm_area_struct *vma)
{
	struct hftmon_histograms *histograms = per_cpu(hftmon_durations, cpu).histograms;

	if (vma->vm_end - vma->vm_start > PAGE_ALIGN(sizeof(*histograms)))
		return -EINVAL;
	return remap_vmalloc_range(vma, histograms, 0);
}
