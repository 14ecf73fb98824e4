// SPDX-License-Identifier: GPL-2.0-only
/* Who may capture: capabilities, the module's own rule, kernel lockdown. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/moduleparam.h>
#include <linux/security.h>
#include <linux/user_namespace.h>

#include "rights.h"

static bool require_capability = true;
module_param(require_capability, bool, 0644);
MODULE_PARM_DESC(require_capability,
		 "Opening the device needs CAP_PERFMON; 0: access to the device file is enough (default 1)");

/**
 * hftmon_may_capture() - may the caller see what every thread of the machine does?
 *
 * CAP_PERFMON or CAP_SYS_ADMIN, as for perf's tracepoints. Where the owner of
 * the machine has made the device file's mode and group the rule, those of the
 * initial user namespace need nothing else. Nobody may, while a kernel that is
 * locked down for confidentiality keeps tracefs shut.
 *
 * Context: process, on behalf of who opens the device.
 * Return: 0 or -EPERM.
 */
int hftmon_may_capture(void)
{
	int err = security_locked_down(LOCKDOWN_TRACEFS);

	if (err)
		return err;
	if (perfmon_capable())
		return 0;
	if (!READ_ONCE(require_capability) && current_user_ns() == &init_user_ns)
		return 0;
	return -EPERM;
}

/**
 * hftmon_may_see_addresses() - may the caller learn where functions of the kernel lie?
 *
 * Context: process, on behalf of who opens the device.
 */
bool hftmon_may_see_addresses(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYSLOG);
}
