// SPDX-License-Identifier: GPL-2.0-only
/* Choice of the records' clock, and its relation to the kernel's clocks. */
#include <linux/irqflags.h>
#include <linux/suspend.h>
#include <linux/time64.h>
#include <asm/cpufeature.h>
#include <hftmon/abi/ioctl.h>

#include "clock.h"

DEFINE_STATIC_KEY_TRUE(hftmon_clock_is_tsc);

#define SYNC_TRIES 16

/* Of the latest suspend; the kernel takes turns. */
static u64 before_suspend, mono_before;
static bool went_back;

/* What the two clocks may disagree by from one moment to another of the same run. */
#define SUSPEND_SLACK_NS (100 * NSEC_PER_MSEC)

/*
 * Where nothing keeps the TSC powered in suspend to memory, it begins anew. The
 * monotonic clock stands still meanwhile, so a TSC that has gone on has gone further.
 */
static int hftmon_clock_suspend(struct notifier_block *nb, unsigned long event, void *unused)
{
	u64 awake, expected;

	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
		mono_before = ktime_get_mono_fast_ns();
		WRITE_ONCE(before_suspend, hftmon_clock());
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
		awake = ktime_get_mono_fast_ns() - mono_before;
		expected = awake > SUSPEND_SLACK_NS ?
			   hftmon_clock_from_ns(awake - SUSPEND_SLACK_NS) : 0;
		if ((s64)(hftmon_clock() - before_suspend) < (s64)expected)
			WRITE_ONCE(went_back, true);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block suspend_notifier = { .notifier_call = hftmon_clock_suspend };

/**
 * hftmon_clock_init() - choose the clock, once, before any session exists
 *
 * The kernel's own verdict counts: it marks the TSC unstable when CPUs drift
 * apart or when an idle state stops it.
 *
 * Return: 0 or an errno.
 */
int hftmon_clock_init(void)
{
	if (!boot_cpu_has(X86_FEATURE_TSC) || !tsc_khz || check_tsc_unstable())
		static_branch_disable(&hftmon_clock_is_tsc);
	return register_pm_notifier(&suspend_notifier);
}

void hftmon_clock_exit(void)
{
	unregister_pm_notifier(&suspend_notifier);
}

/**
 * hftmon_clock_usable() - is the choice still right?
 *
 * The clocksource watchdog may give the TSC up at any time, and a suspend may
 * begin it anew: programs run before the notifier is told of its end.
 */
bool hftmon_clock_usable(void)
{
	if (READ_ONCE(went_back) || hftmon_clock() < READ_ONCE(before_suspend))
		return false;
	return !static_key_enabled(&hftmon_clock_is_tsc) || !check_tsc_unstable();
}

/** hftmon_clock_khz() - ticks of the records' clock in a millisecond */
u64 hftmon_clock_khz(void)
{
	return static_key_enabled(&hftmon_clock_is_tsc) ? tsc_khz : USEC_PER_SEC;
}

bool hftmon_clock_invariant(void)
{
	return boot_cpu_has(X86_FEATURE_CONSTANT_TSC) &&
	       boot_cpu_has(X86_FEATURE_NONSTOP_TSC) && !check_tsc_unstable();
}

/**
 * hftmon_clock_sync() - read every clock at one instant, as nearly as can be
 * @out: tsc, window_ticks and the three clocks are set
 *
 * Takes the tightest of several readings, so that an interruption (by an NMI,
 * by firmware, by a hypervisor) of some of them does no harm.
 *
 * Context: process.
 */
void hftmon_clock_sync(struct hftmon_clock_sync *out)
{
	u64 best = U64_MAX;
	int i;

	for (i = 0; i < SYNC_TRIES; i++) {
		u64 before, after, raw, mono, real;
		unsigned long flags;

		local_irq_save(flags);
		before = hftmon_clock();
		raw = ktime_get_raw_fast_ns();
		mono = ktime_get_mono_fast_ns();
		real = ktime_get_real_fast_ns();
		after = hftmon_clock();
		local_irq_restore(flags);

		if (after - before >= best)
			continue;
		best = after - before;
		out->tsc = before + best / 2;
		out->monotonic_raw_ns = raw;
		out->monotonic_ns = mono;
		out->realtime_ns = real;
		out->window_ticks = min_t(u64, best, U32_MAX);
	}
}
