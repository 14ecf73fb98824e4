// SPDX-License-Identifier: GPL-2.0-only
/* What events cost: one in so many is timed. */
#include <linux/compiler.h>
#include <asm/barrier.h>

#include "clock.h"
#include "meter.h"

DEFINE_PER_CPU(struct hftmon_meter, hftmon_meter) = { .countdown = HFTMON_METER_INTERVAL };

/* Of the events that were timed, by enum hftmon_source and HFTMON_COST_HISTOGRAMS. */
static DEFINE_PER_CPU(struct hftmon_source_cost [HFTMON_COST_COUNT], hftmon_costs);

/*
 * End of a timed run. If the countdown moved, another probe nested in this
 * run, and an interrupt with it: that is not our time.
 */
noinline void hftmon_meter_stop(u64 start, unsigned int cost)
{
	u64 ticks = hftmon_clock() - start;

	if (this_cpu_read(hftmon_meter.countdown) != HFTMON_METER_INTERVAL ||
	    ticks > hftmon_clock_from_ns(HFTMON_METER_LONGEST_NS))
		return;
	this_cpu_add(hftmon_meter.ticks, ticks);
	this_cpu_inc(hftmon_meter.samples);
	this_cpu_add(hftmon_costs[cost].ticks, ticks);
	this_cpu_inc(hftmon_costs[cost].samples);
}

/* Adds, so that probes that nest in here are counted. Order: hftmon_meter_read(). */
noinline u64 hftmon_meter_start(void)
{
	this_cpu_add(hftmon_meter.runs, HFTMON_METER_INTERVAL);
	barrier();
	this_cpu_add(hftmon_meter.countdown, HFTMON_METER_INTERVAL);
	return hftmon_clock();
}

/* Sources that share a record type are taken for the first of them. */
static const u8 source_of_type[HFTMON_REC_TYPE_END] = {
	/* STACK: timed by who takes it. */
	[HFTMON_REC_SCHED_SWITCH] = HFTMON_SOURCE_SCHED_SWITCH,
	[HFTMON_REC_SCHED_WAKING] = HFTMON_SOURCE_SCHED_WAKING,
	[HFTMON_REC_SCHED_WAKEUP] = HFTMON_SOURCE_SCHED_WAKEUP,
	[HFTMON_REC_SCHED_WAKEUP_NEW] = HFTMON_SOURCE_SCHED_WAKEUP_NEW,
	[HFTMON_REC_SCHED_MIGRATE] = HFTMON_SOURCE_SCHED_MIGRATE_TASK,
	[HFTMON_REC_SCHED_PI_SETPRIO] = HFTMON_SOURCE_SCHED_PI_SETPRIO,
	[HFTMON_REC_SCHED_NEED_RESCHED] = HFTMON_SOURCE_SCHED_SET_NEED_RESCHED,
	[HFTMON_REC_SCHED_BLOCKED] = HFTMON_SOURCE_SCHED_STAT_BLOCKED,
	[HFTMON_REC_SCHED_IOWAIT] = HFTMON_SOURCE_SCHED_STAT_IOWAIT,
	[HFTMON_REC_SCHED_NUMA] = HFTMON_SOURCE_SCHED_MOVE_NUMA,
	[HFTMON_REC_NR_RUNNING] = HFTMON_SOURCE_SCHED_UPDATE_NR_RUNNING,
	[HFTMON_REC_AFFINITY] = HFTMON_SOURCE_AFFINE_MOVE_TASK,
	[HFTMON_REC_CFS_THROTTLE] = HFTMON_SOURCE_THROTTLE_CFS_RQ,
	[HFTMON_REC_CFS_UNTHROTTLE] = HFTMON_SOURCE_THROTTLE_CFS_RQ,
	[HFTMON_REC_NUMA_FAULT] = HFTMON_SOURCE_TASK_NUMA_FAULT,
	[HFTMON_REC_THREAD] = HFTMON_SOURCE_TASK_RENAME,
	[HFTMON_REC_FORK] = HFTMON_SOURCE_SCHED_PROCESS_FORK,
	[HFTMON_REC_EXEC] = HFTMON_SOURCE_SCHED_PROCESS_EXEC,
	[HFTMON_REC_EXIT] = HFTMON_SOURCE_SCHED_PROCESS_EXIT,
	[HFTMON_REC_RENAME] = HFTMON_SOURCE_TASK_RENAME,
	[HFTMON_REC_DEAD] = HFTMON_SOURCE_SCHED_PROCESS_EXIT,
	[HFTMON_REC_IRQ_ENTRY] = HFTMON_SOURCE_IRQ_HANDLER,
	[HFTMON_REC_IRQ_EXIT] = HFTMON_SOURCE_IRQ_HANDLER,
	[HFTMON_REC_SOFTIRQ_RAISE] = HFTMON_SOURCE_SOFTIRQ_RAISE,
	[HFTMON_REC_SOFTIRQ_ENTRY] = HFTMON_SOURCE_SOFTIRQ,
	[HFTMON_REC_SOFTIRQ_EXIT] = HFTMON_SOURCE_SOFTIRQ,
	[HFTMON_REC_VECTOR_ENTRY] = HFTMON_SOURCE_LOCAL_TIMER,	/* and those that follow it */
	[HFTMON_REC_VECTOR_EXIT] = HFTMON_SOURCE_LOCAL_TIMER,
	[HFTMON_REC_NMI] = HFTMON_SOURCE_NMI_HANDLER,
	[HFTMON_REC_IPI_SEND] = HFTMON_SOURCE_IPI_SEND_CPU,
	[HFTMON_REC_PAGE_FAULT_USER] = HFTMON_SOURCE_PAGE_FAULT_USER,
	[HFTMON_REC_PAGE_FAULT_KERNEL] = HFTMON_SOURCE_PAGE_FAULT_KERNEL,
	[HFTMON_REC_CPU_IDLE] = HFTMON_SOURCE_CPU_IDLE,
	[HFTMON_REC_HRTIMER_EXPIRE_ENTRY] = HFTMON_SOURCE_HRTIMER_EXPIRE,
	[HFTMON_REC_HRTIMER_EXPIRE_EXIT] = HFTMON_SOURCE_HRTIMER_EXPIRE,
	[HFTMON_REC_TLB_FLUSH] = HFTMON_SOURCE_TLB_FLUSH,
	[HFTMON_REC_CPU_FREQUENCY] = HFTMON_SOURCE_CPU_FREQUENCY,
	[HFTMON_REC_SIGNAL_GENERATE] = HFTMON_SOURCE_SIGNAL_GENERATE,
	[HFTMON_REC_SIGNAL_DELIVER] = HFTMON_SOURCE_SIGNAL_DELIVER,
	[HFTMON_REC_HRTIMER_START] = HFTMON_SOURCE_HRTIMER_START,
	[HFTMON_REC_TIMER_EXPIRE_ENTRY] = HFTMON_SOURCE_TIMER_EXPIRE,
	[HFTMON_REC_TIMER_EXPIRE_EXIT] = HFTMON_SOURCE_TIMER_EXPIRE,
	[HFTMON_REC_WORK_QUEUE] = HFTMON_SOURCE_WORKQUEUE_QUEUE_WORK,
	[HFTMON_REC_WORK_START] = HFTMON_SOURCE_WORKQUEUE_EXECUTE,
	[HFTMON_REC_WORK_END] = HFTMON_SOURCE_WORKQUEUE_EXECUTE,
	[HFTMON_REC_TASKLET_ENTRY] = HFTMON_SOURCE_TASKLET,
	[HFTMON_REC_TASKLET_EXIT] = HFTMON_SOURCE_TASKLET,
	[HFTMON_REC_CSD_QUEUE] = HFTMON_SOURCE_CSD_QUEUE_CPU,
	[HFTMON_REC_CSD_ENTRY] = HFTMON_SOURCE_CSD_FUNCTION,
	[HFTMON_REC_CSD_EXIT] = HFTMON_SOURCE_CSD_FUNCTION,
	[HFTMON_REC_NAPI_POLL] = HFTMON_SOURCE_NAPI_POLL,
	[HFTMON_REC_NET_RECEIVE] = HFTMON_SOURCE_NETIF_RECEIVE_SKB,
	[HFTMON_REC_NET_QUEUE] = HFTMON_SOURCE_NET_DEV_QUEUE,
	[HFTMON_REC_NET_START_XMIT] = HFTMON_SOURCE_NET_DEV_START_XMIT,
	[HFTMON_REC_BLOCK_ISSUE] = HFTMON_SOURCE_BLOCK_RQ_ISSUE,
	[HFTMON_REC_BLOCK_COMPLETE] = HFTMON_SOURCE_BLOCK_RQ_COMPLETE,
	[HFTMON_REC_SYSCALL_ENTER] = HFTMON_SOURCE_SYS_ENTER,
	[HFTMON_REC_SYSCALL_EXIT] = HFTMON_SOURCE_SYS_EXIT,
};

unsigned int hftmon_meter_source(u32 kind, u64 payload0)
{
	const struct hftmon_record record = { .type = (u16)kind, .payload = { payload0 } };
	unsigned int source = source_of_type[record.type];

	return source == HFTMON_SOURCE_LOCAL_TIMER ? source + record.vector.kind : source;
}

/**
 * hftmon_meter_read() - the meter of a CPU, whose probes may run meanwhile
 * @cpu: any possible one
 * @to:  a copy; its runs are all events so far, its countdown is meaningless
 *
 * Looks again while an interval ends: what it has counted stands in neither or
 * both words then. That takes the writer some instructions and what interrupts
 * it, so the number of looks is bounded; beyond it, runs are one interval off.
 */
void hftmon_meter_read(unsigned int cpu, struct hftmon_meter *to)
{
	const struct hftmon_meter *meter = per_cpu_ptr(&hftmon_meter, cpu);
	unsigned int tries = 1000;
	u64 runs;
	s32 left;

	do {
		runs = READ_ONCE(meter->runs);
		smp_rmb();	/* pairs with the order of meter_start() */
		left = READ_ONCE(meter->countdown);
		smp_rmb();	/* the same, the other way round */
	} while ((left <= 0 || READ_ONCE(meter->runs) != runs) && --tries);
	to->runs = runs + HFTMON_METER_INTERVAL - left;
	to->samples = READ_ONCE(meter->samples);
	to->ticks = READ_ONCE(meter->ticks);
}

/**
 * hftmon_meter_read_costs() - the same by source, of the events that were timed
 * @cpu:   any possible one
 * @costs: HFTMON_COST_COUNT
 */
void hftmon_meter_read_costs(unsigned int cpu, struct hftmon_source_cost *costs)
{
	const struct hftmon_source_cost *from = per_cpu(hftmon_costs, cpu);
	unsigned int i;

	for (i = 0; i < HFTMON_COST_COUNT; i++) {
		costs[i].samples = READ_ONCE(from[i].samples);
		costs[i].ticks = READ_ONCE(from[i].ticks);
	}
}
