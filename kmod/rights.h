/* SPDX-License-Identifier: GPL-2.0-only */
/* Who may capture. */
#ifndef HFTMON_RIGHTS_H
#define HFTMON_RIGHTS_H

#include <linux/types.h>

int hftmon_may_capture(void);
bool hftmon_may_see_addresses(void);

#endif /* HFTMON_RIGHTS_H */
