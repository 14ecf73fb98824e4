/* SPDX-License-Identifier: GPL-2.0-only */
/* Sessions as probes see them: a bit each, and a ring on each CPU. */
#ifndef HFTMON_SLOT_H
#define HFTMON_SLOT_H

#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/types.h>

#include "ring.h"
#include "wanted.h"

/* Sessions at once, as bits of a byte; each costs every hooked event a little. */
#define HFTMON_MAX_SESSIONS BITS_PER_BYTE

/**
 * struct hftmon_cpu - the slots of one CPU
 * @sole_sources: where one session records everything here, none watches, and the
 *           clock is the TSC: what that session wants, less what is shed; else 0
 * @sole_ring: of that session
 * @whole:   sessions that record every event here
 * @partial: sessions that record here what concerns the threads they watch
 * @rings:   where to, by slot; valid for the bits above
 *
 * The masks are written on that CPU with interrupts off to add a session, and from
 * elsewhere to take it out: a probe that has seen its bit still finds its ring, which
 * goes once no such probe runs.
 */
struct hftmon_cpu {
	u64 sole_sources;
	struct hftmon_ring *sole_ring;
	u32 whole;
	u32 partial;
	struct hftmon_ring *rings[HFTMON_MAX_SESSIONS];
};

DECLARE_PER_CPU(struct hftmon_cpu, hftmon_cpu);

/* Sessions that may see addresses of the kernel; they can as long as they have the slot. */
extern u8 hftmon_slots_seeing;

int hftmon_slot_get(bool sees_addresses);
void hftmon_slot_put(int slot);
void hftmon_slot_publish(int slot, u64 sources, struct hftmon_ring __percpu *rings,
			 const struct cpumask *cpus);
void hftmon_slot_open(int slot, bool partial);
void hftmon_slot_unpublish(int slot, const struct cpumask *cpus);
void hftmon_slot_shed(int cpu, u64 sources);
u64 hftmon_slot_is_shed(int cpu);
void hftmon_slot_clear(int slot, const struct cpumask *cpus);

#endif /* HFTMON_SLOT_H */
