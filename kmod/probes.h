/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The probes. Each file that defines some checks their types against the
 * kernel's tracepoints at compile time; hook.c registers them by name.
 */
#ifndef HFTMON_PROBES_H
#define HFTMON_PROBES_H

#include "compat.h"

/* probe_sched.c */
void hftmon_probe_sched_switch(void *data, HFTMON_SWITCH_ARGS);
void hftmon_probe_sched_waking(void *data, struct task_struct *task);
void hftmon_probe_sched_wakeup(void *data, struct task_struct *task);
void hftmon_probe_sched_wakeup_new(void *data, struct task_struct *task);
void hftmon_probe_sched_migrate_task(void *data, struct task_struct *task, int dest_cpu);

void hftmon_probe_sched_pi_setprio(void *data, struct task_struct *task,
				   struct task_struct *donor);
void hftmon_probe_sched_set_need_resched_tp(void *data, struct task_struct *task, int cpu, int tif);
void hftmon_probe_sched_stat_blocked(void *data, struct task_struct *task, u64 delay);
void hftmon_probe_sched_stat_iowait(void *data, struct task_struct *task, u64 delay);
void hftmon_probe_sched_move_numa(void *data, struct task_struct *task, int from, int to);
void hftmon_probe_sched_swap_numa(void *data, struct task_struct *task, int cpu,
				  struct task_struct *other, int other_cpu);

/* probe_run_queue.c */
struct rq;
void hftmon_probe_sched_update_nr_running_tp(void *data, struct rq *rq, int change);

/* probe_task.c */
void hftmon_probe_sched_process_fork(void *data, struct task_struct *parent,
				     struct task_struct *child);
void hftmon_probe_sched_process_exec(void *data, struct task_struct *task, pid_t old_pid,
				     struct linux_binprm *bprm);
void hftmon_probe_sched_process_exit(void *data, HFTMON_EXIT_ARGS);
void hftmon_probe_task_rename(void *data, struct task_struct *task, const char *comm);
void hftmon_emit_dead(struct task_struct *task);

/* watch.c */
void hftmon_probe_task_newtask(void *data, struct task_struct *child, HFTMON_CLONE_FLAGS_T flags);
void hftmon_probe_watch_exec(void *data, struct task_struct *task, pid_t old_pid,
			     struct linux_binprm *bprm);

/* probe_irq.c; for vectors, data is the enum hftmon_source */
void hftmon_probe_irq_handler_entry(void *data, int irq, struct irqaction *action);
void hftmon_probe_irq_handler_exit(void *data, int irq, struct irqaction *action, int ret);
void hftmon_probe_softirq_raise(void *data, unsigned int vec);
void hftmon_probe_softirq_entry(void *data, unsigned int vec);
void hftmon_probe_softirq_exit(void *data, unsigned int vec);
void hftmon_probe_vector_entry(void *data, int vector);
void hftmon_probe_vector_exit(void *data, int vector);
void hftmon_probe_nmi_handler(void *data, void *handler, s64 delta_ns, int handled);

/* probe_ipi.c */
void hftmon_probe_ipi_send_cpu(void *data, unsigned int cpu, unsigned long callsite,
			       void *callback);
void hftmon_probe_ipi_send_cpumask(void *data, const struct cpumask *cpus, unsigned long callsite,
				   void *callback);
void hftmon_probe_tlb_flush(void *data, int reason, unsigned long pages);

/* probe_signal.c */
void hftmon_probe_signal_generate(void *data, int signal, struct kernel_siginfo *info,
				  struct task_struct *task, int group, int result);
void hftmon_probe_signal_deliver(void *data, int signal, struct kernel_siginfo *info,
				 struct k_sigaction *action);

/* probe_time.c */
void hftmon_probe_page_fault_user(void *data, unsigned long address, struct pt_regs *regs,
				  unsigned long error_code);
void hftmon_probe_page_fault_kernel(void *data, unsigned long address, struct pt_regs *regs,
				    unsigned long error_code);
void hftmon_probe_cpu_idle(void *data, unsigned int state, unsigned int cpu);
void hftmon_probe_cpu_frequency(void *data, unsigned int khz, unsigned int cpu);
void hftmon_probe_hrtimer_expire_entry(void *data, struct hrtimer *timer,
				       HFTMON_HRTIMER_NOW_T now);
void hftmon_probe_hrtimer_expire_exit(void *data, struct hrtimer *timer);

/* probe_function.c */
void hftmon_probe_hrtimer_start(void *data, HFTMON_HRTIMER_START_ARGS);
void hftmon_probe_timer_expire_entry(void *data, struct timer_list *timer, unsigned long baseclk);
void hftmon_probe_timer_expire_exit(void *data, struct timer_list *timer);
void hftmon_probe_workqueue_queue_work(void *data, HFTMON_WORK_CPU_T cpu,
				       struct pool_workqueue *pwq, struct work_struct *work);
void hftmon_probe_workqueue_execute_start(void *data, struct work_struct *work);
void hftmon_probe_workqueue_execute_end(void *data, struct work_struct *work,
					work_func_t function);
void hftmon_probe_tasklet_entry(void *data, struct tasklet_struct *tasklet, void *function);
void hftmon_probe_tasklet_exit(void *data, struct tasklet_struct *tasklet, void *function);
void hftmon_probe_csd_queue_cpu(void *data, const unsigned int cpu, unsigned long callsite,
				smp_call_func_t function, call_single_data_t *csd);
void hftmon_probe_csd_function_entry(void *data, smp_call_func_t function,
				     call_single_data_t *csd);
void hftmon_probe_csd_function_exit(void *data, smp_call_func_t function,
				    call_single_data_t *csd);

/* probe_device.c */
struct napi_struct;
struct net_device;
struct request;
struct sk_buff;
void hftmon_probe_napi_poll(void *data, struct napi_struct *napi, int work, int budget);
void hftmon_probe_netif_receive_skb(void *data, struct sk_buff *skb);
void hftmon_probe_net_dev_queue(void *data, struct sk_buff *skb);
void hftmon_probe_net_dev_start_xmit(void *data, const struct sk_buff *skb,
				     const struct net_device *dev);
void hftmon_probe_block_rq_issue(void *data, struct request *request);
void hftmon_probe_block_rq_complete(void *data, struct request *request,
				    HFTMON_BLOCK_ERROR_T error, unsigned int bytes);

/* probe_syscall.c */
void hftmon_probe_sys_enter(void *data, struct pt_regs *regs, long number);
void hftmon_probe_sys_exit(void *data, struct pt_regs *regs, long ret);

#endif /* HFTMON_PROBES_H */
