// SPDX-License-Identifier: GPL-2.0-only
/* Which session is which bit, what it wants, and where its rings are. */
#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/log2.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <hftmon/abi/source.h>

#include "slot.h"

DEFINE_PER_CPU(struct hftmon_cpu, hftmon_cpu);

DEFINE_PER_CPU_ALIGNED(u8 [64], hftmon_wanted);
static_assert(ARRAY_SIZE(hftmon_wanted) >= HFTMON_SOURCE_COUNT);

/* The same of all CPUs, before anything is shed; and what is, on each. */
static u8 asked[HFTMON_SOURCE_COUNT];
static DEFINE_PER_CPU(u64, shed);

/* By slot, what the session that has it asked for. */
static u64 sources_of[HFTMON_MAX_SESSIONS];

/* Of the two below. */
static DEFINE_SPINLOCK(slots_lock);
u8 hftmon_slots_seeing __read_mostly;
static u8 slots_taken;

/**
 * hftmon_slot_get() - take a slot
 * @sees_addresses: the session may see addresses of the kernel
 *
 * Return: its number, or -EBUSY when all are taken.
 */
int hftmon_slot_get(bool sees_addresses)
{
	int slot = -EBUSY;

	spin_lock(&slots_lock);
	if (slots_taken != GENMASK(HFTMON_MAX_SESSIONS - 1, 0)) {
		slot = ffz(slots_taken);
		slots_taken |= BIT(slot);
		if (sees_addresses)
			WRITE_ONCE(hftmon_slots_seeing, hftmon_slots_seeing | BIT(slot));
	}
	spin_unlock(&slots_lock);
	return slot;
}

/** hftmon_slot_put() - give it back; no probe, and no watched thread, knows it any more */
void hftmon_slot_put(int slot)
{
	spin_lock(&slots_lock);
	slots_taken &= ~BIT(slot);
	WRITE_ONCE(hftmon_slots_seeing, hftmon_slots_seeing & ~BIT(slot));
	spin_unlock(&slots_lock);
}

/*
 * The short way of hftmon_emit_sole() into one session's ring. No probe that takes it
 * is interrupted by START, so who finds @sole_sources not 0 finds the ring of the same
 * session: another one is there only after that CPU's IPI of its START.
 */
static void refresh_sole(int cpu)
{
	struct hftmon_cpu *there = per_cpu_ptr(&hftmon_cpu, cpu);
	u32 whole = there->whole;
	int slot;

	if (!is_power_of_2(whole) || there->partial || !static_key_enabled(&hftmon_clock_is_tsc)) {
		WRITE_ONCE(there->sole_sources, 0);
		return;
	}
	slot = __ffs(whole);
	WRITE_ONCE(there->sole_ring, there->rings[slot]);
	barrier();	/* who finds a source, finds the ring: x86 keeps order, and has the clock */
	WRITE_ONCE(there->sole_sources, sources_of[slot] & ~per_cpu(shed, cpu));
}

/* Both masks; meanwhile probes find no sole session at worst. */
static void set_masks(int cpu, u32 whole, u32 partial)
{
	struct hftmon_cpu *there = per_cpu_ptr(&hftmon_cpu, cpu);

	WRITE_ONCE(there->sole_sources, 0);
	WRITE_ONCE(there->whole, whole);
	WRITE_ONCE(there->partial, partial);
	refresh_sole(cpu);
}

static void refresh_wanted(int cpu)
{
	u8 *wanted = per_cpu(hftmon_wanted, cpu);
	u64 without = per_cpu(shed, cpu);
	unsigned int source;

	for (source = 0; source < HFTMON_SOURCE_COUNT; source++)
		WRITE_ONCE(wanted[source],
			   without & HFTMON_SOURCE_BIT(source) ? 0 : asked[source]);
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
 * Context: one caller of this and those below at a time.
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
			asked[source] |= BIT(slot);
	}
	sources_of[slot] = sources;
	for_each_possible_cpu(cpu)
		refresh_wanted(cpu);
}

/**
 * hftmon_slot_open() - this CPU's events go to the session, too
 * @slot:    the session's, published
 * @partial: only those that concern threads that it watches
 *
 * Context: interrupts off; one caller of this and the others at a time.
 */
void hftmon_slot_open(int slot, bool partial)
{
	const struct hftmon_cpu *here = this_cpu_ptr(&hftmon_cpu);

	set_masks(smp_processor_id(), here->whole | (partial ? 0 : BIT(slot)),
		  here->partial | (partial ? BIT(slot) : 0));
}

/**
 * hftmon_slot_unpublish() - new events pass the session by; probes that run may not
 * @slot: the session's
 * @cpus: that have a ring
 *
 * On each CPU all sources end with one store: no stretch of a stream lacks some.
 */
void hftmon_slot_unpublish(int slot, const struct cpumask *cpus)
{
	unsigned int source;
	int cpu;

	for_each_cpu(cpu, cpus) {
		const struct hftmon_cpu *there = per_cpu_ptr(&hftmon_cpu, cpu);

		set_masks(cpu, there->whole & ~BIT(slot), there->partial & ~BIT(slot));
	}
	for (source = 0; source < HFTMON_SOURCE_COUNT; source++)
		asked[source] &= ~BIT(slot);
	for_each_possible_cpu(cpu)
		refresh_wanted(cpu);
}

/** hftmon_slot_shed() - from now on probes of that CPU leave these sources alone, for all */
void hftmon_slot_shed(int cpu, u64 sources)
{
	WRITE_ONCE(per_cpu(shed, cpu), sources);
	refresh_wanted(cpu);
	refresh_sole(cpu);
}

/** hftmon_slot_is_shed() - sources that are shed on that CPU */
u64 hftmon_slot_is_shed(int cpu)
{
	return READ_ONCE(per_cpu(shed, cpu));
}

/** hftmon_slot_clear() - after unpublishing and waiting for the probes */
void hftmon_slot_clear(int slot, const struct cpumask *cpus)
{
	int cpu;

	for_each_cpu(cpu, cpus)
		per_cpu(hftmon_cpu, cpu).rings[slot] = NULL;
}
