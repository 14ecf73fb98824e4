/* SPDX-License-Identifier: GPL-2.0-only */
/* Sources: which tracepoints exist here, and hooking them. */
#ifndef HFTMON_HOOK_H
#define HFTMON_HOOK_H

#include <linux/types.h>
#include <hftmon/abi/ioctl.h>

void hftmon_hook_init(void);
u64 hftmon_hook_available(void);
void hftmon_hook_status(unsigned int source, struct hftmon_source_status *status);

/* The two below: serialised by the caller. */
u64 hftmon_hook_sources(u64 sources);
void hftmon_unhook_sources(u64 sources);

/* Serialised by their caller, too. */
int hftmon_hook_threads(void);
void hftmon_unhook_threads(void);

/* Waits until every probe that runs now has finished. */
void hftmon_hook_synchronize(void);

#endif /* HFTMON_HOOK_H */
