/* SPDX-License-Identifier: GPL-2.0-only */
/* Stacks of the thread that runs, kept once each in two tables. */
#ifndef HFTMON_STACK_H
#define HFTMON_STACK_H

#include <linux/jump_label.h>
#include <linux/types.h>
#include <hftmon/abi/ioctl.h>

struct vm_area_struct;

/* Some session that runs wants stacks. */
DECLARE_STATIC_KEY_FALSE(hftmon_stacks_taken);

unsigned int hftmon_stack_find(enum hftmon_stack_of of, unsigned int slots,
			       struct hftmon_record *event);
void hftmon_stack_write(unsigned int slots, struct hftmon_record *event);
void hftmon_stack_here(struct hftmon_record *event, enum hftmon_stack_of of, bool kernel);

/* For sessions. */
int hftmon_stacks_get(void);
void hftmon_stacks_put(void);
u64 hftmon_stacks_of(u64 sources, u32 durations);
void hftmon_stacks_start(void);
void hftmon_stacks_stop(void);
void hftmon_stacks_tell(struct hftmon_stacks *stacks);
int hftmon_stacks_mmap(bool kernel, struct vm_area_struct *vma);

#endif /* HFTMON_STACK_H */
