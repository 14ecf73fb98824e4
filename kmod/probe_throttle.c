// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cgroup has used up its quota of a CPU's time (cpu.max), and gets more:
 * throttle_cfs_rq(), which says whether it came to that, and unthrottle_cfs_rq().
 * Both are given the group's queue on a CPU, whose lock is held; it is only told
 * from others here, by a number that is no address.
 */
#include <linux/kprobes.h>
#include <linux/ptrace.h>
#include <linux/random.h>
#include <linux/siphash.h>

#include "emit.h"
#include "kernel_function.h"

#define THROTTLE "throttle_cfs_rq"
#define UNTHROTTLE "unthrottle_cfs_rq"

static siphash_key_t key;

static void tell(u16 type, unsigned long queue)
{
	struct hftmon_record event = {
		.type = type,
		.throttle = { .queue = siphash_1u64(queue, &key) },
	};

	/* Its end comes from an interrupt, whoever runs. */
	hftmon_emit_to_all(HFTMON_SOURCE_THROTTLE_CFS_RQ, &event);
}

static int on_throttle(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	*(unsigned long *)instance->data = regs_get_kernel_argument(regs, 0);
	return 0;
}

static int on_throttled(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if ((u8)regs_return_value(regs))
		tell(HFTMON_REC_CFS_THROTTLE, *(unsigned long *)instance->data);
	return 0;
}

static int on_unthrottle(struct kprobe *probe, struct pt_regs *regs)
{
	tell(HFTMON_REC_CFS_UNTHROTTLE, regs_get_kernel_argument(regs, 0));
	return 0;
}

static struct kretprobe throttle;
static bool throttle_stays;
static struct hftmon_kernel_probe unthrottle;

static int find(void)
{
	int err = hftmon_kernel_function_find(THROTTLE);

	return err ? err : hftmon_kernel_function_find(UNTHROTTLE);
}

static void remove_throttle(void)
{
	if (hftmon_kernel_probe_disarm(&throttle.kp, &throttle_stays))
		unregister_kretprobe(&throttle);
}

static int hook(void)
{
	int err;

	if (throttle_stays || unthrottle.stays)
		return -ENOMEM;
	get_random_bytes(&key, sizeof(key));
	throttle = (struct kretprobe){
		.kp.symbol_name = THROTTLE,
		.entry_handler = on_throttle,
		.handler = on_throttled,
		.data_size = sizeof(unsigned long),
	};
	err = register_kretprobe(&throttle);
	if (err)
		return err;
	err = hftmon_kernel_probe_set(&unthrottle, UNTHROTTLE, on_unthrottle);
	if (err)
		remove_throttle();
	return err;
}

static void unhook(void)
{
	hftmon_kernel_probe_remove(&unthrottle);
	remove_throttle();
}

static unsigned long missed(void)
{
	return throttle.nmissed + throttle.kp.nmissed + unthrottle.kprobe.nmissed;
}

const struct hftmon_kernel_functions hftmon_throttle_functions = {
	.find = find, .hook = hook, .unhook = unhook, .missed = missed,
};
