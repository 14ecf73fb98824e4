// SPDX-License-Identifier: GPL-2.0-only
/* Interrupt probes: hard and soft interrupts, x86 vectors, NMI handlers. */
#include "duration.h"
#include "emit.h"
#include "probes.h"

void hftmon_probe_irq_handler_entry(void *data, int irq, struct irqaction *action)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_IRQ_ENTRY,
		.irq = { .irq = irq },
	};

	hftmon_emit(HFTMON_SOURCE_IRQ_HANDLER, &event);
	hftmon_duration_entry(HFTMON_DURATION_HARDIRQ);
}

void hftmon_probe_irq_handler_exit(void *data, int irq, struct irqaction *action, int ret)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_IRQ_EXIT,
		.irq = { .irq = irq, .ret = ret },
	};

	hftmon_emit(HFTMON_SOURCE_IRQ_HANDLER, &event);
	hftmon_duration_exit(HFTMON_DURATION_HARDIRQ, irq);
}

static __always_inline void emit_softirq(unsigned int source, u16 type, unsigned int vec)
{
	struct hftmon_record event = {
		.type = type,
		.softirq = { .vec = vec },
	};

	hftmon_emit(source, &event);
}

void hftmon_probe_softirq_raise(void *data, unsigned int vec)
{
	emit_softirq(HFTMON_SOURCE_SOFTIRQ_RAISE, HFTMON_REC_SOFTIRQ_RAISE, vec);
}

void hftmon_probe_softirq_entry(void *data, unsigned int vec)
{
	emit_softirq(HFTMON_SOURCE_SOFTIRQ, HFTMON_REC_SOFTIRQ_ENTRY, vec);
	hftmon_duration_entry(HFTMON_DURATION_SOFTIRQ);
}

void hftmon_probe_softirq_exit(void *data, unsigned int vec)
{
	emit_softirq(HFTMON_SOURCE_SOFTIRQ, HFTMON_REC_SOFTIRQ_EXIT, vec);
	hftmon_duration_exit(HFTMON_DURATION_SOFTIRQ, vec);
}

/* The vector kinds stand in the order of their sources. */
#define VECTOR_KIND(source) ((source) - HFTMON_SOURCE_LOCAL_TIMER)
#define ASSERT_KIND(id) static_assert(VECTOR_KIND(HFTMON_SOURCE_##id) == HFTMON_VECTOR_##id)
ASSERT_KIND(LOCAL_TIMER);
ASSERT_KIND(RESCHEDULE);
ASSERT_KIND(CALL_FUNCTION);
ASSERT_KIND(CALL_FUNCTION_SINGLE);
ASSERT_KIND(IRQ_WORK);
ASSERT_KIND(X86_PLATFORM_IPI);
ASSERT_KIND(THERMAL_APIC);
ASSERT_KIND(THRESHOLD_APIC);
ASSERT_KIND(ERROR_APIC);
ASSERT_KIND(SPURIOUS_APIC);
ASSERT_KIND(DEFERRED_ERROR_APIC);

static __always_inline void emit_vector(void *data, u16 type, int vector)
{
	unsigned int source = (unsigned long)data;
	struct hftmon_record event = {
		.type = type,
		.vector = { .vector = vector, .kind = VECTOR_KIND(source) },
	};

	hftmon_emit(source, &event);
}

void hftmon_probe_vector_entry(void *data, int vector)
{
	emit_vector(data, HFTMON_REC_VECTOR_ENTRY, vector);
	hftmon_duration_entry(HFTMON_DURATION_VECTOR);
}

void hftmon_probe_vector_exit(void *data, int vector)
{
	emit_vector(data, HFTMON_REC_VECTOR_EXIT, vector);
	hftmon_duration_exit(HFTMON_DURATION_VECTOR, VECTOR_KIND((unsigned long)data));
}

void hftmon_probe_nmi_handler(void *data, void *handler, s64 delta_ns, int handled)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_NMI,
		.nmi = { .duration_ns = delta_ns, .handled = handled },
	};

	hftmon_emit(HFTMON_SOURCE_NMI_HANDLER, &event);
	if (static_branch_unlikely(&hftmon_durations_counted))
		hftmon_duration_nmi(delta_ns);
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_irq_handler_entry(hftmon_probe_irq_handler_entry);
	HFTMON_CHECK_irq_handler_exit(hftmon_probe_irq_handler_exit);
	HFTMON_CHECK_softirq_raise(hftmon_probe_softirq_raise);
	HFTMON_CHECK_softirq_entry(hftmon_probe_softirq_entry);
	HFTMON_CHECK_softirq_exit(hftmon_probe_softirq_exit);
	HFTMON_CHECK_local_timer_entry(hftmon_probe_vector_entry);
	HFTMON_CHECK_local_timer_exit(hftmon_probe_vector_exit);
	HFTMON_CHECK_nmi_handler(hftmon_probe_nmi_handler);
}
