/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The one command of the test module: occupy a CPU in a kernel context that
 * user space cannot enter by itself, for a known time, and say when it was.
 */
#ifndef HFTMON_PLANT_H
#define HFTMON_PLANT_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum hftmon_plant_cause {
	HFTMON_PLANT_NONE = 0,
	HFTMON_PLANT_STOPPER = 1,	/* the CPU's migration/N thread */
	HFTMON_PLANT_HARDIRQ = 2,	/* handler of a real interrupt line */
	HFTMON_PLANT_IRQ_THREAD = 3,	/* the thread of that line, FIFO 50 */
	HFTMON_PLANT_SOFTIRQ = 4,	/* tasklet, raised by that line */
	HFTMON_PLANT_TIMER = 5,		/* hrtimer callback in the timer interrupt */
	HFTMON_PLANT_CAUSE_END
};

/**
 * struct hftmon_plant - one occupation of one CPU
 * @cause:     in: enum hftmon_plant_cause
 * @cpu:       in: which CPU, online
 * @start_ns:  in: CLOCK_MONOTONIC time at which the cause is set off
 * @until_tsc: in: the CPU is kept until this time
 * @min_ticks: in: and, if the cause came late, for so long; 100 ms at most
 * @start_tsc: out: when the cause had the CPU, as it saw it itself
 * @end_tsc:   out
 * @gap_ticks: out: time in between that the cause did not see pass: nested
 *             interrupts, and a host that took the CPU away
 * @tid:       out: thread that was current (for interrupts: the one hit)
 * @irq:       out: number of the line that the module uses
 * @comm:      out: name of that thread
 */
struct hftmon_plant {
	__u32 cause;
	__u32 cpu;
	__u64 start_ns;
	__u64 until_tsc;
	__u64 min_ticks;
	__u64 start_tsc;
	__u64 end_tsc;
	__u64 gap_ticks;
	__u32 tid;
	__u32 irq;
	char comm[16];
};

#define HFTMON_PLANT_DEVICE "/dev/hftmon_plant"
#define HFTMON_PLANT_IRQ_NAME "hftmon-plant"
/* Returns when the cause has run; an error when it has not. */
#define HFTMON_PLANT_IOC_RUN _IOWR(0xbe, 0x70, struct hftmon_plant)

#endif /* HFTMON_PLANT_H */
