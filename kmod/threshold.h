/* SPDX-License-Identifier: GPL-2.0-only */
/* Durations over a threshold of some session: records of them, and triggers. */
#ifndef HFTMON_THRESHOLD_H
#define HFTMON_THRESHOLD_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <hftmon/abi/minimum.h>

struct hftmon_session;

/* What a session does with a duration over its threshold. */
enum hftmon_threshold_use {
	HFTMON_THRESHOLD_RECORD,	/* a DURATION record: its minimum */
	HFTMON_THRESHOLD_TRIGGER,
	HFTMON_THRESHOLD_USES
};

/**
 * struct hftmon_exceeded - a duration that was over a threshold
 * @tsc:   when that was seen: behind the record of the event that ended it
 * @began: when it began
 * @ticks: how long it was
 * @tid:   whose
 * @cause: as struct hftmon_spike says
 * @kind:  enum hftmon_duration
 * @cpu:   where it ended: here
 */
struct hftmon_exceeded {
	u64 tsc;
	u64 began;
	u64 ticks;
	u32 tid;
	u32 cause;
	u32 kind;
	u32 cpu;
};

/* The lowest threshold of any session, by kind. */
extern u64 hftmon_thresholds[HFTMON_THRESHOLD_KINDS];

void hftmon_threshold_exceeded(unsigned int kind, u64 ticks, u64 end, u32 tid, u32 cause,
			       unsigned int waker);

/*
 * A duration has ended on this CPU, at @end. @waker: the CPU from which its thread was
 * woken, else this one.
 *
 * Context: any, preemption disabled.
 */
static __always_inline void hftmon_threshold_check(unsigned int kind, u64 ticks, u64 end, u32 tid,
						   u32 cause, unsigned int waker)
{
	if (unlikely(ticks > READ_ONCE(hftmon_thresholds[kind])))
		hftmon_threshold_exceeded(kind, ticks, end, tid, cause, waker);
}

void hftmon_threshold_tell(struct hftmon_session *session, u16 type,
			   const struct hftmon_exceeded *what);

void hftmon_threshold_init(u64 *over);
void hftmon_threshold_set(u64 *over, u32 kinds, const __u64 *wanted);
void hftmon_threshold_publish(struct hftmon_session *session, enum hftmon_threshold_use use);
void hftmon_threshold_withdraw(struct hftmon_session *session, enum hftmon_threshold_use use);
int hftmon_session_minimum(struct hftmon_session *session, const struct hftmon_minimum *minimum);

#endif /* HFTMON_THRESHOLD_H */
