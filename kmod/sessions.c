// SPDX-License-Identifier: GPL-2.0-only
/* All sessions that have rings: who wakes their pollers; what they are told of a CPU. */
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include "session.h"
#include "slot.h"

/* Innermost; also taken by CPU hotplug callbacks. */
static DEFINE_MUTEX(all_lock);
static LIST_HEAD(all_sessions);

/* Wakes pollers: a hard interrupt cannot, on PREEMPT_RT. */
static struct kthread_worker *waker;

/** hftmon_sessions_init() - before any session exists; 0 or an errno */
int hftmon_sessions_init(void)
{
	waker = kthread_create_worker(0, "hftmon");
	return PTR_ERR_OR_ZERO(waker);
}

/** hftmon_sessions_exit() - no session is left */
void hftmon_sessions_exit(void)
{
	kthread_destroy_worker(waker);
}

static void wake_pollers(struct kthread_work *work)
{
	struct hftmon_session *session = container_of(work, struct hftmon_session, wake);

	wake_up_interruptible_all(&session->pollers);
}

/** hftmon_sessions_prepare() - a session that is new */
void hftmon_sessions_prepare(struct hftmon_session *session)
{
	kthread_init_work(&session->wake, wake_pollers);
	INIT_LIST_HEAD(&session->all);
}

/** hftmon_sessions_add() - the session has rings now */
void hftmon_sessions_add(struct hftmon_session *session)
{
	mutex_lock(&all_lock);
	list_add(&session->all, &all_sessions);
	mutex_unlock(&all_lock);
}

/** hftmon_sessions_remove() - its rings are about to go; it may not have been added */
void hftmon_sessions_remove(struct hftmon_session *session)
{
	mutex_lock(&all_lock);
	list_del(&session->all);
	mutex_unlock(&all_lock);
}

/**
 * hftmon_session_wake_later() - have the module's thread wake the pollers
 * @session: has rings
 *
 * Context: hard interrupt or process.
 */
void hftmon_session_wake_later(struct hftmon_session *session)
{
	kthread_queue_work(waker, &session->wake);
}

/**
 * hftmon_sessions_allow_wake() - a CPU has come up, or goes down
 * @cpu:   which
 * @allow: its rings may wake their pollers from now on
 *
 * Context: CPU hotplug callback, on that CPU.
 */
void hftmon_sessions_allow_wake(unsigned int cpu, bool allow)
{
	struct hftmon_session *session;

	mutex_lock(&all_lock);
	list_for_each_entry(session, &all_sessions, all) {
		if (cpumask_test_cpu(cpu, session->cpus))
			hftmon_ring_allow_wake(per_cpu_ptr(session->rings, cpu), allow);
	}
	mutex_unlock(&all_lock);
}

/* ---- what a session is told of the CPU that it is told on, interrupts off ---- */

static void tell(struct hftmon_session *session, u16 type, u16 flags,
		 const struct hftmon_record *record)
{
	struct hftmon_ring *ring = this_cpu_ptr(session->rings);

	if (hftmon_ring_write(&ring->core, type, flags, record->payload[0], record->payload[1],
			      NULL) && ring->may_wake)
		irq_work_queue(&ring->wake);
}

/** hftmon_session_tell_cpu() - who runs here; @flags: HFTMON_CPU_STATE_* */
void hftmon_session_tell_cpu(struct hftmon_session *session, u16 flags)
{
	struct hftmon_record record = {
		.cpu_state = {
			.current_tid = current->pid,
			.prio = current->prio,
			.policy = current->policy,
		},
	};

	tell(session, HFTMON_REC_CPU_STATE, flags, &record);
}

/** hftmon_session_tell_shed() - what is recorded here no longer, of what it asked for */
void hftmon_session_tell_shed(struct hftmon_session *session, const struct hftmon_shed *shed)
{
	struct hftmon_ring *ring = this_cpu_ptr(session->rings);
	struct hftmon_record record = { .shed = *shed };
	u64 lost = hftmon_local_read(&ring->core.lost);

	record.shed.sources &= session->active_sources;
	ring->shed = record.shed.sources;
	WRITE_ONCE(ring->ever_shed, ring->ever_shed | ring->shed);
	tell(session, HFTMON_REC_SHED, 0, &record);
	WRITE_ONCE(ring->shed_untold, hftmon_local_read(&ring->core.lost) != lost);
}

static bool records_on(const struct hftmon_session *session, unsigned int cpu)
{
	return hftmon_session_state(session) == HFTMON_SESSION_RUNNING &&
	       cpumask_test_cpu(cpu, session->cpus);
}

/* Sessions are neither started nor stopped meanwhile, nor added or removed. */
static void shed_here(void *arg)
{
	const struct hftmon_shed *shed = arg;
	unsigned int cpu = smp_processor_id();
	struct hftmon_session *session;

	hftmon_slot_shed(cpu, shed->sources);
	list_for_each_entry(session, &all_sessions, all) {
		const struct hftmon_ring *ring = this_cpu_ptr(session->rings);

		if (!records_on(session, cpu) ||
		    ((shed->sources & session->active_sources) == ring->shed &&
		     !ring->shed_untold))
			continue;
		hftmon_session_tell_shed(session, shed);
		hftmon_session_tell_cpu(session, cpumask_test_cpu(cpu, session->partial_cpus) ?
							 HFTMON_CPU_STATE_PARTIAL : 0);
	}
}

/* Would shed_here() have anything to tell there? */
static bool is_news(unsigned int cpu, u64 sources)
{
	struct hftmon_session *session;

	list_for_each_entry(session, &all_sessions, all) {
		const struct hftmon_ring *ring = per_cpu_ptr(session->rings, cpu);
		u64 here = sources & session->active_sources;

		if (records_on(session, cpu) &&
		    (here != ring->shed || READ_ONCE(ring->shed_untold)))
			return true;
	}
	return false;
}

/**
 * hftmon_sessions_shed_untold() - is there a session that does not know what is shed?
 * @cpu: which; online
 *
 * Its ring was full, or frozen, and takes records again as far as can be seen from
 * here.
 *
 * Context: as hftmon_sessions_shed().
 */
bool hftmon_sessions_shed_untold(unsigned int cpu)
{
	struct hftmon_session *session;
	bool found = false;

	mutex_lock(&all_lock);
	list_for_each_entry(session, &all_sessions, all) {
		struct hftmon_ring *ring = per_cpu_ptr(session->rings, cpu);

		if (records_on(session, cpu) && READ_ONCE(ring->shed_untold) &&
		    hftmon_local_read(&ring->core.head) < hftmon_local_read(&ring->core.limit))
			found = true;
	}
	mutex_unlock(&all_lock);
	return found;
}

/**
 * hftmon_sessions_shed() - shed these sources on a CPU, and no others
 * @cpu:  which; online
 * @shed: what its sessions are told
 *
 * Context: process; hftmon_active_lock is held, and CPUs stay as they are.
 */
void hftmon_sessions_shed(unsigned int cpu, const struct hftmon_shed *shed)
{
	mutex_lock(&all_lock);
	if (is_news(cpu, shed->sources))
		smp_call_function_single(cpu, shed_here, (void *)shed, true);
	else
		hftmon_slot_shed(cpu, shed->sources);
	mutex_unlock(&all_lock);
}
