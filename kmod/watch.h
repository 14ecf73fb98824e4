/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that sessions watch: a byte each, a bit for each session. */
#ifndef HFTMON_WATCH_H
#define HFTMON_WATCH_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <hftmon/abi/ioctl.h>

extern u8 *hftmon_watchers;

/*
 * Sessions that watch a thread. Only for probes that have seen a session's bit
 * in hftmon_cpu.partial: the map is there as long as one is set.
 */
static __always_inline u8 hftmon_watchers_of(u32 tid)
{
	/* Nobody can watch an idle thread. */
	if (__builtin_constant_p(tid) && !tid)
		return 0;
	return READ_ONCE(hftmon_watchers[tid]);
}

int hftmon_watch_begin(int slot, u32 flags);
void hftmon_watch_end(int slot);
int hftmon_watch_change(int slot, struct hftmon_watch *watch);
void hftmon_watch_tell(int slot, struct hftmon_thread_entry *entries, u32 count);

#endif /* HFTMON_WATCH_H */
