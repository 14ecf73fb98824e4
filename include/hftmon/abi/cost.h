/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * What the module costs, and the budget that it keeps to.
 *
 * The module times one event in 61, and so knows what share of each CPU's time its
 * probes take. Every 100 ms it compares that with its parameter budget_ppm (parts
 * per million of a CPU's time; 0: no budget). Above it, sources are shed on that
 * CPU, one step of HFTMON_SHED_STEPS after another, until the rest fits: no session
 * gets records of them from there. Below 4/5 of it for a second, the last step is
 * taken back; where something has to go again within that time, the next comes back
 * after twice as long, up to about a minute. Whatever changes, each session is told in a SHED
 * record of each CPU, followed by a CPU_STATE.
 *
 * What is in no step is never shed: who runs, who is who, what happens seldom; nor are
 * histograms.
 */
#ifndef HFTMON_ABI_COST_H
#define HFTMON_ABI_COST_H

#include <linux/types.h>

#include "source.h"

/* X(sources), the first to be shed first: what says least of why a thread was late. */
#define HFTMON_SHED_STEPS(X)						\
	X(HFTMON_SOURCE_STACKS)						\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_SYS_ENTER) |			\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_SYS_EXIT))			\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_NETIF_RECEIVE_SKB) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_NET_DEV_QUEUE) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_NET_DEV_START_XMIT))		\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_BLOCK_RQ_ISSUE) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_BLOCK_RQ_COMPLETE))		\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_HRTIMER_START))		\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_WORKQUEUE_QUEUE_WORK) |	\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_CSD_QUEUE_CPU))		\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_SIGNAL_GENERATE) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_SIGNAL_DELIVER))		\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_SOFTIRQ_RAISE))		\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_SET_NEED_RESCHED) |	\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_UPDATE_NR_RUNNING) |	\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_STAT_BLOCKED) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_STAT_IOWAIT))		\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_TLB_FLUSH))			\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_TASK_NUMA_FAULT) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_PAGE_FAULT_USER) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_PAGE_FAULT_KERNEL))		\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_TIMER_EXPIRE) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_WORKQUEUE_EXECUTE) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_TASKLET) |			\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_CSD_FUNCTION) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_NAPI_POLL))			\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_IPI_SEND_CPU) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_IPI_SEND_CPUMASK))		\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_CPU_IDLE))			\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_HRTIMER_EXPIRE))		\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_SOFTIRQ))			\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_IRQ_HANDLER) |		\
	  (HFTMON_SOURCE_BIT(HFTMON_SOURCE_NMI_HANDLER) -		\
	   HFTMON_SOURCE_BIT(HFTMON_SOURCE_LOCAL_TIMER)))		\
	X(HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKING) |		\
	  HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKEUP))

/* One element of hftmon_costs.entries. */
struct hftmon_source_cost {
	__u64 samples;			/* events that were timed */
	__u64 ticks;			/* that those took */
};

/* Index of the entry that stands for the histograms; others: enum hftmon_source. */
#define HFTMON_COST_HISTOGRAMS 63u
#define HFTMON_COST_COUNT 64u

/**
 * struct hftmon_costs - what events cost on one CPU (HFTMON_IOC_COSTS)
 * @cpu:        in: which; ENXIO when the machine has no such CPU
 * @count:      in: room in @entries; out: entries that the module has
 * @entries:    address of an array of struct hftmon_source_cost
 * @events:     of all sessions since the module was loaded, each update of
 *              histograms counted as one
 * @samples:    of these, how many were timed: one in 61, less those that were
 *              interrupted (by another event, or for more than 50 us)
 * @ticks:      that those took
 * @shed:       bits of enum hftmon_source that are shed there now
 * @budget_ppm: what the parameter says
 * @spent_ppm:  share of that CPU's time in the last 100 ms; 0 while there is no
 *              budget to keep, or nobody records
 *
 * In every state of a session.
 */
struct hftmon_costs {
	__u32 size;
	__u32 cpu;
	__u32 count;
	__u32 budget_ppm;
	__u32 spent_ppm;
	__u32 reserved0;
	__u64 entries;
	__u64 events;
	__u64 samples;
	__u64 ticks;
	__u64 shed;
	__u64 reserved[2];
};

#endif /* HFTMON_ABI_COST_H */
