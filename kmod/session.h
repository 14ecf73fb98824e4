/* SPDX-License-Identifier: GPL-2.0-only */
/* A session: one open file, its configuration, its rings. */
#ifndef HFTMON_SESSION_H
#define HFTMON_SESSION_H

#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <hftmon/abi/ioctl.h>

#include "meter.h"
#include "ring.h"
#include "trigger.h"

/**
 * struct hftmon_session - one open file of /dev/hftmon
 * @lock:           serialises commands; never taken in mmap or in a probe
 * @state:          enum hftmon_session_state; advances under @lock. What
 *                  SETUP fills in below is constant once it is past NEW, and
 *                  is read without the lock after an acquire load of @state
 * @mode:           enum hftmon_ring_mode
 * @ring_records:   capacity of each ring
 * @wakeup_records: unread records that wake a poller
 * @sources:        asked for
 * @durations:      to be counted; then the histograms are held
 * @active_sources: recorded; under @lock
 * @active_durations: counted; under @lock
 * @hooked_sources: for both; under @lock
 * @slot:           as probes know it; negative while they do not. Taken by SETUP
 *                  if it watches threads, else by START; under @lock
 * @sees_addresses: of the kernel; whoever opened the file might
 * @watches:        threads; it was set up so
 * @counts_threads: it holds the table of thread_histograms.c
 * @thread_bit:     its @slot there, also when it has stopped
 * @minimum:        by kind: longer durations are recorded; constant while it runs
 * @trigger:        what it waits for
 * @cpus:           CPUs with a ring
 * @partial_cpus:   of these, where only what concerns watched threads is recorded
 * @rings:          per CPU; a ring outside @cpus is never enabled
 * @charged_pages:  of the rings, towards the limit of all sessions
 * @meter_start:    the CPU's meter when its ring was enabled
 * @meter_end:      and when the session was stopped
 * @pollers:        readers that wait
 * @wake:           wakes them, from a thread of the module
 * @all:            in the list of sessions that have rings
 */
struct hftmon_session {
	struct mutex lock;
	u32 state;
	u32 mode;
	u32 ring_records;
	u32 wakeup_records;
	u64 sources;
	u32 durations;
	u32 active_durations;
	u64 active_sources;
	u64 hooked_sources;
	int slot;
	bool sees_addresses;
	bool watches;
	bool counts_threads;
	u8 thread_bit;
	u64 minimum[HFTMON_DURATION_COUNT];
	struct hftmon_trigger_state trigger;
	cpumask_var_t cpus;
	cpumask_var_t partial_cpus;
	struct hftmon_ring __percpu *rings;
	long charged_pages;
	struct hftmon_meter __percpu *meter_start;
	struct hftmon_meter __percpu *meter_end;
	wait_queue_head_t pollers;
	struct kthread_work wake;
	struct list_head all;
};

/*
 * What probes see of sessions, the users of sources, the governor. Taken inside
 * session->lock; CPU hotplug is kept off inside it.
 */
extern struct mutex hftmon_active_lock;

/* All sessions that have rings: sessions.c. */
int hftmon_sessions_init(void);
void hftmon_sessions_exit(void);
void hftmon_sessions_prepare(struct hftmon_session *session);
void hftmon_sessions_add(struct hftmon_session *session);
void hftmon_sessions_remove(struct hftmon_session *session);
void hftmon_sessions_allow_wake(unsigned int cpu, bool allow);
bool hftmon_sessions_shed_untold(unsigned int cpu);
void hftmon_sessions_shed(unsigned int cpu, const struct hftmon_shed *shed);
void hftmon_session_wake_later(struct hftmon_session *session);
void hftmon_session_tell_cpu(struct hftmon_session *session, u16 flags);
void hftmon_session_tell_shed(struct hftmon_session *session, const struct hftmon_shed *shed);

struct hftmon_session *hftmon_session_create(bool sees_addresses);
void hftmon_session_destroy(struct hftmon_session *session);
int hftmon_session_setup(struct hftmon_session *session, const struct hftmon_setup *setup,
			 const struct cpumask *cpus, const struct cpumask *whole_cpus);
int hftmon_session_watch(struct hftmon_session *session, struct hftmon_watch *watch);
void hftmon_session_tell_watched(struct hftmon_session *session,
				 struct hftmon_thread_entry *entries, u32 count);
int hftmon_session_start(struct hftmon_session *session);
int hftmon_session_stop(struct hftmon_session *session);
void hftmon_session_info(struct hftmon_session *session, struct hftmon_info *info);
int hftmon_session_cpu_stats(struct hftmon_session *session, struct hftmon_cpu_stats *stats);
struct hftmon_ring *hftmon_session_ring(struct hftmon_session *session, unsigned int cpu);
bool hftmon_session_readable(struct hftmon_session *session);

u32 hftmon_session_durations(struct hftmon_session *session);

static inline u32 hftmon_session_state(const struct hftmon_session *session)
{
	/* Pairs with the release stores of hftmon_session_setup(), _start(), _stop(). */
	return smp_load_acquire(&session->state);
}

#endif /* HFTMON_SESSION_H */
