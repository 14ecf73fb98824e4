// SPDX-License-Identifier: GPL-2.0-only
/* Whether this kernel has a function that can be probed. */
#include <linux/errno.h>
#include <linux/kprobes.h>

#include "kernel_function.h"

/**
 * hftmon_kernel_function_find() - 0 when a kprobe may be set there
 * @name: as in /proc/kallsyms
 *
 * No code is changed.
 *
 * Return: 0; -ENOENT when there is none, or the kernel has no kprobes or keeps them off
 * it; or what else register_kprobe() says
 */
int hftmon_kernel_function_find(const char *name)
{
	struct kprobe probe = {
		.symbol_name = name,
		.flags = KPROBE_FLAG_DISABLED,
	};
	int err = register_kprobe(&probe);

	if (!err)
		unregister_kprobe(&probe);
	return err == -EOPNOTSUPP || err == -EINVAL ? -ENOENT : err;
}
