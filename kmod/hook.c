// SPDX-License-Identifier: GPL-2.0-only
/* Finds the kernel's tracepoints and functions by name and hooks those that sessions use. */
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "hook.h"
#include "kernel_function.h"
#include "probes.h"
#include "run_queue.h"
#include "running.h"

struct hook {
	const char *name;
	void *probe;
	void *data;
	struct tracepoint *tracepoint;
};

/**
 * struct source - one bit of a session's mask
 * @hooks: the tracepoint, or the entry/exit pair, of the source; none, of stacks
 * @functions: in place of them, of a source that no tracepoint tells
 * @hooked: called behind them; 0 or a negative errno, then the source is not hooked
 * @known: this build knows the kernel's prototypes
 * @users: running sessions that record it, or count durations by it
 * @state: enum hftmon_source_state
 * @error: of the hook that failed last
 */
struct source {
	struct hook hooks[2];
	const struct hftmon_kernel_functions *functions;
	int (*hooked)(void);
	bool known;
	unsigned int users;
	u32 state;
	int error;
};

#define HOOK(tp) { .name = #tp, .probe = hftmon_probe_##tp }
#define ONE(id, tp, have) \
	[HFTMON_SOURCE_##id] = { .hooks = { HOOK(tp) }, .known = have }
#define PAIR(id, tp, have) \
	[HFTMON_SOURCE_##id] = { .hooks = { HOOK(tp##_entry), HOOK(tp##_exit) }, .known = have }

/* All x86 vectors have one prototype; the probes learn which one by @data. */
#define VECTOR_HOOK(id, tp, end) \
	{ .name = #tp "_" #end, .probe = hftmon_probe_vector_##end, \
	  .data = (void *)HFTMON_SOURCE_##id }
#define VECTOR(id, tp) \
	[HFTMON_SOURCE_##id] = { \
		.hooks = { VECTOR_HOOK(id, tp, entry), VECTOR_HOOK(id, tp, exit) }, \
		.known = HAVE_local_timer_entry && HAVE_local_timer_exit }

static struct source sources[HFTMON_SOURCE_COUNT] = {
	ONE(SCHED_SWITCH, sched_switch, HFTMON_HAVE_SWITCH),
	ONE(SCHED_WAKING, sched_waking, HAVE_sched_waking),
	ONE(SCHED_WAKEUP, sched_wakeup, HAVE_sched_wakeup),
	ONE(SCHED_WAKEUP_NEW, sched_wakeup_new, HAVE_sched_wakeup_new),
	ONE(SCHED_MIGRATE_TASK, sched_migrate_task, HAVE_sched_migrate_task),
	ONE(SCHED_PROCESS_FORK, sched_process_fork, HAVE_sched_process_fork),
	ONE(SCHED_PROCESS_EXEC, sched_process_exec, HAVE_sched_process_exec),
	ONE(SCHED_PROCESS_EXIT, sched_process_exit, HFTMON_HAVE_EXIT),
	ONE(TASK_RENAME, task_rename, HAVE_task_rename),
	PAIR(IRQ_HANDLER, irq_handler, HAVE_irq_handler_entry && HAVE_irq_handler_exit),
	ONE(SOFTIRQ_RAISE, softirq_raise, HAVE_softirq_raise),
	PAIR(SOFTIRQ, softirq, HAVE_softirq_entry && HAVE_softirq_exit),
	VECTOR(LOCAL_TIMER, local_timer),
	VECTOR(RESCHEDULE, reschedule),
	VECTOR(CALL_FUNCTION, call_function),
	VECTOR(CALL_FUNCTION_SINGLE, call_function_single),
	VECTOR(IRQ_WORK, irq_work),
	VECTOR(X86_PLATFORM_IPI, x86_platform_ipi),
	VECTOR(THERMAL_APIC, thermal_apic),
	VECTOR(THRESHOLD_APIC, threshold_apic),
	VECTOR(ERROR_APIC, error_apic),
	VECTOR(SPURIOUS_APIC, spurious_apic),
	VECTOR(DEFERRED_ERROR_APIC, deferred_error_apic),
	ONE(NMI_HANDLER, nmi_handler, HAVE_nmi_handler),
	ONE(PAGE_FAULT_USER, page_fault_user, HFTMON_HAVE_PAGE_FAULT_USER),
	ONE(PAGE_FAULT_KERNEL, page_fault_kernel, HFTMON_HAVE_PAGE_FAULT_KERNEL),
	ONE(CPU_IDLE, cpu_idle, HAVE_cpu_idle),
	PAIR(HRTIMER_EXPIRE, hrtimer_expire,
	     HFTMON_HAVE_HRTIMER_EXPIRE && HAVE_hrtimer_expire_exit),
	ONE(SCHED_PI_SETPRIO, sched_pi_setprio, HAVE_sched_pi_setprio),
	ONE(SCHED_SET_NEED_RESCHED, sched_set_need_resched_tp, HAVE_sched_set_need_resched_tp),
	ONE(SCHED_STAT_BLOCKED, sched_stat_blocked, HAVE_sched_stat_blocked),
	ONE(SCHED_STAT_IOWAIT, sched_stat_iowait, HAVE_sched_stat_iowait),
	ONE(SCHED_MOVE_NUMA, sched_move_numa, HAVE_sched_move_numa),
	ONE(SCHED_SWAP_NUMA, sched_swap_numa, HAVE_sched_swap_numa),
	ONE(IPI_SEND_CPU, ipi_send_cpu, HAVE_ipi_send_cpu),
	ONE(IPI_SEND_CPUMASK, ipi_send_cpumask, HAVE_ipi_send_cpumask),
	ONE(TLB_FLUSH, tlb_flush, HAVE_tlb_flush),
	ONE(CPU_FREQUENCY, cpu_frequency, HAVE_cpu_frequency),
	ONE(SIGNAL_GENERATE, signal_generate, HAVE_signal_generate),
	ONE(SIGNAL_DELIVER, signal_deliver, HAVE_signal_deliver),
	ONE(HRTIMER_START, hrtimer_start, HFTMON_HAVE_HRTIMER_START),
	PAIR(TIMER_EXPIRE, timer_expire, HAVE_timer_expire_entry && HAVE_timer_expire_exit),
	ONE(WORKQUEUE_QUEUE_WORK, workqueue_queue_work, HFTMON_HAVE_QUEUE_WORK),
	[HFTMON_SOURCE_WORKQUEUE_EXECUTE] = {
		.hooks = { HOOK(workqueue_execute_start), HOOK(workqueue_execute_end) },
		.known = HAVE_workqueue_execute_start && HAVE_workqueue_execute_end },
	PAIR(TASKLET, tasklet, HAVE_tasklet_entry && HAVE_tasklet_exit),
	ONE(CSD_QUEUE_CPU, csd_queue_cpu, HAVE_csd_queue_cpu),
	PAIR(CSD_FUNCTION, csd_function, HAVE_csd_function_entry && HAVE_csd_function_exit),
	ONE(NAPI_POLL, napi_poll, HAVE_napi_poll),
	ONE(NETIF_RECEIVE_SKB, netif_receive_skb, HAVE_netif_receive_skb),
	ONE(NET_DEV_QUEUE, net_dev_queue, HAVE_net_dev_queue),
	ONE(NET_DEV_START_XMIT, net_dev_start_xmit, HAVE_net_dev_start_xmit),
	ONE(BLOCK_RQ_ISSUE, block_rq_issue, HAVE_block_rq_issue),
	ONE(BLOCK_RQ_COMPLETE, block_rq_complete, HFTMON_HAVE_BLOCK_COMPLETE),
	ONE(SYS_ENTER, sys_enter, HAVE_sys_enter),
	ONE(SYS_EXIT, sys_exit, HAVE_sys_exit),
	/* They go with the hooks of other sources. */
	[HFTMON_SOURCE_STACK_SWITCH] = { .known = IS_ENABLED(CONFIG_STACKTRACE) },
	[HFTMON_SOURCE_STACK_WAKING] = { .known = IS_ENABLED(CONFIG_STACKTRACE) },
	[HFTMON_SOURCE_STACK_SPIKE] = { .known = IS_ENABLED(CONFIG_STACKTRACE) },
	[HFTMON_SOURCE_SCHED_UPDATE_NR_RUNNING] = {
		.hooks = { HOOK(sched_update_nr_running_tp) },
		.hooked = hftmon_run_queue_learn,
		.known = HAVE_sched_update_nr_running_tp },
	[HFTMON_SOURCE_AFFINE_MOVE_TASK] = {
		.functions = &hftmon_affinity_functions, .known = true },
	[HFTMON_SOURCE_THROTTLE_CFS_RQ] = {
		.functions = &hftmon_throttle_functions, .known = true },
	[HFTMON_SOURCE_TASK_NUMA_FAULT] = {
		.functions = &hftmon_numa_functions, .known = true },
};

/* Of no session: what keeps the threads that are watched known; see watch.c. */
static struct hook thread_hooks[] = {
	{ .name = "task_newtask", .probe = hftmon_probe_task_newtask },
	{ .name = "sched_process_exec", .probe = hftmon_probe_watch_exec },
};

/* A source of one tracepoint has no second hook, one of stacks or functions has none. */
#define for_each_hook(hook, source) \
	for (hook = (source)->hooks; \
	     hook < (source)->hooks + ARRAY_SIZE((source)->hooks) && hook->name; hook++)

static void find_hook(struct tracepoint *tp, void *unused)
{
	struct source *source;
	struct hook *hook;

	for (source = sources; source < sources + ARRAY_SIZE(sources); source++) {
		for_each_hook(hook, source) {
			if (!strcmp(hook->name, tp->name))
				hook->tracepoint = tp;
		}
	}
	for (hook = thread_hooks; hook < thread_hooks + ARRAY_SIZE(thread_hooks); hook++) {
		if (!strcmp(hook->name, tp->name))
			hook->tracepoint = tp;
	}
}

static void find_functions(struct source *source)
{
	int err = source->functions->find();

	if (err == -ENOENT)
		source->state = HFTMON_SOURCE_MISSING;
	else if (err)
		source->state = HFTMON_SOURCE_FAILED;
	source->error = err == -ENOENT ? 0 : -err;
}

/** hftmon_hook_init() - look all tracepoints and functions up; once, at load */
void hftmon_hook_init(void)
{
	struct source *source;
	struct hook *hook;

	for_each_kernel_tracepoint(find_hook, NULL);
	for (source = sources; source < sources + ARRAY_SIZE(sources); source++) {
		source->state = source->known ? HFTMON_SOURCE_AVAILABLE : HFTMON_SOURCE_MISMATCH;
		for_each_hook(hook, source) {
			if (!hook->tracepoint)
				source->state = HFTMON_SOURCE_MISSING;
		}
		if (source->functions)
			find_functions(source);
	}
}

/** hftmon_hook_available() - mask of the sources that can be hooked here */
u64 hftmon_hook_available(void)
{
	u64 mask = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		u32 state = READ_ONCE(sources[i].state);

		if (state == HFTMON_SOURCE_AVAILABLE || state == HFTMON_SOURCE_FAILED)
			mask |= HFTMON_SOURCE_BIT(i);
	}
	return mask;
}

void hftmon_hook_status(unsigned int source, struct hftmon_source_status *status)
{
	status->source = source;
	status->state = READ_ONCE(sources[source].state);
	status->error = READ_ONCE(sources[source].error);
	if (sources[source].functions)
		status->missed = min(sources[source].functions->missed(), (unsigned long)U32_MAX);
}

static void unhook(struct source *source, const struct hook *end)
{
	struct hook *hook;

	if (source->functions)
		source->functions->unhook();
	for_each_hook(hook, source) {
		if (hook == end)
			break;
		tracepoint_probe_unregister(hook->tracepoint, hook->probe, hook->data);
	}
}

static int hook_source(struct source *source)
{
	struct hook *hook;
	int err;

	if (source->functions)
		return source->functions->hook();
	for_each_hook(hook, source) {
		err = tracepoint_probe_register(hook->tracepoint, hook->probe, hook->data);
		if (err)
			goto err_unhook;
	}
	err = source->hooked ? source->hooked() : 0;
	if (err)
		goto err_unhook;
	return 0;

err_unhook:
	unhook(source, hook);
	hftmon_hook_synchronize();
	if (source->hooked)
		hftmon_run_queue_forget();
	return err;
}

/**
 * hftmon_hook_sources() - one more user for each source
 * @mask: bits of enum hftmon_source
 *
 * Return: those that are hooked now, a subset of @mask.
 */
u64 hftmon_hook_sources(u64 mask)
{
	u64 hooked = 0;
	unsigned int i;

	mask &= hftmon_hook_available();
	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		struct source *source = &sources[i];

		if (!(mask & HFTMON_SOURCE_BIT(i)))
			continue;
		if (!source->users) {
			int err = hook_source(source);

			WRITE_ONCE(source->error, -err);
			WRITE_ONCE(source->state,
				   err ? HFTMON_SOURCE_FAILED : HFTMON_SOURCE_AVAILABLE);
			if (err)
				continue;
		}
		source->users++;
		hooked |= HFTMON_SOURCE_BIT(i);
	}
	return hooked;
}

/**
 * hftmon_unhook_sources() - one user less for each source
 * @mask: what hftmon_hook_sources() returned
 *
 * No probe that was running, hooked by @mask or not, runs any more on return.
 */
void hftmon_unhook_sources(u64 mask)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		struct source *source = &sources[i];

		if ((mask & HFTMON_SOURCE_BIT(i)) && !--source->users)
			unhook(source, NULL);
	}
	hftmon_hook_synchronize();
	if (!sources[HFTMON_SOURCE_SCHED_SWITCH].users)
		hftmon_running_forget();
	if (!sources[HFTMON_SOURCE_SCHED_UPDATE_NR_RUNNING].users)
		hftmon_run_queue_forget();
}

/**
 * hftmon_hook_threads() - hook what tells of new threads and of new ids
 *
 * Return: 0, or -EOPNOTSUPP when this kernel lacks one or has it otherwise.
 */
int hftmon_hook_threads(void)
{
	struct hook *hook;
	int err;

	if (!HFTMON_HAVE_NEWTASK || !HAVE_sched_process_exec)
		return -EOPNOTSUPP;
	for (hook = thread_hooks; hook < thread_hooks + ARRAY_SIZE(thread_hooks); hook++) {
		err = hook->tracepoint ? tracepoint_probe_register(hook->tracepoint, hook->probe,
								   NULL) : -EOPNOTSUPP;
		if (err)
			goto err_unhook;
	}
	return 0;

err_unhook:
	while (hook-- > thread_hooks)
		tracepoint_probe_unregister(hook->tracepoint, hook->probe, NULL);
	hftmon_hook_synchronize();
	return err;
}

/** hftmon_unhook_threads() - no probe of them runs any more on return */
void hftmon_unhook_threads(void)
{
	struct hook *hook;

	for (hook = thread_hooks; hook < thread_hooks + ARRAY_SIZE(thread_hooks); hook++)
		tracepoint_probe_unregister(hook->tracepoint, hook->probe, NULL);
	hftmon_hook_synchronize();
}

void hftmon_hook_synchronize(void)
{
	tracepoint_synchronize_unregister();
}
