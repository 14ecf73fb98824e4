// SPDX-License-Identifier: GPL-2.0-only
/* Life of a session: setup, start, stop; the list of those that record. */
#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "hook.h"
#include "session.h"

static unsigned int max_session_mb = 1024;
module_param(max_session_mb, uint, 0644);
MODULE_PARM_DESC(max_session_mb, "Memory that the rings of one session may take, MiB (default 1024)");

static unsigned int max_total_mb;
module_param(max_total_mb, uint, 0644);
MODULE_PARM_DESC(max_total_mb,
		 "Memory that the rings of all sessions may take, MiB (default 0: a quarter of the machine's)");

/* Pages of the rings of all sessions. */
static atomic_long_t charged_pages;

/*
 * Two lists, of which one is published: an update waits until no probe walks
 * the other, fills it and publishes it. So a stop needs no memory.
 */
static struct hftmon_active active_lists[2];
struct hftmon_active __rcu *hftmon_active __read_mostly = RCU_INITIALIZER(&active_lists[0]);

/* Taken inside session->lock: the published list, the users of sources. */
static DEFINE_MUTEX(active_lock);

/* Sessions with rings. Innermost; also taken by CPU hotplug callbacks. */
static DEFINE_MUTEX(all_lock);
static LIST_HEAD(all_sessions);

/* Wakes pollers: a hard interrupt cannot, on PREEMPT_RT. */
static struct kthread_worker *waker;

static const struct hftmon_active *active_get(void)
{
	return rcu_dereference_protected(hftmon_active, lockdep_is_held(&active_lock));
}

/* Publish the list without @remove and with @add (either may be NULL). */
static void active_publish(const struct hftmon_session *add, const struct hftmon_session *remove)
{
	const struct hftmon_active *old = active_get();
	struct hftmon_active *new = &active_lists[old == &active_lists[0]];
	unsigned int i;

	hftmon_hook_synchronize();
	new->count = 0;
	for (i = 0; i < old->count; i++) {
		if (old->entries[i].session != remove)
			new->entries[new->count++] = old->entries[i];
	}
	if (add) {
		new->entries[new->count].sources = add->active_sources;
		new->entries[new->count].rings = add->rings;
		new->entries[new->count++].session = add;
	}
	rcu_assign_pointer(hftmon_active, new);
}

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

static void wake_pollers(struct kthread_work *work)
{
	struct hftmon_session *session = container_of(work, struct hftmon_session, wake);

	wake_up_interruptible_all(&session->pollers);
}

/**
 * hftmon_session_create() - a session without configuration
 * Return: the session, or NULL when out of memory.
 */
struct hftmon_session *hftmon_session_create(void)
{
	struct hftmon_session *session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);

	if (!session)
		return NULL;
	if (!zalloc_cpumask_var(&session->cpus, GFP_KERNEL_ACCOUNT)) {
		kfree(session);
		return NULL;
	}
	mutex_init(&session->lock);
	init_waitqueue_head(&session->pollers);
	kthread_init_work(&session->wake, wake_pollers);
	INIT_LIST_HEAD(&session->all);
	return session;
}

static int charge_rings(struct hftmon_session *session, unsigned int cpus)
{
	unsigned long limit = max_total_mb ? (unsigned long)max_total_mb << (20 - PAGE_SHIFT) :
					     totalram_pages() / 4;
	long pages = cpus * hftmon_ring_pages(session);

	if ((unsigned long)atomic_long_add_return(pages, &charged_pages) > limit) {
		atomic_long_sub(pages, &charged_pages);
		return -ENOSPC;
	}
	session->charged_pages = pages;
	return 0;
}

static void uncharge_rings(struct hftmon_session *session)
{
	atomic_long_sub(session->charged_pages, &charged_pages);
	session->charged_pages = 0;
}

static void free_rings(struct hftmon_session *session)
{
	int cpu;

	if (session->rings) {
		for_each_possible_cpu(cpu)
			hftmon_ring_free(per_cpu_ptr(session->rings, cpu));
	}
	free_percpu(session->rings);
	free_percpu(session->meter_start);
	free_percpu(session->meter_end);
	session->rings = NULL;
	session->meter_start = NULL;
	session->meter_end = NULL;
	uncharge_rings(session);
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
	mutex_lock(&all_lock);
	list_del(&session->all);
	mutex_unlock(&all_lock);
	free_rings(session);		/* no irq_work any more, so no new wake */
	kthread_cancel_work_sync(&session->wake);
	free_cpumask_var(session->cpus);
	kfree(session);
}

static int check_setup(const struct hftmon_setup *setup, const struct cpumask *cpus)
{
	u64 bytes;

	if (setup->mode != HFTMON_MODE_STREAM && setup->mode != HFTMON_MODE_FLIGHT)
		return -EINVAL;
	if (!setup->sources || (setup->sources & ~HFTMON_SOURCE_ALL))
		return -EINVAL;
	if (setup->ring_records < HFTMON_RING_MIN_RECORDS ||
	    setup->ring_records > HFTMON_RING_MAX_RECORDS ||
	    (setup->ring_records & (setup->ring_records - 1)))
		return -EINVAL;
	if (setup->wakeup_records < HFTMON_MIN_WAKEUP_RECORDS ||
	    setup->wakeup_records > setup->ring_records / 2)
		return -EINVAL;
	bytes = (u64)setup->ring_records * HFTMON_RECORD_SIZE * cpumask_weight(cpus);
	if (bytes > (u64)max_session_mb << 20)
		return -ENOSPC;
	return 0;
}

/**
 * hftmon_session_setup() - configure, and allocate the rings
 * @session: must be new
 * @setup:   what the user asked for, reserved fields and flags checked
 * @cpus:    online CPUs that get a ring
 *
 * Context: process, may sleep.
 * Return: 0, -EBUSY after an earlier setup, -EINVAL, -ENOSPC above
 * max_session_mb or, with all other sessions, max_total_mb, -ENOMEM, -EINTR.
 */
int hftmon_session_setup(struct hftmon_session *session, const struct hftmon_setup *setup,
			 const struct cpumask *cpus)
{
	int cpu, err;

	mutex_lock(&session->lock);
	err = -EBUSY;
	if (session->state != HFTMON_SESSION_NEW)
		goto out;
	err = check_setup(setup, cpus);
	if (err)
		goto out;

	session->mode = setup->mode;
	session->ring_records = setup->ring_records;
	session->wakeup_records = setup->wakeup_records;
	session->sources = setup->sources;
	cpumask_copy(session->cpus, cpus);

	err = charge_rings(session, cpumask_weight(cpus));
	if (err)
		goto err_free;
	err = -ENOMEM;
	session->rings = alloc_percpu_gfp(struct hftmon_ring, GFP_KERNEL_ACCOUNT);
	session->meter_start = alloc_percpu_gfp(struct hftmon_meter, GFP_KERNEL_ACCOUNT);
	session->meter_end = alloc_percpu_gfp(struct hftmon_meter, GFP_KERNEL_ACCOUNT);
	if (!session->rings || !session->meter_start || !session->meter_end)
		goto err_free;
	for_each_cpu(cpu, cpus) {
		err = hftmon_ring_alloc(per_cpu_ptr(session->rings, cpu), session, cpu);
		if (err)
			goto err_free;
	}
	mutex_lock(&all_lock);
	list_add(&session->all, &all_sessions);
	mutex_unlock(&all_lock);
	/* Pairs with hftmon_session_state(): rings before state. */
	smp_store_release(&session->state, HFTMON_SESSION_READY);
	/* Who polled before could not ask any ring to be woken. */
	wake_up_interruptible_all(&session->pollers);
	goto out;

err_free:
	free_rings(session);
	session->mode = 0;
	session->ring_records = 0;
out:
	mutex_unlock(&session->lock);
	return err;
}

/*
 * First record of a ring, then open it. Runs on the ring's CPU with interrupts
 * off and the session already visible to probes: no event but an NMI is missed
 * between the record and the opening.
 */
static void enable_ring(void *arg)
{
	struct hftmon_session *session = arg;
	struct hftmon_ring *ring = this_cpu_ptr(session->rings);
	struct hftmon_record record = {
		.cpu_state = {
			.current_tid = current->pid,
			.prio = current->prio,
			.policy = current->policy,
		},
	};

	hftmon_meter_read(smp_processor_id(), this_cpu_ptr(session->meter_start));
	hftmon_ring_write(&ring->core, HFTMON_REC_CPU_STATE, 0, record.payload[0],
			  record.payload[1], NULL);
	WRITE_ONCE(ring->enabled, true);
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
 * HFTMON_MAX_SESSIONS record already, -EOPNOTSUPP when no source that was
 * asked for can be hooked, -ENXIO when a CPU has gone offline since SETUP,
 * -ESTALE when the kernel has given up the TSC since the module was loaded.
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

	mutex_lock(&active_lock);
	err = -EBUSY;
	if (active_get()->count >= HFTMON_MAX_SESSIONS)
		goto out_active;

	session->active_sources = hftmon_hook_sources(session->sources);
	err = -EOPNOTSUPP;
	if (!session->active_sources)
		goto out_active;
	active_publish(session, NULL);

	cpus_read_lock();
	err = cpumask_subset(session->cpus, cpu_online_mask) ? 0 : -ENXIO;
	if (!err)
		on_each_cpu_mask(session->cpus, enable_ring, session, true);
	cpus_read_unlock();
	if (err)
		goto err_unpublish;
	/* Pairs with hftmon_session_state(). */
	smp_store_release(&session->state, HFTMON_SESSION_RUNNING);
	goto out_active;

err_unpublish:
	active_publish(NULL, session);
	hftmon_unhook_sources(session->active_sources);
	session->active_sources = 0;
out_active:
	mutex_unlock(&active_lock);
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

	mutex_lock(&active_lock);
	active_publish(NULL, session);
	hftmon_unhook_sources(session->active_sources);
	mutex_unlock(&active_lock);

	for_each_cpu(cpu, session->cpus)
		hftmon_meter_read(cpu, per_cpu_ptr(session->meter_end, cpu));
	/* Pairs with hftmon_session_state(): last records before state. */
	smp_store_release(&session->state, HFTMON_SESSION_STOPPED);
	wake_up_interruptible_all(&session->pollers);
out:
	mutex_unlock(&session->lock);
	return err;
}

/**
 * hftmon_session_info() - fill the session's part of an info
 * @session: any state
 * @info:    state, mode, ring_records and sources_active are set
 */
void hftmon_session_info(struct hftmon_session *session, struct hftmon_info *info)
{
	mutex_lock(&session->lock);
	info->state = session->state;
	info->mode = session->mode;
	info->ring_records = session->ring_records;
	info->sources_active = session->active_sources;
	mutex_unlock(&session->lock);
}

/**
 * hftmon_session_ring() - the ring of one CPU
 * @session: any state
 * @cpu:     any number
 *
 * Return: the ring, or NULL when the session has none for that CPU (yet).
 */
struct hftmon_ring *hftmon_session_ring(struct hftmon_session *session, unsigned int cpu)
{
	if (hftmon_session_state(session) == HFTMON_SESSION_NEW)
		return NULL;
	if (cpu >= nr_cpu_ids)
		return NULL;
	cpu = array_index_nospec(cpu, nr_cpu_ids);
	if (!cpumask_test_cpu(cpu, session->cpus))
		return NULL;
	return per_cpu_ptr(session->rings, cpu);
}

/**
 * hftmon_session_cpu_stats() - counts of one CPU's ring
 * @session: any state
 * @stats:   in: cpu; out: the rest
 *
 * Return: 0, or -ENXIO when that CPU has no ring.
 */
int hftmon_session_cpu_stats(struct hftmon_session *session, struct hftmon_cpu_stats *stats)
{
	const struct hftmon_meter *start;
	struct hftmon_meter end;
	struct hftmon_ring *ring = hftmon_session_ring(session, stats->cpu);

	if (!ring)
		return -ENXIO;
	start = per_cpu_ptr(session->meter_start, stats->cpu);
	if (hftmon_session_state(session) == HFTMON_SESSION_STOPPED)
		end = *per_cpu_ptr(session->meter_end, stats->cpu);
	else
		hftmon_meter_read(stats->cpu, &end);
	stats->head = hftmon_local_read(&ring->core.head);
	stats->lost = hftmon_local_read(&ring->core.lost);
	if (READ_ONCE(ring->enabled)) {
		stats->probes = end.runs - start->runs;
		stats->self_samples = end.samples - start->samples;
		stats->self_ticks = end.ticks - start->ticks;
	}
	return 0;
}

/**
 * hftmon_session_readable() - would a stream reader find a full batch?
 * @session: any state
 *
 * If not, the caller, who is on the wait queue, is woken when one would.
 *
 * Return: true when a ring holds wakeup_records unread records.
 */
bool hftmon_session_readable(struct hftmon_session *session)
{
	bool readable = false;
	int cpu;

	if (hftmon_session_state(session) == HFTMON_SESSION_NEW ||
	    session->mode != HFTMON_MODE_STREAM)
		return false;
	for_each_cpu(cpu, session->cpus) {
		if (hftmon_ring_has_unread(per_cpu_ptr(session->rings, cpu),
					   session->wakeup_records))
			readable = true;
	}
	return readable;
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
