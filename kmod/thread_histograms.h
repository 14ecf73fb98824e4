/* SPDX-License-Identifier: GPL-2.0-only */
/* Histograms of watched threads. */
#ifndef HFTMON_THREAD_HISTOGRAMS_H
#define HFTMON_THREAD_HISTOGRAMS_H

#include <linux/jump_label.h>
#include <linux/types.h>
#include <asm/local.h>
#include <hftmon/abi/histogram.h>

struct vm_area_struct;

/* Some session counts by thread. */
DECLARE_STATIC_KEY_FALSE(hftmon_threads_counted);

struct hftmon_thread_histograms *hftmon_thread_histograms_find(u32 tid, u8 *slot);
void hftmon_thread_histograms_end(u32 tid);

/* @kind: HFTMON_THREAD_DURATION_FIRST and the next; see thread_histograms.c for who may. */
static __always_inline void hftmon_thread_histograms_count(struct hftmon_thread_histograms *thread,
							   unsigned int kind, u32 bucket)
{
	local_inc((local_t *)&thread->of[kind - HFTMON_THREAD_DURATION_FIRST].counts[bucket]);
}

int hftmon_thread_histograms_get(void);
void hftmon_thread_histograms_put(void);
void hftmon_thread_histograms_start(int session);
void hftmon_thread_histograms_stop(int session);
u32 hftmon_thread_histograms_slots(void);
int hftmon_thread_histograms_mmap(struct vm_area_struct *vma);

#endif /* HFTMON_THREAD_HISTOGRAMS_H */
