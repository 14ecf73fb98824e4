/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HFTMON_CHARDEV_H
#define HFTMON_CHARDEV_H

int hftmon_chardev_register(void);
void hftmon_chardev_unregister(void);

#endif /* HFTMON_CHARDEV_H */
