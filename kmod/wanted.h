/* SPDX-License-Identifier: GPL-2.0-only */
/* What sessions want. */
#ifndef HFTMON_WANTED_H
#define HFTMON_WANTED_H

#include <linux/types.h>

/* Sessions that want a source, as bits, by enum hftmon_source; one cache line. */
extern u8 hftmon_wanted[64];

#endif /* HFTMON_WANTED_H */
