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
static struct kprobe unthrottle;

static int find(void)
{
	int err = hftmon_kernel_function_find(THROTTLE);

	return err ? err : hftmon_kernel_function_find(UNTHROTTLE);
}

static int hook(void)
{
	int err;

	get_random_bytes(&key, sizeof(key));
	throttle = (struct kretprobe){
		.kp.symbol_name = THROTTLE,
		.entry_handler = on_throttle,
		.handler = on_throttled,
		.data_size = sizeof(unsigned long),
	};
	unthrottle = (struct kprobe){ .symbol_name = UNTHROTTLE, .pre_handler = on_unthrottle };
	err = register_kretprobe(&throttle);
	if (err)
		return err;
	err = register_kprobe(&unthrottle);
	if (err)
		unregister_kretprobe(&throttle);
	return err;
}

static void unhook(void)
{
	unregister_kprobe(&unthrottle);
	unregister_kretprobe(&throttle);
}

static unsigned long missed(void)
{
	return throttle.nmissed + throttle.kp.nmissed + unthrottle.nmissed;
}

const struct hftmon_kernel_functions hftmon_throttle_functions = {
	.find = find, .hook = hook, .unhook = unhook, .missed = missed,
};
