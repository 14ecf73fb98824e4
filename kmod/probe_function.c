// SPDX-License-Identifier: GPL-2.0-only
/* Functions of the kernel that are called later: timers, work, tasklets, calls on other CPUs. */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/timer.h>

#include "emit.h"
#include "probes.h"

/* The layouts that emit() and hftmon_probe_hrtimer_start() rely on. */
static_assert(offsetof(struct hftmon_function, function) == 0 &&
	      offsetof(struct hftmon_function, arg) == 4 &&
	      offsetof(struct hftmon_function, object) == 8);
static_assert(offsetof(struct hftmon_hrtimer_start, function) == 0 &&
	      offsetof(struct hftmon_hrtimer_start, expires_ns) == 8);

static __always_inline void emit(unsigned int source, u16 type, const void *function, u32 arg,
				 const void *object)
{
	hftmon_emit_function(source, type, function, (u64)arg << 32, (unsigned long)object, 0,
			     true);
}

void hftmon_probe_hrtimer_start(void *data, HFTMON_HRTIMER_START_ARGS)
{
	hftmon_emit_function(HFTMON_SOURCE_HRTIMER_START, HFTMON_REC_HRTIMER_START,
			     ACCESS_PRIVATE(timer, function), 0,
			     ktime_to_ns(hrtimer_get_softexpires(timer)), 0, false);
}

void hftmon_probe_timer_expire_entry(void *data, struct timer_list *timer, unsigned long baseclk)
{
	/* It may be set anew just now. */
	long late = jiffies - READ_ONCE(timer->expires);

	emit(HFTMON_SOURCE_TIMER_EXPIRE, HFTMON_REC_TIMER_EXPIRE_ENTRY,
	     READ_ONCE(timer->function), max(late, 0L), timer);
}

/* The timer may be gone. */
void hftmon_probe_timer_expire_exit(void *data, struct timer_list *timer)
{
	emit(HFTMON_SOURCE_TIMER_EXPIRE, HFTMON_REC_TIMER_EXPIRE_EXIT, NULL, 0, timer);
}

void hftmon_probe_workqueue_queue_work(void *data, HFTMON_WORK_CPU_T cpu,
				       struct pool_workqueue *pwq, struct work_struct *work)
{
	u32 where = (unsigned int)cpu < WORK_CPU_UNBOUND ? cpu : U32_MAX;

	emit(HFTMON_SOURCE_WORKQUEUE_QUEUE_WORK, HFTMON_REC_WORK_QUEUE, work->func, where, work);
}

void hftmon_probe_workqueue_execute_start(void *data, struct work_struct *work)
{
	emit(HFTMON_SOURCE_WORKQUEUE_EXECUTE, HFTMON_REC_WORK_START, work->func, 0, work);
}

/* The work may be gone. */
void hftmon_probe_workqueue_execute_end(void *data, struct work_struct *work,
					work_func_t function)
{
	emit(HFTMON_SOURCE_WORKQUEUE_EXECUTE, HFTMON_REC_WORK_END, function, 0, work);
}

void hftmon_probe_tasklet_entry(void *data, struct tasklet_struct *tasklet, void *function)
{
	emit(HFTMON_SOURCE_TASKLET, HFTMON_REC_TASKLET_ENTRY, function, 0, tasklet);
}

void hftmon_probe_tasklet_exit(void *data, struct tasklet_struct *tasklet, void *function)
{
	emit(HFTMON_SOURCE_TASKLET, HFTMON_REC_TASKLET_EXIT, function, 0, tasklet);
}

void hftmon_probe_csd_queue_cpu(void *data, const unsigned int cpu, unsigned long callsite,
				smp_call_func_t function, call_single_data_t *csd)
{
	emit(HFTMON_SOURCE_CSD_QUEUE_CPU, HFTMON_REC_CSD_QUEUE, function, cpu, csd);
}

void hftmon_probe_csd_function_entry(void *data, smp_call_func_t function,
				     call_single_data_t *csd)
{
	emit(HFTMON_SOURCE_CSD_FUNCTION, HFTMON_REC_CSD_ENTRY, function, 0, csd);
}

void hftmon_probe_csd_function_exit(void *data, smp_call_func_t function,
				    call_single_data_t *csd)
{
	emit(HFTMON_SOURCE_CSD_FUNCTION, HFTMON_REC_CSD_EXIT, function, 0, csd);
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_HRTIMER_START(hftmon_probe_hrtimer_start);
	HFTMON_CHECK_timer_expire_entry(hftmon_probe_timer_expire_entry);
	HFTMON_CHECK_timer_expire_exit(hftmon_probe_timer_expire_exit);
	HFTMON_CHECK_QUEUE_WORK(hftmon_probe_workqueue_queue_work);
	HFTMON_CHECK_workqueue_execute_start(hftmon_probe_workqueue_execute_start);
	HFTMON_CHECK_workqueue_execute_end(hftmon_probe_workqueue_execute_end);
	HFTMON_CHECK_tasklet_entry(hftmon_probe_tasklet_entry);
	HFTMON_CHECK_tasklet_exit(hftmon_probe_tasklet_exit);
	HFTMON_CHECK_csd_queue_cpu(hftmon_probe_csd_queue_cpu);
	HFTMON_CHECK_csd_function_entry(hftmon_probe_csd_function_entry);
	HFTMON_CHECK_csd_function_exit(hftmon_probe_csd_function_exit);
}
