// SPDX-License-Identifier: GPL-2.0-only
/*
 * NUMA balancing takes a page away to see who uses it: task_numa_fault() is called when
 * somebody has, after the page was moved, if it was.
 */
#include <linux/kprobes.h>
#include <linux/ptrace.h>
#include <linux/sched/numa_balancing.h>

#include "emit.h"
#include "kernel_function.h"

#define NAME "task_numa_fault"

static int on_task_numa_fault(struct kprobe *probe, struct pt_regs *regs)
{
	int flags = regs_get_kernel_argument(regs, 3);
	struct hftmon_record event = {
		.type = HFTMON_REC_NUMA_FAULT,
		.numa_fault = {
			.node = regs_get_kernel_argument(regs, 1),
			.pages = regs_get_kernel_argument(regs, 2),
			.outcome = flags & TNF_MIGRATED ? HFTMON_NUMA_MOVED :
				   flags & TNF_MIGRATE_FAIL ? HFTMON_NUMA_MOVE_FAILED :
				   HFTMON_NUMA_STAYED,
		},
	};

	hftmon_emit(HFTMON_SOURCE_TASK_NUMA_FAULT, &event);
	return 0;
}

static struct hftmon_kernel_probe probe;

static int find(void)
{
	return hftmon_kernel_function_find(NAME);
}

static int hook(void)
{
	return hftmon_kernel_probe_set(&probe, NAME, on_task_numa_fault);
}

static void unhook(void)
{
	hftmon_kernel_probe_remove(&probe);
}

static unsigned long missed(void)
{
	return probe.kprobe.nmissed;
}

const struct hftmon_kernel_functions hftmon_numa_functions = {
	.find = find, .hook = hook, .unhook = unhook, .missed = missed,
};

/* The arguments are those that the kernel's headers tell. */
static void __maybe_unused check_types(void)
{
	void (*function)(int last_node, int node, int pages, int flags) = task_numa_fault;

	(void)function;
}
