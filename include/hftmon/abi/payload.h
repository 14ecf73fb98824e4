/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * Payloads: what a record of each type says, in 16 bytes. Which type has which is in
 * struct hftmon_record; the rules of record.h hold here.
 */
#ifndef HFTMON_ABI_PAYLOAD_H
#define HFTMON_ABI_PAYLOAD_H

#include <linux/types.h>

#ifdef __cplusplus
#define HFTMON_ABI_ASSERT(cond) static_assert(cond, #cond)
#else
#define HFTMON_ABI_ASSERT(cond) _Static_assert(cond, #cond)
#endif

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

/*
 * The kernel's own number: a thread that runs is one of them, so is one that the fair
 * class leaves there for a while after it went to sleep (6.12 and later); throttled ones
 * are not. To change one thread the kernel may take several out and put them back: of
 * changes at the same moment the last counts.
 *
 * The module adds changes up. It knows where to begin once the CPU has had exactly one
 * thread. Until then, it begins with the threads that it has found in the queue
 * (`counted`), throttled ones among them; if the queue changed meanwhile, the number is
 * HFTMON_NR_RUNNING_UNKNOWN. While a CPU comes or goes no number is known, and at its
 * beginning a record for each CPU says so, with a change of 0. A session that watches
 * threads is told of changes that they make, and no others.
 */
#define HFTMON_NR_RUNNING_UNKNOWN 0xffffffffu

struct hftmon_nr_running {
	__u32 cpu;		/* whose queue; any may change it */
	__u32 count;		/* threads in it now, or HFTMON_NR_RUNNING_UNKNOWN */
	__s32 change;		/* how many more than before */
	__u32 counted;		/* 1: rests on what was found at the beginning */
};

struct hftmon_affinity {
	__u32 tid;
	__u32 cpus;		/* how many it may run on now */
	__u32 first_cpu;	/* the lowest of them */
	__u32 last_cpu;		/* the highest */
};

/*
 * All sessions of a CPU are told, whoever they watch. From 6.18 on a group may be told to
 * run again and still not have a quota: the last UNTHROTTLE before the next THROTTLE is
 * the end.
 */
struct hftmon_throttle {
	__u32 queue;		/* the same for one cgroup on one CPU while the group lives */
	__u32 reserved0;
	__u64 reserved1;
};

struct hftmon_numa {
	__u32 tid;
	__u32 swapped_tid;	/* that goes the other way; 0: nobody */
	__u32 from_cpu;
	__u32 to_cpu;
};

enum hftmon_numa_outcome {
	HFTMON_NUMA_STAYED = 0,		/* the memory is where it should be, or not worth it */
	HFTMON_NUMA_MOVED = 1,		/* to the node of this CPU */
	HFTMON_NUMA_MOVE_FAILED = 2,
	HFTMON_NUMA_OUTCOME_END
};

struct hftmon_numa_fault {
	__u32 node;		/* where the memory is now */
	__u32 pages;		/* of 4 KiB */
	__u32 outcome;		/* enum hftmon_numa_outcome */
	__u32 reserved;
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
HFTMON_ABI_ASSERT(sizeof(struct hftmon_nr_running) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_affinity) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_throttle) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_numa_fault) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_napi) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_packet) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_block) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_syscall) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_gap) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_cpu_state) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_spike) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_shed) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_stack_ref) == 16);

#endif /* HFTMON_ABI_PAYLOAD_H */
