// SPDX-License-Identifier: GPL-2.0-only
/* Life of a session: setup, start, stop; whom it watches; who is woken. */
#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "duration.h"
#include "governor.h"
#include "hook.h"
#include "rings.h"
#include "session.h"
#include "slot.h"
#include "stack.h"
#include "thread_histograms.h"
#include "watch.h"

/* See session.h. */
DEFINE_MUTEX(hftmon_active_lock);

/**
 * hftmon_session_create() - a session without configuration
 * @sees_addresses: it may see addresses of the kernel
 *
 * Return: the session, or NULL when out of memory.
 */
struct hftmon_session *hftmon_session_create(bool sees_addresses)
{
	struct hftmon_session *session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);

	if (!session)
		return NULL;
	if (!zalloc_cpumask_var(&session->cpus, GFP_KERNEL_ACCOUNT))
		goto err_session;
	if (!zalloc_cpumask_var(&session->partial_cpus, GFP_KERNEL_ACCOUNT))
		goto err_cpus;
	session->slot = -1;
	session->sees_addresses = sees_addresses;
	hftmon_threshold_init(session->minimum);
	hftmon_trigger_init(&session->trigger);
	mutex_init(&session->lock);
	init_waitqueue_head(&session->pollers);
	hftmon_sessions_prepare(session);
	return session;

err_cpus:
	free_cpumask_var(session->cpus);
err_session:
	kfree(session);
	return NULL;
}

static int enter_slot(struct hftmon_session *session, u32 flags)
{
	int slot = hftmon_slot_get(session->sees_addresses), err;

	if (slot < 0)
		return slot;
	err = session->watches ? hftmon_watch_begin(slot, flags) : 0;
	if (err) {
		hftmon_slot_put(slot);
		return err;
	}
	session->slot = slot;
	return 0;
}

/* No probe looks at the session's bit any more. */
static void leave_slot(struct hftmon_session *session)
{
	if (session->slot < 0)
		return;
	if (session->watches)
		hftmon_watch_end(session->slot);
	hftmon_slot_put(session->slot);
	session->slot = -1;
}

/**
 * hftmon_session_destroy() - the file is gone: stop and free
 * @session: from hftmon_session_create(); invalid afterwards
 *
 * No command, mapping or poller can be left, the file held them all.
 */
void hftmon_session_destroy(struct hftmon_session *session)
{
	hftmon_session_stop(session);
	leave_slot(session);		/* it may have watched and never started */
	hftmon_sessions_remove(session);
	hftmon_rings_free(session);	/* no irq_work any more, so no new wake */
	if (session->durations)
		hftmon_durations_put();
	if (session->sources & HFTMON_SOURCE_STACKS)
		hftmon_stacks_put();
	if (session->counts_threads)
		hftmon_thread_histograms_put();
	kthread_cancel_work_sync(&session->wake);
	free_cpumask_var(session->partial_cpus);
	free_cpumask_var(session->cpus);
	kfree(session);
}

#define WATCH_FLAGS (HFTMON_SETUP_WATCH | HFTMON_SETUP_INHERIT_THREADS | \
		     HFTMON_SETUP_INHERIT_PROCESSES | HFTMON_SETUP_WHOLE | HFTMON_SETUP_THREADS)

static int check_setup(const struct hftmon_setup *setup, const struct cpumask *cpus,
		       const struct cpumask *whole_cpus)
{
	if (setup->flags & ~WATCH_FLAGS)
		return -EINVAL;
	if (!(setup->flags & HFTMON_SETUP_WATCH) && (setup->flags || setup->whole_mask_bytes))
		return -EINVAL;
	if ((setup->flags & HFTMON_SETUP_THREADS) &&
	    !(setup->durations & HFTMON_DURATIONS_BY_THREAD))
		return -EINVAL;
	if (!cpumask_subset(whole_cpus, cpus))
		return -EINVAL;
	if ((setup->flags & HFTMON_SETUP_WHOLE) && setup->whole_mask_bytes)
		return -EINVAL;
	if (setup->mode != HFTMON_MODE_STREAM && setup->mode != HFTMON_MODE_FLIGHT)
		return -EINVAL;
	if (!(setup->sources || setup->durations) || (setup->sources & ~HFTMON_SOURCE_ALL) ||
	    (setup->durations & ~HFTMON_DURATION_ALL))
		return -EINVAL;
	if (setup->ring_records < HFTMON_RING_MIN_RECORDS ||
	    setup->ring_records > HFTMON_RING_MAX_RECORDS ||
	    (setup->ring_records & (setup->ring_records - 1)))
		return -EINVAL;
	if (setup->wakeup_records < HFTMON_MIN_WAKEUP_RECORDS ||
	    setup->wakeup_records > setup->ring_records / 2)
		return -EINVAL;
	return 0;
}

/**
 * hftmon_session_setup() - configure, and allocate the rings
 * @session: must be new
 * @setup:   what the user asked for, reserved fields checked
 * @cpus:    online CPUs that get a ring
 * @whole_cpus: of these, where a session that watches threads records everything
 *
 * Context: process, may sleep.
 * Return: 0, -EBUSY after an earlier setup, or for a session that watches when
 * HFTMON_MAX_SESSIONS have been set up so or record; -EINVAL; -ENOSPC above
 * max_session_mb or, with all other sessions, max_total_mb; -ENOMEM; -EINTR;
 * -EOPNOTSUPP when this kernel does not tell of new threads.
 */
int hftmon_session_setup(struct hftmon_session *session, const struct hftmon_setup *setup,
			 const struct cpumask *cpus, const struct cpumask *whole_cpus)
{
	int err;

	mutex_lock(&session->lock);
	err = -EBUSY;
	if (session->state != HFTMON_SESSION_NEW)
		goto out;
	err = check_setup(setup, cpus, whole_cpus);
	if (err)
		goto out;

	session->mode = setup->mode;
	session->ring_records = setup->ring_records;
	session->wakeup_records = setup->wakeup_records;
	session->sources = setup->sources;
	session->durations = setup->durations;
	cpumask_copy(session->cpus, cpus);
	session->watches = setup->flags & HFTMON_SETUP_WATCH;
	if (session->watches && !(setup->flags & HFTMON_SETUP_WHOLE))
		cpumask_andnot(session->partial_cpus, cpus, whole_cpus);

	err = hftmon_rings_alloc(session);
	if (err)
		goto err_reset;
	err = session->durations ? hftmon_durations_get(cpus) : 0;
	if (err)
		goto err_free;
	err = session->sources & HFTMON_SOURCE_STACKS ? hftmon_stacks_get() : 0;
	if (err)
		goto err_durations;
	session->counts_threads = setup->flags & HFTMON_SETUP_THREADS;
	err = session->counts_threads ? hftmon_thread_histograms_get() : 0;
	if (err)
		goto err_stacks;
	if (session->watches) {
		err = enter_slot(session, setup->flags);
		if (err)
			goto err_threads;
		session->thread_bit = session->slot;
	}
	hftmon_sessions_add(session);
	/* Pairs with hftmon_session_state(): rings before state. */
	smp_store_release(&session->state, HFTMON_SESSION_READY);
	/* Who polled before could not ask any ring to be woken. */
	wake_up_interruptible_all(&session->pollers);
	goto out;

err_threads:
	if (session->counts_threads)
		hftmon_thread_histograms_put();
err_stacks:
	if (session->sources & HFTMON_SOURCE_STACKS)
		hftmon_stacks_put();
err_durations:
	if (session->durations)
		hftmon_durations_put();
err_free:
	hftmon_rings_free(session);
err_reset:
	session->watches = false;
	session->counts_threads = false;
	cpumask_clear(session->partial_cpus);
	session->sources = 0;
	session->durations = 0;
	session->mode = 0;
	session->ring_records = 0;
out:
	mutex_unlock(&session->lock);
	return err;
}

/* What the session asks for, as far as there is; -EOPNOTSUPP when that is nothing. */
static int hook(struct hftmon_session *session)
{
	u64 wanted = session->sources | hftmon_durations_sources(session->durations);
	u64 hooked = hftmon_hook_sources(wanted), used;

	session->active_sources = session->sources & hooked;
	session->active_durations = hftmon_durations_of(session->durations, hooked);
	session->active_sources &= ~HFTMON_SOURCE_STACKS |
				   hftmon_stacks_of(session->active_sources,
						    session->active_durations);
	used = session->active_sources | hftmon_durations_sources(session->active_durations);
	session->hooked_sources = hooked & used;
	/* Of kinds that lack another source. */
	if (hooked & ~used)
		hftmon_unhook_sources(hooked & ~used);
	return session->hooked_sources ? 0 : -EOPNOTSUPP;
}

/* Probes forget the session; none that knew it runs any more on return. */
static void withdraw(struct hftmon_session *session)
{
	hftmon_threshold_withdraw(session, HFTMON_THRESHOLD_RECORD);
	hftmon_trigger_stop(session);
	hftmon_slot_unpublish(session->slot, session->cpus);
	if (session->active_sources & HFTMON_SOURCE_STACKS)
		hftmon_stacks_stop();
	if (session->counts_threads)
		hftmon_thread_histograms_stop(session->slot);
	if (session->active_durations)
		hftmon_durations_stop(session->active_durations);
	hftmon_unhook_sources(session->hooked_sources);
	hftmon_governor_end();
	hftmon_slot_clear(session->slot, session->cpus);
}

static void tell_more_watched(void *session)
{
	hftmon_session_tell_cpu(session, HFTMON_CPU_STATE_PARTIAL);
}

static void tell_fewer_watched(void *session)
{
	hftmon_session_tell_cpu(session, HFTMON_CPU_STATE_PARTIAL | HFTMON_CPU_STATE_UNWATCHED);
}

/*
 * First record of a ring, then open it. Runs on the ring's CPU with interrupts
 * off and the session's wishes already visible to probes: no event but an NMI is
 * missed between the record and the opening.
 */
static void enable_ring(void *arg)
{
	struct hftmon_session *session = arg;
	struct hftmon_ring *ring = this_cpu_ptr(session->rings);
	unsigned int cpu = smp_processor_id();
	bool partial = cpumask_test_cpu(cpu, session->partial_cpus);
	struct hftmon_shed shed;

	hftmon_meter_read(cpu, this_cpu_ptr(session->meter_start));
	hftmon_session_tell_cpu(session, partial ? HFTMON_CPU_STATE_PARTIAL : 0);
	hftmon_governor_shed(cpu, &shed);
	if (shed.sources & session->active_sources)
		hftmon_session_tell_shed(session, &shed);
	/* Pairs with hftmon_session_cpu_stats(): the meter before. */
	smp_store_release(&ring->enabled, true);
	if (!session->active_sources)
		return;		/* it counts durations, and is no burden for those that record */
	hftmon_slot_open(session->slot, partial);
}

/**
 * hftmon_session_start() - hook what the session asks for, and record
 * @session: must be set up
 *
 * A source that cannot be hooked is left out; INFO and SOURCES tell. Recording
 * begins on each CPU as soon as it is told, before this returns.
 *
 * Context: process, may sleep.
 * Return: 0, -ENODEV before SETUP, -EBUSY after an earlier start or when
 * HFTMON_MAX_SESSIONS record or watch already, -EOPNOTSUPP when no source and no
 * duration that was asked for is to be had, -ENXIO when a CPU has gone offline since SETUP,
 * -ESTALE when the clock is not usable any more.
 */
int hftmon_session_start(struct hftmon_session *session)
{
	int err;

	mutex_lock(&session->lock);
	if (session->state != HFTMON_SESSION_READY) {
		err = session->state == HFTMON_SESSION_NEW ? -ENODEV : -EBUSY;
		goto out;
	}

	err = -ESTALE;
	if (!hftmon_clock_usable())
		goto out;
	if (!session->watches) {
		err = enter_slot(session, 0);
		if (err)
			goto out;
	}

	mutex_lock(&hftmon_active_lock);
	err = hook(session);
	if (err)
		goto out_active;
	hftmon_governor_begin();
	if (session->active_sources & HFTMON_SOURCE_STACKS)
		hftmon_stacks_start();
	hftmon_slot_publish(session->slot, session->active_sources, session->rings,
			    session->cpus);
	/* Before the first record: what is then under way can be told when it ends. */
	if (session->counts_threads)
		hftmon_thread_histograms_start(session->slot);
	if (session->active_durations)
		hftmon_durations_start(session->active_durations);

	cpus_read_lock();
	err = cpumask_subset(session->cpus, cpu_online_mask) ? 0 : -ENXIO;
	if (!err)
		on_each_cpu_mask(session->cpus, enable_ring, session, true);
	cpus_read_unlock();
	if (err) {
		withdraw(session);
		session->active_durations = 0;
		session->active_sources = 0;
		session->hooked_sources = 0;
		goto out_active;
	}
	if (session->active_durations) {
		hftmon_threshold_publish(session, HFTMON_THRESHOLD_RECORD);
		hftmon_trigger_publish(session);
	}
	/* Pairs with hftmon_session_state(). */
	smp_store_release(&session->state, HFTMON_SESSION_RUNNING);
out_active:
	mutex_unlock(&hftmon_active_lock);
	if (err && !session->watches)
		leave_slot(session);
out:
	mutex_unlock(&session->lock);
	return err;
}

/**
 * hftmon_session_stop() - no record is written after this returns
 * @session: any state
 *
 * Context: process, may sleep.
 * Return: 0, -ENODEV before START, -EBUSY after an earlier stop.
 */
int hftmon_session_stop(struct hftmon_session *session)
{
	int cpu, err = 0;

	mutex_lock(&session->lock);
	if (session->state != HFTMON_SESSION_RUNNING) {
		err = session->state == HFTMON_SESSION_STOPPED ? -EBUSY : -ENODEV;
		goto out;
	}

	mutex_lock(&hftmon_active_lock);
	withdraw(session);
	for_each_cpu(cpu, session->cpus)
		hftmon_meter_read(cpu, per_cpu_ptr(session->meter_end, cpu));
	/* Pairs with hftmon_session_state(): last records before state. */
	smp_store_release(&session->state, HFTMON_SESSION_STOPPED);
	/* From here on the governor does not know the session. */
	mutex_unlock(&hftmon_active_lock);
	leave_slot(session);
	wake_up_interruptible_all(&session->pollers);
out:
	mutex_unlock(&session->lock);
	return err;
}

/**
 * hftmon_session_watch() - whom the session watches
 * @session: any state
 * @watch:   reserved fields checked; @watch->threads is set
 *
 * Context: process, may sleep.
 * Return: 0, -ENODEV before SETUP, -EBUSY after STOP, -EINVAL, also when the
 * session records everything; -ESRCH when there is no such thread, -EAGAIN when
 * one is still being created.
 */
int hftmon_session_watch(struct hftmon_session *session, struct hftmon_watch *watch)
{
	int err = -EINVAL;

	if (watch->op > HFTMON_WATCH_REMOVE || (watch->flags & ~HFTMON_WATCH_PROCESS))
		return err;
	mutex_lock(&session->lock);
	if (session->state == HFTMON_SESSION_NEW)
		err = -ENODEV;
	else if (session->state == HFTMON_SESSION_STOPPED)
		err = -EBUSY;
	else if (session->watches)
		err = hftmon_watch_change(session->slot, watch);
	/* A reader learns that who runs may be watched now, or no longer. */
	if (session->state == HFTMON_SESSION_RUNNING && (!err || err == -EAGAIN))
		on_each_cpu_mask(session->partial_cpus,
				 watch->op == HFTMON_WATCH_ADD ? tell_more_watched :
								 tell_fewer_watched,
				 session, true);
	mutex_unlock(&session->lock);
	return err;
}

/**
 * hftmon_session_tell_watched() - mark the threads that the session watches
 * @session: any state
 * @entries: threads that exist, or did a moment ago
 * @count:   of them
 *
 * Context: process, may sleep.
 */
void hftmon_session_tell_watched(struct hftmon_session *session,
				 struct hftmon_thread_entry *entries, u32 count)
{
	mutex_lock(&session->lock);
	if (session->watches && session->state != HFTMON_SESSION_NEW &&
	    session->state != HFTMON_SESSION_STOPPED)
		hftmon_watch_tell(session->slot, entries, count);
	mutex_unlock(&session->lock);
}
