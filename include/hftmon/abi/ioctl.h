/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * Session commands on /dev/hftmon. One open file is one session:
 *
 *   open -> SETUP -> (mmap rings) -> START -> read rings, poll -> STOP -> close
 *
 * Every argument starts with its own size, set by the caller. A structure of
 * another size is another command (ENOTTY); a size that does not say that of its
 * structure, a non-zero reserved field or an unknown flag are refused with
 * EINVAL. Commands that do not fit the session's state are refused with EBUSY
 * (too late) or ENODEV (too early).
 *
 * poll(2): POLLIN when a ring holds at least `wakeup_records` unread records
 * (stream mode), POLLHUP after STOP. A wake can come one record late when the
 * poll and the record that makes the batch full pass each other: a reader that
 * must not wait for the next record of a quiet CPU gives a timeout. POLLPRI: a
 * trigger was hit since HFTMON_IOC_SPIKES last told of it.
 *
 * Not for 32-bit programs on a 64-bit kernel.
 */
#ifndef HFTMON_ABI_IOCTL_H
#define HFTMON_ABI_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#include "cost.h"
#include "histogram.h"
#include "record.h"
#include "ring.h"
#include "source.h"
#include "stack.h"
#include "trigger.h"

/* Bumped when an existing command or layout of this directory changes. */
#define HFTMON_ABI_VERSION 1u

enum hftmon_session_state {
	HFTMON_SESSION_NEW = 0,
	HFTMON_SESSION_READY = 1,
	HFTMON_SESSION_RUNNING = 2,
	HFTMON_SESSION_STOPPED = 3	/* rings stay readable until close */
};

enum hftmon_clock_id {
	HFTMON_CLOCK_TSC = 0,	/* ordered TSC reads, tsc_khz ticks per ms */
	HFTMON_CLOCK_MONO = 1	/* ns of CLOCK_MONOTONIC: the TSC is not usable */
};

/* A batch that wakes a poller is at least so large, or waking would feed itself. */
#define HFTMON_MIN_WAKEUP_RECORDS 64u

/* hftmon_info.flags */
#define HFTMON_INFO_TSC_INVARIANT 0x1u	/* constant and nonstop in all idle states */

/**
 * struct hftmon_info - what this module and session are (HFTMON_IOC_INFO)
 *
 * Works in every state. Ring fields are zero before SETUP.
 */
struct hftmon_info {
	__u32 size;
	__u32 abi_version;
	__u32 schema_version;
	__u32 record_size;
	__u32 state;			/* enum hftmon_session_state */
	__u32 mode;			/* enum hftmon_ring_mode */
	__u32 ring_records;
	__u32 nr_cpu_ids;		/* CPU numbers are below this */
	__u32 clock;			/* enum hftmon_clock_id */
	__u32 flags;
	__u64 tsc_khz;			/* ticks of `tsc` per millisecond */
	__u64 sources_available;	/* bits of enum hftmon_source */
	__u64 sources_active;		/* what this session records */
	__u32 durations_available;	/* bits of enum hftmon_duration */
	__u32 durations_active;		/* what is counted for this session */
	__u32 thread_slots;		/* with HFTMON_SETUP_THREADS: length of the table */
	__u32 thread_bit;		/* likewise: which of their `sessions` is this one's */
	__u64 reserved[2];
};

/**
 * struct hftmon_setup - configure and allocate (HFTMON_IOC_SETUP)
 * @mode:           enum hftmon_ring_mode
 * @sources:        bits of enum hftmon_source; those that are not available
 *                  are left out, INFO tells which are active. Bits beyond
 *                  HFTMON_SOURCE_ALL are refused, and no bit at all
 * @ring_records:   capacity per CPU, a power of two in
 *                  HFTMON_RING_MIN_RECORDS .. HFTMON_RING_MAX_RECORDS
 * @wakeup_records: unread records in one ring that wake a poller;
 *                  HFTMON_MIN_WAKEUP_RECORDS .. ring_records / 2
 * @cpu_mask:       address of a bitmap of CPUs, little-endian 64-bit words
 * @cpu_mask_bytes: its length, a multiple of 8; 0 = all CPUs that are online.
 *                  A bit for a CPU that is not online is refused with ENXIO
 * @flags:          HFTMON_SETUP_*
 * @whole_mask:     with HFTMON_SETUP_WATCH: address of a bitmap like @cpu_mask,
 *                  CPUs of those on which everything is recorded; on the others
 *                  only what concerns watched threads (HFTMON_IOC_WATCH)
 * @whole_mask_bytes: its length, a multiple of 8; 0 = no CPU, or with
 *                  HFTMON_SETUP_WHOLE, all: who is watched is then for
 *                  HFTMON_TRIGGER_WATCHED alone
 * @durations:      bits of enum hftmon_duration to count in histograms on those
 *                  CPUs (HFTMON_MMAP_HISTOGRAMS), whatever is recorded; those
 *                  whose sources are missing are left out, as INFO tells. With
 *                  some, @sources may be 0: nothing is recorded but what is said of durations
 *
 * At most 8 sessions record or, from SETUP on, watch: EBUSY. EOPNOTSUPP when this
 * kernel does not tell of new threads, which a session that watches must know.
 */
struct hftmon_setup {
	__u32 size;
	__u32 mode;
	__u64 sources;
	__u32 ring_records;
	__u32 wakeup_records;
	__u64 cpu_mask;
	__u32 cpu_mask_bytes;
	__u32 flags;			/* HFTMON_SETUP_* */
	__u64 whole_mask;
	__u32 whole_mask_bytes;
	__u32 durations;
	__u64 reserved[2];
};

/* hftmon_setup.flags; the others only with WATCH. */
#define HFTMON_SETUP_WATCH		0x1u
#define HFTMON_SETUP_INHERIT_THREADS	0x2u	/* new threads of a watched one are watched */
#define HFTMON_SETUP_INHERIT_PROCESSES	0x4u	/* so are its child processes */
#define HFTMON_SETUP_WHOLE		0x8u	/* everything is recorded on all CPUs */
#define HFTMON_SETUP_THREADS		0x10u	/* watched threads have histograms of their own */

enum hftmon_watch_op {
	HFTMON_WATCH_ADD = 0,
	HFTMON_WATCH_REMOVE = 1
};

/* hftmon_watch.flags */
#define HFTMON_WATCH_PROCESS 0x1u	/* all threads of the process that @tid is in */

/**
 * struct hftmon_watch - whom a session watches (HFTMON_IOC_WATCH)
 * @op:      enum hftmon_watch_op
 * @tid:     a thread, by its id in the initial pid namespace; ESRCH when there
 *           is none
 * @flags:   HFTMON_WATCH_*
 * @threads: out: how many threads that were
 *
 * From SETUP until STOP, also while the session records (then each CPU that does
 * not record everything is interrupted, and says in a CPU_STATE who runs there);
 * EINVAL for a session without HFTMON_SETUP_WATCH; EAGAIN when a thread was
 * still being created, and did not get on for a second.
 *
 * Where not everything is recorded, an event is when it concerns a watched
 * thread: that thread runs there, or the event names it (woken, moved, switched
 * to, sent a signal ...). What tells threads' names is recorded of all.
 *
 * A thread that no longer exists stays watched in vain; another one that gets
 * its id is not watched unless it inherits it. A single thread, not the first of
 * its process, that executes another program is lost sight of meanwhile.
 */
struct hftmon_watch {
	__u32 size;
	__u32 op;
	__u32 tid;
	__u32 flags;
	__u32 threads;
	__u32 reserved0;
	__u64 reserved[2];
};

/* One element of hftmon_sources.entries. */
struct hftmon_source_status {
	__u32 source;			/* enum hftmon_source */
	__u32 state;			/* enum hftmon_source_state */
	__u32 error;			/* errno of a failed hook, else 0 */
	__u32 missed;			/* functions: events since it was hooked, not seen */
};

/**
 * struct hftmon_sources - state of every source (HFTMON_IOC_SOURCES)
 * @count:   in: room in @entries; out: sources that the module knows
 * @entries: address of an array of struct hftmon_source_status
 */
struct hftmon_sources {
	__u32 size;
	__u32 count;
	__u64 entries;
	__u64 reserved[2];
};

/**
 * struct hftmon_cpu_stats - counts of one CPU's ring (HFTMON_IOC_CPU_STATS)
 * @cpu:           in: which CPU; ENXIO when the session has no ring for it
 * @head:          records written
 * @lost:          records lost for want of room (stream), or kept out of a frozen
 *                 ring (flight)
 * @probes:        events on this CPU while the session recorded, those of other
 *                 sessions included; an update of histograms is one, too
 * @self_samples:  events that were timed: one in 61, less those that were
 *                 interrupted (by another event, or for more than 50 us)
 * @self_ticks:    ticks that those took, for all sessions together, from the
 *                 choice of sessions to the publication. The kernel's way to
 *                 the probe and the wake of a poller are not in it, nor are
 *                 interruptions but short ones that caused no event
 * @ever_shed:     bits of enum hftmon_source, of the session's, that were shed there
 *                 at some time: see cost.h
 */
struct hftmon_cpu_stats {
	__u32 size;
	__u32 cpu;
	__u64 head;
	__u64 lost;
	__u64 probes;
	__u64 self_samples;
	__u64 self_ticks;
	__u64 ever_shed;
	__u64 reserved[3];
};

/**
 * struct hftmon_clock_sync - one instant on every clock (HFTMON_IOC_CLOCK_SYNC)
 *
 * ESTALE, as from HFTMON_IOC_START: since the module was loaded the kernel has
 * given up the TSC, which is the records' clock, or the TSC has begun anew in a
 * suspend. Times of records of before and after cannot be compared.
 *
 * @tsc:           the records' clock, at the middle of the reading
 * @window_ticks:  the instant is known to within this many ticks; the best of
 *                 several readings is returned
 */
struct hftmon_clock_sync {
	__u32 size;
	__u32 window_ticks;
	__u64 tsc;
	__u64 monotonic_raw_ns;
	__u64 monotonic_ns;
	__u64 realtime_ns;
	__u64 reserved[2];
};

/* One element of hftmon_threads.entries. */
struct hftmon_thread_entry {
	struct hftmon_thread_id id;	/* related_tid: the parent's tgid */
	char comm[HFTMON_COMM_LEN];	/* NUL-padded */
};

/**
 * struct hftmon_threads - the threads that exist now (HFTMON_IOC_THREADS)
 * @count:   in: room in @entries; out: threads that exist (may be more)
 * @entries: address of an array of struct hftmon_thread_entry
 * @tsc:     out: the list was taken after this time ...
 * @tsc_end: out: ... and before this one
 *
 * A session that watches threads is told which of them it does
 * (HFTMON_THREAD_WATCHED), as it was at some time during the call.
 */
struct hftmon_threads {
	__u32 size;
	__u32 count;
	__u64 entries;
	__u64 tsc;
	__u64 tsc_end;
	__u64 reserved[2];
};

HFTMON_ABI_ASSERT(sizeof(struct hftmon_info) == 96);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_setup) == 72);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_watch) == 40);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_source_status) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_sources) == 32);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_cpu_stats) == 80);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_clock_sync) == 56);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_thread_entry) == 32);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_threads) == 48);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_minimum) == 152);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_trigger) == 176);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_spikes) == 72);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_source_cost) == 16);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_costs) == 80);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_stack) == 256);
HFTMON_ABI_ASSERT(sizeof(struct hftmon_stacks) == 64);

#define HFTMON_IOC_MAGIC 0xbe
#define HFTMON_IOC_INFO		_IOWR(HFTMON_IOC_MAGIC, 0, struct hftmon_info)
#define HFTMON_IOC_SETUP	_IOW(HFTMON_IOC_MAGIC, 1, struct hftmon_setup)
#define HFTMON_IOC_START	_IO(HFTMON_IOC_MAGIC, 2)
#define HFTMON_IOC_STOP		_IO(HFTMON_IOC_MAGIC, 3)
#define HFTMON_IOC_SOURCES	_IOWR(HFTMON_IOC_MAGIC, 4, struct hftmon_sources)
#define HFTMON_IOC_CPU_STATS	_IOWR(HFTMON_IOC_MAGIC, 5, struct hftmon_cpu_stats)
#define HFTMON_IOC_CLOCK_SYNC	_IOWR(HFTMON_IOC_MAGIC, 6, struct hftmon_clock_sync)
#define HFTMON_IOC_THREADS	_IOWR(HFTMON_IOC_MAGIC, 7, struct hftmon_threads)
#define HFTMON_IOC_WATCH	_IOWR(HFTMON_IOC_MAGIC, 8, struct hftmon_watch)

#define HFTMON_IOC_TRIGGER	_IOW(HFTMON_IOC_MAGIC, 9, struct hftmon_trigger)
#define HFTMON_IOC_SPIKES	_IOWR(HFTMON_IOC_MAGIC, 10, struct hftmon_spikes)
#define HFTMON_IOC_COSTS	_IOWR(HFTMON_IOC_MAGIC, 11, struct hftmon_costs)
#define HFTMON_IOC_STACKS	_IOWR(HFTMON_IOC_MAGIC, 12, struct hftmon_stacks)
#define HFTMON_IOC_MINIMUM	_IOW(HFTMON_IOC_MAGIC, 13, struct hftmon_minimum)

#define HFTMON_DEVICE "/dev/hftmon"

#endif /* HFTMON_ABI_IOCTL_H */
