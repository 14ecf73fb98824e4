/* SPDX-License-Identifier: GPL-2.0-only */
/* Holds what the module costs on each CPU within a budget. */
#ifndef HFTMON_GOVERNOR_H
#define HFTMON_GOVERNOR_H

#include <linux/types.h>

struct hftmon_costs;
struct hftmon_shed;

int hftmon_governor_init(void);
void hftmon_governor_begin(void);
void hftmon_governor_end(void);
void hftmon_governor_exit(void);
void hftmon_governor_shed(unsigned int cpu, struct hftmon_shed *shed);
void hftmon_governor_tell(unsigned int cpu, struct hftmon_costs *costs);

#endif /* HFTMON_GOVERNOR_H */
