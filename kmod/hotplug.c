// SPDX-License-Identifier: GPL-2.0-only
/* CPUs that come and go while sessions are open. */
#include <linux/cpuhotplug.h>

#include "hotplug.h"
#include "run_queue.h"
#include "running.h"
#include "session.h"

static enum cpuhp_state prepare_state, online_state;

/* On another CPU: no probe runs there. */
static int hftmon_cpu_prepare(unsigned int cpu)
{
	hftmon_running_forget_cpu(cpu);
	hftmon_run_queue_forget();
	return 0;
}

/* It is down: what it did to run queues on its way is not known. */
static int hftmon_cpu_dead(unsigned int cpu)
{
	hftmon_run_queue_forget();
	return 0;
}

static int hftmon_cpu_online(unsigned int cpu)
{
	hftmon_sessions_allow_wake(cpu, true);
	return 0;
}

static int hftmon_cpu_offline(unsigned int cpu)
{
	hftmon_sessions_allow_wake(cpu, false);
	return 0;
}

/** hftmon_hotplug_init() - follow CPUs; context: module load; 0 or an errno */
int hftmon_hotplug_init(void)
{
	int state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "hftmon:prepare",
					      hftmon_cpu_prepare, hftmon_cpu_dead);

	if (state < 0)
		return state;
	prepare_state = state;
	state = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "hftmon:online",
					  hftmon_cpu_online, hftmon_cpu_offline);
	if (state < 0) {
		cpuhp_remove_state_nocalls(prepare_state);
		return state;
	}
	online_state = state;
	return 0;
}

void hftmon_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(online_state);
	cpuhp_remove_state_nocalls(prepare_state);
}
