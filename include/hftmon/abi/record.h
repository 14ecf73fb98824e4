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

#ifdef __cplusplus
#define HFTMON_ABI_ASSERT(cond) static_assert(cond, #cond)
#else
#define HFTMON_ABI_ASSERT(cond) _Static_assert(cond, #cond)
#endif

/* Bumped when a record type is added or a reserved field gets a meaning. */
#define HFTMON_SCHEMA_VERSION 7u

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
 * SPIKE: enum hftmon_duration.
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

/* hftmon_cpu_idle.state when the CPU leaves idle. */
#define HFTMON_IDLE_EXIT 0xffffffffu

/*
 * Priorities are the kernel's: -1 deadline, 0..99 real-time (0 is the
 * highest), 100..139 fair. Policies are SCHED_* of <linux/sched.h>.
 * Thread ids are those of the initial pid namespace.
 */
struct hftmon_sched_switch {
	__u32 prev_tid;
	__u32 next_tid;
	__s16 prev_prio;
	__s16 next_prio;
	__u32 prev_state;	/* TASK_* bits; 0 = runnable; but see PREV_QUEUED */
};

struct hftmon_sched_wake {
	__u32 tid;
	__u32 waker_tid;	/* thread that ran where the event is; WAKING: the waker */
	__s16 prio;
	__u16 target_cpu;	/* WAKING: where it ran last; else where it was put */
	__u32 reserved;
};

struct hftmon_sched_migrate {
	__u32 tid;
	__s16 prio;
	__u16 orig_cpu;
	__u16 dest_cpu;
	__u16 reserved0;
	__u32 reserved1;
};

/* hftmon_thread_id.flags, in a list of threads: the session watches this one. */
#define HFTMON_THREAD_WATCHED		0x01u

struct hftmon_thread_id {
	__u32 tid;
	__u32 tgid;
	__u32 related_tid;
	__s16 prio;
	__u8 policy;
	__u8 flags;		/* HFTMON_THREAD_*; zero in records */
};

struct hftmon_irq {
	__u32 irq;
	__s32 ret;		/* EXIT: IRQ_NONE 0, IRQ_HANDLED 1, IRQ_WAKE_THREAD 2 */
	__u64 reserved;
};

struct hftmon_softirq {
	__u32 vec;		/* HI 0, TIMER 1, NET_TX 2 ... RCU 9 */
	__u32 reserved0;
	__u64 reserved1;
};

struct hftmon_vector {
	__u32 vector;		/* number in the interrupt descriptor table */
	__u32 kind;		/* enum hftmon_vector_kind */
	__u64 reserved;
};

/* Which x86 system vector, independent of its number on this kernel. */
enum hftmon_vector_kind {
	HFTMON_VECTOR_LOCAL_TIMER = 0,
	HFTMON_VECTOR_RESCHEDULE = 1,
	HFTMON_VECTOR_CALL_FUNCTION = 2,
	HFTMON_VECTOR_CALL_FUNCTION_SINGLE = 3,
	HFTMON_VECTOR_IRQ_WORK = 4,
	HFTMON_VECTOR_X86_PLATFORM_IPI = 5,
	HFTMON_VECTOR_THERMAL_APIC = 6,
	HFTMON_VECTOR_THRESHOLD_APIC = 7,
	HFTMON_VECTOR_ERROR_APIC = 8,
	HFTMON_VECTOR_SPURIOUS_APIC = 9,
	HFTMON_VECTOR_DEFERRED_ERROR_APIC = 10,
	HFTMON_VECTOR_KIND_END
};

struct hftmon_nmi {
	__u64 duration_ns;	/* of this handler, as the kernel measured it */
	__u32 handled;		/* events that the handler claims */
	__u32 reserved;
};

struct hftmon_page_fault {
	__u64 address;		/* as faulted; 0 for an address of the kernel */
	__u64 ip;		/* instruction of the program; 0 in the kernel */
};

struct hftmon_cpu_idle {
	__u32 state;		/* idle state entered, or HFTMON_IDLE_EXIT */
	__u32 reserved0;
	__u64 reserved1;
};

/*
 * Functions of the kernel are told by the low 32 bits of their addresses: on
 * x86-64 the others are ones. A session whose file was opened without CAP_SYSLOG
 * gets 0 for a function and for an object.
 */
struct hftmon_hrtimer {
	__s64 late_ns;		/* ENTRY: time since the programmed expiry */
	__u32 slack_ns;		/* ENTRY: lateness that was allowed; cut at 2^32 - 1 */
	__u32 function;		/* ENTRY; as above */
};

struct hftmon_hrtimer_start {
	__u32 function;		/* as above */
	__u32 reserved;
	__s64 expires_ns;	/* the soft expiry, on the timer's own clock */
};

/*
 * @arg, of TIMER_EXPIRE_ENTRY: jiffies after its time; of WORK_QUEUE and CSD_QUEUE:
 * the CPU that it is for, all ones: any; else 0.
 */
struct hftmon_function {
	__u32 function;		/* as above; TIMER_EXPIRE_EXIT: 0 */
	__u32 arg;
	__u64 object;		/* address of the timer, work, tasklet, call single data */
};

struct hftmon_napi {
	__u32 ifindex;		/* of the network device; 0: none */
	__u32 work;		/* packets that it took */
	__u32 budget;		/* at most so many */
	__u32 reserved;
};

struct hftmon_packet {
	__u32 ifindex;
	__u32 length;		/* bytes */
	__u64 reserved;
};

struct hftmon_block {
	__u32 device;		/* major number << 20 | minor; 0: none */
	__u32 bytes;
	__u64 sector;		/* of 512 bytes */
};

struct hftmon_syscall {
	__s32 number;		/* EXIT of a sigreturn: -1 */
	__u32 reserved;
	__s64 ret;		/* EXIT */
};

struct hftmon_pi_setprio {
	__u32 tid;
	__u32 donor_tid;	/* whose priority it inherits; 0: nobody's any more */
	__s16 old_prio;
	__s16 new_prio;
	__u32 reserved;
};

struct hftmon_need_resched {
	__u32 tid;		/* the thread that runs on `cpu` */
	__u32 cpu;
	__u32 lazy;		/* 0: at once; 1: at its next tick or return to user space */
	__u32 reserved;
};

struct hftmon_blocked {
	__u32 tid;
	__u32 reserved;
	__u64 ns;		/* how long it slept */
};

struct hftmon_numa {
	__u32 tid;
	__u32 swapped_tid;	/* that goes the other way; 0: nobody */
	__u32 from_cpu;
	__u32 to_cpu;
};

struct hftmon_ipi_send {
	__u32 first_cpu;	/* the lowest of those that are interrupted */
	__u32 count;		/* of all that are */
	__u64 cpus;		/* bit i: CPU (first_cpu & ~63) + i; CPUs beyond are only counted */
};

/* enum tlb_flush_reason of the kernel. */
enum hftmon_tlb_flush_reason {
	HFTMON_TLB_TASK_SWITCH = 0,
	HFTMON_TLB_REMOTE_SHOOTDOWN = 1,	/* another CPU asked for it */
	HFTMON_TLB_LOCAL_SHOOTDOWN = 2,
	HFTMON_TLB_LOCAL_MM_SHOOTDOWN = 3,
	HFTMON_TLB_REMOTE_SEND_IPI = 4,		/* this CPU asks others for it */
	HFTMON_TLB_REMOTE_WRONG_CPU = 5,	/* the same, of what is used here no longer */
	HFTMON_TLB_REASON_END
};

struct hftmon_tlb_flush {
	__u64 pages;		/* all ones: everything */
	__u32 reason;		/* enum hftmon_tlb_flush_reason */
	__u32 reserved;
};

struct hftmon_cpu_frequency {
	__u32 khz;
	__u32 cpu;
	__u64 reserved;
};

/* What became of a signal: TRACE_SIGNAL_* of the kernel. */
enum hftmon_signal_result {
	HFTMON_SIGNAL_DELIVERED = 0,
	HFTMON_SIGNAL_IGNORED = 1,
	HFTMON_SIGNAL_PENDING = 2,	/* was so already */
	HFTMON_SIGNAL_OVERFLOW = 3,	/* no memory: not sent */
	HFTMON_SIGNAL_LOST_INFO = 4	/* no memory: sent without its siginfo */
};

struct hftmon_signal {
	__u32 tid;		/* GENERATE: whom it is for */
	__s32 code;		/* si_code */
	__u16 signal;
	__u16 group;		/* GENERATE: 1 for the whole process */
	__u32 result;		/* GENERATE: enum hftmon_signal_result */
};

struct hftmon_gap {
	__u64 lost_total;	/* records lost since the start; the same again: none anew */
	__u32 current_tid;	/* thread running here now */
	__u32 reserved;
};

struct hftmon_cpu_state {
	__u32 current_tid;
	__s16 prio;
	__u8 policy;
	__u8 reserved0;
	__u64 reserved1;
};

/*
 * @cause, by kind: of WAKEUP, RUN_QUEUE, OFF_CPU and PREEMPTED the thread that ran
 * on this CPU until then; of HARDIRQ the line, of SOFTIRQ its number, of VECTOR its
 * enum hftmon_vector_kind; else 0.
 */
struct hftmon_spike {
	__u64 ticks;		/* how long it took; its end is just before the record */
	__u32 tid;		/* whose; of handlers, the thread that was interrupted */
	__u32 cause;
};

/* To keep to a budget, see cost.h. */
struct hftmon_shed {
	__u64 sources;		/* bits of enum hftmon_source, of the session's; 0: none any more */
	__u32 spent_ppm;	/* share of this CPU's time, parts per million, before */
	__u32 budget_ppm;
};

/* Which event a STACK record belongs to: the last such of its CPU before it. */
enum hftmon_stack_of {
	HFTMON_STACK_OF_SWITCH = 0,	/* of who leaves */
	HFTMON_STACK_OF_WAKING = 1,	/* of who wakes, or was interrupted by what does */
	HFTMON_STACK_OF_SPIKE = 2,	/* of who runs */
	HFTMON_STACK_OF_END
};

/*
 * Entries of the tables of stack.h, counted from 1. 0: no such stack; it found no
 * room; or it is the kernel's, and hidden from a session whose file was opened
 * without CAP_SYSLOG.
 */
struct hftmon_stack_ref {
	__u32 tid;		/* whose; 0: the idle thread's */
	__u32 kernel;
	__u32 user;
	__u32 reserved;
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
		struct hftmon_blocked blocked;
		struct hftmon_numa numa;
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
		struct hftmon_spike spike;
		struct hftmon_shed shed;
		struct hftmon_stack_ref stack;
		char comm[HFTMON_COMM_LEN];	/* COMM; NUL-padded */
	};
};

#define HFTMON_RECORD_SIZE 32u

HFTMON_ABI_ASSERT(sizeof(struct hftmon_record) == HFTMON_RECORD_SIZE);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_sched_switch) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_sched_wake) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_sched_migrate) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_thread_id) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_irq) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_softirq) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_vector) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_nmi) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_page_fault) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_cpu_idle) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_hrtimer) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_pi_setprio) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_need_resched) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_blocked) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_numa) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_ipi_send) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_tlb_flush) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_cpu_frequency) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_signal) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_hrtimer_start) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_function) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_napi) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_packet) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_block) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_syscall) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_gap) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_cpu_state) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_spike) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_shed) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_stack_ref) == 16);

#endif /* HFTMON_ABI_RECORD_H */
