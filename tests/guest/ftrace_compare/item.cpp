// SPDX-License-Identifier: MIT
// Names, and the table of what each type of event is called.
#include "item.hpp"

#include <algorithm>
#include <cstring>

namespace ftrace_compare {

namespace {

constexpr std::array kKinds = std::to_array<Kind>({
    {HFTMON_REC_SCHED_SWITCH, "sched_switch", {"prev_pid", "prev_prio", "prev_state", "next_pid", "next_prio", ""}},
    {HFTMON_REC_SCHED_WAKING, "sched_waking", {"pid", "prio", "target_cpu", "context", "", ""}},
    {HFTMON_REC_SCHED_WAKEUP, "sched_wakeup", {"pid", "prio", "target_cpu", "context", "", ""}},
    {HFTMON_REC_SCHED_WAKEUP_NEW, "sched_wakeup_new", {"pid", "prio", "target_cpu", "context", "", ""}},
    {HFTMON_REC_SCHED_MIGRATE, "sched_migrate_task", {"pid", "prio", "orig_cpu", "dest_cpu", "", ""}},
    {HFTMON_REC_FORK, "sched_process_fork", {"parent_pid", "child_pid", "", "", "", ""}},
    {HFTMON_REC_EXEC, "sched_process_exec", {"pid", "old_pid", "", "", "", ""}},
    {HFTMON_REC_EXIT, "sched_process_exit", {"pid", "prio", "", "", "", ""}},
    {HFTMON_REC_RENAME, "task_rename", {"pid", "", "", "", "", ""}},
    {HFTMON_REC_IRQ_ENTRY, "irq_handler_entry", {"irq", "", "", "", "", ""}},
    {HFTMON_REC_IRQ_EXIT, "irq_handler_exit", {"irq", "ret", "", "", "", ""}},
    {HFTMON_REC_SOFTIRQ_RAISE, "softirq_raise", {"vec", "", "", "", "", ""}},
    {HFTMON_REC_SOFTIRQ_ENTRY, "softirq_entry", {"vec", "", "", "", "", ""}},
    {HFTMON_REC_SOFTIRQ_EXIT, "softirq_exit", {"vec", "", "", "", "", ""}},
    {HFTMON_REC_VECTOR_ENTRY, "vector_entry", {"vector", "kind", "", "", "", ""}},
    {HFTMON_REC_VECTOR_EXIT, "vector_exit", {"vector", "kind", "", "", "", ""}},
    {HFTMON_REC_PAGE_FAULT_USER, "page_fault_user", {"address", "ip", "error_code", "", "", ""}},
    {HFTMON_REC_PAGE_FAULT_KERNEL, "page_fault_kernel", {"address", "ip", "error_code", "", "", ""}},
    {HFTMON_REC_CPU_IDLE, "cpu_idle", {"state", "", "", "", "", ""}},
    {HFTMON_REC_HRTIMER_EXPIRE_ENTRY, "hrtimer_expire_entry", {"function", "", "", "", "", ""}},
    {HFTMON_REC_HRTIMER_EXPIRE_EXIT, "hrtimer_expire_exit", {"", "", "", "", "", ""}},
    {HFTMON_REC_SCHED_PI_SETPRIO, "sched_pi_setprio", {"pid", "oldprio", "newprio", "", "", ""}},
    {HFTMON_REC_SCHED_BLOCKED, "sched_stat_blocked", {"pid", "delay", "", "", "", ""}},
    {HFTMON_REC_SCHED_IOWAIT, "sched_stat_iowait", {"pid", "delay", "", "", "", ""}},
    {HFTMON_REC_SCHED_NUMA, "sched_numa", {"pid", "src_cpu", "dst_cpu", "other_pid", "", ""}},
    {HFTMON_REC_IPI_SEND, "ipi_send", {"first_cpu", "count", "cpus", "", "", ""}},
    {HFTMON_REC_TLB_FLUSH, "tlb_flush", {"reason", "pages", "", "", "", ""}},
    {HFTMON_REC_CPU_FREQUENCY, "cpu_frequency", {"khz", "cpu", "", "", "", ""}},
    {HFTMON_REC_SIGNAL_GENERATE, "signal_generate", {"sig", "code", "pid", "group", "result", ""}},
    {HFTMON_REC_SIGNAL_DELIVER, "signal_deliver", {"sig", "code", "", "", "", ""}},
    {HFTMON_REC_HRTIMER_START, "hrtimer_start", {"function", "softexpires", "", "", "", ""}},
    {HFTMON_REC_TIMER_EXPIRE_ENTRY, "timer_expire_entry", {"function", "timer", "", "", "", ""}},
    {HFTMON_REC_TIMER_EXPIRE_EXIT, "timer_expire_exit", {"", "timer", "", "", "", ""}},
    {HFTMON_REC_WORK_QUEUE, "workqueue_queue_work", {"function", "work", "req_cpu", "", "", ""}},
    {HFTMON_REC_WORK_START, "workqueue_execute_start", {"function", "work", "", "", "", ""}},
    {HFTMON_REC_WORK_END, "workqueue_execute_end", {"function", "work", "", "", "", ""}},
    {HFTMON_REC_TASKLET_ENTRY, "tasklet_entry", {"func", "tasklet", "", "", "", ""}},
    {HFTMON_REC_TASKLET_EXIT, "tasklet_exit", {"func", "tasklet", "", "", "", ""}},
    {HFTMON_REC_CSD_QUEUE, "csd_queue_cpu", {"func", "csd", "cpu", "", "", ""}},
    {HFTMON_REC_CSD_ENTRY, "csd_function_entry", {"func", "csd", "", "", "", ""}},
    {HFTMON_REC_CSD_EXIT, "csd_function_exit", {"func", "csd", "", "", "", ""}},
    {HFTMON_REC_NAPI_POLL, "napi_poll", {"work", "budget", "", "", "", ""}},
    {HFTMON_REC_NET_RECEIVE, "netif_receive_skb", {"len", "", "", "", "", ""}},
    {HFTMON_REC_NET_QUEUE, "net_dev_queue", {"len", "", "", "", "", ""}},
    {HFTMON_REC_NET_START_XMIT, "net_dev_start_xmit", {"len", "", "", "", "", ""}},
    {HFTMON_REC_BLOCK_ISSUE, "block_rq_issue", {"dev", "sector", "bytes", "", "", ""}},
    {HFTMON_REC_BLOCK_COMPLETE, "block_rq_complete", {"dev", "sector", "", "", "", ""}},
    {HFTMON_REC_SYSCALL_ENTER, "sys_enter", {"id", "", "", "", "", ""}},
    {HFTMON_REC_SYSCALL_EXIT, "sys_exit", {"id", "ret", "", "", "", ""}},
});

}  // namespace

Name name_of(std::string_view text) {
    Name name{};
    std::copy_n(text.data(), std::min(text.size(), name.size() - 1), name.data());
    return name;
}

std::string_view view(const Name& name) { return {name.data(), ::strnlen(name.data(), name.size())}; }

const Kind* kind_of(std::uint16_t type) {
    const auto found = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& k) { return k.type == type; });
    return found == kKinds.end() ? nullptr : &*found;
}

bool is_entry(std::uint16_t type) {
    return type == HFTMON_REC_IRQ_ENTRY || type == HFTMON_REC_VECTOR_ENTRY || type == HFTMON_REC_SOFTIRQ_ENTRY;
}
bool is_exit(std::uint16_t type) {
    return type == HFTMON_REC_IRQ_EXIT || type == HFTMON_REC_VECTOR_EXIT || type == HFTMON_REC_SOFTIRQ_EXIT;
}

}  // namespace ftrace_compare
