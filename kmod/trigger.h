/* SPDX-License-Identifier: GPL-2.0-only */
/* Triggers: durations over a session's thresholds. */
#ifndef HFTMON_TRIGGER_H
#define HFTMON_TRIGGER_H

#include <linux/types.h>
#include <hftmon/abi/trigger.h>

#include "threshold.h"

struct hftmon_session;

/**
 * struct hftmon_trigger_state - what a session waits for, and the last hit
 * @kinds:      as the user has set them, like the three below. They change only
 *              while no probe knows the trigger
 * @flags:      HFTMON_TRIGGER_*
 * @holdoff:    ticks
 * @over:       by kind; U64_MAX: no hit
 * @armed_from: from that time on there is a hit; HFTMON_TRIGGER_NEVER, or
 *              HFTMON_TRIGGER_BUSY for who took it by an exchange: a probe that
 *              writes the rest, or a command that arms
 * @seq:        twice the hits; odd while one is written
 * @told:       of @seq, by the last command that asked; under the session's lock
 * @wants_senders: those of interrupts are remembered for it; under the session's lock
 * @last:       of the last hit
 */
struct hftmon_trigger_state {
	u32 kinds;
	u32 flags;
	u64 holdoff;
	u64 over[HFTMON_DURATION_COUNT];
	u64 armed_from;
	u64 seq;
	u64 told;
	bool wants_senders;
	struct hftmon_exceeded last;
};

#define HFTMON_TRIGGER_NEVER	U64_MAX
#define HFTMON_TRIGGER_BUSY	(U64_MAX - 1)

void hftmon_trigger_hit(struct hftmon_session *session, const struct hftmon_exceeded *what,
			unsigned int waker);

void hftmon_trigger_init(struct hftmon_trigger_state *state);
void hftmon_trigger_publish(struct hftmon_session *session);
void hftmon_trigger_withdraw(struct hftmon_session *session);
void hftmon_trigger_stop(struct hftmon_session *session);
int hftmon_session_trigger(struct hftmon_session *session, const struct hftmon_trigger *trigger);
int hftmon_session_spikes(struct hftmon_session *session, struct hftmon_spikes *spikes);
bool hftmon_session_has_spike(const struct hftmon_session *session);

#endif /* HFTMON_TRIGGER_H */
