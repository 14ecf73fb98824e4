/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * Durations that the kernel counts in histograms, one for each CPU and kind.
 *
 * They belong to the module, not to a session: counts only grow while a kind is
 * counted for any session, and a session looks at what has been added since it
 * began. Each histogram is written by its own CPU alone and may be read at any
 * time without a lock: a count that was read is at most a moment old, and the
 * number of durations is the sum of the counts.
 */
#ifndef HFTMON_ABI_HISTOGRAM_H
#define HFTMON_ABI_HISTOGRAM_H

#include <linux/types.h>

#include "source.h"

/*
 * From, to. A thread's durations are counted on the CPU that ends them.
 *
 * HARDIRQ     irq_handler_entry, irq_handler_exit; one that calls another's
 *             handler, as those of GPIO controllers do, includes it
 * SOFTIRQ     softirq_entry, softirq_exit: with what interrupted it
 * VECTOR      any of the x86 vectors, likewise
 * WAKEUP      sched_waking, or the thread's creation, to its switch-in
 * RUN_QUEUE   sched_wakeup, or the loss of the CPU while runnable, to switch-in
 * ON_CPU      switch-in, switch-out; not of idle threads
 * OFF_CPU     switch-out, switch-in
 * PREEMPTED   switch-out while runnable, switch-in: a part of RUN_QUEUE
 * NMI         as the kernel measures each handler of NMIs (nmi_handler), up to 2 s
 */
enum hftmon_duration {
	HFTMON_DURATION_HARDIRQ = 0,
	HFTMON_DURATION_SOFTIRQ = 1,
	HFTMON_DURATION_VECTOR = 2,
	HFTMON_DURATION_WAKEUP = 3,
	HFTMON_DURATION_RUN_QUEUE = 4,
	HFTMON_DURATION_ON_CPU = 5,
	HFTMON_DURATION_OFF_CPU = 6,
	HFTMON_DURATION_PREEMPTED = 7,
	HFTMON_DURATION_NMI = 8,
	HFTMON_DURATION_COUNT = 9
};

#define HFTMON_DURATION_BIT(duration) (1u << (duration))
#define HFTMON_DURATION_ALL (HFTMON_DURATION_BIT(HFTMON_DURATION_COUNT) - 1)

/*
 * Log-linear: values below 32 have a bucket each, from there every power of two
 * has 32, so that a bucket's width is at most 1/32 of its values. Values are
 * ticks of the records' clock; the last bucket also has all that are longer than
 * 2^44 ticks, an hour and a half at 3 GHz.
 */
#define HFTMON_HISTOGRAM_SUB_BITS 5
#define HFTMON_HISTOGRAM_MAX_BITS 44
#define HFTMON_HISTOGRAM_BUCKETS \
	((HFTMON_HISTOGRAM_MAX_BITS - HFTMON_HISTOGRAM_SUB_BITS + 1) << HFTMON_HISTOGRAM_SUB_BITS)

struct hftmon_histogram {
	__u64 counts[HFTMON_HISTOGRAM_BUCKETS];
};

/**
 * struct hftmon_histograms - what one CPU has counted (HFTMON_MMAP_HISTOGRAMS)
 * @missed: durations of threads that could not be counted here: their beginning
 *          was overwritten by another thread's in the table of threads
 * @no_slot: durations of watched threads that were not counted by thread, for want of
 *          room: see struct hftmon_thread_histograms
 * @of:     by enum hftmon_duration; kinds to come are appended. A mapping may be
 *          shorter than the kernel's, in pages
 */
struct hftmon_histograms {
	__u64 missed;
	__u64 no_slot;
	__u64 reserved[6];
	struct hftmon_histogram of[HFTMON_DURATION_COUNT];
};

/* Kinds that are counted by thread, too: WAKEUP, RUN_QUEUE, ON_CPU, OFF_CPU. */
#define HFTMON_THREAD_DURATION_FIRST HFTMON_DURATION_WAKEUP
#define HFTMON_THREAD_DURATIONS 4u

enum hftmon_thread_state {
	HFTMON_THREAD_FREE = 0,
	HFTMON_THREAD_LIVE = 1,		/* of that thread, which lives */
	HFTMON_THREAD_ENDED = 2		/* it has died, or was not watched for a time */
};

/**
 * struct hftmon_thread_histograms - of one watched thread, on all CPUs of all sessions
 *	(HFTMON_MMAP_THREAD_HISTOGRAMS)
 * @tid:      constant once @state is LIVE
 * @state:    enum hftmon_thread_state
 * @sessions: bit hftmon_info.thread_bit: the session has watched it since it began
 * @of:       by kind, from HFTMON_THREAD_DURATION_FIRST on
 *
 * The table belongs to the module, as other histograms do: it also has the threads that
 * other sessions watch, counts only grow, and a session looks at what has been added
 * since it began. A thread may have more than one entry, of which one is LIVE.
 */
struct hftmon_thread_histograms {
	__u32 tid;
	__u32 state;
	__u32 sessions;
	__u32 reserved0;
	__u64 reserved[6];
	struct hftmon_histogram of[HFTMON_THREAD_DURATIONS];
};

/* The bucket that counts a value. */
static inline __u32 hftmon_histogram_bucket(__u64 value)
{
	__u32 exponent = 0;

	if (value >> HFTMON_HISTOGRAM_MAX_BITS)
		return HFTMON_HISTOGRAM_BUCKETS - 1;
	/* Of a value below the first power of two that is divided: 0. */
	exponent = 63u - HFTMON_HISTOGRAM_SUB_BITS -
		   (__u32)__builtin_clzll(value | 1u << HFTMON_HISTOGRAM_SUB_BITS);
	return (exponent << HFTMON_HISTOGRAM_SUB_BITS) + (__u32)(value >> exponent);
}

/* The smallest value of a bucket; the bucket after it begins where it ends. */
static inline __u64 hftmon_histogram_floor(__u32 bucket)
{
	__u32 exponent = bucket >> HFTMON_HISTOGRAM_SUB_BITS;

	if (exponent == 0)
		return bucket;
	return (__u64)(bucket - ((exponent - 1) << HFTMON_HISTOGRAM_SUB_BITS)) << (exponent - 1);
}

/* Bits of enum hftmon_source that a kind is measured by. */
static inline __u64 hftmon_duration_sources(__u32 duration)
{
	__u64 switches = HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_SWITCH);
	__u64 queues = switches | HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKEUP) |
		       HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKEUP_NEW);

	switch (duration) {
	case HFTMON_DURATION_HARDIRQ:
		return HFTMON_SOURCE_BIT(HFTMON_SOURCE_IRQ_HANDLER);
	case HFTMON_DURATION_SOFTIRQ:
		return HFTMON_SOURCE_BIT(HFTMON_SOURCE_SOFTIRQ);
	case HFTMON_DURATION_VECTOR:
		return HFTMON_SOURCE_BIT(HFTMON_SOURCE_DEFERRED_ERROR_APIC + 1) -
		       HFTMON_SOURCE_BIT(HFTMON_SOURCE_LOCAL_TIMER);
	case HFTMON_DURATION_WAKEUP:
		return queues | HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKING);
	case HFTMON_DURATION_RUN_QUEUE:
		return queues;
	case HFTMON_DURATION_NMI:
		return HFTMON_SOURCE_BIT(HFTMON_SOURCE_NMI_HANDLER);
	default:
		return switches;
	}
}

/* Those of the kinds that can be measured by these sources. */
static inline __u32 hftmon_durations_of(__u32 durations, __u64 sources)
{
	__u32 duration = 0;

	for (duration = 0; duration < HFTMON_DURATION_COUNT; duration++) {
		__u64 all = hftmon_duration_sources(duration);

		/* Which vectors there are depends on the kernel's configuration. */
		if (!(all & sources) || ((all & ~sources) && duration != HFTMON_DURATION_VECTOR))
			durations &= ~HFTMON_DURATION_BIT(duration);
	}
	return durations;
}

#endif /* HFTMON_ABI_HISTOGRAM_H */
