/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * Sources: what a session can ask for. One bit of a 64-bit mask each. A source
 * is one kernel tracepoint, or an entry/exit pair that only makes sense whole.
 *
 * AFFINE_MOVE_TASK, THROTTLE_CFS_RQ and TASK_NUMA_FAULT are functions of the kernel,
 * found by name, where no tracepoint tells what they do: kprobes, so a kernel without
 * them, or that keeps kprobes off them, has no such source.
 *
 * STACK_* are not tracepoints: they add the stack of the thread that runs to the
 * records of another event, SCHED_SWITCH (who leaves the CPU), SCHED_WAKING (who
 * wakes another) or SPIKE (who is there when a trigger is hit), where the session
 * has that, too. See stack.h.
 */
#ifndef HFTMON_ABI_SOURCE_H
#define HFTMON_ABI_SOURCE_H

#include <linux/types.h>

/*
 * X(IDENTIFIER, "name") in bit order. Append only: the position is the bit.
 * The name is the kernel's own name of the tracepoint or function, or the
 * common part of the names of the pair.
 */
#define HFTMON_SOURCES(X)						\
	X(SCHED_SWITCH, "sched_switch")					\
	X(SCHED_WAKING, "sched_waking")					\
	X(SCHED_WAKEUP, "sched_wakeup")					\
	X(SCHED_WAKEUP_NEW, "sched_wakeup_new")				\
	X(SCHED_MIGRATE_TASK, "sched_migrate_task")			\
	X(SCHED_PROCESS_FORK, "sched_process_fork")			\
	X(SCHED_PROCESS_EXEC, "sched_process_exec")			\
	X(SCHED_PROCESS_EXIT, "sched_process_exit")			\
	X(TASK_RENAME, "task_rename")					\
	X(IRQ_HANDLER, "irq_handler")					\
	X(SOFTIRQ_RAISE, "softirq_raise")				\
	X(SOFTIRQ, "softirq")						\
	X(LOCAL_TIMER, "local_timer")					\
	X(RESCHEDULE, "reschedule")					\
	X(CALL_FUNCTION, "call_function")				\
	X(CALL_FUNCTION_SINGLE, "call_function_single")			\
	X(IRQ_WORK, "irq_work")						\
	X(X86_PLATFORM_IPI, "x86_platform_ipi")				\
	X(THERMAL_APIC, "thermal_apic")					\
	X(THRESHOLD_APIC, "threshold_apic")				\
	X(ERROR_APIC, "error_apic")					\
	X(SPURIOUS_APIC, "spurious_apic")				\
	X(DEFERRED_ERROR_APIC, "deferred_error_apic")			\
	X(NMI_HANDLER, "nmi_handler")					\
	X(PAGE_FAULT_USER, "page_fault_user")				\
	X(PAGE_FAULT_KERNEL, "page_fault_kernel")			\
	X(CPU_IDLE, "cpu_idle")						\
	X(HRTIMER_EXPIRE, "hrtimer_expire")				\
	X(SCHED_PI_SETPRIO, "sched_pi_setprio")				\
	X(SCHED_SET_NEED_RESCHED, "sched_set_need_resched_tp")		\
	X(SCHED_STAT_BLOCKED, "sched_stat_blocked")			\
	X(SCHED_STAT_IOWAIT, "sched_stat_iowait")			\
	X(SCHED_MOVE_NUMA, "sched_move_numa")				\
	X(SCHED_SWAP_NUMA, "sched_swap_numa")				\
	X(IPI_SEND_CPU, "ipi_send_cpu")					\
	X(IPI_SEND_CPUMASK, "ipi_send_cpumask")				\
	X(TLB_FLUSH, "tlb_flush")					\
	X(CPU_FREQUENCY, "cpu_frequency")				\
	X(SIGNAL_GENERATE, "signal_generate")				\
	X(SIGNAL_DELIVER, "signal_deliver")				\
	X(HRTIMER_START, "hrtimer_start")				\
	X(TIMER_EXPIRE, "timer_expire")					\
	X(WORKQUEUE_QUEUE_WORK, "workqueue_queue_work")			\
	X(WORKQUEUE_EXECUTE, "workqueue_execute")			\
	X(TASKLET, "tasklet")						\
	X(CSD_QUEUE_CPU, "csd_queue_cpu")				\
	X(CSD_FUNCTION, "csd_function")					\
	X(NAPI_POLL, "napi_poll")					\
	X(NETIF_RECEIVE_SKB, "netif_receive_skb")			\
	X(NET_DEV_QUEUE, "net_dev_queue")				\
	X(NET_DEV_START_XMIT, "net_dev_start_xmit")			\
	X(BLOCK_RQ_ISSUE, "block_rq_issue")				\
	X(BLOCK_RQ_COMPLETE, "block_rq_complete")			\
	X(SYS_ENTER, "sys_enter")					\
	X(SYS_EXIT, "sys_exit")						\
	X(STACK_SWITCH, "stack_switch")					\
	X(STACK_WAKING, "stack_waking")					\
	X(STACK_SPIKE, "stack_spike")					\
	X(SCHED_UPDATE_NR_RUNNING, "sched_update_nr_running_tp")	\
	X(AFFINE_MOVE_TASK, "affine_move_task")				\
	X(THROTTLE_CFS_RQ, "throttle_cfs_rq")				\
	X(TASK_NUMA_FAULT, "task_numa_fault")

enum hftmon_source {
#define HFTMON_SOURCE_ENUM(id, name) HFTMON_SOURCE_##id,
	HFTMON_SOURCES(HFTMON_SOURCE_ENUM)
#undef HFTMON_SOURCE_ENUM
	HFTMON_SOURCE_COUNT
};

#define HFTMON_SOURCE_BIT(source) (1ull << (source))
#define HFTMON_SOURCE_STACKS \
	(HFTMON_SOURCE_BIT(HFTMON_SOURCE_STACK_SWITCH) | \
	 HFTMON_SOURCE_BIT(HFTMON_SOURCE_STACK_WAKING) | \
	 HFTMON_SOURCE_BIT(HFTMON_SOURCE_STACK_SPIKE))
#define HFTMON_SOURCE_ALL (HFTMON_SOURCE_BIT(HFTMON_SOURCE_COUNT) - 1)

/* Values of hftmon_source_status.state. */
enum hftmon_source_state {
	HFTMON_SOURCE_AVAILABLE = 0,
	/* This kernel has no such tracepoint or function (its configuration or version). */
	HFTMON_SOURCE_MISSING = 1,
	/* The tracepoint's prototype is not one that this build knows. */
	HFTMON_SOURCE_MISMATCH = 2,
	/* Hooking was tried and refused; `error` is the positive errno. */
	HFTMON_SOURCE_FAILED = 3
};

#endif /* HFTMON_ABI_SOURCE_H */
