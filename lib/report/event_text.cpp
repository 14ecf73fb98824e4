// SPDX-License-Identifier: MIT
#include "hftmon/event_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>

#include "hftmon/histogram.hpp"

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
    Writer(const EventHeader& header, const EventNames& names, std::string& out)
        : header_(header), names_(names), out_(out) {}

    void operator()(const GapEvent& e) { put("gap lost_total={} current_tid={}", e.lost_total, e.current.value); }
    void operator()(const CpuStateEvent& e) {
        put("cpu_state {} prio={} policy={}{}{}", thread("current", e.current), e.prio, policy_name(e.policy),
            e.partial ? " partial=1" : "", e.unwatched ? " unwatched=1" : "");
    }
    void operator()(const SchedSwitchEvent& e) {
        put("sched_switch {} prev_prio={} prev_policy={} prev_state={:#x} prev_queued={:d} preempt={:d} {} "
            "next_prio={} next_policy={}{}{}",
            thread("prev", e.prev), e.prev_prio, policy_name(e.prev_policy), e.prev_state, e.prev_queued, e.preempt,
            thread("next", e.next), e.next_prio, policy_name(e.next_policy), e.prev_partial ? " prev_partial=1" : "",
            e.next_partial ? " next_partial=1" : "");
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
            put("hrtimer_expire_entry late_ns={} slack_ns={}{}", e.late.count(), e.slack.count(), function(e.function));
        } else {
            put("hrtimer_expire_exit");
        }
    }

    void operator()(const PriorityEvent& e) {
        put("sched_pi_setprio {} old_prio={} new_prio={} {}", thread("", e.tid), e.old_prio, e.new_prio,
            e.donor == kIdleTid ? "donor_tid=0" : thread("donor", e.donor));
    }
    void operator()(const NeedReschedEvent& e) {
        put("sched_set_need_resched {} target_cpu={} lazy={:d}", thread("", e.tid), e.cpu.value, e.lazy);
    }
    void operator()(const BlockedEvent& e) {
        put("sched_stat_{} {} delay_ns={}", e.iowait ? "iowait" : "blocked", thread("", e.tid), e.length.count());
    }
    void operator()(const NumaEvent& e) {
        if (e.swapped == kIdleTid)
            put("sched_move_numa {} src_cpu={} dst_cpu={}", thread("", e.tid), e.from.value, e.to.value);
        else
            put("sched_swap_numa {} src_cpu={} dst_cpu={} {}", thread("", e.tid), e.from.value, e.to.value,
                thread("swapped", e.swapped));
    }
    void operator()(const NumaFaultEvent& e) {
        static constexpr std::string_view kOutcomes[] = {"stayed", "moved", "move_failed"};
        put("numa_fault node={} pages={} outcome={}", e.node, e.pages, kOutcomes[static_cast<std::size_t>(e.outcome)]);
    }
    void operator()(const IpiSendEvent& e) { put("ipi_send cpus={} count={}", cpu_list(e), e.count); }
    void operator()(const TlbFlushEvent& e) {
        if (e.pages == TlbFlushEvent::kAllPages)
            put("tlb_flush pages=all reason={}", tlb_flush_reason_name(e.reason));
        else
            put("tlb_flush pages={} reason={}", e.pages, tlb_flush_reason_name(e.reason));
    }
    void operator()(const CpuFrequencyEvent& e) { put("cpu_frequency cpu={} khz={}", e.cpu.value, e.khz); }
    void operator()(const SignalEvent& e) {
        if (e.deliver)
            put("signal_deliver {} signal={} code={}", thread("", e.tid), e.signal, e.code);
        else
            put("signal_generate {} signal={} code={} group={:d} result={}", thread("", e.tid), e.signal, e.code,
                e.group, e.result);
    }

    void operator()(const HrtimerStartEvent& e) {
        put("hrtimer_start expires_ns={}{}", e.expires.count(), function(e.function));
    }
    void operator()(const FunctionEvent& e) {
        static constexpr std::string_view kNames[] = {
            "timer_expire_entry",    "timer_expire_exit", "workqueue_queue_work", "workqueue_execute_start",
            "workqueue_execute_end", "tasklet_entry",     "tasklet_exit",         "csd_queue_cpu",
            "csd_function_entry",    "csd_function_exit"};
        put("{}", kNames[static_cast<std::size_t>(e.stage)]);
        if (e.stage == FunctionStage::kTimerEntry) put(" late_jiffies={}", static_cast<std::int32_t>(e.arg));
        if (e.stage == FunctionStage::kWorkQueue || e.stage == FunctionStage::kCsdQueue)
            put(" cpu={}", e.arg != FunctionEvent::kAnyCpu ? std::to_string(e.arg) : "any");
        put("{}", function(e.function));
        if (e.object != 0) put(" object={:#x}", e.object);
    }
    void operator()(const RunQueueEvent& e) {
        put("nr_running cpu={} nr_running={} change={:+}{}", e.cpu.value,
            e.count == RunQueueEvent::kUnknown ? "?" : fmt::to_string(e.count), e.change,
            e.counted ? " counted=1" : "");
    }
    void operator()(const AffinityEvent& e) {
        put("affinity {} cpus={} first={} last={}", thread("", e.tid), e.cpus, e.first.value, e.last.value);
    }
    void operator()(const ThrottleEvent& e) {
        put("{} queue={:08x}", e.throttled ? "cfs_throttle" : "cfs_unthrottle", e.queue);
    }
    void operator()(const NapiEvent& e) { put("napi_poll ifindex={} work={} budget={}", e.ifindex, e.work, e.budget); }
    void operator()(const PacketEvent& e) {
        static constexpr std::string_view kNames[] = {"netif_receive_skb", "net_dev_queue", "net_dev_start_xmit"};
        put("{} ifindex={} len={}", kNames[static_cast<std::size_t>(e.stage)], e.ifindex, e.length);
    }
    void operator()(const BlockEvent& e) {
        put("block_rq_{} dev={}:{} op={} sector={} bytes={}", e.complete ? "complete" : "issue", e.device >> 20,
            e.device & 0xfffff, e.op, e.sector, e.bytes);
    }
    void operator()(const SyscallEvent& e) {
        if (e.enter)
            put("sys_enter nr={}{}", e.number, e.compat ? " compat=1" : "");
        else
            put("sys_exit nr={} ret={}{}", e.number, e.ret, e.compat ? " compat=1" : "");
    }
    void operator()(const ShedEvent& e) {
        const std::string sources = sources_text(e.sources);
        put("shed sources={} spent_ppm={} budget_ppm={}", sources.empty() ? "none" : sources, e.spent_ppm,
            e.budget_ppm);
    }
    void operator()(const StackEvent& e) {
        static constexpr std::string_view kOf[] = {"sched_switch", "sched_waking", "spike"};
        put("stack of={} {}{}{}", kOf[static_cast<std::size_t>(e.of)], thread("", e.tid),
            stack(StackPart::kKernel, e.stack.kernel, e.tid), stack(StackPart::kUser, e.stack.user, e.tid));
    }
    void operator()(const SpikeEvent& e) { duration("spike", e); }
    void operator()(const DurationEvent& e) { duration("duration", e); }

private:
    void duration(std::string_view what, const DurationEvent& e) {
        put("{} kind={} ticks={} {}", what, duration_name(e.kind), e.duration.value, thread("", e.tid));
        switch (e.kind) {
            case HFTMON_DURATION_HARDIRQ: put(" irq={}", e.cause); break;
            case HFTMON_DURATION_SOFTIRQ: put(" vec={} action={}", e.cause, softirq_name(e.cause)); break;
            case HFTMON_DURATION_VECTOR: put(" vector={}", vector_name(static_cast<VectorKind>(e.cause))); break;
            default:
                if (!e.of_handler()) put(" {}", thread("before", Tid{e.cause}));
        }
    }

    /// "0,2-5", and "+2" for those that the record only counts.
    static std::string cpu_list(const IpiSendEvent& e) {
        std::string text;
        const std::uint32_t base = e.first.value & ~63u;
        for (unsigned bit = 0; bit < 64; ++bit) {
            if ((e.cpus >> bit & 1) == 0) continue;
            unsigned last = bit;
            while (last < 63 && (e.cpus >> (last + 1) & 1) != 0) ++last;
            text += fmt::format("{}{}", text.empty() ? "" : ",", base + bit);
            if (last > bit) text += fmt::format("-{}", base + last);
            bit = last;
        }
        const auto more = e.count - static_cast<std::uint32_t>(std::popcount(e.cpus));
        if (more != 0) text += fmt::format("+{}", more);
        return text;
    }

    template <class... Args>
    void put(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    }

    /// " function=tick_nohz_handler", or its address; nothing when that is not known.
    std::string function(std::uint64_t address) const {
        if (address == 0) return "";
        const std::string_view name = names_.stacks.functions().lookup(address);
        return name.empty() ? fmt::format(" function={:#x}", address) : fmt::format(" function={}", name);
    }

    /// " kernel=schedule;do_nanosleep"; its number, when the stack is not known.
    std::string stack(StackPart part, std::uint32_t id, Tid tid) const {
        if (id == 0) return "";
        const char* key = part == StackPart::kKernel ? "kernel" : "user";
        const Stack* stack = names_.stacks.stacks().lookup(part, id);
        if (stack == nullptr) return fmt::format(" {}=#{}", key, id);
        const Tid process = names_.threads.process_of(tid, header_.time).value_or(tid);
        std::string text;
        for (const StackFrame& frame : names_.stacks.frames(*stack, process, header_.time))
            text += fmt::format("{}{}", text.empty() ? "" : ";", short_name(frame.name));
        std::ranges::replace_if(
            text, [](char c) { return c <= ' ' || c > '~'; }, '_');
        return fmt::format(" {}={}{}", key, text, stack->cut ? ";..." : "");
    }

    /// "prev_tid=12 prev_comm="name"", the name only when it is known.
    std::string thread(std::string_view role, Tid tid) const {
        const std::string_view joint = role.empty() ? "" : "_";
        std::string text = fmt::format("{}{}tid={}", role, joint, tid.value);
        if (tid == kIdleTid) {
            text += fmt::format(" {}{}comm={}", role, joint, quote_comm(NameTable::idle_name(header_.cpu).view()));
        } else if (const auto info = names_.threads.lookup(tid, header_.time)) {
            text += fmt::format(" {}{}comm={}", role, joint, quote_comm(info->comm.view()));
        }
        return text;
    }

    const EventHeader& header_;
    const EventNames& names_;
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

void append_event_text(const Event& event, const EventNames& names, std::string& out) {
    std::visit(Writer(event.header, names, out), event.body);
}

}  // namespace hftmon
