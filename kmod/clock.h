/* SPDX-License-Identifier: GPL-2.0-only */
/* The records' clock: the ordered TSC, or the fast monotonic clock without a usable one. */
#ifndef HFTMON_CLOCK_H
#define HFTMON_CLOCK_H

#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>
#include <linux/types.h>
#include <asm/msr.h>
#include <asm/tsc.h>

struct hftmon_clock_sync;

DECLARE_STATIC_KEY_TRUE(hftmon_clock_is_tsc);

/*
 * Context: any, NMI included. Does not decrease on one CPU, unless a suspend begins
 * the TSC anew (hftmon_clock_usable()); the monotonic clock may, by what it was
 * just adjusted by, after an NMI that hit the adjustment.
 */
static __always_inline u64 hftmon_clock(void)
{
	if (static_branch_likely(&hftmon_clock_is_tsc))
		return rdtsc_ordered();
	return ktime_get_mono_fast_ns();
}

/* For who knows that the TSC is the clock; hftmon_clock() keeps room for a call. */
#define hftmon_hot_clock() rdtsc_ordered()

/* Ticks of the records' clock in @ns, up to hours. */
static __always_inline u64 hftmon_clock_from_ns(u64 ns)
{
	if (static_branch_likely(&hftmon_clock_is_tsc))
		return mul_u64_u32_div(ns, tsc_khz, USEC_PER_SEC);
	return ns;
}

int hftmon_clock_init(void);
void hftmon_clock_exit(void);
u64 hftmon_clock_khz(void);
bool hftmon_clock_invariant(void);
bool hftmon_clock_usable(void);
void hftmon_clock_sync(struct hftmon_clock_sync *out);

#endif /* HFTMON_CLOCK_H */
