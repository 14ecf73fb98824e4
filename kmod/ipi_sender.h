/* SPDX-License-Identifier: GPL-2.0-only */
/* Who sent an interrupt: for triggers that freeze the sender's ring. */
#ifndef HFTMON_IPI_SENDER_H
#define HFTMON_IPI_SENDER_H

#include <linux/jump_label.h>
#include <linux/types.h>
#include <hftmon/abi/payload.h>

/* Some trigger wants to know. */
DECLARE_STATIC_KEY_FALSE(hftmon_ipi_remembered);

void hftmon_ipi_remember(const struct hftmon_ipi_send *sent, bool calls);
int hftmon_ipi_sender(enum hftmon_vector_kind kind, u64 before);
void hftmon_ipi_want_senders(bool want);

#endif /* HFTMON_IPI_SENDER_H */
