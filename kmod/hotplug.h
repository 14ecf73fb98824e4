/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HFTMON_HOTPLUG_H
#define HFTMON_HOTPLUG_H

int hftmon_hotplug_init(void);
void hftmon_hotplug_exit(void);

#endif /* HFTMON_HOTPLUG_H */
