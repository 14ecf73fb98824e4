/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The ring: one per CPU and session, mapped from the session's descriptor.
 *
 * Three regions are mapped, each at an offset of its own:
 *
 *   CONTROL  read-only   struct hftmon_ring_control, one page
 *   DATA     read-only   capacity records, mapped twice in a row: records that
 *                        cross the end of the ring are still contiguous
 *   READER   read-write  struct hftmon_ring_reader, one page
 *
 *   DATA mapping:  | slot 0 | slot 1 | ... | slot N-1 | slot 0 | ... | slot N-1 |
 *
 * A position is a count of records since the ring was started; it only grows.
 * The slot of position p is p & (capacity - 1).
 *
 * Ordering, kernel writer (one CPU; its contexts nest, they never run at once)
 * and reader:
 *
 *   writer                               reader
 *   ------                               ------
 *   seq = p, write barrier       (C)     head = load-acquire(control.head)  (B)
 *   payload ...                          records below head are complete
 *   store-release(seq, p + 1)    (A)     seq = load-acquire(slot.seq)       (A)
 *   store-release(control.head)  (B)     payload ...
 *   load-acquire(reader.tail)    (D)     flight: fence, seq again == p + 1  (C)
 *                                        stream: store-release(reader.tail) (D)
 *
 *   A pairs with A, B with B, C with C, D with D.
 *
 * Stream mode: the writer never overwrites what lies at or after reader.tail;
 * a record that finds no room is lost, is counted in control.lost, and a GAP
 * record stands before the next one that finds room.
 * Flight mode: the writer overwrites; a reader must use (C) on a running ring.
 * A trigger can freeze the ring (HFTMON_TRIGGER_FREEZE): after a tail, what comes
 * is lost, and counted, until it goes on.
 * In both modes a record is lost, too, when writers that nest in an interrupted
 * one come round to its slots; that takes a ring's worth of interrupts.
 *
 * Accounting, exact, in records, after the session was stopped:
 *   produced = head + lost = read + lost + overwritten
 */
#ifndef HFTMON_ABI_RING_H
#define HFTMON_ABI_RING_H

#include <linux/types.h>

#include "record.h"

enum hftmon_ring_mode {
	HFTMON_MODE_STREAM = 0,	/* the reader keeps up, or records are lost */
	HFTMON_MODE_FLIGHT = 1	/* the newest records stay, older are overwritten */
};

/*
 * struct hftmon_ring_control - written by the kernel only
 * @cpu:         whose ring this is
 * @mode:        enum hftmon_ring_mode
 * @capacity:    records in the ring, a power of two
 * @record_size: bytes of a record
 * @head:        every record below this position is complete
 * @lost:        records lost since the start. Those after the last record have
 *               no GAP record: they show here only
 *
 * @head and @lost are private to the kernel's writer; these are the published
 * copies and are never read back.
 */
struct hftmon_ring_control {
	__u32 cpu;
	__u32 mode;
	__u32 capacity;
	__u32 record_size;
	__u64 reserved0[6];
	__u64 head;
	__u64 lost;
	__u64 reserved1[6];
};

/*
 * struct hftmon_ring_reader - written by the reader, checked by the kernel
 * @tail: everything below this position has been read (stream mode). A value
 *        that cannot be true counts as "nothing read": the ring runs full.
 */
struct hftmon_ring_reader {
	__u64 tail;
	__u64 reserved[7];
};

HFTMON_ABI_ASSERT(sizeof(struct hftmon_ring_control) == 128);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_ring_reader) == 64);

enum hftmon_mmap_region {
	HFTMON_MMAP_CONTROL = 0,
	HFTMON_MMAP_DATA = 1,
	HFTMON_MMAP_READER = 2,
	HFTMON_MMAP_HISTOGRAMS = 3,	/* struct hftmon_histograms, whole pages */
	/* Of CPU 0, whatever CPUs the session has: arrays of struct hftmon_stack. */
	HFTMON_MMAP_KERNEL_STACKS = 4,	/* EPERM where the file was opened without CAP_SYSLOG */
	HFTMON_MMAP_USER_STACKS = 5,
	/* Likewise: array of struct hftmon_thread_histograms, whole pages. */
	HFTMON_MMAP_THREAD_HISTOGRAMS = 6
};

#define HFTMON_MMAP_CPU_SHIFT 44
#define HFTMON_MMAP_REGION_SHIFT 40

/* File offset for mmap(2) of one region of one CPU's ring. */
#define HFTMON_MMAP_OFFSET(cpu, region)				\
	(((__u64)(cpu) << HFTMON_MMAP_CPU_SHIFT) |		\
	 ((__u64)(region) << HFTMON_MMAP_REGION_SHIFT))

/* Limits of hftmon_setup.ring_records. */
#define HFTMON_RING_MIN_RECORDS (1u << 10)
#define HFTMON_RING_MAX_RECORDS (1u << 25)

#endif /* HFTMON_ABI_RING_H */
