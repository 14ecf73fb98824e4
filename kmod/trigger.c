// SPDX-License-Identifier: GPL-2.0-only
/*
 * Triggers: a duration over a session's threshold, if that is armed, is a hit,
 * which writes a SPIKE record, wakes the pollers, and freezes rings.
 */
#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/smp.h>

#include "emit.h"
#include "hook.h"
#include "ipi_sender.h"
#include "session.h"
#include "stack.h"
#include "trigger.h"

/* ---- probes ---------------------------------------------------------------- */

static void freeze_sender(struct hftmon_session *session, const struct hftmon_exceeded *what,
			  unsigned int waker)
{
	int sender = waker;

	if (what->kind == HFTMON_DURATION_VECTOR)
		sender = hftmon_ipi_sender(what->cause, what->began);
	if (sender >= 0 && cpumask_test_cpu(sender, session->cpus))
		hftmon_ring_freeze(&per_cpu_ptr(session->rings, sender)->core, what->tsc);
}

static void freeze(struct hftmon_session *session, const struct hftmon_exceeded *what,
		   unsigned int waker)
{
	u32 flags = session->trigger.flags;
	u64 now = what->tsc;
	unsigned int cpu;

	if (!(flags & HFTMON_TRIGGER_FREEZE_ALL)) {
		hftmon_ring_freeze(&this_cpu_ptr(session->rings)->core, now);
		if (flags & HFTMON_TRIGGER_FREEZE_SENDER)
			freeze_sender(session, what, waker);
		return;
	}
	/* As hftmon_ring_freeze() does, with one barrier for all. */
	for_each_cpu(cpu, session->cpus)
		hftmon_ring_ask_to_freeze(&per_cpu_ptr(session->rings, cpu)->core, now);
	smp_mb();	/* (E) of ring_core.h */
	for_each_cpu(cpu, session->cpus)
		hftmon_ring_take_limit(&per_cpu_ptr(session->rings, cpu)->core);
}

/* Exclusive: BUSY keeps all others out. */
static void note_hit(struct hftmon_trigger_state *state, const struct hftmon_exceeded *what)
{
	WRITE_ONCE(state->seq, state->seq + 1);
	smp_wmb();	/* pairs with copy_last() */
	state->last = *what;
	smp_wmb();	/* likewise */
	WRITE_ONCE(state->seq, state->seq + 1);
}

/* Before a frozen ring would keep it out. */
static void tell_stack(const struct hftmon_session *session, struct hftmon_ring *ring)
{
	struct hftmon_record event;

	if (!(this_cpu_read(hftmon_wanted[HFTMON_SOURCE_STACK_SPIKE]) & BIT(session->slot)))
		return;
	hftmon_stack_here(&event, HFTMON_STACK_OF_SPIKE, session->sees_addresses);
	if (hftmon_ring_write(&ring->core, event.type, event.flags, event.payload[0],
			      event.payload[1], NULL))
		hftmon_emit_wake(ring);
}

/**
 * hftmon_trigger_hit() - a duration is over the session's threshold
 * @session: has a trigger
 * @what:    the duration
 * @waker:   the CPU from which its thread was woken, else this one
 *
 * Context: any, NMI included, preemption disabled.
 */
void hftmon_trigger_hit(struct hftmon_session *session, const struct hftmon_exceeded *what,
			unsigned int waker)
{
	struct hftmon_ring *ring = this_cpu_ptr(session->rings);
	struct hftmon_trigger_state *state = &session->trigger;
	u64 from = READ_ONCE(state->armed_from);

	if (what->tsc < from || cmpxchg(&state->armed_from, from, HFTMON_TRIGGER_BUSY) != from) {
		local_inc(&ring->held);
		return;
	}
	hftmon_threshold_tell(session, HFTMON_REC_SPIKE, what);
	if (static_branch_unlikely(&hftmon_stacks_taken))
		tell_stack(session, ring);
	if (state->flags & HFTMON_TRIGGER_FREEZE)
		freeze(session, what, waker);
	note_hit(state, what);
	/* Pairs with settle(). */
	smp_store_release(&state->armed_from, state->holdoff ? what->tsc + state->holdoff :
						       HFTMON_TRIGGER_NEVER);
	/*
	 * Once, until a command has told of it: a wake ends in durations that may be
	 * hits themselves. The barrier pairs with hftmon_session_spikes(): either we
	 * see what it has told, or its next poll sees our hit.
	 */
	smp_mb();
	if (READ_ONCE(state->seq) - READ_ONCE(state->told) == 2)
		hftmon_emit_wake(ring);
}

/* ---- sessions -------------------------------------------------------------- */

/** hftmon_trigger_init() - of a session that waits for nothing yet */
void hftmon_trigger_init(struct hftmon_trigger_state *state)
{
	hftmon_threshold_init(state->over);
	state->armed_from = HFTMON_TRIGGER_NEVER;
}

/* Changes the kernel's text, where that is due; may sleep. */
static void want_senders(struct hftmon_trigger_state *state, bool want)
{
	if (want != state->wants_senders)
		hftmon_ipi_want_senders(want);
	state->wants_senders = want;
}

static bool looks_for_senders(const struct hftmon_trigger_state *state)
{
	u32 freezes = HFTMON_TRIGGER_FREEZE_SENDER | HFTMON_TRIGGER_FREEZE_ALL;

	return (state->flags & freezes) == HFTMON_TRIGGER_FREEZE_SENDER &&
	       (state->kinds & HFTMON_DURATION_BIT(HFTMON_DURATION_VECTOR));
}

/**
 * hftmon_trigger_publish() - probes may hit; the session's rings are known to them
 * @session: runs
 */
void hftmon_trigger_publish(struct hftmon_session *session)
{
	want_senders(&session->trigger, looks_for_senders(&session->trigger));
	if (session->trigger.kinds)
		hftmon_threshold_publish(session, HFTMON_THRESHOLD_TRIGGER);
}

/**
 * hftmon_trigger_withdraw() - no new hit, once all probes that run now have ended
 * @session: has a slot
 */
void hftmon_trigger_withdraw(struct hftmon_session *session)
{
	hftmon_threshold_withdraw(session, HFTMON_THRESHOLD_TRIGGER);
}

/** hftmon_trigger_stop() - the same, and it is not published again */
void hftmon_trigger_stop(struct hftmon_session *session)
{
	hftmon_trigger_withdraw(session);
	want_senders(&session->trigger, false);
}

static int check_trigger(const struct hftmon_session *session,
			 const struct hftmon_trigger *trigger)
{
	u32 others = HFTMON_TRIGGER_FREEZE_SENDER | HFTMON_TRIGGER_FREEZE_ALL;

	u32 counted = session->state == HFTMON_SESSION_RUNNING ? session->active_durations :
								 session->durations;

	if ((trigger->kinds & ~counted) ||
	    (trigger->flags & ~(HFTMON_TRIGGER_FREEZE | HFTMON_TRIGGER_WATCHED | others)))
		return -EINVAL;
	if ((trigger->flags & HFTMON_TRIGGER_FREEZE) ? session->mode != HFTMON_MODE_FLIGHT :
						      !!(trigger->flags & others))
		return -EINVAL;
	if ((trigger->flags & HFTMON_TRIGGER_WATCHED) && !session->watches)
		return -EINVAL;
	if (trigger->tail_ticks > S64_MAX || trigger->holdoff_ticks > S64_MAX)
		return -EINVAL;
	return 0;
}

/*
 * Wait for a probe that tells of a hit. It cannot be preempted, so it is about to
 * end; nobody but commands, one at a time under the session's lock, takes BUSY else.
 */
static void settle(struct hftmon_trigger_state *state)
{
	/* Pairs with the release of hftmon_trigger_hit(). */
	while (smp_load_acquire(&state->armed_from) == HFTMON_TRIGGER_BUSY)
		cpu_relax();
}

static void thaw(struct hftmon_session *session)
{
	unsigned int cpu;

	for_each_cpu(cpu, session->cpus)
		hftmon_ring_thaw(&per_cpu_ptr(session->rings, cpu)->core);
}

static void set_trigger(struct hftmon_session *session, const struct hftmon_trigger *trigger)
{
	struct hftmon_trigger_state *state = &session->trigger;
	unsigned int cpu;

	state->kinds = trigger->kinds;
	state->flags = trigger->flags;
	state->holdoff = trigger->holdoff_ticks;
	hftmon_threshold_set(state->over, trigger->kinds, trigger->over);
	for_each_cpu(cpu, session->cpus) {
		struct hftmon_ring_core *core = &per_cpu_ptr(session->rings, cpu)->core;
		bool at_once = !trigger->tail_records && !trigger->tail_ticks;

		WRITE_ONCE(core->tail_records, trigger->tail_records || at_once ?
					       trigger->tail_records : S64_MAX);
		WRITE_ONCE(core->tail_ticks, trigger->tail_ticks ?: S64_MAX);
		WRITE_ONCE(core->thaw_ticks, trigger->holdoff_ticks);
	}
	WRITE_ONCE(state->armed_from, trigger->kinds ? 0 : HFTMON_TRIGGER_NEVER);
}

/**
 * hftmon_session_trigger() - what is a hit from now on, and what it does
 * @session: any state
 * @trigger: reserved fields checked
 *
 * Context: process, may sleep.
 * Return: 0, -ENODEV before SETUP, -EBUSY after STOP, -EINVAL.
 */
int hftmon_session_trigger(struct hftmon_session *session, const struct hftmon_trigger *trigger)
{
	int err = -EINVAL;

	mutex_lock(&session->lock);
	if (session->state == HFTMON_SESSION_NEW)
		err = -ENODEV;
	else if (session->state == HFTMON_SESSION_STOPPED)
		err = -EBUSY;
	else
		err = check_trigger(session, trigger);
	if (err)
		goto out;
	if (session->state == HFTMON_SESSION_RUNNING) {
		hftmon_trigger_withdraw(session);
		hftmon_hook_synchronize();
	}
	thaw(session);
	set_trigger(session, trigger);
	if (session->state == HFTMON_SESSION_RUNNING)
		hftmon_trigger_publish(session);
out:
	mutex_unlock(&session->lock);
	return err;
}

/* The last hit, whole. */
static u64 copy_last(struct hftmon_trigger_state *state, struct hftmon_exceeded *last)
{
	u64 seq;

	do {
		seq = READ_ONCE(state->seq);
		smp_rmb();	/* pairs with note_hit() */
		data_race(*last = state->last);
		smp_rmb();	/* likewise */
	} while ((seq & 1) || READ_ONCE(state->seq) != seq);
	return seq;
}

/*
 * Take the trigger from the probes, so that no hit comes between what is told of
 * and the thaw: it would be undone.
 */
static void disarm(struct hftmon_trigger_state *state)
{
	u64 from;

	do {
		settle(state);
		from = READ_ONCE(state->armed_from);
	} while (from == HFTMON_TRIGGER_BUSY ||
		 cmpxchg(&state->armed_from, from, HFTMON_TRIGGER_BUSY) != from);
}

/* Durations that were no hits, on all CPUs. */
static u64 count_held(struct hftmon_session *session)
{
	u64 held = 0;
	unsigned int cpu;

	for_each_cpu(cpu, session->cpus)
		held += local_read(&per_cpu_ptr(session->rings, cpu)->held);
	return held;
}

/**
 * hftmon_session_spikes() - hits so far
 * @session: any state
 * @spikes:  in: flags; out: the rest
 *
 * Context: process, may sleep.
 * Return: 0, -ENODEV before SETUP, -EINVAL.
 */
int hftmon_session_spikes(struct hftmon_session *session, struct hftmon_spikes *spikes)
{
	struct hftmon_trigger_state *state = &session->trigger;
	struct hftmon_exceeded last;
	bool rearm;
	int err = 0;

	if (spikes->flags & ~HFTMON_SPIKES_REARM)
		return -EINVAL;
	mutex_lock(&session->lock);
	if (session->state == HFTMON_SESSION_NEW) {
		err = -ENODEV;
		goto out;
	}
	rearm = (spikes->flags & HFTMON_SPIKES_REARM) && state->kinds &&
		session->state != HFTMON_SESSION_STOPPED;
	if (rearm)
		disarm(state);
	WRITE_ONCE(state->told, copy_last(state, &last));
	smp_mb();	/* pairs with hftmon_trigger_hit() */
	*spikes = (struct hftmon_spikes){
		.size = sizeof(*spikes),
		.flags = spikes->flags,
		.hits = state->told / 2,
		.held = count_held(session),
		.tsc = last.tsc,
		.ticks = last.ticks,
		.tid = last.tid,
		.cause = last.cause,
		.kind = last.kind,
		.cpu = last.cpu,
	};
	if (rearm) {
		thaw(session);
		/* A hit after it finds the rings thawed. */
		smp_store_release(&state->armed_from, 0);
	}
out:
	mutex_unlock(&session->lock);
	return err;
}

/** hftmon_session_has_spike() - was there a hit that no command has told of? */
bool hftmon_session_has_spike(const struct hftmon_session *session)
{
	return READ_ONCE(session->trigger.seq) / 2 != READ_ONCE(session->trigger.told) / 2;
}
