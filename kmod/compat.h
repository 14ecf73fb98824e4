/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels, and nothing else. Each entry presents the
 * newest kernel's way, says what older ones lack, and depends on a compile
 * probe (probes/features.list), never on a version number.
 */
#ifndef HFTMON_COMPAT_H
#define HFTMON_COMPAT_H

#include <linux/binfmts.h>
#include <linux/blk_types.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>
#include <asm/local.h>

#include "probed.h"

#include <trace/events/irq.h>
#include <trace/events/nmi.h>
#include <trace/events/power.h>
#include <trace/events/sched.h>
#include <trace/events/signal.h>
#include <trace/events/task.h>
#include <trace/events/timer.h>
#include <trace/events/tlb.h>
#include <trace/events/workqueue.h>
#include <asm/trace/irq_vectors.h>

/* Page fault tracepoints became generic, and changed header, in 6.14. */
#if HAVE_TRACE_EXCEPTIONS_HEADER
#include <trace/events/exceptions.h>
#else
#include <asm/trace/exceptions.h>
#endif

/* IPIs have a sender in the trace of x86 since 6.4; before, the header is of other machines. */
#if HAVE_ipi_send_cpu || HAVE_ipi_send_cpumask
#include <trace/events/ipi.h>
#endif

/* Calls of functions on other CPUs can be traced since 6.5. */
#if HAVE_csd_queue_cpu || HAVE_csd_function_entry
#include <trace/events/csd.h>
#endif

/* hrtimer_start tells since 6.12 (and stable kernels of then) whether the timer was armed. */
#if HAVE_hrtimer_start_armed
#define HFTMON_HRTIMER_START_ARGS struct hrtimer *timer, enum hrtimer_mode mode, bool was_armed
#define HFTMON_CHECK_HRTIMER_START HFTMON_CHECK_hrtimer_start_armed
#else
#define HFTMON_HRTIMER_START_ARGS struct hrtimer *timer, enum hrtimer_mode mode
#define HFTMON_CHECK_HRTIMER_START HFTMON_CHECK_hrtimer_start
#endif
#define HFTMON_HAVE_HRTIMER_START (HAVE_hrtimer_start || HAVE_hrtimer_start_armed)

/* workqueue_queue_work's CPU became signed in 5.16. */
#if HAVE_workqueue_queue_work_unsigned
#define HFTMON_WORK_CPU_T unsigned int
#define HFTMON_CHECK_QUEUE_WORK HFTMON_CHECK_workqueue_queue_work_unsigned
#else
#define HFTMON_WORK_CPU_T int
#define HFTMON_CHECK_QUEUE_WORK HFTMON_CHECK_workqueue_queue_work
#endif
#define HFTMON_HAVE_QUEUE_WORK \
	(HAVE_workqueue_queue_work || HAVE_workqueue_queue_work_unsigned)

/* block_rq_complete had an errno before 5.16. */
#if HAVE_block_rq_complete_errno
#define HFTMON_BLOCK_ERROR_T int
#define HFTMON_CHECK_BLOCK_COMPLETE HFTMON_CHECK_block_rq_complete_errno
#else
#define HFTMON_BLOCK_ERROR_T blk_status_t
#define HFTMON_CHECK_BLOCK_COMPLETE HFTMON_CHECK_block_rq_complete
#endif
#define HFTMON_HAVE_BLOCK_COMPLETE (HAVE_block_rq_complete || HAVE_block_rq_complete_errno)

/* A request found its disk by itself before 5.16. */
#if HAVE_QUEUE_DISK
#define hftmon_disk_of(request) ((request)->q->disk)
#else
#define hftmon_disk_of(request) ((request)->rq_disk)
#endif

/* The clock of a timer has a header of its own since 7.3. */
#if HAVE_HRTIMER_BASES_HEADER
#include <linux/hrtimer_bases.h>
#endif

/* in_irq() got its present name in 5.11. */
#if !HAVE_IN_HARDIRQ
#define in_hardirq() in_irq()
#endif

/* An irq_work names its kind where it is made since 5.11. */
#if !HAVE_IRQ_WORK_INIT_HARD
#define IRQ_WORK_INIT_HARD(handler) \
	((struct irq_work){ .flags = ATOMIC_INIT(IRQ_WORK_HARD_IRQ), .func = (handler) })
#endif

/*
 * The fast clocks have TAI since 6.1. The way before takes part in a sequence
 * lock, whose writer no timer interrupts.
 */
#if !HAVE_TAI_FAST
static inline u64 ktime_get_tai_fast_ns(void)
{
	return ktime_to_ns(ktime_mono_to_any(ktime_get_mono_fast_ns(), TK_OFFS_TAI));
}
#endif

/* vma->vm_flags is written through helpers since 6.3. */
#if !HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* local_try_cmpxchg() exists since 6.5. */
#if !HAVE_LOCAL_TRY_CMPXCHG
static __always_inline bool local_try_cmpxchg(local_t *word, long *old, long new)
{
	long seen = local_cmpxchg(word, *old, new);
	bool done = seen == *old;

	*old = seen;
	return done;
}
#endif

/* The fair class may leave a sleeper on the run queue for a while since 6.12. */
#if HAVE_SCHED_DELAYED
#define hftmon_dequeue_is_delayed(task) ((task)->se.sched_delayed)
#else
#define hftmon_dequeue_is_delayed(task) false
#endif

/* task_newtask passes clone flags of 64 bits by name since 6.18. */
#if HAVE_task_newtask_u64
#define HFTMON_CLONE_FLAGS_T u64
#define HFTMON_CHECK_NEWTASK HFTMON_CHECK_task_newtask_u64
#else
#define HFTMON_CLONE_FLAGS_T unsigned long
#define HFTMON_CHECK_NEWTASK HFTMON_CHECK_task_newtask
#endif
#define HFTMON_HAVE_NEWTASK (HAVE_task_newtask || HAVE_task_newtask_u64)

/* A thread may keep itself on its CPU since 5.11. */
#if HAVE_MIGRATION_DISABLED
#define hftmon_migration_disabled(task) ((task)->migration_disabled != 0)
#else
#define hftmon_migration_disabled(task) false
#endif

/* task->__state was task->state, and long, before 5.14. */
#if HAVE_TASK_STATE_WORD
#define hftmon_task_state(task) READ_ONCE((task)->__state)
#else
#define hftmon_task_state(task) ((unsigned int)READ_ONCE((task)->state))
#endif
#define hftmon_task_is_new(task) (hftmon_task_state(task) == TASK_NEW)

/*
 * sched_switch passes the state in which prev leaves since 5.18, first before
 * prev. Without, it is read here: of a thread that goes to sleep and is being
 * woken already, TASK_WAKING has been put in its place.
 */
#if HAVE_sched_switch_3
#define HFTMON_SWITCH_ARGS bool preempt, struct task_struct *prev, struct task_struct *next
#define HFTMON_SWITCH_PREV_STATE hftmon_task_state(prev)
#define HFTMON_CHECK_SWITCH HFTMON_CHECK_sched_switch_3
#elif HAVE_sched_switch_state_first
#define HFTMON_SWITCH_ARGS bool preempt, unsigned int state, struct task_struct *prev, \
			   struct task_struct *next
#define HFTMON_SWITCH_PREV_STATE state
#define HFTMON_CHECK_SWITCH HFTMON_CHECK_sched_switch_state_first
#else
#define HFTMON_SWITCH_ARGS bool preempt, struct task_struct *prev, struct task_struct *next, \
			   unsigned int state
#define HFTMON_SWITCH_PREV_STATE state
#define HFTMON_CHECK_SWITCH HFTMON_CHECK_sched_switch
#endif
#define HFTMON_HAVE_SWITCH \
	(HAVE_sched_switch || HAVE_sched_switch_3 || HAVE_sched_switch_state_first)

/* sched_process_exit tells since 7.1 whether the thread group is dead. */
#if HAVE_sched_process_exit_group
#define HFTMON_EXIT_ARGS struct task_struct *task, bool group_dead
#define HFTMON_CHECK_EXIT HFTMON_CHECK_sched_process_exit_group
#else
#define HFTMON_EXIT_ARGS struct task_struct *task
#define HFTMON_CHECK_EXIT HFTMON_CHECK_sched_process_exit
#endif
#define HFTMON_HAVE_EXIT (HAVE_sched_process_exit || HAVE_sched_process_exit_group)

/* hrtimer_expire_entry passes the time by value since 7.0. */
#if HAVE_hrtimer_expire_entry_value
#define HFTMON_HRTIMER_NOW_T ktime_t
#define HFTMON_CHECK_HRTIMER_EXPIRE HFTMON_CHECK_hrtimer_expire_entry_value
#else
#define HFTMON_HRTIMER_NOW_T ktime_t *
#define HFTMON_CHECK_HRTIMER_EXPIRE HFTMON_CHECK_hrtimer_expire_entry
#endif
#define HFTMON_HAVE_HRTIMER_EXPIRE \
	(HAVE_hrtimer_expire_entry || HAVE_hrtimer_expire_entry_value)

/* Same prototypes in either header of the page fault tracepoints. */
#if HAVE_page_fault_user_generic
#define HFTMON_CHECK_PAGE_FAULT_USER HFTMON_CHECK_page_fault_user_generic
#define HFTMON_CHECK_PAGE_FAULT_KERNEL HFTMON_CHECK_page_fault_kernel_generic
#else
#define HFTMON_CHECK_PAGE_FAULT_USER HFTMON_CHECK_page_fault_user
#define HFTMON_CHECK_PAGE_FAULT_KERNEL HFTMON_CHECK_page_fault_kernel
#endif
#define HFTMON_HAVE_PAGE_FAULT_USER (HAVE_page_fault_user || HAVE_page_fault_user_generic)
#define HFTMON_HAVE_PAGE_FAULT_KERNEL \
	(HAVE_page_fault_kernel || HAVE_page_fault_kernel_generic)

#endif /* HFTMON_COMPAT_H */
