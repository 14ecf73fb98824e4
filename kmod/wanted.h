/* SPDX-License-Identifier: GPL-2.0-only */
/* What sessions want of each CPU. */
#ifndef HFTMON_WANTED_H
#define HFTMON_WANTED_H

#include <linux/percpu.h>
#include <linux/types.h>

/*
 * Sessions that want a source, as bits, by enum hftmon_source, less what the
 * governor has shed on that CPU; one cache line.
 */
DECLARE_PER_CPU_ALIGNED(u8 [64], hftmon_wanted);

#endif /* HFTMON_WANTED_H */
