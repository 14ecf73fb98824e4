// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test-only module: plants known delays in kernel contexts (see
 * hftmon_plant.h). Never load it on a machine that does real work.
 *
 * A pinned hrtimer of the target CPU sets every cause off, so that it comes
 * before a timer of the victim that expires later on the same CPU, however
 * late both of them run.
 *
 * The interrupt is real: the module owns an unused ISA line and has the
 * interrupt controller send that line's vector (the "retrigger" operation),
 * which takes the same way through the kernel as a device's signal.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/kprobes.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <asm/tsc.h>

#include <trace/events/power.h>

#include "hftmon_plant.h"

/* hrtimer_setup() appeared in 6.13; hrtimer_init() went away in 6.15. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static void hrtimer_setup(struct hrtimer *timer,
			  enum hrtimer_restart (*fn)(struct hrtimer *),
			  clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}
#endif

#define PLANT_MAX_MS 100

static int irq_line = -1;
module_param_named(irq, irq_line, int, 0444);
MODULE_PARM_DESC(irq, "unused ISA interrupt line to use (default: the first free one)");

/* As a driver does that has changed this CPU's frequency. */
static int plant_frequency_set(const char *value, const struct kernel_param *param)
{
	unsigned int khz;
	int err = kstrtouint(value, 0, &khz);

	if (!err)
		trace_cpu_frequency(khz, raw_smp_processor_id());
	return err;
}

static const struct kernel_param_ops plant_frequency_ops = { .set = plant_frequency_set };
module_param_cb(frequency, &plant_frequency_ops, NULL, 0200);
MODULE_PARM_DESC(frequency, "tell the cpu_frequency tracepoint that this CPU now runs at so many kHz");

/* As the clocksource watchdog does. There is no way back. */
static int plant_unstable_set(const char *value, const struct kernel_param *param)
{
	mark_tsc_unstable("a test's wish");
	return 0;
}

static const struct kernel_param_ops plant_unstable_ops = { .set = plant_unstable_set };
module_param_cb(tsc_unstable, &plant_unstable_ops, NULL, 0200);
MODULE_PARM_DESC(tsc_unstable, "tell the kernel that the TSC is not to be trusted, until it boots again");

/* Everything here belongs to the holder of plant_lock, and between arming and
 * `done` to the planted context on the target CPU.
 */
static DEFINE_MUTEX(plant_lock);
static DECLARE_COMPLETION(done);
static struct hftmon_plant plant;
static struct hrtimer plant_timer;
static unsigned int last_irq_cpu;

/* stop_one_cpu_nowait(), which is not exported; NULL: cannot be had. */
static bool (*stop_one)(unsigned int cpu, cpu_stop_fn_t fn, void *arg,
			struct cpu_stop_work *work);
static struct cpu_stop_work stop_work;

/* Any context, on the CPU to be occupied: keep it until plant.until_tsc. */
static void plant_occupy(void)
{
	u64 gap_min = tsc_khz / 200;	/* 5 us */
	u64 now = rdtsc_ordered();
	u64 last = now, until;

	until = max(plant.until_tsc, now + plant.min_ticks);
	until = min(until, now + (u64)tsc_khz * PLANT_MAX_MS);
	plant.start_tsc = now;
	while (now < until) {
		now = rdtsc_ordered();
		if (now - last > gap_min)
			plant.gap_ticks += now - last;
		last = now;
	}
	plant.end_tsc = now;
	plant.tid = current->pid;
	memcpy(plant.comm, current->comm, sizeof(plant.comm));
	/* One run plants one delay, even if the line were signalled again. */
	WRITE_ONCE(plant.cause, HFTMON_PLANT_NONE);
	complete(&done);
}

static void plant_tasklet_fn(struct tasklet_struct *unused)
{
	if (READ_ONCE(plant.cause) == HFTMON_PLANT_SOFTIRQ)
		plant_occupy();
}

static DECLARE_TASKLET(plant_tasklet, plant_tasklet_fn);

static irqreturn_t plant_irq(int irq, void *unused)
{
	last_irq_cpu = smp_processor_id();

	switch (READ_ONCE(plant.cause)) {
	case HFTMON_PLANT_HARDIRQ:
		plant_occupy();
		return IRQ_HANDLED;
	case HFTMON_PLANT_IRQ_THREAD:
		return IRQ_WAKE_THREAD;
	case HFTMON_PLANT_SOFTIRQ:
		/* A softirq raised in a hardirq goes to fair ksoftirqd on RT. */
		if (IS_ENABLED(CONFIG_PREEMPT_RT))
			return IRQ_WAKE_THREAD;
		tasklet_schedule(&plant_tasklet);
		return IRQ_HANDLED;
	default:		/* plant_route_irq() */
		complete(&done);
		return IRQ_HANDLED;
	}
}

static irqreturn_t plant_irq_thread(int irq, void *unused)
{
	switch (READ_ONCE(plant.cause)) {
	case HFTMON_PLANT_IRQ_THREAD:
		plant_occupy();
		break;
	case HFTMON_PLANT_SOFTIRQ:
		local_bh_disable();
		tasklet_schedule(&plant_tasklet);
		local_bh_enable();	/* runs it */
		break;
	}
	return IRQ_HANDLED;
}

static int plant_signal_irq(void)
{
	return irq_chip_retrigger_hierarchy(irq_get_irq_data(irq_line));
}

static int plant_stopper_fn(void *unused)
{
	if (READ_ONCE(plant.cause) == HFTMON_PLANT_STOPPER)
		plant_occupy();
	return 0;
}

static enum hrtimer_restart plant_timer_fn(struct hrtimer *timer)
{
	switch (READ_ONCE(plant.cause)) {
	case HFTMON_PLANT_STOPPER:
		stop_one(smp_processor_id(), plant_stopper_fn, NULL, &stop_work);
		break;
	case HFTMON_PLANT_TIMER:
		plant_occupy();
		break;
	default:
		plant_signal_irq();
		break;
	}
	return HRTIMER_NORESTART;
}

static void plant_arm_here(void *unused)
{
	hrtimer_start(&plant_timer, ns_to_ktime(plant.start_ns),
		      HRTIMER_MODE_ABS_PINNED_HARD);
}

static int plant_wait(void)
{
	long left = wait_for_completion_interruptible_timeout(&done, HZ);

	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}

/* The controller moves a line to another CPU at its next interrupt. */
static int plant_route_irq(unsigned int cpu)
{
	int err, tries;

	err = irq_set_affinity(irq_line, cpumask_of(cpu));
	for (tries = 0; !err && tries < 10; tries++) {
		reinit_completion(&done);
		if (!plant_signal_irq())
			return -EIO;
		err = plant_wait();
		synchronize_irq(irq_line);
		if (!err && last_irq_cpu == cpu)
			return 0;
	}
	return err ?: -EIO;
}

static int plant_run_locked(const struct hftmon_plant *want)
{
	bool by_irq = want->cause != HFTMON_PLANT_TIMER &&
		      want->cause != HFTMON_PLANT_STOPPER;
	int err = 0;

	if (want->cause == HFTMON_PLANT_STOPPER && !stop_one)
		return -EOPNOTSUPP;
	if (by_irq)
		err = plant_route_irq(want->cpu);
	if (err)
		return err;

	reinit_completion(&done);
	WRITE_ONCE(plant.cause, want->cause);
	err = smp_call_function_single(want->cpu, plant_arm_here, NULL, true);
	if (!err)
		err = plant_wait();

	hrtimer_cancel(&plant_timer);
	synchronize_irq(irq_line);
	tasklet_kill(&plant_tasklet);
	return err;
}

static int plant_run(struct hftmon_plant *want)
{
	int err;

	if (want->cause == HFTMON_PLANT_NONE || want->cause >= HFTMON_PLANT_CAUSE_END)
		return -EINVAL;
	if (want->cpu >= nr_cpu_ids || !cpu_online(want->cpu))
		return -ENXIO;
	err = mutex_lock_interruptible(&plant_lock);
	if (err)
		return err;

	plant = *want;
	plant.cause = HFTMON_PLANT_NONE;
	plant.gap_ticks = 0;
	plant.irq = irq_line;
	err = plant_run_locked(want);
	WRITE_ONCE(plant.cause, HFTMON_PLANT_NONE);
	plant.cpu = want->cpu;
	*want = plant;

	mutex_unlock(&plant_lock);
	return err;
}

static long plant_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct hftmon_plant want;
	int err;

	if (cmd != HFTMON_PLANT_IOC_RUN)
		return -ENOTTY;
	if (copy_from_user(&want, user, sizeof(want)))
		return -EFAULT;
	err = plant_run(&want);
	if (!err && copy_to_user(user, &want, sizeof(want)))
		err = -EFAULT;
	return err;
}

static const struct file_operations plant_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = plant_ioctl,
};

static struct miscdevice plant_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hftmon_plant",
	.fops = &plant_fops,
	.mode = 0600,
};

static int plant_request_irq(int irq)
{
	/* NO_THREAD: the first handler stays a hardirq on RT kernels too. */
	return request_threaded_irq(irq, plant_irq, plant_irq_thread, IRQF_NO_THREAD,
				    HFTMON_PLANT_IRQ_NAME, &plant);
}

static int __init plant_find_irq(void)
{
	static const int candidates[] = { 5, 7, 3, 10, 11, 9, 6, 15, 14 };
	unsigned int i;

	if (irq_line >= 0)
		return plant_request_irq(irq_line);
	for (i = 0; i < ARRAY_SIZE(candidates); i++) {
		irq_line = candidates[i];
		if (!plant_request_irq(irq_line))
			return 0;
	}
	return -EBUSY;
}

/* A kprobe that is never armed finds the address. */
static void __init plant_find_stop_one(void)
{
	struct kprobe probe = { .symbol_name = "stop_one_cpu_nowait",
				.flags = KPROBE_FLAG_DISABLED };

#ifdef X86_FEATURE_IBT
	/* The processor would refuse an indirect call of this function. */
	if (boot_cpu_has(X86_FEATURE_IBT))
		return;
#endif
	if (register_kprobe(&probe))
		return;
	stop_one = (void *)probe.addr;
	unregister_kprobe(&probe);
}

static int __init plant_init(void)
{
	int err;

	if (!tsc_khz)
		return -ENODEV;
	hrtimer_setup(&plant_timer, plant_timer_fn, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_PINNED_HARD);
	plant_find_stop_one();
	err = plant_find_irq();
	if (err) {
		pr_err("no free interrupt line; give one with irq=N\n");
		return err;
	}
	err = misc_register(&plant_device);
	if (err)
		goto free_irq;
	pr_info("plants delays on request, using interrupt line %d\n", irq_line);
	return 0;

free_irq:
	free_irq(irq_line, &plant);
	return err;
}

static void __exit plant_exit(void)
{
	misc_deregister(&plant_device);
	free_irq(irq_line, &plant);
	tasklet_kill(&plant_tasklet);
}

module_init(plant_init);
module_exit(plant_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("the hftmon authors");
MODULE_DESCRIPTION("Plants known delays in kernel contexts, to test hftmon");
