// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who sent an interrupt. Each CPU remembers the last that it sent, in its own
 * memory, so that sending one costs it no other CPU's cache line; who was
 * interrupted for too long looks through all CPUs for it.
 */
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/smp.h>
#include <linux/time64.h>

#include "clock.h"
#include "ipi_sender.h"

DEFINE_STATIC_KEY_FALSE(hftmon_ipi_remembered);

/* What one CPU may send while another's handler runs, and be found. A power of two. */
#define REMEMBERED 16

/* So long an interrupt may be on its way, where interrupts are off. */
#define OLDEST_NS (10 * NSEC_PER_MSEC)

/**
 * struct ipi_sent - an interrupt that a CPU has sent to others
 * @seq:   odd while it is written; 0: there was none yet
 * @first: the lowest of those it was sent to
 * @tsc:   when
 * @cpus:  bit i: CPU (@first & ~63) + i
 * @calls: it makes them call a function; else it asks them to reschedule
 * @more:  others, too, beyond those that @cpus can tell
 */
struct ipi_sent {
	u32 seq;
	u32 first;
	u64 tsc;
	u64 cpus;
	bool calls;
	bool more;
};

/**
 * struct ipi_sender - what a CPU has sent; only it writes
 * @next: of @last, modulo its length
 * @busy: one is being written: what interrupts this CPU meanwhile drops its own
 * @last: a ring
 */
struct ipi_sender {
	u32 next;
	bool busy;
	struct ipi_sent last[REMEMBERED];
};

static DEFINE_PER_CPU_ALIGNED(struct ipi_sender, senders);

static void remember(struct ipi_sender *here, const struct hftmon_ipi_send *sent, bool calls)
{
	struct ipi_sent *entry = &here->last[here->next % REMEMBERED];

	WRITE_ONCE(entry->seq, entry->seq + 1);
	smp_wmb();	/* pairs with copy() */
	WRITE_ONCE(entry->tsc, hftmon_clock());
	WRITE_ONCE(entry->first, sent->first_cpu);
	WRITE_ONCE(entry->cpus, sent->cpus);
	WRITE_ONCE(entry->calls, calls);
	WRITE_ONCE(entry->more, sent->count > hweight64(sent->cpus));
	smp_wmb();	/* likewise */
	WRITE_ONCE(entry->seq, entry->seq + 1);
	WRITE_ONCE(here->next, here->next + 1);
}

/**
 * hftmon_ipi_remember() - this CPU interrupts others
 * @sent:  whom
 * @calls: to call a function, not to reschedule
 *
 * Context: any.
 */
void hftmon_ipi_remember(const struct hftmon_ipi_send *sent, bool calls)
{
	struct ipi_sender *here;

	preempt_disable_notrace();
	here = this_cpu_ptr(&senders);
	/* Itself, as irq_work does, it need not look for. */
	if (!(sent->count == 1 && sent->first_cpu == smp_processor_id()) &&
	    !READ_ONCE(here->busy)) {
		WRITE_ONCE(here->busy, true);
		barrier();	/* what interrupts us sees it */
		remember(here, sent, calls);
		barrier();
		WRITE_ONCE(here->busy, false);
	}
	preempt_enable_notrace();
}

/* One whole entry; false for one that is being written, or never was. */
static bool copy(const struct ipi_sent *entry, struct ipi_sent *to)
{
	to->seq = READ_ONCE(entry->seq);
	smp_rmb();	/* pairs with remember() */
	to->tsc = READ_ONCE(entry->tsc);
	to->first = READ_ONCE(entry->first);
	to->cpus = READ_ONCE(entry->cpus);
	to->calls = READ_ONCE(entry->calls);
	to->more = READ_ONCE(entry->more);
	smp_rmb();	/* likewise */
	return to->seq && !(to->seq & 1) && READ_ONCE(entry->seq) == to->seq;
}

/* Was it sent to that CPU? Beyond those that are told, it may have been. */
static bool names(const struct ipi_sent *sent, unsigned int cpu)
{
	if (cpu / 64 == sent->first / 64)
		return sent->cpus & BIT_ULL(cpu % 64);
	return sent->more && cpu > sent->first;
}

/*
 * When a CPU sent the latest such interrupt here between @after and @before, 0 if it
 * did not; U64_MAX when all that it remembers is later, so that nobody knows.
 */
static u64 sent_here(const struct ipi_sender *sender, bool calls, u64 after, u64 before)
{
	u32 next = READ_ONCE(sender->next), i;

	for (i = 1; i <= REMEMBERED; i++) {
		struct ipi_sent sent;

		if (!copy(&sender->last[(next - i) % REMEMBERED], &sent)) {
			if (!sent.seq)
				return 0;
			continue;
		}
		if (sent.tsc < after)
			return 0;
		if (sent.tsc <= before && sent.calls == calls && names(&sent, smp_processor_id()))
			return sent.tsc;
		if (i == REMEMBERED && sent.tsc > before)
			return U64_MAX;
	}
	return 0;
}

/**
 * hftmon_ipi_sender() - the CPU that interrupted this one
 * @kind:   by this vector
 * @before: which was entered then
 *
 * The latest that had sent one here by then, not long before.
 *
 * Context: any, preemption disabled.
 * Return: the CPU, or -1: nobody is known to have.
 */
int hftmon_ipi_sender(enum hftmon_vector_kind kind, u64 before)
{
	bool calls = kind == HFTMON_VECTOR_CALL_FUNCTION ||
		     kind == HFTMON_VECTOR_CALL_FUNCTION_SINGLE;
	u64 after = before - min(before, hftmon_clock_from_ns(OLDEST_NS));
	unsigned int cpu;
	int best = -1;

	if (!calls && kind != HFTMON_VECTOR_RESCHEDULE)
		return -1;
	for_each_online_cpu(cpu) {
		u64 sent;

		if (cpu == smp_processor_id())
			continue;
		sent = sent_here(per_cpu_ptr(&senders, cpu), calls, after, before);
		if (sent == U64_MAX)
			return -1;
		if (sent) {
			best = cpu;
			after = sent;
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
