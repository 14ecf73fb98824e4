// SPDX-License-Identifier: GPL-2.0-only
/*
 * Durations over a threshold: a probe finds that one is over the lowest of all,
 * and looks whose it is over. A session records each that is over its minimum,
 * and may have a trigger besides.
 */
#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "emit.h"
#include "session.h"
#include "slot.h"
#include "threshold.h"
#include "watch.h"

static_assert(HFTMON_DURATION_COUNT <= HFTMON_THRESHOLD_KINDS);

u64 hftmon_thresholds[HFTMON_THRESHOLD_KINDS] ____cacheline_aligned = {
	[0 ... HFTMON_THRESHOLD_KINDS - 1] = U64_MAX,
};

/* By use and slot; NULL: not such a session. Probes look. */
static struct hftmon_session *users[HFTMON_THRESHOLD_USES][HFTMON_MAX_SESSIONS];

/* Of the two above. Innermost. */
static DEFINE_MUTEX(thresholds_lock);

/* ---- probes ---------------------------------------------------------------- */

static __always_inline const u64 *over_of(const struct hftmon_session *session,
					  enum hftmon_threshold_use use)
{
	return use == HFTMON_THRESHOLD_RECORD ? session->minimum : session->trigger.over;
}

/* Is it over the session's threshold, where the session looks? */
static __always_inline bool is_over(const struct hftmon_session *session,
				    const struct hftmon_exceeded *what,
				    enum hftmon_threshold_use use)
{
	if (!session || what->ticks <= over_of(session, use)[what->kind] ||
	    !cpumask_test_cpu(what->cpu, session->cpus))
		return false;
	/* Does it want to know what happens to the thread here? */
	if (cpumask_test_cpu(what->cpu, session->partial_cpus) ||
	    (use == HFTMON_THRESHOLD_TRIGGER && (session->trigger.flags & HFTMON_TRIGGER_WATCHED)))
		return hftmon_watchers_of(what->tid) & BIT(session->slot);
	return true;
}

/**
 * hftmon_threshold_tell() - write one record of a duration
 * @session: whose ring of this CPU
 * @type:    DURATION or SPIKE
 * @what:    the duration
 *
 * Context: any, preemption disabled.
 */
void hftmon_threshold_tell(struct hftmon_session *session, u16 type,
			   const struct hftmon_exceeded *what)
{
	struct hftmon_ring *ring = this_cpu_ptr(session->rings);
	struct hftmon_record event = {
		.spike = { .ticks = what->ticks, .tid = what->tid, .cause = what->cause },
	};

	if (hftmon_ring_write(&ring->core, type, what->kind, event.payload[0], event.payload[1],
			      NULL))
		hftmon_emit_wake(ring);
}

/**
 * hftmon_threshold_exceeded() - a duration is over somebody's threshold
 * @kind:   enum hftmon_duration
 * @ticks:  how long it was
 * @end:    when it ended
 * @tid:    whose
 * @cause:  as struct hftmon_spike says
 * @waker:  the CPU from which its thread was woken, else this one
 *
 * Context: any, NMI included, preemption disabled.
 */
noinline void hftmon_threshold_exceeded(unsigned int kind, u64 ticks, u64 end, u32 tid, u32 cause,
					unsigned int waker)
{
	const struct hftmon_exceeded what = {
		.tsc = hftmon_clock(),
		.began = end - ticks,
		.ticks = ticks,
		.tid = tid,
		.cause = cause,
		.kind = kind,
		.cpu = smp_processor_id(),
	};
	unsigned int slot;

	for (slot = 0; slot < HFTMON_MAX_SESSIONS; slot++) {
		struct hftmon_session *session;

		/* These pair with the release of hftmon_threshold_publish(). */
		session = smp_load_acquire(&users[HFTMON_THRESHOLD_RECORD][slot]);
		if (is_over(session, &what, HFTMON_THRESHOLD_RECORD))
			hftmon_threshold_tell(session, HFTMON_REC_DURATION, &what);
		/* Behind the record: it may freeze the ring. */
		session = smp_load_acquire(&users[HFTMON_THRESHOLD_TRIGGER][slot]);
		if (is_over(session, &what, HFTMON_THRESHOLD_TRIGGER))
			hftmon_trigger_hit(session, &what, waker);
	}
}

/* ---- sessions -------------------------------------------------------------- */

/** hftmon_threshold_init() - of a session that has none yet, by kind */
void hftmon_threshold_init(u64 *over)
{
	memset64(over, U64_MAX, HFTMON_DURATION_COUNT);
}

/**
 * hftmon_threshold_set() - as the user has asked for them
 * @over:   by kind; no probe looks
 * @kinds:  bits of enum hftmon_duration; others have none
 * @wanted: by kind
 */
void hftmon_threshold_set(u64 *over, u32 kinds, const __u64 *wanted)
{
	unsigned int kind;

	for (kind = 0; kind < HFTMON_DURATION_COUNT; kind++)
		over[kind] = kinds & HFTMON_DURATION_BIT(kind) ? wanted[kind] : U64_MAX;
}

static void find_lowest(void)
{
	unsigned int kind, use, slot;

	for (kind = 0; kind < HFTMON_DURATION_COUNT; kind++) {
		u64 lowest = U64_MAX;

		for (use = 0; use < HFTMON_THRESHOLD_USES; use++) {
			for (slot = 0; slot < HFTMON_MAX_SESSIONS; slot++) {
				if (users[use][slot])
					lowest = min(lowest, over_of(users[use][slot], use)[kind]);
			}
		}
		WRITE_ONCE(hftmon_thresholds[kind], lowest);
	}
}

/**
 * hftmon_threshold_publish() - probes look from now on
 * @session: runs; its rings are known to probes
 * @use:     of which thresholds
 */
void hftmon_threshold_publish(struct hftmon_session *session, enum hftmon_threshold_use use)
{
	mutex_lock(&thresholds_lock);
	/* Pairs with hftmon_threshold_exceeded(): what is set before who has set it. */
	smp_store_release(&users[use][session->slot], session);
	find_lowest();
	mutex_unlock(&thresholds_lock);
}

/**
 * hftmon_threshold_withdraw() - not any more, once all probes that run now have ended
 * @session: has a slot
 * @use:     of which thresholds
 */
void hftmon_threshold_withdraw(struct hftmon_session *session, enum hftmon_threshold_use use)
{
	mutex_lock(&thresholds_lock);
	WRITE_ONCE(users[use][session->slot], NULL);
	find_lowest();
	mutex_unlock(&thresholds_lock);
}

/**
 * hftmon_session_minimum() - which durations the session records, each
 * @session: any state
 * @minimum: reserved fields checked
 *
 * Context: process, may sleep.
 * Return: 0, -ENODEV before SETUP, -EBUSY from START on, -EINVAL for a kind that is
 * not counted.
 */
int hftmon_session_minimum(struct hftmon_session *session, const struct hftmon_minimum *minimum)
{
	int err = 0;

	mutex_lock(&session->lock);
	if (session->state != HFTMON_SESSION_READY)
		err = session->state == HFTMON_SESSION_NEW ? -ENODEV : -EBUSY;
	else if (minimum->kinds & ~session->durations)
		err = -EINVAL;
	else
		hftmon_threshold_set(session->minimum, minimum->kinds, minimum->over);
	mutex_unlock(&session->lock);
	return err;
}
