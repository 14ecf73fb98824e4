/* SPDX-License-Identifier: GPL-2.0-only */
/* Sessions as probes see them: a bit each, and a ring on each CPU. */
#ifndef HFTMON_SLOT_H
#define HFTMON_SLOT_H

#include <linux/bits.h>
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
 * @whole:   sessions that record every event here
 * @partial: sessions that record here what concerns the threads they watch
 * @sole:    the same as @whole if that is one session, else 0
 * @rings:   where to, by slot; valid for the bits above
 *
 * The masks are written on that CPU with interrupts off to add a session, and
 * from elsewhere once no probe can look at its bit any more.
 */
struct hftmon_cpu {
	u32 whole;
	u32 partial;
	u32 sole;
	struct hftmon_ring *rings[HFTMON_MAX_SESSIONS];
};

DECLARE_PER_CPU(struct hftmon_cpu, hftmon_cpu);

/* Both masks at once; who reads them beside it finds at worst no sole session. */
static inline void hftmon_cpu_set(struct hftmon_cpu *cpu, u32 whole, u32 partial)
{
	WRITE_ONCE(cpu->sole, 0);
	WRITE_ONCE(cpu->whole, whole);
	WRITE_ONCE(cpu->partial, partial);
	WRITE_ONCE(cpu->sole, is_power_of_2(whole) ? whole : 0);
}

int hftmon_slot_get(void);
void hftmon_slot_put(int slot);
void hftmon_slot_publish(int slot, u64 sources, struct hftmon_ring __percpu *rings,
			 const struct cpumask *cpus);
void hftmon_slot_unpublish(int slot);
void hftmon_slot_clear(int slot, const struct cpumask *cpus);

#endif /* HFTMON_SLOT_H */
