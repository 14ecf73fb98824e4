// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iterator>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "hftmon/report.hpp"

namespace hftmon {
namespace {

/// All times are in microseconds; how finely, a whole table has in common.
struct Scale {
    std::int64_t ns;  ///< that the last decimal stands for: 1 or 100

    static Scale of(std::int64_t total_ns) noexcept { return {total_ns < 1'000'000 ? 1 : 100}; }
    [[nodiscard]] std::int64_t count(std::int64_t total_ns) const noexcept { return (total_ns + ns / 2) / ns; }
    [[nodiscard]] std::string text(std::int64_t count) const {
        if (ns == 1) return fmt::format("{}.{:03} us", count / 1000, count % 1000);
        return fmt::format("{}.{} us", count / 10, count % 10);
    }
};

/// Shares out `whole` in proportion to `parts`, so that the shares sum to it:
/// each gets its floor, the largest remainders get one more.
std::vector<std::int64_t> apportion(const std::vector<std::int64_t>& parts, std::int64_t whole) {
    const std::int64_t sum = std::accumulate(parts.begin(), parts.end(), std::int64_t{0});
    std::vector<std::int64_t> shares(parts.size(), 0);
    if (sum <= 0) return shares;
    __extension__ using Wide = __int128;
    std::vector<std::int64_t> remainders(parts.size());
    std::int64_t left = whole;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const Wide scaled = static_cast<Wide>(parts[i]) * whole;
        shares[i] = static_cast<std::int64_t>(scaled / sum);
        remainders[i] = static_cast<std::int64_t>(scaled % sum);
        left -= shares[i];
    }
    std::vector<std::size_t> order(parts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
    for (std::size_t i = 0; i < order.size() && left > 0; ++i, --left) ++shares[order[i]];
    return shares;
}

std::string duration(TscTicks ticks, const TscClock& clock) {
    const std::int64_t ns = clock.to_ns(ticks).count();
    const Scale scale = Scale::of(ns);
    return scale.text(scale.count(ns));
}

std::string printable(std::string_view name) {
    std::string text(name);
    for (char& c : text) {
        if (c < ' ' || c > '~') c = '?';
    }
    return text.empty() ? "?" : text;
}
std::string printable(const Comm& comm) { return printable(comm.view()); }

std::string thread_text(const Comm& comm, std::uint32_t tid, std::int16_t prio, Policy policy) {
    const std::string priority = priority_text(prio, policy);
    return fmt::format("{}/{}{}", printable(comm), tid, priority.empty() ? "" : " (" + priority + ")");
}

std::string irq_text(std::uint32_t irq, const IrqNames& irqs) {
    const auto found = irqs.find(irq);
    std::string text = fmt::format("irq {}", irq);
    if (found == irqs.end() || found->second.empty()) return text;
    for (const char c : " " + found->second) text += c < ' ' || c > '~' ? '?' : c;
    return text;
}

std::string idle_text(std::uint32_t state) {
    return state == kIdleStateUnknown ? "" : fmt::format(" (state {})", state);
}

/// Causes other than threads.
std::string owner_text(CauseKind kind, std::uint32_t subject, const IrqNames& irqs) {
    switch (kind) {
        case CauseKind::kIrq: return irq_text(subject, irqs);
        case CauseKind::kSoftirq: return fmt::format("softirq {}", softirq_name(subject));
        case CauseKind::kVector: return fmt::format("vector {}", vector_name(static_cast<VectorKind>(subject)));
        case CauseKind::kNmi: return "NMI";
        case CauseKind::kIdle: return "idle" + idle_text(subject);
        case CauseKind::kGap: return "records missing";
        case CauseKind::kNotWatched: return "not recorded (none of the watched threads)";
        case CauseKind::kTimerSlack: return "timer slack (its owner allows it)";
        case CauseKind::kThread:
        case CauseKind::kUnknown: break;
    }
    return "unknown";
}

const char* relation_text(Relation relation, DelayKind kind) noexcept {
    switch (relation) {
        case Relation::kHigher: return kind == DelayKind::kPreemption ? "preempted by " : "behind higher-priority ";
        case Relation::kEqual: return "behind equal-priority ";
        case Relation::kLower: return "not yet preempted: ";
        case Relation::kChosen: return "throttled in favour of ";
        case Relation::kCompeting: return "competing (fair): ";
        case Relation::kWaker: return "wakeup path of ";
        case Relation::kStopper: return "stopper ";
        case Relation::kInFlight: return "wakeup on its way; CPU ran ";
        case Relation::kThrottled: return "throttled; CPU ran ";
        case Relation::kTimerCallback: return "timer callback behind ";
        case Relation::kNone: break;
    }
    return "behind ";
}

/// What the CPU did while an interrupt did not come. It need not be the cause.
std::string meanwhile_text(const BillLine& line, const std::string& owner) {
    if (line.cause == CauseKind::kThread) return "while " + owner + " ran";
    if (line.cause == CauseKind::kIdle) return "while " + owner;
    return "during " + owner;
}

std::string line_text(const BillLine& line, DelayKind kind, const IrqNames& irqs) {
    const bool is_thread = line.cause == CauseKind::kThread;
    std::string owner = is_thread ? thread_text(line.comm, line.subject, line.prio, line.policy)
                                  : owner_text(line.cause, line.subject, irqs);
    if (line.timer_late) return "timer interrupt late, " + meanwhile_text(line, owner);
    if (is_thread) return relation_text(line.relation, kind) + owner;
    if (line.cause == CauseKind::kIdle) {
        const char* what = line.relation == Relation::kThrottled ? "throttled: the CPU idled" : "idle exit";
        return what + idle_text(line.subject);
    }
    return owner;
}

/// The local time of day where it is known, and "+1.234567 s".
std::string moment_text(TscTime time, const ReportContext& context) {
    const auto offset = std::chrono::duration<double>(context.clock.to_ns(time - context.origin));
    std::string text = fmt::format("+{:.6f} s", offset.count());
    if (!context.has_wall_clock) return text;
    const Nanoseconds realtime = context.clock.realtime(time);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(realtime);
    const std::time_t epoch = seconds.count();
    std::tm local{};
    if (::localtime_r(&epoch, &local) == nullptr) return text;
    return fmt::format("{:02}:{:02}:{:02}.{:06} ({})", local.tm_hour, local.tm_min, local.tm_sec,
                       (realtime - seconds).count() / 1000, text);
}

std::string waker_text(const Bill& bill, const IrqNames& irqs) {
    const Waking& waking = bill.delay.waking;
    const bool is_thread = waking.source.kind == CauseKind::kThread || waking.source.kind == CauseKind::kIdle ||
                           waking.source.kind == CauseKind::kUnknown;
    if (waking.context != Context::kTask && !is_thread) {
        return owner_text(waking.source.kind, waking.source.subject, irqs);
    }
    const std::string waker =
        fmt::format("{}/{}", waking.waker == kIdleTid ? "idle" : printable(bill.other.comm), waking.waker.value);
    return waking.context == Context::kTask ? waker : "an interrupt of " + waker;
}

std::string start_text(const Bill& bill, const IrqNames& irqs) {
    const Delay& delay = bill.delay;
    switch (delay.reason) {
        case StartReason::kTimer: return fmt::format("from timer expiry on CPU {}", delay.waking.cpu.value);
        case StartReason::kWaking:
            return fmt::format("from waking by {} on CPU {}", waker_text(bill, irqs), delay.waking.cpu.value);
        case StartReason::kNewThread: return fmt::format("from its creation by {}", waker_text(bill, irqs));
        case StartReason::kPreempted:
            if (delay.preempted_by == kIdleTid) return "from switch-out to idle";
            return fmt::format("from switch-out to {}/{}", printable(bill.other.comm), delay.preempted_by.value);
        case StartReason::kUnseen: break;
    }
    return "from its wakeup";
}

/// Inlined, and the standard library's: there are dozens of these, and they tell nothing.
bool is_plumbing(const StackFrame& frame) {
    const std::string_view name = short_name(frame.name);
    return frame.is_inlined && (name.starts_with("std::") || name.starts_with("__gnu_cxx::"));
}

/// A stack that a bill names, and whose it is.
struct NamedStack {
    const StackIds& ids;
    const ThreadInfo& thread;
    TscTime time;
};

/// "  slept in futex_wait < do_futex < __x64_sys_futex < Feed::wait (feed.cpp:41) < main", at most so many
/// frames of each part, and the source of the innermost; entry code and the scheduler's own functions say
/// nothing.
void append_stack(std::string& out, const char* what, const NamedStack& named, const ReportContext& context) {
    constexpr std::size_t kShown = 6;
    static constexpr std::string_view kDull[] = {"__schedule", "schedule", "do_syscall_64",
                                                 "entry_SYSCALL_64_after_hwframe"};
    if (!named.ids.any() || !context.stacks) return;
    std::string text;
    for (const auto& [part, id] :
         {std::pair(StackPart::kKernel, named.ids.kernel), std::pair(StackPart::kUser, named.ids.user)}) {
        const Stack* stack = context.stacks->stacks().lookup(part, id);
        if (!stack) continue;
        std::size_t shown = 0;
        bool has_source = false;
        for (const StackFrame& frame : context.stacks->frames(*stack, named.thread.tgid, named.time)) {
            const bool is_dull = part == StackPart::kKernel && std::ranges::count(kDull, frame.name) != 0;
            if (is_dull || is_plumbing(frame)) continue;
            text += text.empty() ? "" : " < ";
            text += shown == kShown ? "..." : printable(short_name(frame.name));
            if (shown++ == kShown) break;
            if (frame.line == 0 || std::exchange(has_source, true)) continue;
            text += fmt::format(" ({}:{})", printable(std::string_view(frame.file).substr(frame.file.rfind('/') + 1)),
                                frame.line);
        }
    }
    if (!text.empty()) out += fmt::format("  {} {}\n", what, text);
}

void append_incomplete(std::string& out, const Bill& bill) {
    constexpr const char* kReasons[] = {"records are missing inside this delay, it may have run meanwhile",
                                        "the waking was not seen, the delay began earlier",
                                        "it ran on a CPU that it was not seen to move to",
                                        "it began before the history that is kept",
                                        "it waited on a CPU that was not recorded, it may have run there meanwhile",
                                        "not all was recorded: hftmon kept to its budget (budget_ppm)"};
    for (std::size_t bit = 0; bit < std::size(kReasons); ++bit) {
        if ((bill.incomplete & (1u << bit)) != 0) out += fmt::format("  incomplete: {}\n", kReasons[bit]);
    }
}

void append_after(std::string& out, const Bill& bill, const ReportContext& context) {
    if (bill.after_switch_in.empty() && !bill.after_has_gap) return;
    std::string row = "  after switch-in:";
    const char* separator = " ";
    for (const BillLine& line : bill.after_switch_in) {
        const std::string item = fmt::format("{} {}", owner_text(line.cause, line.subject, context.irqs),
                                             duration(line.ticks, context.clock));
        row += separator;
        if (row.size() + item.size() > 78 && row.size() > 20) {
            out += row + "\n";
            row = "                   ";
        }
        row += item;
        separator = ", ";
    }
    if (bill.after_has_gap) row += std::string(separator) + "records missing";
    out += row + "\n";
}

/// How many lines, the largest, get a row of their own. The rest would show as
/// 0.0%; they are folded when there are enough of them to save space.
std::size_t rows_of(const Bill& bill) noexcept {
    constexpr std::size_t kWorthFolding = 4;
    const std::int64_t total = bill.total().value;
    std::size_t rows = bill.lines.size();
    while (rows > 0 && bill.lines[rows - 1].ticks.value < total / 2000) --rows;
    return bill.lines.size() - rows >= kWorthFolding ? rows : bill.lines.size();
}

void append_table(std::string& out, const Bill& bill, const ReportContext& context) {
    std::vector<std::string> labels;
    std::vector<std::int64_t> ticks;
    const std::size_t rows = rows_of(bill);
    const TscTicks total = bill.total();
    for (std::size_t i = 0; i < rows; ++i) {
        labels.push_back(line_text(bill.lines[i], bill.delay.kind, context.irqs));
        ticks.push_back(bill.lines[i].ticks.value);
    }
    if (rows < bill.lines.size()) {
        labels.push_back(fmt::format("{} smaller lines", bill.lines.size() - rows));
        ticks.push_back(0);
        for (std::size_t i = rows; i < bill.lines.size(); ++i) ticks.back() += bill.lines[i].ticks.value;
    }
    labels.emplace_back("unattributed");
    ticks.push_back(bill.unattributed.value);

    const std::int64_t ns = context.clock.to_ns(total).count();
    const Scale scale = Scale::of(ns);
    const std::int64_t shown = scale.count(ns);
    const std::vector<std::int64_t> times = apportion(ticks, shown);
    const std::vector<std::int64_t> shares = apportion(ticks, 1000);
    std::size_t width = 44;
    for (const std::string& text : labels) width = std::max(width, text.size());

    for (std::size_t i = 0; i < labels.size(); ++i) {
        out += fmt::format("  {:<{}} {:>11} {:>3}.{}%", labels[i], width, scale.text(times[i]), shares[i] / 10,
                           shares[i] % 10);
        if (i < rows) {
            out += fmt::format(" {:>4}x", bill.lines[i].stretches);
            const std::uint32_t faults = bill.lines[i].page_faults;
            const char* more = bill.lines[i].more_page_faults ? "at least " : "";
            if (faults > 0) out += fmt::format(", {}{} page fault{}", more, faults, faults == 1 ? "" : "s");
        }
        out += '\n';
    }
    out += fmt::format("  {:<{}} {:>11} {:>5}%\n", "", width, scale.text(shown), total.value > 0 ? "100.0" : "0.0");
}

void append_own(std::string& out, const Bill& bill, const ReportContext& context) {
    if (bill.own_events == 0) return;
    const double us = own_ns(bill, context) / 1e3;
    const std::string events = fmt::format("{} event{}", bill.own_events, bill.own_events == 1 ? "" : "s");
    if (us > 0)
        out += fmt::format("  of this, hftmon: about {:.1f} us, {}\n", us, events);
    else
        out += fmt::format("  of this, hftmon: {}\n", events);
}

}  // namespace

double own_ns(const Bill& bill, const ReportContext& context) {
    return std::min(bill.own_events * context.event_ns, static_cast<double>(context.clock.to_ns(bill.total()).count()));
}

std::string priority_text(std::int16_t prio, Policy policy) {
    if (prio == kPrioUnknown) return "";
    if (prio < 0 || policy == Policy::kDeadline) return "deadline";
    const bool is_realtime = policy == Policy::kFifo || policy == Policy::kRoundRobin;
    if (is_realtime) return fmt::format("{} {}", policy == Policy::kFifo ? "FIFO" : "RR", 99 - prio);
    if (prio < 100) return fmt::format("boosted to {}", 99 - prio);
    switch (policy) {
        case Policy::kBatch: return fmt::format("batch, nice {}", prio - 120);
        case Policy::kIdle: return "idle class";
        case Policy::kExt: return fmt::format("ext, nice {}", prio - 120);
        default: return fmt::format("nice {}", prio - 120);
    }
}

std::string to_text(const Bill& bill, const ReportContext& context) {
    const Delay& delay = bill.delay;
    const bool is_wakeup = delay.kind == DelayKind::kWakeup;
    std::string out = fmt::format(
        "{} {} {}{} {} CPU {}, {} {}\n  {} to switch-in",
        thread_text(bill.thread.comm, delay.tid.value, delay.prio, delay.policy), is_wakeup ? "woke" : "lost",
        bill.is_upper_bound() ? "at most " : "", duration(delay.length(), context.clock), is_wakeup ? "late on" : "of",
        delay.cpu.value, is_wakeup ? "due" : "from", moment_text(delay.start, context), start_text(bill, context.irqs));
    if (delay.hops.size() > 1) out += fmt::format(", moved {}x while waiting", delay.hops.size() - 1);
    out += '\n';
    append_stack(out, is_wakeup ? "slept in" : "was in", {delay.left, bill.thread, delay.start}, context);
    if (delay.reason == StartReason::kTimer || delay.reason == StartReason::kWaking)
        append_stack(out, "woken in", {delay.waking.stack, bill.other, delay.waking.time}, context);
    append_table(out, bill, context);
    append_own(out, bill, context);
    append_after(out, bill, context);
    append_incomplete(out, bill);
    return out;
}

}  // namespace hftmon
