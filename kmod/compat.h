/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels, and nothing else. Each entry presents the
 * newest kernel's way, says what older ones lack, and depends on a compile
 * probe (probes/features.list), never on a version number.
 */
#ifndef HFTMON_COMPAT_H
#define HFTMON_COMPAT_H

#include <linux/binfmts.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/tracepoint.h>
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

/* task->__state was task->state before 5.14. */
#if HAVE_TASK_STATE_WORD
#define hftmon_task_is_new(task) (READ_ONCE((task)->__state) == TASK_NEW)
#else
#define hftmon_task_is_new(task) (READ_ONCE((task)->state) == TASK_NEW)
#endif

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
