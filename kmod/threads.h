/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HFTMON_THREADS_H
#define HFTMON_THREADS_H

#include <linux/types.h>

struct hftmon_thread_entry;

u32 hftmon_threads_list(struct hftmon_thread_entry *entries, u32 room);

#endif /* HFTMON_THREADS_H */
