/* SPDX-License-Identifier: GPL-2.0-only */
/* Which thread runs here, as the stream has told it. */
#ifndef HFTMON_RUNNING_H
#define HFTMON_RUNNING_H

#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <hftmon/abi/source.h>

#include "wanted.h"

/**
 * struct hftmon_switching - the last switch of a CPU
 * @prev:     the thread that it left; NULL while sched_switch is not hooked
 * @next_tid: the one that came
 *
 * Between the tracepoint and the switch itself `current` is still the old
 * thread, and there are events there: flushes of the TLB, NMIs. To a reader the
 * new one runs already. (An NMI between the record of the switch and the note
 * of it here is still the old one's.)
 */
struct hftmon_switching {
	const struct task_struct *prev;
	u32 next_tid;
};

DECLARE_PER_CPU(struct hftmon_switching, hftmon_switching);

/* At the end of the probe of every switch, so that @prev is current only until it is done. */
static __always_inline void hftmon_running_next(const struct task_struct *prev, u32 next_tid)
{
	this_cpu_write(hftmon_switching.next_tid, next_tid);
	barrier();	/* an NMI finds @prev with its own @next_tid */
	this_cpu_write(hftmon_switching.prev, prev);
}

/* Preemption disabled. */
static __always_inline u32 hftmon_running_tid(void)
{
	/* Nobody wants switches: what the last probe of one has left may be old. */
	if (unlikely(this_cpu_read(hftmon_switching.prev) == current) &&
	    this_cpu_read(hftmon_wanted[HFTMON_SOURCE_SCHED_SWITCH]))
		return this_cpu_read(hftmon_switching.next_tid);
	return current->pid;
}

void hftmon_running_forget(void);
void hftmon_running_forget_cpu(unsigned int cpu);

#endif /* HFTMON_RUNNING_H */
