// SPDX-License-Identifier: MIT
/// Synthetic record streams that read like a story. Times are ticks; the clock
/// of Trace::analyze() makes one tick one nanosecond.
///
///     Trace trace;
///     trace.cpu(0).at(0).runs(kHog).at(100).waking(kRt).wakeup(kRt).at(150).to(kRt);
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "hftmon/analyzer.hpp"
#include "hftmon/runs.hpp"

namespace hftmon::test {

/// A thread as the tests use it: everything that records say about it.
struct Who {
    std::uint32_t tid;
    std::int16_t prio = 120;
    Policy policy = Policy::kNormal;
};
inline constexpr Who kIdle{0};
inline constexpr std::uint32_t kSleeps = 1;   // TASK_INTERRUPTIBLE
inline constexpr std::uint32_t kDies = 0x80;  // TASK_DEAD

/// FIFO priority as a user says it.
constexpr Who fifo(std::uint32_t tid, int rt_prio) {
    return {tid, static_cast<std::int16_t>(99 - rt_prio), Policy::kFifo};
}
constexpr Who fair(std::uint32_t tid, int nice = 0) {
    return {tid, static_cast<std::int16_t>(120 + nice), Policy::kNormal};
}

class Trace {
public:
    Trace& cpu(std::uint32_t cpu) { return cpu_ = cpu, *this; }
    Trace& at(std::uint64_t time) { return time_ = time, *this; }
    Trace& after(std::uint64_t ticks) { return time_ += ticks, *this; }

    /// CPU_STATE: this thread is on the CPU.
    Trace& runs(Who who) {
        Record& r = add(HFTMON_REC_CPU_STATE);
        r.cpu_state = {who.tid, who.prio, static_cast<std::uint8_t>(who.policy), 0, 0};
        current(cpu_) = who;
        return *this;
    }
    /// Switch; `state` 0: the old thread stays runnable.
    Trace& to(Who next, std::uint32_t state = kSleeps, bool preempt = false) {
        const Who prev = current(cpu_);
        Record& r = add(HFTMON_REC_SCHED_SWITCH);
        r.sched_switch = {prev.tid, next.tid, prev.prio, next.prio, state};
        r.flags = static_cast<std::uint16_t>((preempt ? HFTMON_SWITCH_PREEMPT : 0u) |
                                             static_cast<unsigned>(prev.policy) << HFTMON_SWITCH_PREV_POLICY_SHIFT |
                                             static_cast<unsigned>(next.policy) << HFTMON_SWITCH_NEXT_POLICY_SHIFT);
        current(cpu_) = next;
        return *this;
    }
    Trace& preempt(Who next) { return to(next, 0, true); }

    /// Flags of the last record, besides those that it has.
    Trace& flag(unsigned flags) {
        items_.back().records[0].flags |= static_cast<std::uint16_t>(flags);
        return *this;
    }

    Trace& waking(Who who, std::uint32_t target, Context context = Context::kTask) {
        return wake(HFTMON_REC_SCHED_WAKING, who, target, context);
    }
    Trace& wakeup(Who who, std::uint32_t target, Context context = Context::kTask) {
        return wake(HFTMON_REC_SCHED_WAKEUP, who, target, context);
    }
    Trace& wakeup_new(Who who, std::uint32_t target) {
        return wake(HFTMON_REC_SCHED_WAKEUP_NEW, who, target, Context::kTask);
    }
    Trace& migrate(Who who, std::uint32_t from, std::uint32_t to_cpu) {
        add(HFTMON_REC_SCHED_MIGRATE).migrate = {
            who.tid, who.prio, static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(to_cpu), 0, 0};
        return *this;
    }
    Trace& identity(hftmon_record_type type, Who who, std::string_view comm, std::uint32_t tgid,
                    std::uint32_t related = 0) {
        add(type).thread = {who.tid, tgid, related, who.prio, static_cast<std::uint8_t>(who.policy), 0};
        Record& name = add(HFTMON_REC_COMM);
        std::memset(name.comm, 0, sizeof name.comm);
        std::memcpy(name.comm, comm.data(), std::min(comm.size(), sizeof name.comm - 1));
        return *this;
    }
    Trace& irq(std::uint32_t number, bool entry) {
        return add(entry ? HFTMON_REC_IRQ_ENTRY : HFTMON_REC_IRQ_EXIT).irq = {number, 1, 0}, *this;
    }
    Trace& softirq(std::uint32_t vec, bool entry) {
        return add(entry ? HFTMON_REC_SOFTIRQ_ENTRY : HFTMON_REC_SOFTIRQ_EXIT).softirq = {vec, 0, 0}, *this;
    }
    Trace& vector(hftmon_vector_kind kind, bool entry) {
        return add(entry ? HFTMON_REC_VECTOR_ENTRY : HFTMON_REC_VECTOR_EXIT).vector = {236, kind, 0}, *this;
    }
    Trace& nmi(std::uint64_t ticks) { return add(HFTMON_REC_NMI).nmi = {ticks, 1, 0}, *this; }
    Trace& idle(std::uint32_t state) { return add(HFTMON_REC_CPU_IDLE).idle = {state, 0, 0}, *this; }
    Trace& timer(std::int64_t late, std::uint32_t slack = 0) {
        return add(HFTMON_REC_HRTIMER_EXPIRE_ENTRY).hrtimer = {late, slack, 0}, *this;
    }
    Trace& inherits(Who who, std::int16_t prio, std::uint32_t donor = 0) {
        return add(HFTMON_REC_SCHED_PI_SETPRIO).pi_setprio = {who.tid, donor, who.prio, prio, 0}, *this;
    }
    Trace& timer_end() { return add(HFTMON_REC_HRTIMER_EXPIRE_EXIT).hrtimer = {0, 0, 0}, *this; }
    Trace& page_fault() { return add(HFTMON_REC_PAGE_FAULT_USER).fault = {4096, 4096}, *this; }
    Trace& gap(std::uint64_t lost_total, Who now) {
        add(HFTMON_REC_GAP).gap = {lost_total, now.tid, 0};
        current(cpu_) = now;
        return *this;
    }
    /// These are recorded no longer, as the governor tells it: SHED and CPU_STATE.
    Trace& shed(std::uint64_t sources, Who now) {
        add(HFTMON_REC_SHED).shed = {sources, 20'000, 10'000};
        return runs(now);
    }
    /// Of the last such event, of who is told by it.
    Trace& stack(hftmon_stack_of of, Who who, std::uint32_t kernel, std::uint32_t user = 0) {
        Record& r = add(HFTMON_REC_STACK);
        r.flags = static_cast<std::uint16_t>(of);
        r.stack = {who.tid, kernel, user, 0};
        return *this;
    }
    /// DURATION, which ends here.
    Trace& lasted(hftmon_duration kind, std::uint64_t ticks, Who who, std::uint32_t cause) {
        Record& r = add(HFTMON_REC_DURATION);
        r.flags = static_cast<std::uint16_t>(kind);
        r.spike = {ticks, who.tid, cause};
        return *this;
    }
    /// Positions of this CPU jump.
    Trace& skip(std::uint64_t positions) { return positions_at(cpu_) += positions, *this; }
    /// The builder's idea of who runs, without a record.
    Trace& assume(Who who) { return current(cpu_) = who, *this; }

    [[nodiscard]] static std::vector<ThreadEntry> list(
        std::initializer_list<std::pair<Who, std::string_view>> threads) {
        std::vector<ThreadEntry> entries;
        for (const auto& [who, comm] : threads) {
            ThreadEntry entry{};
            entry.id = {who.tid, who.tid, 1, who.prio, static_cast<std::uint8_t>(who.policy), 0};
            std::memcpy(entry.comm, comm.data(), std::min(comm.size(), sizeof entry.comm - 1));
            entries.push_back(entry);
        }
        return entries;
    }

    /// Feeds the records in order of time (of equals: as written).
    void feed(Analyzer& analyzer) {
        sort();
        for (const Item& item : items_) {
            analyzer.consume(CpuId{item.cpu}, item.position, std::span(item.records, item.count));
        }
    }
    /// Calls fn(const Event&) in the same order.
    template <class Fn>
    void each_event(Fn&& fn) {
        sort();
        for (const Item& item : items_) {
            for_each_run(std::span(item.records, item.count), CpuId{item.cpu}, item.position,
                         [&](const Run& run) { fn(run.event); });
        }
    }

    struct Item {
        std::uint32_t cpu;
        std::uint64_t position;
        std::size_t count;
        Record records[2];
    };
    /// Calls fn(Item&) in the same order; items stay where they are.
    template <class Fn>
    void transform(Fn&& fn) {
        sort();
        for (Item& item : items_) fn(item);
    }

private:
    void sort() {
        std::stable_sort(items_.begin(), items_.end(),
                         [](const Item& a, const Item& b) { return a.records[0].tsc < b.records[0].tsc; });
    }
    Record& add(hftmon_record_type type) {
        const bool is_second = type == HFTMON_REC_COMM;
        if (!is_second) items_.push_back({cpu_, positions_at(cpu_), 0, {}});
        Item& item = items_.back();
        Record& r = item.records[item.count++];
        r = {};
        r.tsc = time_;
        r.type = static_cast<std::uint16_t>(type);
        r.seq = static_cast<std::uint32_t>(++positions_at(cpu_));
        return r;
    }
    Trace& wake(hftmon_record_type type, Who who, std::uint32_t target, Context context) {
        Record& r = add(type);
        r.wake = {who.tid, current(cpu_).tid, who.prio, static_cast<std::uint16_t>(target), 0};
        r.flags = static_cast<std::uint16_t>(context);
        return *this;
    }
    Who& current(std::uint32_t cpu) {
        if (cpu >= current_.size()) current_.resize(cpu + 1, kIdle);
        return current_[cpu];
    }
    std::uint64_t& positions_at(std::uint32_t cpu) {
        if (cpu >= positions_.size()) positions_.resize(cpu + 1, 0);
        return positions_[cpu];
    }

    std::vector<Item> items_;
    std::vector<Who> current_;
    std::vector<std::uint64_t> positions_;
    std::uint32_t cpu_ = 0;
    std::uint64_t time_ = 0;
};

/// An Analyzer that keeps every bill, in order of start.
struct Analysis {
    Analyzer analyzer;

    explicit Analysis(Trace trace, AnalyzerOptions options = all(), const std::vector<ThreadEntry>& threads = {})
        : analyzer(TscClock::from_khz(1'000'000), std::move(options)) {
        analyzer.add_threads(threads, TscTime{0}, TscTime{0});
        trace.feed(analyzer);
        analyzer.finish();
    }
    [[nodiscard]] static AnalyzerOptions all() {
        AnalyzerOptions options;
        options.keep = 100'000;
        return options;
    }
    [[nodiscard]] static AnalyzerOptions only(Who who) {
        AnalyzerOptions options = all();
        options.threads = {Tid{who.tid}};
        return options;
    }
    [[nodiscard]] std::vector<const Bill*> bills() const {
        auto bills = analyzer.longest();
        std::sort(bills.begin(), bills.end(),
                  [](const Bill* a, const Bill* b) { return a->delay.start < b->delay.start; });
        return bills;
    }
};

/// The line with this cause and subject, or null.
inline const BillLine* line_of(const Bill& bill, CauseKind cause, std::uint32_t subject,
                               Relation relation = Relation::kNone, bool timer_late = false) {
    for (const BillLine& line : bill.lines) {
        if (line.cause == cause && line.subject == subject && line.relation == relation &&
            line.timer_late == timer_late) {
            return &line;
        }
    }
    return nullptr;
}

/// Ticks of that line, 0 when there is none.
inline std::int64_t ticks_of(const Bill& bill, CauseKind cause, std::uint32_t subject,
                             Relation relation = Relation::kNone, bool timer_late = false) {
    const BillLine* line = line_of(bill, cause, subject, relation, timer_late);
    return line ? line->ticks.value : 0;
}

}  // namespace hftmon::test
