/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The record: 32 bytes, one per event, as the kernel writes it into a ring
 * and as a capture file stores it.
 *
 * Rules of this header (they hold for every header in abi/):
 *  - fixed-width types, natural alignment, no implicit padding, no pointers;
 *  - a published layout never changes: a new meaning is a new record type;
 *  - whatever is named "reserved" is written as zero and ignored by readers.
 *
 * Time. `tsc` is a reading of the ordered time-stamp counter of the CPU that
 * wrote the record (HFTMON_CLOCK_TSC), or nanoseconds of the kernel's fast
 * monotonic clock (HFTMON_CLOCK_MONO); the session's info says which. In one
 * ring it never decreases from one position to the next.
 *
 * Runs. A record that needs more room is followed by continuation records
 * (type HFTMON_REC_COMM). A run occupies neighbouring positions, is committed
 * as a whole and shares one time stamp.
 */
#ifndef HFTMON_ABI_RECORD_H
#define HFTMON_ABI_RECORD_H

#include <linux/types.h>

#include "payload.h"

/* Bumped when a record type is added or a reserved field gets a meaning. */
#define HFTMON_SCHEMA_VERSION 9u

#define HFTMON_COMM_LEN 16u

/* Values of hftmon_record.type. Zero marks a slot that was never written. */
enum hftmon_record_type {
	HFTMON_REC_NONE = 0,

	/* The stream about itself. */
	HFTMON_REC_GAP = 1,		/* records were lost just before this one */
	HFTMON_REC_CPU_STATE = 2,	/* who runs here: first; after SHED; new watches */
	HFTMON_REC_COMM = 3,		/* continuation: a thread's name */
	HFTMON_REC_SPIKE = 4,		/* a duration has just ended that a trigger was set for */
	HFTMON_REC_SHED = 5,		/* sources that are not recorded here from now on */
	HFTMON_REC_STACK = 6,		/* of an event just before it */
	HFTMON_REC_DURATION = 7,	/* one over the session's minimum has just ended */

	/* Scheduler. */
	HFTMON_REC_SCHED_SWITCH = 10,
	HFTMON_REC_SCHED_WAKING = 11,
	HFTMON_REC_SCHED_WAKEUP = 12,
	HFTMON_REC_SCHED_WAKEUP_NEW = 13,
	HFTMON_REC_SCHED_MIGRATE = 14,
	HFTMON_REC_SCHED_PI_SETPRIO = 15,	/* inherits a priority, or gives it back */
	HFTMON_REC_SCHED_NEED_RESCHED = 16,	/* asked to give its CPU away */
	HFTMON_REC_SCHED_BLOCKED = 17,	/* wakes from an uninterruptible sleep */
	HFTMON_REC_SCHED_IOWAIT = 18,	/* the same, it waited for a device */
	HFTMON_REC_SCHED_NUMA = 19,	/* NUMA balancing moves it */

	/* Thread identity: payload `thread`, followed by COMM. */
	HFTMON_REC_THREAD = 20,		/* name as it was until now */
	HFTMON_REC_FORK = 21,		/* related_tid = parent thread */
	HFTMON_REC_EXEC = 22,		/* related_tid = tid before exec */
	HFTMON_REC_EXIT = 23,
	HFTMON_REC_RENAME = 24,		/* COMM is the new name */
	HFTMON_REC_DEAD = 25,		/* leaves its CPU for good, long after EXIT maybe */

	/* Run queues. */
	HFTMON_REC_NR_RUNNING = 26,	/* threads came to, or went from, a CPU's queue */
	HFTMON_REC_AFFINITY = 27,	/* a thread may run on other CPUs than before */
	HFTMON_REC_CFS_THROTTLE = 28,	/* a cgroup has used up its quota: payload `throttle` */
	HFTMON_REC_CFS_UNTHROTTLE = 29,	/* it may run again */

	/* Interrupts. */
	HFTMON_REC_IRQ_ENTRY = 30,
	HFTMON_REC_IRQ_EXIT = 31,
	HFTMON_REC_SOFTIRQ_RAISE = 32,
	HFTMON_REC_SOFTIRQ_ENTRY = 33,
	HFTMON_REC_SOFTIRQ_EXIT = 34,
	HFTMON_REC_VECTOR_ENTRY = 35,	/* x86 system vector (timer, IPI ...) */
	HFTMON_REC_VECTOR_EXIT = 36,
	HFTMON_REC_NMI = 37,		/* written when the handler has ended */
	HFTMON_REC_IPI_SEND = 38,	/* this CPU interrupts others */

	/* Others that take time. */
	HFTMON_REC_PAGE_FAULT_USER = 40,
	HFTMON_REC_PAGE_FAULT_KERNEL = 41,
	HFTMON_REC_CPU_IDLE = 42,
	HFTMON_REC_HRTIMER_EXPIRE_ENTRY = 43,
	HFTMON_REC_HRTIMER_EXPIRE_EXIT = 44,
	HFTMON_REC_TLB_FLUSH = 45,
	HFTMON_REC_CPU_FREQUENCY = 46,
	HFTMON_REC_SIGNAL_GENERATE = 47,	/* the thread here sends it */
	HFTMON_REC_SIGNAL_DELIVER = 48,	/* the thread here takes it */
	HFTMON_REC_NUMA_FAULT = 49,	/* memory that NUMA balancing watches was used */

	/* Functions of the kernel that are called later: payload `function`. */
	HFTMON_REC_HRTIMER_START = 50,	/* payload `hrtimer_start` */
	HFTMON_REC_TIMER_EXPIRE_ENTRY = 51,
	HFTMON_REC_TIMER_EXPIRE_EXIT = 52,
	HFTMON_REC_WORK_QUEUE = 53,
	HFTMON_REC_WORK_START = 54,
	HFTMON_REC_WORK_END = 55,
	HFTMON_REC_TASKLET_ENTRY = 56,
	HFTMON_REC_TASKLET_EXIT = 57,
	HFTMON_REC_CSD_QUEUE = 58,	/* on another CPU (call single data) */
	HFTMON_REC_CSD_ENTRY = 59,
	HFTMON_REC_CSD_EXIT = 60,

	/* Devices. */
	HFTMON_REC_NAPI_POLL = 70,	/* written when it has ended */
	HFTMON_REC_NET_RECEIVE = 71,	/* a packet comes up from a driver */
	HFTMON_REC_NET_QUEUE = 72,	/* a packet goes down to the queue of a device */
	HFTMON_REC_NET_START_XMIT = 73,	/* ... and to its driver */
	HFTMON_REC_BLOCK_ISSUE = 74,
	HFTMON_REC_BLOCK_COMPLETE = 75,

	HFTMON_REC_SYSCALL_ENTER = 80,
	HFTMON_REC_SYSCALL_EXIT = 81,

	HFTMON_REC_TYPE_END		/* first unused value, not a type */
};

/*
 * hftmon_record.flags, by type.
 *
 * SCHED_SWITCH: PREEMPT, PREV_QUEUED, and the scheduling policies of both
 * threads. PREV_QUEUED: prev stays in the run queue, it is runnable whatever
 * prev_state says (a signal came before it slept). PREV_PARTIAL, NEXT_PARTIAL: on
this CPU the session records only what concerns the threads it watches, and this
one it does not watch: what it does while it runs here is not recorded.
 * SCHED_WAKING/WAKEUP/WAKEUP_NEW: the context that the event is in. WAKEUP may
 * be in an interrupt of the target CPU to which WAKING's CPU has sent it.
 * CPU_STATE: PARTIAL, as above. UNWATCHED: threads that were watched may not be
 * any longer; what went before tells nothing of where they are.
 * SPIKE, DURATION: enum hftmon_duration.
 * STACK: enum hftmon_stack_of.
 * BLOCK_*: the kind of request, REQ_OP_* of the kernel.
 * SYSCALL_*: COMPAT: the number is of the 32-bit table.
 * PAGE_FAULT_*: the low 16 bits of the hardware error code.
 * Other types: zero.
 */
#define HFTMON_SWITCH_PREEMPT		0x0001u
#define HFTMON_SWITCH_PREV_QUEUED	0x0002u
#define HFTMON_SWITCH_PREV_PARTIAL	0x0004u
#define HFTMON_SWITCH_NEXT_PARTIAL	0x0008u
#define HFTMON_SWITCH_PREV_POLICY_SHIFT	4
#define HFTMON_SWITCH_NEXT_POLICY_SHIFT	8
#define HFTMON_SWITCH_POLICY_MASK	0x7u

#define HFTMON_CPU_STATE_PARTIAL	0x0001u
#define HFTMON_CPU_STATE_UNWATCHED	0x0002u

#define HFTMON_SYSCALL_COMPAT		0x0001u

#define HFTMON_CONTEXT_MASK		0x0003u
enum hftmon_context {
	HFTMON_CONTEXT_TASK = 0,
	HFTMON_CONTEXT_SOFTIRQ = 1,
	HFTMON_CONTEXT_HARDIRQ = 2,
	HFTMON_CONTEXT_NMI = 3
};

/**
 * struct hftmon_record - one slot of a ring
 * @tsc:   time of the event, see "Time" above
 * @seq:   commit word. A slot at position p holds a whole record when seq is
 *         the low 32 bits of p + 1, and is being written when it is those of
 *         p; any other value belongs to another lap. (A capacity is even, so
 *         the parity alone tells "being written" from "whole" on every lap.)
 * @type:  enum hftmon_record_type
 * @flags: by type, see above
 */
struct hftmon_record {
	__u64 tsc;
	__u32 seq;
	__u16 type;
	__u16 flags;
	union {
		__u64 payload[2];
		struct hftmon_sched_switch sched_switch;
		struct hftmon_sched_wake wake;
		struct hftmon_sched_migrate migrate;
		struct hftmon_thread_id thread;
		struct hftmon_irq irq;
		struct hftmon_softirq softirq;
		struct hftmon_vector vector;
		struct hftmon_nmi nmi;
		struct hftmon_page_fault fault;
		struct hftmon_cpu_idle idle;
		struct hftmon_hrtimer hrtimer;
		struct hftmon_pi_setprio pi_setprio;
		struct hftmon_need_resched need_resched;
		struct hftmon_nr_running nr_running;
		struct hftmon_affinity affinity;
		struct hftmon_throttle throttle;
		struct hftmon_blocked blocked;
		struct hftmon_numa numa;
		struct hftmon_numa_fault numa_fault;
		struct hftmon_ipi_send ipi_send;
		struct hftmon_tlb_flush tlb_flush;
		struct hftmon_cpu_frequency frequency;
		struct hftmon_signal signal;
		struct hftmon_hrtimer_start hrtimer_start;
		struct hftmon_function function;
		struct hftmon_napi napi;
		struct hftmon_packet packet;
		struct hftmon_block block;
		struct hftmon_syscall syscall;
		struct hftmon_gap gap;
		struct hftmon_cpu_state cpu_state;
		struct hftmon_spike spike;	/* DURATION, too */
		struct hftmon_shed shed;
		struct hftmon_stack_ref stack;
		char comm[HFTMON_COMM_LEN];	/* COMM; NUL-padded */
	};
};

#define HFTMON_RECORD_SIZE 32u

HFTMON_ABI_ASSERT(sizeof(struct hftmon_record) == HFTMON_RECORD_SIZE);

#endif /* HFTMON_ABI_RECORD_H */
