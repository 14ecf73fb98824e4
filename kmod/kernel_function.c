// SPDX-License-Identifier: GPL-2.0-only
/* Whether this kernel has a function that can be probed. */
#include <linux/kprobes.h>

#include "kernel_function.h"

static int nothing(struct kprobe *probe, struct pt_regs *regs)
{
	return 0;
}

/**
 * hftmon_kernel_function_find() - 0 when a kprobe may be set there
 * @name: as in /proc/kallsyms
 *
 * Return: 0, -ENOENT, or what else register_kprobe() says. No code is changed.
 */
int hftmon_kernel_function_find(const char *name)
{
	struct kprobe probe = {
		.symbol_name = name,
		.pre_handler = nothing,
		.flags = KPROBE_FLAG_DISABLED,
	};
	int err = register_kprobe(&probe);

	if (!err)
		unregister_kprobe(&probe);
	return err;
}
