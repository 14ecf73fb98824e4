// SPDX-License-Identifier: GPL-2.0-only
/* Which session is which bit, what it wants, and where its rings are. */
#include <linux/cache.h>
#include <linux/spinlock.h>
#include <hftmon/abi/source.h>

#include "slot.h"

DEFINE_PER_CPU(struct hftmon_cpu, hftmon_cpu);

u8 hftmon_wanted[64] ____cacheline_aligned;
static_assert(ARRAY_SIZE(hftmon_wanted) >= HFTMON_SOURCE_COUNT);

static DEFINE_SPINLOCK(slots_lock);
static u8 slots_taken;

/** hftmon_slot_get() - take a slot; Return: its number, or -EBUSY when all are taken */
int hftmon_slot_get(void)
{
	int slot = -EBUSY;

	spin_lock(&slots_lock);
	if (slots_taken != GENMASK(HFTMON_MAX_SESSIONS - 1, 0)) {
		slot = ffz(slots_taken);
		slots_taken |= BIT(slot);
	}
	spin_unlock(&slots_lock);
	return slot;
}

/** hftmon_slot_put() - give it back; no probe, and no watched thread, knows it any more */
void hftmon_slot_put(int slot)
{
	spin_lock(&slots_lock);
	slots_taken &= ~BIT(slot);
	spin_unlock(&slots_lock);
}

/**
 * hftmon_slot_publish() - let probes know what a session wants
 * @slot:    the session's
 * @sources: bits of enum hftmon_source
 * @rings:   of the session
 * @cpus:    that have one
 *
 * Nothing is recorded yet: each CPU's own mask has to be set, on that CPU.
 *
 * Context: one caller of this and the two below at a time.
 */
void hftmon_slot_publish(int slot, u64 sources, struct hftmon_ring __percpu *rings,
			 const struct cpumask *cpus)
{
	unsigned int source;
	int cpu;

	for_each_cpu(cpu, cpus)
		per_cpu(hftmon_cpu, cpu).rings[slot] = per_cpu_ptr(rings, cpu);
	for (source = 0; source < HFTMON_SOURCE_COUNT; source++) {
		if (sources & HFTMON_SOURCE_BIT(source))
			WRITE_ONCE(hftmon_wanted[source], hftmon_wanted[source] | BIT(slot));
	}
}

/** hftmon_slot_unpublish() - new events pass the session by; probes that run may not */
void hftmon_slot_unpublish(int slot)
{
	unsigned int source;

	for (source = 0; source < HFTMON_SOURCE_COUNT; source++)
		WRITE_ONCE(hftmon_wanted[source], hftmon_wanted[source] & ~BIT(slot));
}

/** hftmon_slot_clear() - after unpublishing and waiting for the probes */
void hftmon_slot_clear(int slot, const struct cpumask *cpus)
{
	int cpu;

	for_each_cpu(cpu, cpus) {
		struct hftmon_cpu *there = per_cpu_ptr(&hftmon_cpu, cpu);

		hftmon_cpu_set(there, there->whole & ~BIT(slot), there->partial & ~BIT(slot));
		there->rings[slot] = NULL;
	}
}
