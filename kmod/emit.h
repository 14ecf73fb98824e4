/* SPDX-License-Identifier: GPL-2.0-only */
/* From a probe to the rings of every session that wants the event. */
#ifndef HFTMON_EMIT_H
#define HFTMON_EMIT_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <hftmon/abi/record.h>
#include <hftmon/abi/source.h>

/*
 * One function for all probes: its code stays in the cache, and an event
 * travels in registers.
 */
void hftmon_emit_payload(unsigned int source, u16 type, u16 flags, u64 payload0, u64 payload1,
			 const char *comm);

/**
 * hftmon_emit() - write one event
 * @source: enum hftmon_source
 * @event:  type, flags and payload; tsc and seq are ignored
 * @comm:   a thread's name for a COMM continuation, or NULL
 *
 * Context: any, NMI included; takes no lock, never sleeps.
 */
static __always_inline void hftmon_emit(unsigned int source, const struct hftmon_record *event,
					const char *comm)
{
	hftmon_emit_payload(source, event->type, event->flags, event->payload[0],
			    event->payload[1], comm);
}

#endif /* HFTMON_EMIT_H */
