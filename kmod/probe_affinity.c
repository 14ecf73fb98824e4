// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of the CPUs that a thread may run on. affine_move_task() is called where
 * they have just changed, by sched_setaffinity() and cpusets alike, with the thread's
 * and its run queue's locks held. Not seen: what the kernel does to a thread that has
 * no CPU left, and to its own before they run.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include "emit.h"
#include "kernel_function.h"

#define NAME "affine_move_task"

/*
 * The function is the scheduler's own: nobody promises that its second argument is
 * the thread. Before that is believed, it is tried with one that is known.
 */
static const struct task_struct *tried;
static bool seen;
static bool believed;

/* The end of a switch that was kept on its CPU (migrate_enable()) is no change. */
static bool is_change(const struct task_struct *task)
{
	return task != current || !hftmon_migration_disabled(task);
}

static int on_affine_move_task(struct kprobe *probe, struct pt_regs *regs)
{
	struct task_struct *task = (void *)regs_get_kernel_argument(regs, 1);
	struct hftmon_record event = { .type = HFTMON_REC_AFFINITY };

	if (unlikely(!READ_ONCE(believed))) {
		if (task == READ_ONCE(tried))
			WRITE_ONCE(seen, true);
		return 0;
	}
	if (!is_change(task))
		return 0;
	event.affinity.tid = task->pid;
	event.affinity.cpus = task->nr_cpus_allowed;
	event.affinity.first_cpu = cpumask_first(&task->cpus_mask);
	event.affinity.last_cpu = cpumask_last(&task->cpus_mask);
	hftmon_emit_about(HFTMON_SOURCE_AFFINE_MOVE_TASK, &event, task->pid);
	return 0;
}

static struct hftmon_kernel_probe probe;

static int nothing(void *unused)
{
	return 0;
}

/*
 * A thread that waits to begin gets another set of CPUs. Also tells whether kprobes are
 * switched off (debugfs), which register_kprobe() does not. The thread ends on the CPU
 * that is here, disturbing no other.
 */
static int try(void)
{
	struct task_struct *thread;
	int err;

	thread = kthread_create(nothing, NULL, "hftmon_try");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	seen = false;
	WRITE_ONCE(tried, thread);
	err = set_cpus_allowed_ptr(thread, cpu_possible_mask);
	if (!err)
		err = set_cpus_allowed_ptr(thread, cpumask_of(raw_smp_processor_id()));
	WRITE_ONCE(tried, NULL);
	kthread_stop(thread);
	if (err)
		return err;
	return READ_ONCE(seen) ? 0 : -EPROTO;
}

static int find(void)
{
	return hftmon_kernel_function_find(NAME);
}

static int hook(void)
{
	int err = hftmon_kernel_probe_set(&probe, NAME, on_affine_move_task);

	if (err)
		return err;
	err = try();
	if (err)
		hftmon_kernel_probe_remove(&probe);
	else
		WRITE_ONCE(believed, true);
	return err;
}

static void unhook(void)
{
	hftmon_kernel_probe_remove(&probe);
	WRITE_ONCE(believed, false);
}

static unsigned long missed(void)
{
	return probe.kprobe.nmissed;
}

const struct hftmon_kernel_functions hftmon_affinity_functions = {
	.find = find, .hook = hook, .unhook = unhook, .missed = missed,
};
