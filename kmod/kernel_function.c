// SPDX-License-Identifier: GPL-2.0-only
/* Functions of the kernel that can be probed. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/printk.h>

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

/**
 * hftmon_kernel_probe_set() - have a handler called whenever a function begins
 * @probe:   not set; static
 * @name:    as in /proc/kallsyms
 * @handler: must not sleep
 *
 * Context: process, may sleep.
 * Return: 0, -ENOMEM when an earlier one could not be taken away, or what
 * register_kprobe() says
 */
int hftmon_kernel_probe_set(struct hftmon_kernel_probe *probe, const char *name,
			    kprobe_pre_handler_t handler)
{
	if (probe->stays)
		return -ENOMEM;
	probe->kprobe = (struct kprobe){ .symbol_name = name, .pre_handler = handler };
	return register_kprobe(&probe->kprobe);
}

/**
 * hftmon_kernel_probe_remove() - the handler does not run any more on return
 * @probe: set
 *
 * Or it may for ever: hftmon_kernel_probe_disarm().
 */
void hftmon_kernel_probe_remove(struct hftmon_kernel_probe *probe)
{
	if (hftmon_kernel_probe_disarm(&probe->kprobe, &probe->stays))
		unregister_kprobe(&probe->kprobe);
}

/**
 * hftmon_kernel_probe_disarm() - may a kprobe be unregistered?
 * @kprobe: registered, or so register_kprobe() said
 * @stays:  out: true when the kernel could not let go of the function
 *
 * That takes memory where ftrace has the function. Unregistering would hide it, and
 * trying again spoil the kernel's count of its kprobes. So what the kernel has
 * listed stays as it is, and this module, which it is a part of, too.
 *
 * Return: true when it is disarmed, so that nothing can keep it.
 */
bool hftmon_kernel_probe_disarm(struct kprobe *kprobe, bool *stays)
{
	int err = disable_kprobe(kprobe);

	/* EINVAL: never listed. Some kernels do not tell that arming failed. */
	if (!err || err == -EINVAL)
		return true;
	*stays = true;
	__module_get(THIS_MODULE);
	pr_warn("the kernel cannot take its probe of %s away (error %d): this module cannot be unloaded any more\n",
		kprobe->symbol_name, err);
	return false;
}
