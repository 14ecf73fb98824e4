// SPDX-License-Identifier: MIT
// One line for each event, with the function that copies its fields.
#include "events.hpp"

#include <string_view>
#include <utility>

#include "hftmon/names.hpp"

namespace ftrace_compare {

using namespace hftmon;

namespace {

std::int64_t context_of(std::uint8_t flags) {
    if ((flags & kNmi) != 0) return HFTMON_CONTEXT_NMI;
    if ((flags & kHardirq) != 0) return HFTMON_CONTEXT_HARDIRQ;
    return (flags & kSoftirq) != 0 ? HFTMON_CONTEXT_SOFTIRQ : HFTMON_CONTEXT_TASK;
}

/// Copies the named integer fields, in order; "": there is none.
Fill integers(std::vector<std::string> names) {
    return [names](const Format& f, const std::uint8_t* data, Item& item) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (!names[i].empty()) item.field[i] = f.integer(data, names[i]);
        }
    };
}

/// The same, and the thread's name.
Fill of_thread(std::vector<std::string> names) {
    return [fill = integers(std::move(names))](const Format& f, const std::uint8_t* data, Item& item) {
        fill(f, data, item);
        item.first = f.text(data, "comm");
    };
}

void fill_ipi_to_one(const Format& f, const std::uint8_t* data, Item& item) {
    const std::int64_t cpu = f.integer(data, "cpu");
    item.field = {cpu, 1, std::int64_t{1} << cpu % 64};
}

void fill_ipi_to_many(const Format& f, const std::uint8_t* data, Item& item) {
    const auto mask = f.bytes(data, "cpumask");
    std::int64_t first = -1, count = 0, cpus = 0;
    for (std::int64_t cpu = 0; cpu < static_cast<std::int64_t>(8 * mask.size()); ++cpu) {
        if ((mask[static_cast<std::size_t>(cpu / 8)] >> cpu % 8 & 1) == 0) continue;
        if (first < 0) first = cpu;
        if (cpu / 64 == first / 64) cpus |= std::int64_t{1} << cpu % 64;
        ++count;
    }
    item.field = {first, count, cpus};
}

void fill_work(const Format& f, const std::uint8_t* data, Item& item) {
    constexpr std::int64_t kUnbound = 8192;  // Debian's NR_CPUS
    const std::int64_t cpu = f.integer(data, "req_cpu");
    item.field = {f.integer(data, "function"), f.integer(data, "work"), cpu < kUnbound ? cpu : FunctionEvent::kAnyCpu};
}

void fill_wake(const Format& f, const std::uint8_t* data, Item& item) {
    item.field = {f.integer(data, "pid"), f.integer(data, "prio"), f.integer(data, "target_cpu"),
                  context_of(item.flags)};
    item.first = f.text(data, "comm");
}

void fill_switch(const Format& f, const std::uint8_t* data, Item& item) {
    item.field = {f.integer(data, "prev_pid"), f.integer(data, "prev_prio"), f.integer(data, "prev_state"),
                  f.integer(data, "next_pid"), f.integer(data, "next_prio")};
    item.first = f.text(data, "prev_comm");
    item.second = f.text(data, "next_comm");
}

constexpr std::uint64_t kUserTop = 0x00007ffffffff000;  // x86: TASK_SIZE_MAX with 4 levels

std::int64_t user_part(std::int64_t address) { return static_cast<std::uint64_t>(address) < kUserTop ? address : 0; }

}  // namespace

std::vector<FtraceEvent> ftrace_events() {
    std::vector<FtraceEvent> events = {
        {"sched/sched_switch", HFTMON_REC_SCHED_SWITCH, fill_switch, {}},
        {"sched/sched_waking", HFTMON_REC_SCHED_WAKING, fill_wake, {}},
        {"sched/sched_wakeup", HFTMON_REC_SCHED_WAKEUP, fill_wake, {}},
        {"sched/sched_wakeup_new", HFTMON_REC_SCHED_WAKEUP_NEW, fill_wake, {}},
        {"sched/sched_migrate_task",
         HFTMON_REC_SCHED_MIGRATE,
         [](const Format& f, const std::uint8_t* data, Item& item) {
             integers({"pid", "prio", "orig_cpu", "dest_cpu"})(f, data, item);
             item.first = f.text(data, "comm");
         },
         {}},
        {"sched/sched_process_fork",
         HFTMON_REC_FORK,
         [](const Format& f, const std::uint8_t* data, Item& item) {
             integers({"parent_pid", "child_pid"})(f, data, item);
             item.first = f.text(data, "child_comm");
         },
         {}},
        {"sched/sched_process_exec", HFTMON_REC_EXEC, integers({"pid", "old_pid"}), {}},
        {"sched/sched_process_exit",
         HFTMON_REC_EXIT,
         [](const Format& f, const std::uint8_t* data, Item& item) {
             integers({"pid", "prio"})(f, data, item);
             item.first = f.text(data, "comm");
         },
         {}},
        {"task/task_rename",
         HFTMON_REC_RENAME,
         [](const Format& f, const std::uint8_t* data, Item& item) {
             // Older kernels name the thread, newer ones leave it to common_pid.
             item.field[0] = f.integer(data, "pid");
             item.first = f.text(data, "newcomm");
         },
         {}},
        {"irq/irq_handler_entry", HFTMON_REC_IRQ_ENTRY, integers({"irq"}), {}},
        {"irq/irq_handler_exit", HFTMON_REC_IRQ_EXIT, integers({"irq", "ret"}), {}},
        {"irq/softirq_raise", HFTMON_REC_SOFTIRQ_RAISE, integers({"vec"}), {}},
        {"irq/softirq_entry", HFTMON_REC_SOFTIRQ_ENTRY, integers({"vec"}), {}},
        {"irq/softirq_exit", HFTMON_REC_SOFTIRQ_EXIT, integers({"vec"}), {}},
        {"power/cpu_idle", HFTMON_REC_CPU_IDLE, integers({"state"}), {}},
        {"timer/hrtimer_expire_entry", HFTMON_REC_HRTIMER_EXPIRE_ENTRY, integers({"function"}), {}},
        {"timer/hrtimer_expire_exit", HFTMON_REC_HRTIMER_EXPIRE_EXIT, integers({}), {}},
        {"sched/sched_pi_setprio", HFTMON_REC_SCHED_PI_SETPRIO, of_thread({"pid", "oldprio", "newprio"}), {}},
        {"sched/sched_stat_blocked", HFTMON_REC_SCHED_BLOCKED, of_thread({"pid", "delay"}), {}},
        {"sched/sched_stat_iowait", HFTMON_REC_SCHED_IOWAIT, of_thread({"pid", "delay"}), {}},
        {"sched/sched_move_numa", HFTMON_REC_SCHED_NUMA, integers({"pid", "src_cpu", "dst_cpu"}), {}},
        {"sched/sched_swap_numa", HFTMON_REC_SCHED_NUMA, integers({"src_pid", "src_cpu", "dst_cpu", "dst_pid"}), {}},
        {"ipi/ipi_send_cpu", HFTMON_REC_IPI_SEND, fill_ipi_to_one, {}},
        {"ipi/ipi_send_cpumask", HFTMON_REC_IPI_SEND, fill_ipi_to_many, {}},
        {"tlb/tlb_flush", HFTMON_REC_TLB_FLUSH, integers({"reason", "pages"}), {}},
        {"power/cpu_frequency", HFTMON_REC_CPU_FREQUENCY, integers({"state", "cpu_id"}), {}},
        {"signal/signal_generate",
         HFTMON_REC_SIGNAL_GENERATE,
         of_thread({"sig", "code", "pid", "group", "result"}),
         {}},
        {"signal/signal_deliver", HFTMON_REC_SIGNAL_DELIVER, integers({"sig", "code"}), {}},
        {"timer/hrtimer_start", HFTMON_REC_HRTIMER_START, integers({"function", "softexpires"}), {}},
        {"timer/timer_expire_entry", HFTMON_REC_TIMER_EXPIRE_ENTRY, integers({"function", "timer"}), {}},
        {"timer/timer_expire_exit", HFTMON_REC_TIMER_EXPIRE_EXIT, integers({"", "timer"}), {}},
        {"workqueue/workqueue_queue_work", HFTMON_REC_WORK_QUEUE, fill_work, {}},
        {"workqueue/workqueue_execute_start", HFTMON_REC_WORK_START, integers({"function", "work"}), {}},
        {"workqueue/workqueue_execute_end", HFTMON_REC_WORK_END, integers({"function", "work"}), {}},
        {"irq/tasklet_entry", HFTMON_REC_TASKLET_ENTRY, integers({"func", "tasklet"}), {}},
        {"irq/tasklet_exit", HFTMON_REC_TASKLET_EXIT, integers({"func", "tasklet"}), {}},
        {"csd/csd_queue_cpu", HFTMON_REC_CSD_QUEUE, integers({"func", "csd", "cpu"}), {}},
        {"csd/csd_function_entry", HFTMON_REC_CSD_ENTRY, integers({"func", "csd"}), {}},
        {"csd/csd_function_exit", HFTMON_REC_CSD_EXIT, integers({"func", "csd"}), {}},
        {"napi/napi_poll", HFTMON_REC_NAPI_POLL, integers({"work", "budget"}), {}},
        {"net/netif_receive_skb", HFTMON_REC_NET_RECEIVE, integers({"len"}), {}},
        {"net/net_dev_queue", HFTMON_REC_NET_QUEUE, integers({"len"}), {}},
        {"net/net_dev_start_xmit", HFTMON_REC_NET_START_XMIT, integers({"len"}), {}},
        {"block/block_rq_issue", HFTMON_REC_BLOCK_ISSUE, integers({"dev", "sector", "bytes"}), {}},
        {"block/block_rq_complete", HFTMON_REC_BLOCK_COMPLETE, integers({"dev", "sector"}), {}},
        {"raw_syscalls/sys_enter", HFTMON_REC_SYSCALL_ENTER, integers({"id"}), {}},
        {"raw_syscalls/sys_exit", HFTMON_REC_SYSCALL_EXIT, integers({"id", "ret"}), {}},
    };
    for (const auto& [name, type] : {std::pair<std::string, std::uint16_t>{"user", HFTMON_REC_PAGE_FAULT_USER},
                                     {"kernel", HFTMON_REC_PAGE_FAULT_KERNEL}}) {
        events.push_back({"exceptions/page_fault_" + name,
                          type,
                          [](const Format& f, const std::uint8_t* data, Item& item) {
                              item.field = {user_part(f.integer(data, "address")), user_part(f.integer(data, "ip")),
                                            f.integer(data, "error_code") & 0xffff};
                          },
                          {}});
    }
    for (int kind = 0; kind < HFTMON_VECTOR_KIND_END; ++kind) {
        const std::string name(vector_name(static_cast<VectorKind>(kind)));
        const Fill fill = [kind](const Format& f, const std::uint8_t* data, Item& item) {
            item.field = {f.integer(data, "vector"), kind};
        };
        events.push_back({"irq_vectors/" + name + "_entry", HFTMON_REC_VECTOR_ENTRY, fill, {}});
        events.push_back({"irq_vectors/" + name + "_exit", HFTMON_REC_VECTOR_EXIT, fill, {}});
    }
    return events;
}

}  // namespace ftrace_compare
