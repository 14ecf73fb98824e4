/* SPDX-License-Identifier: GPL-2.0-only */
/* What no tracepoint tells: functions of the kernel, by kprobes. */
#ifndef HFTMON_KERNEL_FUNCTION_H
#define HFTMON_KERNEL_FUNCTION_H

#include <linux/kprobes.h>
#include <linux/types.h>

/**
 * struct hftmon_kernel_functions - what a source hooks in place of tracepoints
 * @find:   0, or -ENOENT when this kernel has no such function to probe; at load
 * @hook:   0 or a negative errno; may sleep
 * @unhook: none of its handlers runs any more on return
 * @missed: calls since it was hooked that no handler saw, because one of another
 *          kprobe was at work there, or too many CPUs were in the function
 */
struct hftmon_kernel_functions {
	int (*find)(void);
	int (*hook)(void);
	void (*unhook)(void);
	unsigned long (*missed)(void);
};

extern const struct hftmon_kernel_functions hftmon_affinity_functions;
extern const struct hftmon_kernel_functions hftmon_numa_functions;
extern const struct hftmon_kernel_functions hftmon_throttle_functions;

/**
 * struct hftmon_kernel_probe - a kprobe at the beginning of a function
 * @stays: the kernel could not take it away, so it must not be set again
 */
struct hftmon_kernel_probe {
	struct kprobe kprobe;
	bool stays;
};

int hftmon_kernel_function_find(const char *name);
int hftmon_kernel_probe_set(struct hftmon_kernel_probe *probe, const char *name,
			    kprobe_pre_handler_t handler);
void hftmon_kernel_probe_remove(struct hftmon_kernel_probe *probe);
bool hftmon_kernel_probe_disarm(struct kprobe *kprobe, bool *stays);

#endif /* HFTMON_KERNEL_FUNCTION_H */
