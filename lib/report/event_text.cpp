// SPDX-License-Identifier: MIT
#include "hftmon/event_text.hpp"

#include <fmt/format.h>

#include <iterator>

namespace hftmon {

namespace {

std::string_view context_name(Context context) noexcept {
    switch (context) {
        case Context::kTask: return "task";
        case Context::kSoftirq: return "softirq";
        case Context::kHardirq: return "hardirq";
        case Context::kNmi: return "nmi";
    }
    return "unknown";
}

class Writer {
public:
    Writer(const EventHeader& header, const NameTable& names, std::string& out)
        : header_(header), names_(names), out_(out) {}

    void operator()(const GapEvent& e) { put("gap lost_total={} current_tid={}", e.lost_total, e.current.value); }
    void operator()(const CpuStateEvent& e) {
        put("cpu_state {} prio={} policy={}", thread("current", e.current), e.prio, policy_name(e.policy));
    }
    void operator()(const SchedSwitchEvent& e) {
        put("sched_switch {} prev_prio={} prev_policy={} prev_state={:#x} prev_queued={:d} preempt={:d} {} "
            "next_prio={} next_policy={}",
            thread("prev", e.prev), e.prev_prio, policy_name(e.prev_policy), e.prev_state, e.prev_queued, e.preempt,
            thread("next", e.next), e.next_prio, policy_name(e.next_policy));
    }
    void operator()(const SchedWakeEvent& e) {
        static constexpr std::string_view kNames[] = {"sched_waking", "sched_wakeup", "sched_wakeup_new"};
        put("{} {} prio={} target_cpu={} {} context={}", kNames[static_cast<std::size_t>(e.stage)], thread("", e.tid),
            e.prio, e.target.value, thread("waker", e.waker), context_name(e.context));
    }
    void operator()(const SchedMigrateEvent& e) {
        put("sched_migrate_task {} prio={} orig_cpu={} dest_cpu={}", thread("", e.tid), e.prio, e.from.value,
            e.to.value);
    }
    void operator()(const ThreadEvent& e) {
        static constexpr std::string_view kNames[] = {"thread_name",        "sched_process_fork", "sched_process_exec",
                                                      "sched_process_exit", "task_rename",        "thread_dead"};
        put("{} tid={} comm={} tgid={} related_tid={} prio={} policy={}", kNames[static_cast<std::size_t>(e.change)],
            e.tid.value, quote_comm(e.comm.view()), e.tgid.value, e.related.value, e.prio, policy_name(e.policy));
    }
    void operator()(const IrqEvent& e) {
        if (e.entry) {
            put("irq_handler_entry irq={}", e.irq);
        } else {
            put("irq_handler_exit irq={} ret={}", e.irq, e.ret);
        }
    }
    void operator()(const SoftirqEvent& e) {
        static constexpr std::string_view kNames[] = {"softirq_raise", "softirq_entry", "softirq_exit"};
        put("{} vec={} action={}", kNames[static_cast<std::size_t>(e.stage)], e.vec, softirq_name(e.vec));
    }
    void operator()(const VectorEvent& e) {
        put("{}_{} vector={}", vector_name(e.kind), e.entry ? "entry" : "exit", e.vector);
    }
    void operator()(const NmiEvent& e) { put("nmi_handler duration_ns={} handled={}", e.duration.count(), e.handled); }
    void operator()(const PageFaultEvent& e) {
        put("page_fault_{} address={:#x} ip={:#x} error_code={:#x}", e.user ? "user" : "kernel", e.address, e.ip,
            e.error_code);
    }
    void operator()(const CpuIdleEvent& e) {
        if (e.enter) {
            put("cpu_idle state={}", e.state);
        } else {
            put("cpu_idle state=exit");
        }
    }
    void operator()(const HrtimerEvent& e) {
        if (e.entry) {
            put("hrtimer_expire_entry late_ns={} slack_ns={}", e.late.count(), e.slack.count());
        } else {
            put("hrtimer_expire_exit");
        }
    }

private:
    template <class... Args>
    void put(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    }

    /// "prev_tid=12 prev_comm="name"", the name only when it is known.
    std::string thread(std::string_view role, Tid tid) const {
        const std::string_view joint = role.empty() ? "" : "_";
        std::string text = fmt::format("{}{}tid={}", role, joint, tid.value);
        if (tid == kIdleTid) {
            text += fmt::format(" {}{}comm={}", role, joint, quote_comm(NameTable::idle_name(header_.cpu).view()));
        } else if (const auto info = names_.lookup(tid, header_.time)) {
            text += fmt::format(" {}{}comm={}", role, joint, quote_comm(info->comm.view()));
        }
        return text;
    }

    const EventHeader& header_;
    const NameTable& names_;
    std::string& out_;
};

}  // namespace

std::string quote_comm(std::string_view comm) {
    std::string text = "\"";
    for (const char c : comm) {
        if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
            text += c;
        } else {
            text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return text += '"';
}

void append_event_text(const Event& event, const NameTable& names, std::string& out) {
    std::visit(Writer(event.header, names, out), event.body);
}

}  // namespace hftmon
