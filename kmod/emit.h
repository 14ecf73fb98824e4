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
 * travels in registers. The first word is what hftmon_emit_head() packs.
 */
void hftmon_emit_event(u64 head, u32 tid, u64 payload0, u64 payload1);
void hftmon_emit_name(u64 head, u64 payload0, u64 payload1, const char *comm);

static __always_inline u64 hftmon_emit_head(unsigned int source, u16 type, u16 flags)
{
	return source | (u64)type << 16 | (u64)flags << 32;
}

/**
 * hftmon_emit_about() - write one event that names a thread
 * @source: enum hftmon_source
 * @event:  type, flags and payload; tsc and seq are ignored
 * @tid:    the thread; an event concerns it and the thread that runs here
 *
 * Context: any, NMI included; takes no lock, never sleeps.
 */
static __always_inline void hftmon_emit_about(unsigned int source,
					      const struct hftmon_record *event, u32 tid)
{
	hftmon_emit_event(hftmon_emit_head(source, event->type, event->flags), tid,
			  event->payload[0], event->payload[1]);
}

/** hftmon_emit() - the same, of an event that concerns who runs here and nobody else */
static __always_inline void hftmon_emit(unsigned int source, const struct hftmon_record *event)
{
	hftmon_emit_about(source, event, 0);
}

/**
 * hftmon_emit_identity() - write what tells who a thread is, whoever is watched
 * @source: enum hftmon_source
 * @event:  as hftmon_emit_about()
 * @comm:   the thread's name for a COMM continuation
 */
static __always_inline void hftmon_emit_identity(unsigned int source,
						 const struct hftmon_record *event,
						 const char *comm)
{
	hftmon_emit_name(hftmon_emit_head(source, event->type, event->flags),
			 event->payload[0], event->payload[1], comm);
}

#endif /* HFTMON_EMIT_H */
