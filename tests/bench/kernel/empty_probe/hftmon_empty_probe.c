// SPDX-License-Identifier: GPL-2.0-only
/* A probe of sched_switch that does nothing: what hooking alone costs. */
#include <linux/module.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

static struct tracepoint *sched_switch;

static void find(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "sched_switch"))
		sched_switch = tp;
}

/* Whatever the tracepoint passes, none of it is looked at. */
static void empty_probe(void *data)
{
}

static int __init empty_probe_init(void)
{
	for_each_kernel_tracepoint(find, NULL);
	return sched_switch ? tracepoint_probe_register(sched_switch, empty_probe, NULL) : -ENOENT;
}

static void __exit empty_probe_exit(void)
{
	tracepoint_probe_unregister(sched_switch, empty_probe, NULL);
	tracepoint_synchronize_unregister();
}

module_init(empty_probe_init);
module_exit(empty_probe_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Benchmark: an empty probe");
