// SPDX-License-Identifier: GPL-2.0-only
/* The switch that each CPU is in, or had last. */
#include "running.h"

DEFINE_PER_CPU(struct hftmon_switching, hftmon_switching);

/**
 * hftmon_running_forget() - sched_switch is not hooked any more
 *
 * From now on a thread may come back to a CPU unseen. No probe of it runs.
 */
void hftmon_running_forget(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		hftmon_running_forget_cpu(cpu);
}

/** hftmon_running_forget_cpu() - that CPU is about to come up: it went down unseen */
void hftmon_running_forget_cpu(unsigned int cpu)
{
	WRITE_ONCE(per_cpu(hftmon_switching, cpu).prev, NULL);
}
