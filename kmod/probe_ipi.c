// SPDX-License-Identifier: GPL-2.0-only
/* What one CPU does to others: interrupts sent, address translations flushed. */
#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/mm_types.h>

#include "emit.h"
#include "ipi_sender.h"
#include "probes.h"

void hftmon_probe_ipi_send_cpu(void *data, unsigned int cpu, unsigned long callsite,
			       void *callback)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_IPI_SEND,
		.ipi_send = { .first_cpu = cpu, .count = 1, .cpus = BIT_ULL(cpu % 64) },
	};

	if (static_branch_unlikely(&hftmon_ipi_remembered))
		hftmon_ipi_remember(&event.ipi_send, callback);
	hftmon_emit(HFTMON_SOURCE_IPI_SEND_CPU, &event);
}

/*
 * Others may change the mask meanwhile. Its word is read once, and what is said
 * of it agrees with it, so that a reader can hold a record against itself.
 */
void hftmon_probe_ipi_send_cpumask(void *data, const struct cpumask *cpus, unsigned long callsite,
				   void *callback)
{
	unsigned int first = cpumask_first(cpus);
	struct hftmon_record event = {
		.type = HFTMON_REC_IPI_SEND,
	};
	u64 word;

	if (first >= nr_cpu_ids)
		return;
	word = READ_ONCE(cpumask_bits(cpus)[first / BITS_PER_LONG]);
	word &= GENMASK_ULL(63, first % 64);
	if (!word)
		return;
	event.ipi_send.first_cpu = (first & ~63U) + __ffs64(word);
	event.ipi_send.count = max_t(unsigned int, cpumask_weight(cpus), hweight64(word));
	event.ipi_send.cpus = word;
	if (static_branch_unlikely(&hftmon_ipi_remembered))
		hftmon_ipi_remember(&event.ipi_send, callback);
	hftmon_emit(HFTMON_SOURCE_IPI_SEND_CPUMASK, &event);
}

static_assert(BITS_PER_LONG == 64, "a word of a cpumask is a word of the record");
static_assert((int)HFTMON_TLB_REMOTE_SHOOTDOWN == (int)TLB_REMOTE_SHOOTDOWN);
static_assert((int)HFTMON_TLB_REMOTE_SEND_IPI == (int)TLB_REMOTE_SEND_IPI);

void hftmon_probe_tlb_flush(void *data, int reason, unsigned long pages)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_TLB_FLUSH,
		.tlb_flush = { .pages = pages, .reason = reason },
	};

	hftmon_emit(HFTMON_SOURCE_TLB_FLUSH, &event);
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_ipi_send_cpu(hftmon_probe_ipi_send_cpu);
	HFTMON_CHECK_ipi_send_cpumask(hftmon_probe_ipi_send_cpumask);
	HFTMON_CHECK_tlb_flush(hftmon_probe_tlb_flush);
}
