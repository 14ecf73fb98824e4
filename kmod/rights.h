/* SPDX-License-Identifier: GPL-2.0-only */
/* Who may capture. */
#ifndef HFTMON_RIGHTS_H
#define HFTMON_RIGHTS_H

int hftmon_may_capture(void);

#endif /* HFTMON_RIGHTS_H */
