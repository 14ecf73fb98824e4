// SPDX-License-Identifier: MIT
/*
 * Prints the layout of everything in include/hftmon/abi as this compiler sees
 * it. Valid as C11 and as C++20: tests/abi/check builds it as both, with every
 * compiler, and compares with layout.txt.
 */
#include <stddef.h>
#include <stdio.h>

#include "hftmon/abi/cost.h"
#include "hftmon/abi/histogram.h"
#include "hftmon/abi/ioctl.h"
#include "hftmon/abi/record.h"
#include "hftmon/abi/ring.h"
#include "hftmon/abi/source.h"

#ifdef __cplusplus
#define ALIGNOF(type) alignof(type)
#else
#define ALIGNOF(type) _Alignof(type)
#endif

#define TYPE(type)                                                            \
	printf("%s size %zu align %zu\n", #type, sizeof(struct type),        \
	       (size_t)ALIGNOF(struct type))
#define FIELD(type, field)                                                    \
	printf("%s.%s offset %zu size %zu\n", #type, #field,                 \
	       offsetof(struct type, field), sizeof(((struct type *)0)->field))
#define VALUE(name) printf("%s = %llu\n", #name, (unsigned long long)(name))

static void records(void)
{
	TYPE(hftmon_record);
	FIELD(hftmon_record, tsc);
	FIELD(hftmon_record, seq);
	FIELD(hftmon_record, type);
	FIELD(hftmon_record, flags);
	FIELD(hftmon_record, payload);
	FIELD(hftmon_record, comm);

	TYPE(hftmon_sched_switch);
	FIELD(hftmon_sched_switch, prev_tid);
	FIELD(hftmon_sched_switch, next_tid);
	FIELD(hftmon_sched_switch, prev_prio);
	FIELD(hftmon_sched_switch, next_prio);
	FIELD(hftmon_sched_switch, prev_state);

	TYPE(hftmon_sched_wake);
	FIELD(hftmon_sched_wake, tid);
	FIELD(hftmon_sched_wake, waker_tid);
	FIELD(hftmon_sched_wake, prio);
	FIELD(hftmon_sched_wake, target_cpu);
	FIELD(hftmon_sched_wake, reserved);

	TYPE(hftmon_sched_migrate);
	FIELD(hftmon_sched_migrate, tid);
	FIELD(hftmon_sched_migrate, prio);
	FIELD(hftmon_sched_migrate, orig_cpu);
	FIELD(hftmon_sched_migrate, dest_cpu);
	FIELD(hftmon_sched_migrate, reserved0);
	FIELD(hftmon_sched_migrate, reserved1);

	TYPE(hftmon_thread_id);
	FIELD(hftmon_thread_id, tid);
	FIELD(hftmon_thread_id, tgid);
	FIELD(hftmon_thread_id, related_tid);
	FIELD(hftmon_thread_id, prio);
	FIELD(hftmon_thread_id, policy);
	FIELD(hftmon_thread_id, flags);

	TYPE(hftmon_irq);
	FIELD(hftmon_irq, irq);
	FIELD(hftmon_irq, ret);
	FIELD(hftmon_irq, reserved);

	TYPE(hftmon_softirq);
	FIELD(hftmon_softirq, vec);

	TYPE(hftmon_vector);
	FIELD(hftmon_vector, vector);
	FIELD(hftmon_vector, kind);

	TYPE(hftmon_nmi);
	FIELD(hftmon_nmi, duration_ns);
	FIELD(hftmon_nmi, handled);

	TYPE(hftmon_page_fault);
	FIELD(hftmon_page_fault, address);
	FIELD(hftmon_page_fault, ip);

	TYPE(hftmon_cpu_idle);
	FIELD(hftmon_cpu_idle, state);

	TYPE(hftmon_hrtimer);
	FIELD(hftmon_hrtimer, late_ns);
	FIELD(hftmon_hrtimer, slack_ns);

	TYPE(hftmon_pi_setprio);
	FIELD(hftmon_pi_setprio, tid);
	FIELD(hftmon_pi_setprio, donor_tid);
	FIELD(hftmon_pi_setprio, old_prio);
	FIELD(hftmon_pi_setprio, new_prio);

	TYPE(hftmon_need_resched);
	FIELD(hftmon_need_resched, tid);
	FIELD(hftmon_need_resched, cpu);
	FIELD(hftmon_need_resched, lazy);

	TYPE(hftmon_nr_running);
	FIELD(hftmon_nr_running, cpu);
	FIELD(hftmon_nr_running, count);
	FIELD(hftmon_nr_running, change);
	FIELD(hftmon_nr_running, counted);
	TYPE(hftmon_affinity);
	FIELD(hftmon_affinity, tid);
	FIELD(hftmon_affinity, cpus);
	FIELD(hftmon_affinity, first_cpu);
	FIELD(hftmon_affinity, last_cpu);
	TYPE(hftmon_numa_fault);
	FIELD(hftmon_numa_fault, node);
	FIELD(hftmon_numa_fault, pages);
	FIELD(hftmon_numa_fault, outcome);
	TYPE(hftmon_throttle);
	FIELD(hftmon_throttle, queue);
	TYPE(hftmon_blocked);
	FIELD(hftmon_blocked, tid);
	FIELD(hftmon_blocked, ns);

	TYPE(hftmon_numa);
	FIELD(hftmon_numa, tid);
	FIELD(hftmon_numa, swapped_tid);
	FIELD(hftmon_numa, from_cpu);
	FIELD(hftmon_numa, to_cpu);

	TYPE(hftmon_ipi_send);
	FIELD(hftmon_ipi_send, first_cpu);
	FIELD(hftmon_ipi_send, count);
	FIELD(hftmon_ipi_send, cpus);

	TYPE(hftmon_tlb_flush);
	FIELD(hftmon_tlb_flush, pages);
	FIELD(hftmon_tlb_flush, reason);

	TYPE(hftmon_cpu_frequency);
	FIELD(hftmon_cpu_frequency, khz);
	FIELD(hftmon_cpu_frequency, cpu);

	TYPE(hftmon_signal);
	FIELD(hftmon_signal, tid);
	FIELD(hftmon_signal, code);
	FIELD(hftmon_signal, signal);
	FIELD(hftmon_signal, group);
	FIELD(hftmon_signal, result);

	TYPE(hftmon_gap);
	FIELD(hftmon_gap, lost_total);
	FIELD(hftmon_gap, current_tid);

	TYPE(hftmon_cpu_state);
	FIELD(hftmon_cpu_state, current_tid);
	FIELD(hftmon_cpu_state, prio);
	FIELD(hftmon_cpu_state, policy);
	TYPE(hftmon_hrtimer_start);
	FIELD(hftmon_hrtimer_start, function);
	FIELD(hftmon_hrtimer_start, expires_ns);
	TYPE(hftmon_function);
	FIELD(hftmon_function, function);
	FIELD(hftmon_function, arg);
	FIELD(hftmon_function, object);
	TYPE(hftmon_napi);
	FIELD(hftmon_napi, ifindex);
	FIELD(hftmon_napi, work);
	FIELD(hftmon_napi, budget);
	TYPE(hftmon_packet);
	FIELD(hftmon_packet, ifindex);
	FIELD(hftmon_packet, length);
	TYPE(hftmon_block);
	FIELD(hftmon_block, device);
	FIELD(hftmon_block, bytes);
	FIELD(hftmon_block, sector);
	TYPE(hftmon_syscall);
	FIELD(hftmon_syscall, number);
	FIELD(hftmon_syscall, ret);
	TYPE(hftmon_shed);
	FIELD(hftmon_shed, sources);
	FIELD(hftmon_shed, spent_ppm);
	FIELD(hftmon_shed, budget_ppm);

	TYPE(hftmon_spike);
	FIELD(hftmon_spike, ticks);
	FIELD(hftmon_spike, tid);
	FIELD(hftmon_spike, cause);
}

static void ring(void)
{
	TYPE(hftmon_ring_control);
	FIELD(hftmon_ring_control, cpu);
	FIELD(hftmon_ring_control, mode);
	FIELD(hftmon_ring_control, capacity);
	FIELD(hftmon_ring_control, record_size);
	FIELD(hftmon_ring_control, head);
	FIELD(hftmon_ring_control, lost);

	TYPE(hftmon_ring_reader);
	FIELD(hftmon_ring_reader, tail);

	VALUE(HFTMON_MMAP_OFFSET(3, HFTMON_MMAP_CONTROL));
	VALUE(HFTMON_MMAP_OFFSET(3, HFTMON_MMAP_DATA));
	VALUE(HFTMON_MMAP_OFFSET(3, HFTMON_MMAP_READER));
	VALUE(HFTMON_RING_MIN_RECORDS);
	VALUE(HFTMON_RING_MAX_RECORDS);
}

static void session(void)
{
	TYPE(hftmon_info);
	FIELD(hftmon_info, size);
	FIELD(hftmon_info, abi_version);
	FIELD(hftmon_info, schema_version);
	FIELD(hftmon_info, record_size);
	FIELD(hftmon_info, state);
	FIELD(hftmon_info, mode);
	FIELD(hftmon_info, ring_records);
	FIELD(hftmon_info, nr_cpu_ids);
	FIELD(hftmon_info, clock);
	FIELD(hftmon_info, flags);
	FIELD(hftmon_info, tsc_khz);
	FIELD(hftmon_info, sources_available);
	FIELD(hftmon_info, sources_active);
	FIELD(hftmon_info, durations_available);
	FIELD(hftmon_info, durations_active);

	TYPE(hftmon_setup);
	FIELD(hftmon_setup, size);
	FIELD(hftmon_setup, mode);
	FIELD(hftmon_setup, sources);
	FIELD(hftmon_setup, ring_records);
	FIELD(hftmon_setup, wakeup_records);
	FIELD(hftmon_setup, cpu_mask);
	FIELD(hftmon_setup, cpu_mask_bytes);
	FIELD(hftmon_setup, flags);
	FIELD(hftmon_setup, whole_mask);
	FIELD(hftmon_setup, whole_mask_bytes);
	FIELD(hftmon_setup, durations);

	TYPE(hftmon_histogram);
	FIELD(hftmon_histogram, counts);
	TYPE(hftmon_histograms);
	FIELD(hftmon_histograms, of);
	FIELD(hftmon_histograms, missed);
	VALUE(HFTMON_DURATION_HARDIRQ);
	VALUE(HFTMON_DURATION_SOFTIRQ);
	VALUE(HFTMON_DURATION_VECTOR);
	VALUE(HFTMON_DURATION_WAKEUP);
	VALUE(HFTMON_DURATION_RUN_QUEUE);
	VALUE(HFTMON_DURATION_ON_CPU);
	VALUE(HFTMON_DURATION_OFF_CPU);
	VALUE(HFTMON_DURATION_PREEMPTED);
	VALUE(HFTMON_DURATION_NMI);
	VALUE(HFTMON_DURATION_COUNT);
	VALUE(HFTMON_HISTOGRAM_BUCKETS);
	VALUE(hftmon_histogram_bucket(1000000));
	VALUE(hftmon_histogram_floor(700));

	TYPE(hftmon_watch);
	FIELD(hftmon_watch, op);
	FIELD(hftmon_watch, tid);
	FIELD(hftmon_watch, flags);
	FIELD(hftmon_watch, threads);

	TYPE(hftmon_thread_histograms);
	FIELD(hftmon_thread_histograms, tid);
	FIELD(hftmon_thread_histograms, state);
	FIELD(hftmon_thread_histograms, sessions);
	FIELD(hftmon_thread_histograms, of);
	FIELD(hftmon_histograms, no_slot);
	FIELD(hftmon_info, thread_slots);
	FIELD(hftmon_info, thread_bit);
	VALUE(HFTMON_THREAD_DURATIONS);
	VALUE(HFTMON_THREAD_ENDED);
	VALUE(HFTMON_SETUP_THREADS);
	VALUE(HFTMON_MMAP_THREAD_HISTOGRAMS);
	TYPE(hftmon_minimum);
	FIELD(hftmon_minimum, kinds);
	FIELD(hftmon_minimum, over);
	VALUE(HFTMON_THRESHOLD_KINDS);
	TYPE(hftmon_trigger);
	FIELD(hftmon_trigger, kinds);
	FIELD(hftmon_trigger, flags);
	FIELD(hftmon_trigger, tail_records);
	FIELD(hftmon_trigger, tail_ticks);
	FIELD(hftmon_trigger, holdoff_ticks);
	FIELD(hftmon_trigger, over);
	VALUE(HFTMON_TRIGGER_FREEZE);
	VALUE(HFTMON_TRIGGER_FREEZE_SENDER);
	VALUE(HFTMON_TRIGGER_FREEZE_ALL);
	VALUE(HFTMON_TRIGGER_WATCHED);

	TYPE(hftmon_spikes);
	FIELD(hftmon_spikes, flags);
	FIELD(hftmon_spikes, hits);
	FIELD(hftmon_spikes, held);
	FIELD(hftmon_spikes, tsc);
	FIELD(hftmon_spikes, ticks);
	FIELD(hftmon_spikes, tid);
	FIELD(hftmon_spikes, cause);
	FIELD(hftmon_spikes, kind);
	FIELD(hftmon_spikes, cpu);
	VALUE(HFTMON_SPIKES_REARM);

	TYPE(hftmon_source_cost);
	FIELD(hftmon_source_cost, samples);
	FIELD(hftmon_source_cost, ticks);
	VALUE(HFTMON_COST_HISTOGRAMS);
	VALUE(HFTMON_COST_COUNT);

	TYPE(hftmon_stack);
	FIELD(hftmon_stack, state);
	FIELD(hftmon_stack, hash);
	FIELD(hftmon_stack, depth);
	FIELD(hftmon_stack, flags);
	FIELD(hftmon_stack, frames);
	TYPE(hftmon_stacks);
	FIELD(hftmon_stacks, slots);
	FIELD(hftmon_stacks, kernel_used);
	FIELD(hftmon_stacks, user_used);
	FIELD(hftmon_stacks, taken);
	FIELD(hftmon_stacks, missed);
	TYPE(hftmon_costs);
	FIELD(hftmon_costs, cpu);
	FIELD(hftmon_costs, count);
	FIELD(hftmon_costs, budget_ppm);
	FIELD(hftmon_costs, spent_ppm);
	FIELD(hftmon_costs, entries);
	FIELD(hftmon_costs, events);
	FIELD(hftmon_costs, samples);
	FIELD(hftmon_costs, ticks);
	FIELD(hftmon_costs, shed);

	TYPE(hftmon_source_status);
	FIELD(hftmon_source_status, source);
	FIELD(hftmon_source_status, state);
	FIELD(hftmon_source_status, error);
	FIELD(hftmon_source_status, missed);

	TYPE(hftmon_sources);
	FIELD(hftmon_sources, size);
	FIELD(hftmon_sources, count);
	FIELD(hftmon_sources, entries);

	TYPE(hftmon_cpu_stats);
	FIELD(hftmon_cpu_stats, size);
	FIELD(hftmon_cpu_stats, cpu);
	FIELD(hftmon_cpu_stats, head);
	FIELD(hftmon_cpu_stats, lost);
	FIELD(hftmon_cpu_stats, probes);
	FIELD(hftmon_cpu_stats, self_samples);
	FIELD(hftmon_cpu_stats, self_ticks);
	FIELD(hftmon_cpu_stats, ever_shed);

	TYPE(hftmon_clock_sync);
	FIELD(hftmon_clock_sync, size);
	FIELD(hftmon_clock_sync, window_ticks);
	FIELD(hftmon_clock_sync, tsc);
	FIELD(hftmon_clock_sync, monotonic_raw_ns);
	FIELD(hftmon_clock_sync, monotonic_ns);
	FIELD(hftmon_clock_sync, realtime_ns);

	TYPE(hftmon_thread_entry);
	FIELD(hftmon_thread_entry, id);
	FIELD(hftmon_thread_entry, comm);

	TYPE(hftmon_threads);
	FIELD(hftmon_threads, size);
	FIELD(hftmon_threads, count);
	FIELD(hftmon_threads, entries);
	FIELD(hftmon_threads, tsc);
	FIELD(hftmon_threads, tsc_end);

	VALUE(HFTMON_IOC_INFO);
	VALUE(HFTMON_IOC_SETUP);
	VALUE(HFTMON_IOC_START);
	VALUE(HFTMON_IOC_STOP);
	VALUE(HFTMON_IOC_SOURCES);
	VALUE(HFTMON_IOC_CPU_STATS);
	VALUE(HFTMON_IOC_CLOCK_SYNC);
	VALUE(HFTMON_IOC_THREADS);
	VALUE(HFTMON_IOC_WATCH);
	VALUE(HFTMON_IOC_TRIGGER);
	VALUE(HFTMON_IOC_SPIKES);
	VALUE(HFTMON_IOC_COSTS);
	VALUE(HFTMON_IOC_STACKS);
	VALUE(HFTMON_IOC_MINIMUM);
}

/* Numbers that files and modules already use: append only. */
static void numbers(void)
{
#define SOURCE(id, name) printf("source %s = %d\n", name, (int)HFTMON_SOURCE_##id);
	HFTMON_SOURCES(SOURCE)
	VALUE(HFTMON_REC_GAP);
	VALUE(HFTMON_REC_CPU_STATE);
	VALUE(HFTMON_REC_COMM);
	VALUE(HFTMON_REC_SPIKE);
	VALUE(HFTMON_REC_SHED);
	VALUE(HFTMON_REC_STACK);
	VALUE(HFTMON_REC_DURATION);
	VALUE(HFTMON_REC_SCHED_SWITCH);
	VALUE(HFTMON_REC_SCHED_WAKING);
	VALUE(HFTMON_REC_SCHED_WAKEUP);
	VALUE(HFTMON_REC_SCHED_WAKEUP_NEW);
	VALUE(HFTMON_REC_SCHED_MIGRATE);
	VALUE(HFTMON_REC_SCHED_PI_SETPRIO);
	VALUE(HFTMON_REC_SCHED_NEED_RESCHED);
	VALUE(HFTMON_REC_NR_RUNNING);
	VALUE(HFTMON_REC_NUMA_FAULT);
	VALUE(HFTMON_NUMA_MOVED);
	VALUE(HFTMON_NUMA_MOVE_FAILED);
	VALUE(HFTMON_REC_AFFINITY);
	VALUE(HFTMON_REC_CFS_THROTTLE);
	VALUE(HFTMON_REC_CFS_UNTHROTTLE);
	VALUE(HFTMON_REC_SCHED_BLOCKED);
	VALUE(HFTMON_REC_SCHED_IOWAIT);
	VALUE(HFTMON_REC_SCHED_NUMA);
	VALUE(HFTMON_REC_THREAD);
	VALUE(HFTMON_REC_FORK);
	VALUE(HFTMON_REC_EXEC);
	VALUE(HFTMON_REC_EXIT);
	VALUE(HFTMON_REC_RENAME);
	VALUE(HFTMON_REC_DEAD);
	VALUE(HFTMON_REC_IRQ_ENTRY);
	VALUE(HFTMON_REC_IRQ_EXIT);
	VALUE(HFTMON_REC_SOFTIRQ_RAISE);
	VALUE(HFTMON_REC_SOFTIRQ_ENTRY);
	VALUE(HFTMON_REC_SOFTIRQ_EXIT);
	VALUE(HFTMON_REC_VECTOR_ENTRY);
	VALUE(HFTMON_REC_VECTOR_EXIT);
	VALUE(HFTMON_REC_NMI);
	VALUE(HFTMON_REC_IPI_SEND);
	VALUE(HFTMON_REC_PAGE_FAULT_USER);
	VALUE(HFTMON_REC_PAGE_FAULT_KERNEL);
	VALUE(HFTMON_REC_CPU_IDLE);
	VALUE(HFTMON_REC_HRTIMER_EXPIRE_ENTRY);
	VALUE(HFTMON_REC_HRTIMER_EXPIRE_EXIT);
	VALUE(HFTMON_REC_TLB_FLUSH);
	VALUE(HFTMON_REC_CPU_FREQUENCY);
	VALUE(HFTMON_REC_SIGNAL_GENERATE);
	VALUE(HFTMON_REC_SIGNAL_DELIVER);
	VALUE(HFTMON_REC_HRTIMER_START);
	VALUE(HFTMON_REC_TIMER_EXPIRE_ENTRY);
	VALUE(HFTMON_REC_TIMER_EXPIRE_EXIT);
	VALUE(HFTMON_REC_WORK_QUEUE);
	VALUE(HFTMON_REC_WORK_START);
	VALUE(HFTMON_REC_WORK_END);
	VALUE(HFTMON_REC_TASKLET_ENTRY);
	VALUE(HFTMON_REC_TASKLET_EXIT);
	VALUE(HFTMON_REC_CSD_QUEUE);
	VALUE(HFTMON_REC_CSD_ENTRY);
	VALUE(HFTMON_REC_CSD_EXIT);
	VALUE(HFTMON_REC_NAPI_POLL);
	VALUE(HFTMON_REC_NET_RECEIVE);
	VALUE(HFTMON_REC_NET_QUEUE);
	VALUE(HFTMON_REC_NET_START_XMIT);
	VALUE(HFTMON_REC_BLOCK_ISSUE);
	VALUE(HFTMON_REC_BLOCK_COMPLETE);
	VALUE(HFTMON_REC_SYSCALL_ENTER);
	VALUE(HFTMON_REC_SYSCALL_EXIT);
	VALUE(HFTMON_THREAD_WATCHED);
	VALUE(HFTMON_CPU_STATE_PARTIAL);
	VALUE(HFTMON_CPU_STATE_UNWATCHED);
	VALUE(HFTMON_SWITCH_PREEMPT);
	VALUE(HFTMON_SWITCH_PREV_QUEUED);
	VALUE(HFTMON_TLB_REASON_END);
	VALUE(HFTMON_VECTOR_KIND_END);
	VALUE(HFTMON_ABI_VERSION);
	VALUE(HFTMON_SCHEMA_VERSION);
}

int main(void)
{
	records();
	ring();
	session();
	numbers();
	return 0;
}
