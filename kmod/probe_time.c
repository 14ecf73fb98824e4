// SPDX-License-Identifier: GPL-2.0-only
/* Others that take a thread's time or start it: faults, idle, timers. */
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/timekeeping.h>

#include "emit.h"
#include "probes.h"

/* An address of the kernel would tell where it lies: it is not recorded. */
static __always_inline u64 user_address(unsigned long address)
{
	return address < TASK_SIZE_MAX ? address : 0;
}

static __always_inline void emit_fault(unsigned int source, u16 type, unsigned long address,
				       struct pt_regs *regs, unsigned long error_code)
{
	struct hftmon_record event = {
		.type = type,
		.flags = error_code,
		.fault = {
			.address = user_address(address),
			.ip = user_address(instruction_pointer(regs)),
		},
	};

	hftmon_emit(source, &event);
}

void hftmon_probe_page_fault_user(void *data, unsigned long address, struct pt_regs *regs,
				  unsigned long error_code)
{
	emit_fault(HFTMON_SOURCE_PAGE_FAULT_USER, HFTMON_REC_PAGE_FAULT_USER, address, regs,
		   error_code);
}

void hftmon_probe_page_fault_kernel(void *data, unsigned long address, struct pt_regs *regs,
				    unsigned long error_code)
{
	emit_fault(HFTMON_SOURCE_PAGE_FAULT_KERNEL, HFTMON_REC_PAGE_FAULT_KERNEL, address, regs,
		   error_code);
}

void hftmon_probe_cpu_idle(void *data, unsigned int state, unsigned int cpu)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_CPU_IDLE,
		.idle = { .state = state },	/* (u32)-1 is HFTMON_IDLE_EXIT */
	};

	hftmon_emit(HFTMON_SOURCE_CPU_IDLE, &event);
}

void hftmon_probe_cpu_frequency(void *data, unsigned int khz, unsigned int cpu)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_CPU_FREQUENCY,
		.frequency = { .khz = khz, .cpu = cpu },
	};

	hftmon_emit(HFTMON_SOURCE_CPU_FREQUENCY, &event);
}

/*
 * How late the timer is, now. Not against the tracepoint's own `now`: that was
 * read once for all timers that expire together. The soft expiry is what the
 * timer's owner asked for; slack may have been added to it.
 */
static __always_inline s64 hrtimer_late_ns(struct hrtimer *timer)
{
	u64 now;

	switch (timer->base->clockid) {
	case CLOCK_REALTIME:
		now = ktime_get_real_fast_ns();
		break;
	case CLOCK_BOOTTIME:
		now = ktime_get_boot_fast_ns();
		break;
	case CLOCK_TAI:
		now = ktime_get_tai_fast_ns();
		break;
	default:
		now = ktime_get_mono_fast_ns();
	}
	return now - ktime_to_ns(hrtimer_get_softexpires(timer));
}

/* The kernel may fire it that much later, together with another (timer slack). */
static __always_inline u32 hrtimer_slack_ns(struct hrtimer *timer)
{
	s64 slack = ktime_to_ns(ktime_sub(hrtimer_get_expires(timer),
					  hrtimer_get_softexpires(timer)));

	return clamp_t(s64, slack, 0, U32_MAX);
}

void hftmon_probe_hrtimer_expire_entry(void *data, struct hrtimer *timer,
				       HFTMON_HRTIMER_NOW_T now)
{
	/* Lateness and the record's time belong together; since 7.x a probe can be preempted. */
	preempt_disable_notrace();
	hftmon_emit_function(HFTMON_SOURCE_HRTIMER_EXPIRE, HFTMON_REC_HRTIMER_EXPIRE_ENTRY,
			     ACCESS_PRIVATE(timer, function), hrtimer_late_ns(timer),
			     hrtimer_slack_ns(timer), 96, false);
	preempt_enable_notrace();
}

static_assert(offsetof(struct hftmon_hrtimer, late_ns) == 0 &&
	      offsetof(struct hftmon_hrtimer, slack_ns) == 8 &&
	      offsetof(struct hftmon_hrtimer, function) == 12);

void hftmon_probe_hrtimer_expire_exit(void *data, struct hrtimer *timer)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_HRTIMER_EXPIRE_EXIT,
	};

	hftmon_emit(HFTMON_SOURCE_HRTIMER_EXPIRE, &event);
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_PAGE_FAULT_USER(hftmon_probe_page_fault_user);
	HFTMON_CHECK_PAGE_FAULT_KERNEL(hftmon_probe_page_fault_kernel);
	HFTMON_CHECK_cpu_idle(hftmon_probe_cpu_idle);
	HFTMON_CHECK_cpu_frequency(hftmon_probe_cpu_frequency);
	HFTMON_CHECK_HRTIMER_EXPIRE(hftmon_probe_hrtimer_expire_entry);
	HFTMON_CHECK_hrtimer_expire_exit(hftmon_probe_hrtimer_expire_exit);
}
