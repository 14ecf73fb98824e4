// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who sent an interrupt. Each CPU remembers the last that it sent, in its own
 * memory, so that sending one costs it no other CPU's cache line; who was
 * interrupted for too long looks through all CPUs for it.
 */
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "clock.h"
#include "ipi_sender.h"

DEFINE_STATIC_KEY_FALSE(hftmon_ipi_remembered);

/* What one CPU may send while another's handler runs, and be found. A power of two. */
#define REMEMBERED 8

/**
 * struct sent - an interrupt that a CPU has sent to others
 * @seq:   odd while it is written
 * @tsc:   when
 * @cpus:  bit i: CPU (@first & ~63) + i
 * @first: the lowest of them
 * @calls: it makes them call a function; else it asks them to reschedule
 * @more:  others, beyond those that @cpus can tell
 */
struct sent {
	u32 seq;
	u32 first;
	u64 tsc;
	u64 cpus;
	bool calls;
	bool more;
};

/* @next: counts; only that CPU writes, and who interrupts it there in between drops his. */
struct sender {
	u32 next;
	bool busy;
	struct sent last[REMEMBERED];
};

static DEFINE_PER_CPU(struct sender, senders);

/**
 * hftmon_ipi_remember() - this CPU interrupts others
 * @sent:  whom
 * @calls: to call a function, not to reschedule
 *
 * Context: any, preemption disabled.
 */
void hftmon_ipi_remember(const struct hftmon_ipi_send *sent, bool calls)
{
	struct sender *here = this_cpu_ptr(&senders);
	struct sent *entry = &here->last[here->next % REMEMBERED];

	if (READ_ONCE(here->busy))
		return;
	WRITE_ONCE(here->busy, true);
	barrier();	/* who interrupts us sees it */
	WRITE_ONCE(entry->seq, entry->seq + 1);
	smp_wmb();	/* pairs with copy() */
	WRITE_ONCE(entry->tsc, hftmon_clock());
	WRITE_ONCE(entry->first, sent->first_cpu);
	WRITE_ONCE(entry->cpus, sent->cpus);
	WRITE_ONCE(entry->calls, calls);
	WRITE_ONCE(entry->more, sent->count > hweight64(sent->cpus));
	smp_wmb();	/* likewise */
	WRITE_ONCE(entry->seq, entry->seq + 1);
	here->next++;
	barrier();
	WRITE_ONCE(here->busy, false);
}

/* One whole entry; false for one that is being written, or never was. */
static bool copy(const struct sent *entry, struct sent *to)
{
	to->seq = READ_ONCE(entry->seq);
	smp_rmb();	/* pairs with hftmon_ipi_remember() */
	to->tsc = READ_ONCE(entry->tsc);
	to->first = READ_ONCE(entry->first);
	to->cpus = READ_ONCE(entry->cpus);
	to->calls = READ_ONCE(entry->calls);
	to->more = READ_ONCE(entry->more);
	smp_rmb();	/* likewise */
	return to->seq && !(to->seq & 1) && READ_ONCE(entry->seq) == to->seq;
}

/* 2: certainly; 1: maybe, it is beyond those that are told; 0: no */
static unsigned int names(const struct sent *sent, unsigned int cpu)
{
	if (cpu / 64 == sent->first / 64)
		return sent->cpus & BIT_ULL(cpu % 64) ? 2 : 0;
	return sent->more && cpu > sent->first;
}

/**
 * hftmon_ipi_sender() - the CPU that interrupted this one
 * @kind:   by this vector
 * @before: which was entered then
 *
 * The latest that had been sent here by then. A CPU remembers its last eight.
 *
 * Context: any, preemption disabled.
 * Return: the CPU, or -1: nobody is known to have.
 */
int hftmon_ipi_sender(enum hftmon_vector_kind kind, u64 before)
{
	bool calls = kind == HFTMON_VECTOR_CALL_FUNCTION ||
		     kind == HFTMON_VECTOR_CALL_FUNCTION_SINGLE;
	unsigned int cpu, i, here = smp_processor_id(), best_names = 1;
	u64 best_tsc = 0;
	int best = -1;

	if (!calls && kind != HFTMON_VECTOR_RESCHEDULE)
		return -1;
	for_each_online_cpu(cpu) {
		for (i = 0; cpu != here && i < REMEMBERED; i++) {
			struct sent sent;
			unsigned int named;

			if (!copy(&per_cpu(senders, cpu).last[i], &sent) || sent.calls != calls)
				continue;
			named = names(&sent, here);
			if (named < best_names || sent.tsc > before ||
			    (named == best_names && sent.tsc < best_tsc))
				continue;
			best = cpu;
			best_names = named;
			best_tsc = sent.tsc;
		}
	}
	return best;
}

/** hftmon_ipi_want_senders() - of triggers, one more or fewer; may sleep */
void hftmon_ipi_want_senders(bool want)
{
	if (want)
		static_branch_inc(&hftmon_ipi_remembered);
	else
		static_branch_dec(&hftmon_ipi_remembered);
}
