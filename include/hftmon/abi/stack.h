/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * Stacks: where a thread was, in the kernel and in its program.
 *
 * A STACK record follows the event that it belongs to. It names an entry of each of
 * two tables, one of stacks in the kernel and one of stacks in programs, in which a
 * stack stands once however often it is seen. The tables belong to the module: they
 * are there while any session has been set up with one of the sources STACK_*, and
 * are mapped read-only (HFTMON_MMAP_KERNEL_STACKS, HFTMON_MMAP_USER_STACKS, of CPU 0).
 * An entry that a record names is whole, and never changes while the session is open.
 *
 * Stacks of programs are found by frame pointers: code built without them hides its
 * callers, or shows words of its stack instead, which may fill the table. Programs of
 * 32 bits have none, nor has what interrupts as an NMI.
 */
#ifndef HFTMON_ABI_STACK_H
#define HFTMON_ABI_STACK_H

#include <linux/types.h>

/* Frames of one stack at most; deeper ones lack their outermost. */
#define HFTMON_STACK_DEPTH 30u

/* hftmon_stack.state: nobody's yet, being written, whole. */
enum hftmon_stack_state {
	HFTMON_STACK_FREE = 0,
	HFTMON_STACK_BUSY = 1,
	HFTMON_STACK_WHOLE = 2
};

/* hftmon_stack.flags */
#define HFTMON_STACK_CUT 0x1u	/* it was deeper */

/**
 * struct hftmon_stack - one entry of a table
 * @state:  enum hftmon_stack_state; what follows may be read once it is WHOLE
 * @hash:   of the frames
 * @depth:  how many frames there are
 * @flags:  HFTMON_STACK_*
 * @frames: addresses, the innermost first. Where a call will return to; in a
 *          program, the first is the instruction that it is at
 */
struct hftmon_stack {
	__u32 state;
	__u32 hash;
	__u16 depth;
	__u16 flags;
	__u32 reserved;
	__u64 frames[HFTMON_STACK_DEPTH];
};

/**
 * struct hftmon_stacks - the tables (HFTMON_IOC_STACKS)
 * @slots:  entries of each table; 0: the session has none
 * @kernel_used: entries of the table of stacks in the kernel that are whole, and
 * @user_used:   the same of programs
 * @taken:  stacks that were looked for since the tables were made, by all sessions
 * @missed: of these, those that found no room: their records say 0
 *
 * ENODEV before SETUP.
 */
struct hftmon_stacks {
	__u32 size;
	__u32 slots;
	__u32 kernel_used;
	__u32 user_used;
	__u64 taken;
	__u64 missed;
	__u64 reserved[4];
};

#endif /* HFTMON_ABI_STACK_H */
