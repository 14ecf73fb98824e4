// SPDX-License-Identifier: GPL-2.0-only
/* What one CPU does to others: interrupts sent, address translations flushed. */
#include <linux/cpumask.h>
#include <linux/mm_types.h>

#include "emit.h"
#include "probes.h"

void hftmon_probe_ipi_send_cpu(void *data, unsigned int cpu, unsigned long callsite,
			       void *callback)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_IPI_SEND,
		.ipi_send = { .first_cpu = cpu, .count = 1, .cpus = BIT_ULL(cpu % 64) },
	};

	hftmon_emit(HFTMON_SOURCE_IPI_SEND_CPU, &event, NULL);
}

/* The mask may be changed by others meanwhile; a record is as good as one look. */
void hftmon_probe_ipi_send_cpumask(void *data, const struct cpumask *cpus, unsigned long callsite,
				   void *callback)
{
	unsigned int first = cpumask_first(cpus);
	struct hftmon_record event = {
		.type = HFTMON_REC_IPI_SEND,
		.ipi_send = { .first_cpu = first, .count = cpumask_weight(cpus) },
	};

	if (first >= nr_cpu_ids)
		return;
	event.ipi_send.cpus = cpumask_bits(cpus)[first / BITS_PER_LONG];
	hftmon_emit(HFTMON_SOURCE_IPI_SEND_CPUMASK, &event, NULL);
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

	hftmon_emit(HFTMON_SOURCE_TLB_FLUSH, &event, NULL);
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_ipi_send_cpu(hftmon_probe_ipi_send_cpu);
	HFTMON_CHECK_ipi_send_cpumask(hftmon_probe_ipi_send_cpumask);
	HFTMON_CHECK_tlb_flush(hftmon_probe_tlb_flush);
}
