// SPDX-License-Identifier: GPL-2.0-only
/* What is asked of a session, and changes nothing: its rings, counts, state. */
#include <linux/nospec.h>

#include "session.h"
#include "thread_histograms.h"

/**
 * hftmon_session_info() - fill the session's part of an info
 * @session: any state
 * @info:    state, mode, ring_records, thread_slots and what is active are set
 */
void hftmon_session_info(struct hftmon_session *session, struct hftmon_info *info)
{
	mutex_lock(&session->lock);
	info->state = session->state;
	info->mode = session->mode;
	info->ring_records = session->ring_records;
	info->sources_active = session->active_sources;
	info->durations_active = session->active_durations;
	if (session->counts_threads) {
		info->thread_slots = hftmon_thread_histograms_slots();
		info->thread_bit = session->thread_bit;
	}
	mutex_unlock(&session->lock);
}

/** hftmon_session_durations() - what it has histograms of; 0 before SETUP */
u32 hftmon_session_durations(struct hftmon_session *session)
{
	return hftmon_session_state(session) == HFTMON_SESSION_NEW ? 0 : session->durations;
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
	bool enabled;

	if (!ring)
		return -ENXIO;
	/* Pairs with enable_ring(): the meter's start is there, and older than its end. */
	enabled = smp_load_acquire(&ring->enabled);
	start = per_cpu_ptr(session->meter_start, stats->cpu);
	if (hftmon_session_state(session) == HFTMON_SESSION_STOPPED)
		end = *per_cpu_ptr(session->meter_end, stats->cpu);
	else
		hftmon_meter_read(stats->cpu, &end);
	stats->head = hftmon_local_read(&ring->core.head);
	stats->lost = hftmon_local_read(&ring->core.lost);
	stats->ever_shed = READ_ONCE(ring->ever_shed);
	if (enabled) {
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
