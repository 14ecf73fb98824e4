/* SPDX-License-Identifier: GPL-2.0-only */
/* The rings of a session, all at once. */
#ifndef HFTMON_RINGS_H
#define HFTMON_RINGS_H

struct hftmon_session;

int hftmon_rings_alloc(struct hftmon_session *session);
void hftmon_rings_free(struct hftmon_session *session);

#endif /* HFTMON_RINGS_H */
