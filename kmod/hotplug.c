// SPDX-License-Identifier: GPL-2.0-only
/* CPUs that come and go while sessions are open. */
#include <linux/cpu.h>
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
	hftmon_run_queue_transit(true);
	return 0;
}

/* It is down, or did not come up. */
static int hftmon_cpu_dead(unsigned int cpu)
{
	hftmon_run_queue_transit(false);
	return 0;
}

static int hftmon_cpu_online(unsigned int cpu)
{
	hftmon_run_queue_transit(false);
	hftmon_sessions_allow_wake(cpu, true);
	return 0;
}

static int hftmon_cpu_offline(unsigned int cpu)
{
	hftmon_sessions_allow_wake(cpu, false);
	hftmon_run_queue_transit(true);
	return 0;
}

/** hftmon_hotplug_init() - follow CPUs; context: module load; 0 or an errno */
int hftmon_hotplug_init(void)
{
	int state;

	/* No CPU comes or goes with one of the two states only. */
	cpus_read_lock();
	state = cpuhp_setup_state_nocalls_cpuslocked(CPUHP_BP_PREPARE_DYN, "hftmon:prepare",
						     hftmon_cpu_prepare, hftmon_cpu_dead);
	if (state < 0)
		goto out;
	prepare_state = state;
	state = cpuhp_setup_state_nocalls_cpuslocked(CPUHP_AP_ONLINE_DYN, "hftmon:online",
						     hftmon_cpu_online, hftmon_cpu_offline);
	if (state < 0) {
		cpuhp_remove_state_nocalls_cpuslocked(prepare_state);
		goto out;
	}
	online_state = state;
	state = 0;
out:
	cpus_read_unlock();
	return state;
}

void hftmon_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(online_state);
	cpuhp_remove_state_nocalls(prepare_state);
}
