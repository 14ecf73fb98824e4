// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs that come and go. A CPU on its way down still has events, but an
 * irq_work queued late on that way is never run, and a close would wait for it
 * for ever: so its rings stop waking first.
 */
#include <linux/cpuhotplug.h>
#include <linux/irq_work.h>

#include "hotplug.h"
#include "session.h"

static enum cpuhp_state hotplug_state;

static void allow_wake(struct hftmon_ring *ring)
{
	WRITE_ONCE(ring->may_wake, true);
}

/*
 * On the CPU that goes down, in a thread of it: no probe of this CPU is between
 * its look at may_wake and the queueing, so what is queued is queued now.
 */
static void forbid_wake(struct hftmon_ring *ring)
{
	WRITE_ONCE(ring->may_wake, false);
	irq_work_sync(&ring->wake);
	/* Who waited for this CPU's records looks for himself. */
	hftmon_session_wake_later(ring->session);
}

static int hftmon_cpu_online(unsigned int cpu)
{
	hftmon_sessions_for_each_ring(cpu, allow_wake);
	return 0;
}

static int hftmon_cpu_offline(unsigned int cpu)
{
	hftmon_sessions_for_each_ring(cpu, forbid_wake);
	return 0;
}

/** hftmon_hotplug_init() - follow CPUs; context: module load; 0 or an errno */
int hftmon_hotplug_init(void)
{
	int state = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "hftmon:online",
					      hftmon_cpu_online, hftmon_cpu_offline);

	if (state < 0)
		return state;
	hotplug_state = state;
	return 0;
}

void hftmon_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
}
