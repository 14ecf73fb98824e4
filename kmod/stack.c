// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stacks of the thread that runs: taken by probes, kept once each in two tables.
 *
 * A table is an open hash. A probe that finds its stack nowhere takes a free entry
 * by an exchange, fills it and says that it is whole; entries are never given back
 * while the table is there. A probe never waits: an entry that another one is just
 * writing (on another CPU, or interrupted by us) is passed over, and its stack may
 * then stand there twice.
 */
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "emit.h"
#include "meter.h"
#include "stack.h"

static unsigned int stack_entries = 8192;
module_param(stack_entries, uint, 0644);
MODULE_PARM_DESC(stack_entries,
		 "Different stacks that are kept, in the kernel and in programs each, a power of two from 256 to 1048576 (default 8192; 256 bytes each)");

#define MIN_ENTRIES 256u
#define MAX_ENTRIES ((unsigned int)BIT(20))

/* Entries that are looked at for one stack. */
#define PROBED_ENTRIES 16

/* Room for the probe's own frames, which are left out: a trigger's has most. */
#define OWN_FRAMES 12

DEFINE_STATIC_KEY_FALSE(hftmon_stacks_taken);

enum { IN_KERNEL, IN_PROGRAM, TABLES };

/* Of all of both; probes use them while a session with stacks runs. */
static struct hftmon_stack *tables[TABLES] __read_mostly;
static u32 entries __read_mostly;

/**
 * struct stack_counts - of one CPU; this_cpu operations only
 * @taken:  stacks that were looked for
 * @missed: those that found no room
 */
struct stack_counts {
	u64 taken;
	u64 missed;
};

static DEFINE_PER_CPU(struct stack_counts, stack_counts);

/* Of the memory above. */
static DEFINE_MUTEX(stacks_lock);
static unsigned int holders;

/* ---- probes ---------------------------------------------------------------- */

/**
 * struct trace - a stack that was just taken
 * @frames: the innermost first
 * @depth:  of them
 * @flags:  HFTMON_STACK_*
 */
struct trace {
	unsigned long frames[HFTMON_STACK_DEPTH + OWN_FRAMES];
	unsigned int depth;
	u16 flags;
};

static_assert(sizeof(unsigned long) == sizeof(u64));

static bool is_same(const struct hftmon_stack *entry, const unsigned long *frames,
		    unsigned int depth, u16 flags, u32 hash)
{
	return entry->hash == hash && entry->depth == depth && entry->flags == flags &&
	       !memcmp(entry->frames, frames, depth * sizeof(*frames));
}

/* The entry's number, from 1; 0: no room. */
static u32 keep(unsigned int which, const unsigned long *frames, unsigned int depth, u16 flags)
{
	struct hftmon_stack *table = tables[which];
	u32 hash = jhash2((const u32 *)frames, depth * 2, flags), mask = entries - 1;
	unsigned int i;

	for (i = 0; i < PROBED_ENTRIES; i++) {
		u32 at = (hash + i) & mask;
		struct hftmon_stack *entry = &table[at];
		/* Pairs with the release below. */
		u32 state = smp_load_acquire(&entry->state);

		if (state == HFTMON_STACK_FREE &&
		    cmpxchg(&entry->state, HFTMON_STACK_FREE, HFTMON_STACK_BUSY) ==
		    HFTMON_STACK_FREE) {
			entry->hash = hash;
			entry->depth = depth;
			entry->flags = flags;
			memcpy(entry->frames, frames, depth * sizeof(*frames));
			/* Pairs with the acquire above, and with readers of the mapping. */
			smp_store_release(&entry->state, HFTMON_STACK_WHOLE);
			return at + 1;
		}
		if (state == HFTMON_STACK_WHOLE && is_same(entry, frames, depth, flags, hash))
			return at + 1;
	}
	this_cpu_inc(stack_counts.missed);
	return 0;
}

static u32 keep_trace(unsigned int which, struct trace *trace)
{
	unsigned long *frames = trace->frames;
	unsigned int depth = trace->depth;

	this_cpu_inc(stack_counts.taken);
	if (depth > HFTMON_STACK_DEPTH) {
		depth = HFTMON_STACK_DEPTH;
		trace->flags |= HFTMON_STACK_CUT;
	}
	return depth ? keep(which, frames, depth, trace->flags) : 0;
}

static noinline u32 kernel_stack(void)
{
	struct trace trace = {};
	unsigned int own = 0;

	trace.depth = stack_trace_save(trace.frames, ARRAY_SIZE(trace.frames), 0);
	if (trace.depth == ARRAY_SIZE(trace.frames))
		trace.flags = HFTMON_STACK_CUT;
	while (own < trace.depth && within_module(trace.frames[own], THIS_MODULE))
		own++;
	trace.depth -= own;
	memmove(trace.frames, trace.frames + own, trace.depth * sizeof(*trace.frames));
	return keep_trace(IN_KERNEL, &trace);
}

/* What the ABI of x86-64 has at a frame pointer. */
struct user_frame {
	unsigned long next;
	unsigned long return_address;
};

/*
 * By hand: copy_from_user_nofault() looks at its destination, and takes a lock for
 * that in some kernels.
 */
static bool read_frame(unsigned long at, struct user_frame *frame)
{
	const struct user_frame __user *from = (const void __user *)at;
	bool good;

	pagefault_disable();
	good = access_ok(from, sizeof(*from)) && !__get_user(frame->next, &from->next) &&
	       !__get_user(frame->return_address, &from->return_address);
	pagefault_enable();
	return good;
}

/* No code is in the first page, or in the kernel's half. */
static bool may_be_code(unsigned long address)
{
	return address >= PAGE_SIZE && (long)address > 0;
}

static noinline u32 user_stack(void)
{
	struct trace trace = {};
	struct user_frame frame;
	unsigned long at, last;
	struct pt_regs *regs;

	/* An NMI may find the memory of another program than current's. */
	if (in_nmi() || !current->mm || (current->flags & (PF_KTHREAD | PF_EXITING)))
		return 0;
	regs = task_pt_regs(current);
	/* Threads that the kernel made for a program, as io_uring does, never were in it. */
	if (!user_mode(regs) || !user_64bit_mode(regs) || !instruction_pointer(regs))
		return 0;
	trace.frames[trace.depth++] = instruction_pointer(regs);
	last = user_stack_pointer(regs);
	for (at = regs->bp; trace.depth < ARRAY_SIZE(trace.frames); at = frame.next) {
		/* Stacks grow down: a caller's frame is above, or it is no frame. */
		if (at < last || !IS_ALIGNED(at, sizeof(long)) || !read_frame(at, &frame) ||
		    !may_be_code(frame.return_address))
			break;
		trace.frames[trace.depth++] = frame.return_address;
		last = at + sizeof(frame);
	}
	return keep_trace(IN_PROGRAM, &trace);
}

/**
 * hftmon_stack_here() - take the stack of the thread that runs
 * @event:  becomes a STACK record; tsc and seq are left alone
 * @of:     what it belongs to
 * @kernel: the kernel's part is wanted, too
 *
 * Context: any, NMI included, preemption disabled; a session with stacks runs.
 */
void hftmon_stack_here(struct hftmon_record *event, enum hftmon_stack_of of, bool kernel)
{
	event->type = HFTMON_REC_STACK;
	event->flags = of;
	event->stack = (struct hftmon_stack_ref){
		.tid = current->pid,
		.kernel = kernel ? kernel_stack() : 0,
		.user = user_stack(),
	};
}

/**
 * hftmon_stack_find() - the stack of the thread that runs, for a record of its own
 * @of:    of which event
 * @slots: sessions that get that
 * @event: becomes a STACK record, for hftmon_stack_write()
 *
 * Context: any, preemption disabled.
 * Return: sessions that want it.
 */
unsigned int hftmon_stack_find(enum hftmon_stack_of of, unsigned int slots,
			       struct hftmon_record *event)
{
	unsigned int source = HFTMON_SOURCE_STACK_SWITCH + of;
	u64 start = 0;

	slots &= this_cpu_read(hftmon_wanted[source]);
	if (!slots)
		return 0;
	if (hftmon_meter_due())
		start = hftmon_meter_start();
	hftmon_stack_here(event, of, slots & READ_ONCE(hftmon_slots_seeing));
	if (unlikely(start))
		hftmon_meter_stop(start, source);
	return slots;
}

/**
 * hftmon_stack_write() - right behind its event
 * @slots: from hftmon_stack_find()
 * @event: likewise; changed
 *
 * Context: as there.
 */
void hftmon_stack_write(unsigned int slots, struct hftmon_record *event)
{
	unsigned int seeing = slots & READ_ONCE(hftmon_slots_seeing);
	u32 kind = event->type | (u32)event->flags << 16;

	if (seeing)
		hftmon_emit_again(kind, seeing, event->payload[0], event->payload[1]);
	if (slots == seeing)
		return;
	event->stack.kernel = 0;
	hftmon_emit_again(kind, slots & ~seeing, event->payload[0], event->payload[1]);
}

/* ---- sessions -------------------------------------------------------------- */

/**
 * hftmon_stacks_get() - hold the tables
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int hftmon_stacks_get(void)
{
	u32 wanted = roundup_pow_of_two(clamp(READ_ONCE(stack_entries), MIN_ENTRIES, MAX_ENTRIES));
	int err = -ENOMEM, cpu;

	mutex_lock(&stacks_lock);
	if (!holders) {
		tables[IN_KERNEL] = vmalloc_user(array_size(wanted, sizeof(struct hftmon_stack)));
		tables[IN_PROGRAM] = vmalloc_user(array_size(wanted, sizeof(struct hftmon_stack)));
		if (!tables[IN_KERNEL] || !tables[IN_PROGRAM])
			goto err_free;
		entries = wanted;
		for_each_possible_cpu(cpu)
			memset(per_cpu_ptr(&stack_counts, cpu), 0, sizeof(struct stack_counts));
	}
	holders++;
	mutex_unlock(&stacks_lock);
	return 0;

err_free:
	vfree(tables[IN_PROGRAM]);
	vfree(tables[IN_KERNEL]);
	mutex_unlock(&stacks_lock);
	return err;
}

/** hftmon_stacks_put() - the session is gone, with its mappings */
void hftmon_stacks_put(void)
{
	mutex_lock(&stacks_lock);
	if (!--holders) {
		vfree(tables[IN_PROGRAM]);
		vfree(tables[IN_KERNEL]);
	}
	mutex_unlock(&stacks_lock);
}

/** hftmon_stacks_of() - those of a session's sources whose event it has, too */
u64 hftmon_stacks_of(u64 sources, u32 durations)
{
	u64 stacks = sources & HFTMON_SOURCE_STACKS;

	if (!(sources & HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_SWITCH)))
		stacks &= ~HFTMON_SOURCE_BIT(HFTMON_SOURCE_STACK_SWITCH);
	if (!(sources & HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKING)))
		stacks &= ~HFTMON_SOURCE_BIT(HFTMON_SOURCE_STACK_WAKING);
	if (!durations)
		stacks &= ~HFTMON_SOURCE_BIT(HFTMON_SOURCE_STACK_SPIKE);
	return stacks;
}

void hftmon_stacks_start(void)
{
	static_branch_inc(&hftmon_stacks_taken);
}

void hftmon_stacks_stop(void)
{
	static_branch_dec(&hftmon_stacks_taken);
}

static u32 count_whole(const struct hftmon_stack *table)
{
	u32 whole = 0, i;

	for (i = 0; i < entries; i++) {
		whole += READ_ONCE(table[i].state) == HFTMON_STACK_WHOLE;
		if (!(i % 4096))
			cond_resched();
	}
	return whole;
}

/**
 * hftmon_stacks_tell() - how full the tables are
 * @stacks: of a session that holds them; filled in
 */
void hftmon_stacks_tell(struct hftmon_stacks *stacks)
{
	int cpu;

	stacks->slots = entries;
	stacks->kernel_used = count_whole(tables[IN_KERNEL]);
	stacks->user_used = count_whole(tables[IN_PROGRAM]);
	for_each_possible_cpu(cpu) {
		const struct stack_counts *counts = per_cpu_ptr(&stack_counts, cpu);

		stacks->taken += READ_ONCE(counts->taken);
		stacks->missed += READ_ONCE(counts->missed);
	}
}

/**
 * hftmon_stacks_mmap() - map a table, read-only
 * @kernel: which; of a session that holds them
 * @vma:    where; flags are checked
 */
int hftmon_stacks_mmap(bool kernel, struct vm_area_struct *vma)
{
	if (vma->vm_end - vma->vm_start > array_size(entries, sizeof(struct hftmon_stack)))
		return -EINVAL;
	return remap_vmalloc_range(vma, tables[kernel ? IN_KERNEL : IN_PROGRAM], 0);
}
