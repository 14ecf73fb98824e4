// SPDX-License-Identifier: GPL-2.0-only
/* Bring-up and tear-down of the module: the device comes last and goes first. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/module.h>
#include <hftmon/abi/ioctl.h>

#include "chardev.h"
#include "clock.h"
#include "governor.h"
#include "hook.h"
#include "hotplug.h"
#include "run_queue.h"
#include "session.h"

static int __init hftmon_init(void)
{
	int err;

	err = hftmon_clock_init();
	if (err)
		return err;
	hftmon_hook_init();
	err = hftmon_sessions_init();
	if (err)
		goto err_clock;
	err = hftmon_governor_init();
	if (err)
		goto err_sessions;
	err = hftmon_hotplug_init();
	if (err)
		goto err_governor;
	err = hftmon_chardev_register();
	if (err)
		goto err_hotplug;
	pr_info("ABI %u, schema %u, %u of %u sources, clock %s\n",
		HFTMON_ABI_VERSION, HFTMON_SCHEMA_VERSION,
		(unsigned int)hweight64(hftmon_hook_available()), HFTMON_SOURCE_COUNT,
		static_key_enabled(&hftmon_clock_is_tsc) ? "tsc" : "monotonic");
	return 0;

err_hotplug:
	hftmon_hotplug_exit();
err_governor:
	hftmon_governor_exit();
err_sessions:
	hftmon_sessions_exit();
err_clock:
	hftmon_clock_exit();
	return err;
}

static void __exit hftmon_exit(void)
{
	/* No file is open: sessions are gone, and nothing is hooked. */
	hftmon_chardev_unregister();
	hftmon_hotplug_exit();
	hftmon_governor_exit();
	hftmon_sessions_exit();
	hftmon_run_queue_exit();
	hftmon_clock_exit();
}

module_init(hftmon_init);
module_exit(hftmon_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The hftmon developers");
MODULE_DESCRIPTION("Scheduler and interrupt capture for low-latency systems");
MODULE_VERSION("0.1.0");
