/* SPDX-License-Identifier: GPL-2.0-only */
/* How many threads each CPU's run queue holds: beside the probe. */
#ifndef HFTMON_RUN_QUEUE_H
#define HFTMON_RUN_QUEUE_H

#include <linux/types.h>

int hftmon_run_queue_learn(void);
void hftmon_run_queue_forget(void);
void hftmon_run_queue_transit(bool begins);
void hftmon_run_queue_exit(void);

#endif /* HFTMON_RUN_QUEUE_H */
