// SPDX-License-Identifier: MIT
#include "hftmon/attribution.hpp"

#include <algorithm>
#include <limits>

namespace hftmon {
namespace {

constexpr std::int16_t kFirstFairPrio = 100;
constexpr Tid kNobody{std::numeric_limits<std::uint32_t>::max()};

/// Where one of these is not recorded, its time goes to another line.
constexpr std::uint64_t kBilledSources = [] {
    std::uint64_t sources = HFTMON_SOURCE_BIT(HFTMON_SOURCE_IRQ_HANDLER) | HFTMON_SOURCE_BIT(HFTMON_SOURCE_SOFTIRQ) |
                            HFTMON_SOURCE_BIT(HFTMON_SOURCE_HRTIMER_EXPIRE) |
                            HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKING) |
                            HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKEUP);
    for (unsigned vector = HFTMON_SOURCE_LOCAL_TIMER; vector <= HFTMON_SOURCE_DEFERRED_ERROR_APIC; ++vector)
        sources |= HFTMON_SOURCE_BIT(vector);
    return sources;
}();

/// Larger first; of equals the one that began first.
bool goes_before(const BillLine& a, const BillLine& b) noexcept {
    return a.ticks != b.ticks ? a.ticks > b.ticks : a.first < b.first;
}

/// Adds up stretches of time per owner.
class Ledger {
public:
    Ledger(std::vector<BillLine>& lines, TscTicks& unattributed) : lines_(lines), unattributed_(unattributed) {
        lines_.clear();
        unattributed_ = {};
    }

    void unattributed(TscTime from, TscTime to) {
        unattributed_ += to - from;
        last_ = kNone;
    }

    BillLine& add(TscTime from, TscTime to, const Cause& cause, Relation relation, bool timer_late) {
        if (last_ == kNone || !matches(lines_[last_], cause, relation, timer_late)) {
            last_ = find(from, cause, relation, timer_late);
            ++lines_[last_].stretches;
        }
        lines_[last_].ticks += to - from;
        return lines_[last_];
    }

    void sort() { std::sort(lines_.begin(), lines_.end(), goes_before); }

private:
    static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

    static bool matches(const BillLine& line, const Cause& cause, Relation relation, bool timer_late) noexcept {
        return line.cause == cause.kind && line.subject == cause.subject && line.relation == relation &&
               line.timer_late == timer_late;
    }

    std::size_t find(TscTime from, const Cause& cause, Relation relation, bool timer_late) {
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            if (matches(lines_[i], cause, relation, timer_late)) return i;
        }
        BillLine& line = lines_.emplace_back();
        line.cause = cause.kind;
        line.relation = relation;
        line.timer_late = timer_late;
        line.subject = cause.subject;
        line.prio = cause.prio;
        line.policy = cause.policy;
        line.first = from;
        return lines_.size() - 1;
    }

    std::vector<BillLine>& lines_;
    TscTicks& unattributed_;
    std::size_t last_ = kNone;  // the line of the stretch that ends where the next one starts
};

/// Walks one delay in order of time.
class Accountant {
public:
    Accountant(const Timeline& timeline, Bill& bill)
        : timeline_(timeline), bill_(bill), delay_(bill.delay), ledger_(bill.lines, bill.unattributed) {}

    void run() {
        TscTime at = delay_.start;
        // By what it was woken, a timer perhaps, may not be known.
        if (delay_.kind == DelayKind::kWakeup && delay_.reason != StartReason::kUnseen)
            note_shed(timeline_.cpu(delay_.waking.cpu), delay_.waking.time, delay_.waking.time + TscTicks{1});
        if (delay_.reason == StartReason::kTimer) {
            const TscTime until = std::clamp(delay_.waking.time, at, delay_.end);
            at = allow_slack(
                at, std::clamp(delay_.waking.timer.due, at, std::clamp(delay_.waking.timer.arrival, at, until)));
            const TscTime arrival = timer_arrival(at, until);
            at = walk(delay_.waking.cpu, at, arrival, Phase::kTimerLate);
            at = walk(delay_.waking.cpu, at, until, Phase::kTimerCallback);
        }
        for (std::size_t i = 0; i < delay_.hops.size(); ++i) {
            const bool is_last = i + 1 == delay_.hops.size();
            const CpuId cpu = delay_.hops[i].cpu;
            const TscTime until = is_last ? delay_.end : delay_.hops[i + 1].since;
            if (delay_.kind == DelayKind::kWakeup) {
                at = walk(cpu, at, delay_.is_enqueued ? std::min(delay_.enqueued, until) : until, Phase::kWaking);
            }
            // Who runs now was not chosen over this thread; but whoever is
            // switched in from now on is, and so is who took the CPU from it.
            const bool was_preempted = i == 0 && delay_.kind == DelayKind::kPreemption;
            resident_ = was_preempted ? kNobody : kAnyResident;
            is_resident_known_ = true;
            at = walk(cpu, at, until, Phase::kWaiting);
        }
        if (at < delay_.end) ledger_.unattributed(at, delay_.end);
        ledger_.sort();
        if (delay_.reason == StartReason::kUnseen) bill_.incomplete |= kIncompleteStart;
        if (!delay_.hops.empty() && delay_.hops.back().cpu != delay_.cpu) bill_.incomplete |= kIncompleteCpu;
    }

private:
    enum class Phase { kTimerLate, kTimerCallback, kWaking, kWaiting };
    static constexpr Tid kAnyResident{std::numeric_limits<std::uint32_t>::max() - 1};

    /// The due timer's interrupt: the first local timer vector since it was due,
    /// else the interrupt or softirq that its callback ran in. An interrupt before
    /// that, inside the slack, need not run it: the kernel goes by the latest
    /// times and stops at the first timer that is not due.
    TscTime timer_arrival(TscTime from, TscTime until) const {
        TscTime arrival = std::clamp(delay_.waking.timer.arrival, from, until);
        const CpuTimeline* cpu = timeline_.cpu(delay_.waking.cpu);
        if (!cpu) return arrival;
        bool found = false;
        cpu->walk(from, arrival, [&](TscTime start, TscTime, const Cause& cause) {
            if (found || cause.kind != CauseKind::kVector || cause.subject != HFTMON_VECTOR_LOCAL_TIMER) return;
            found = true;
            arrival = start;
        });
        return arrival;
    }

    /// Whatever ran meanwhile held nothing up: the interrupt was not due yet.
    TscTime allow_slack(TscTime from, TscTime to) {
        if (from >= to) return from;
        constexpr Cause kSlack{.kind = CauseKind::kTimerSlack, .policy = {}, .prio = 0, .subject = 0, .thread = {}};
        ledger_.add(from, to, kSlack, Relation::kNone, false);
        return to;
    }

    void note_shed(const CpuTimeline* cpu, TscTime from, TscTime to) noexcept {
        if (cpu && (cpu->shed_in(from, to) & kBilledSources) != 0) bill_.incomplete |= kIncompleteShed;
    }

    TscTime walk(CpuId id, TscTime from, TscTime to, Phase phase) {
        if (from >= to) return from;
        const CpuTimeline* cpu = timeline_.cpu(id);
        if (!cpu || from < cpu->first()) bill_.incomplete |= kIncompleteUnrecorded;
        note_shed(cpu, from, to);
        if (!cpu) {
            ledger_.unattributed(from, to);
            return to;
        }
        const bool complete = cpu->walk(from, to, [&](TscTime start, TscTime end, const Cause& cause) {
            if (phase == Phase::kWaiting) note_resident(cause);
            enter(*cpu, start, end, cause, phase);
        });
        if (!complete) bill_.incomplete |= kIncompleteHistory;
        bill_.own_events += cpu->events_in(from, to);
        return to;
    }

    /// Remembers who was on the CPU when the thread began to wait for it, until
    /// the first switch. Where records are missing, switches are.
    void note_resident(const Cause& cause) noexcept {
        if (cause.kind == CauseKind::kGap || cause.kind == CauseKind::kUnknown || cause.kind == CauseKind::kNotWatched)
            is_resident_known_ = false;
        else if (resident_ == kAnyResident)
            resident_ = cause.thread;
        else if (resident_ != cause.thread)
            resident_ = kNobody;
    }

    void enter(const CpuTimeline& cpu, TscTime start, TscTime end, const Cause& cause, Phase phase) {
        if (cause.kind == CauseKind::kGap) bill_.incomplete |= kIncompleteGap;
        const bool is_thread = cause.kind == CauseKind::kThread;
        if (cause.kind == CauseKind::kUnknown || (is_thread && cause.thread == delay_.tid)) {
            ledger_.unattributed(start, end);
            return;
        }
        Relation relation = is_thread ? relation_to(cpu.cpu(), cause, phase) : Relation::kNone;
        // Idle was chosen over a thread that stood in the queue.
        if (cause.kind == CauseKind::kIdle && phase == Phase::kWaiting && is_resident_known_ && resident_ != kIdleTid)
            relation = Relation::kThrottled;
        const bool late = phase == Phase::kTimerLate && cause.kind != CauseKind::kGap;
        Cause owner = cause;
        if (cause.kind == CauseKind::kNotWatched) owner.subject = 0;
        BillLine& line = ledger_.add(start, end, owner, relation, late);
        if (!is_thread) return;
        const auto faults = cpu.page_faults(start, end);
        line.page_faults += faults.count;
        line.more_page_faults |= !faults.complete;
    }

    [[nodiscard]] Relation relation_to(CpuId cpu, const Cause& cause, Phase phase) const noexcept {
        switch (phase) {
            case Phase::kTimerLate: return Relation::kNone;
            case Phase::kTimerCallback: return Relation::kTimerCallback;
            case Phase::kWaking:
                if (cause.thread == delay_.waking.waker && cpu == delay_.waking.cpu &&
                    delay_.reason != StartReason::kUnseen) {
                    return Relation::kWaker;
                }
                break;
            case Phase::kWaiting: break;
        }
        if (cause.prio == kPrioUnknown || delay_.prio == kPrioUnknown) return Relation::kNone;
        if (cause.prio >= kFirstFairPrio && delay_.prio >= kFirstFairPrio) return Relation::kCompeting;
        if (cause.prio < delay_.prio) return Relation::kHigher;
        if (cause.prio == delay_.prio) return Relation::kEqual;
        if (phase == Phase::kWaking) return Relation::kInFlight;
        if (!is_resident_known_) return Relation::kNone;
        return resident_ != cause.thread ? Relation::kChosen : Relation::kLower;
    }

    const Timeline& timeline_;
    Bill& bill_;
    const Delay& delay_;
    Ledger ledger_;
    Tid resident_ = kNobody;
    bool is_resident_known_ = true;
};

bool is_interrupt(CauseKind kind) noexcept {
    return kind == CauseKind::kSoftirq || kind == CauseKind::kIrq || kind == CauseKind::kVector ||
           kind == CauseKind::kNmi;
}

}  // namespace

TscTicks Bill::total() const noexcept {
    TscTicks sum = unattributed;
    for (const BillLine& line : lines) sum += line.ticks;
    return sum;
}

void describe_wait(const Thread& thread, Delay& delay) {
    const Wait& wait = thread.wait;
    delay.kind = wait.kind;
    delay.reason = wait.reason;
    delay.is_enqueued = wait.is_enqueued;
    delay.tid = thread.tid;
    delay.prio = thread.prio;
    delay.policy = thread.policy;
    delay.cpu = thread.cpu;
    delay.start = wait.start;
    delay.end = thread.since;
    delay.enqueued = wait.enqueued;
    delay.waking = wait.waking;
    delay.preempted_by = wait.preempted_by;
    delay.left = thread.left;
    delay.hops = wait.hops;
}

const CpuTimeline* find_unsettled(const Timeline& timeline, const Thread& thread) noexcept {
    const auto& hops = thread.wait.hops;
    for (std::size_t i = 0; i < hops.size(); ++i) {
        if (i + 1 == hops.size() && hops[i].cpu == thread.cpu) break;  // the switch-in is its record
        const TscTime until = i + 1 == hops.size() ? thread.since : hops[i + 1].since;
        const CpuTimeline* cpu = timeline.cpu(hops[i].cpu);
        if (cpu && cpu->last() < until) return cpu;
    }
    return nullptr;
}

std::uint8_t doubts(const Timeline& timeline, const Thread& thread) {
    std::uint8_t found = 0;
    const auto look = [&](CpuId id, TscTime from, TscTime to) {
        const CpuTimeline* cpu = timeline.cpu(id);
        if (!cpu || from < cpu->first()) found |= kIncompleteUnrecorded;
        if (cpu && cpu->has_gap(from, to)) found |= kIncompleteGap;
    };
    const Wait& wait = thread.wait;
    if (wait.reason == StartReason::kTimer) look(wait.waking.cpu, wait.start, wait.waking.time);
    for (std::size_t i = 0; i < wait.hops.size(); ++i)
        look(wait.hops[i].cpu, wait.hops[i].since, i + 1 == wait.hops.size() ? thread.since : wait.hops[i + 1].since);
    if (!wait.hops.empty() && wait.hops.back().cpu != thread.cpu) look(thread.cpu, wait.start, thread.since);
    return found;
}

void attribute(const Timeline& timeline, Bill& bill) {
    bill.incomplete = 0;
    bill.own_events = 0;
    Accountant(timeline, bill).run();
}

void attribute_after(const Timeline& timeline, TscTime until, Bill& bill) {
    bill.after_end = std::max(until, bill.delay.end);
    bill.after_has_gap = false;
    TscTicks others{};
    Ledger ledger(bill.after_switch_in, others);
    const CpuTimeline* cpu = timeline.cpu(bill.delay.cpu);
    if (!cpu) return;
    bill.after_has_gap = (cpu->shed_in(bill.delay.end, bill.after_end) & kBilledSources) != 0;
    cpu->walk(bill.delay.end, bill.after_end, [&](TscTime start, TscTime end, const Cause& cause) {
        if (cause.kind == CauseKind::kGap) bill.after_has_gap = true;
        if (is_interrupt(cause.kind))
            ledger.add(start, end, cause, Relation::kNone, false);
        else
            ledger.unattributed(start, end);
    });
    ledger.sort();
}

void label(const NameTable& names, Bill& bill) {
    const auto name = [&](ThreadInfo& info, Tid tid, TscTime time) {
        info.tid = tid;
        if (const auto found = names.lookup(tid, time)) info = *found;
    };
    const Delay& delay = bill.delay;
    name(bill.thread, delay.tid, delay.end);
    bill.thread.prio = delay.prio;
    bill.thread.policy = delay.policy;
    if (delay.reason == StartReason::kPreempted)
        name(bill.other, delay.preempted_by, delay.start);
    else
        name(bill.other, delay.waking.waker, delay.waking.time);

    bool merge = false;
    for (BillLine& line : bill.lines) {
        if (line.cause != CauseKind::kThread || line.is_named) continue;
        const auto found = names.lookup({line.subject}, line.first);
        if (!found) continue;
        line.is_named = true;
        line.comm = found->comm;
        // migration/N: the stop class shows as FIFO 99, which is not above everything.
        if (line.prio == 0 && line.policy == Policy::kFifo && line.comm.view().starts_with("migration/") &&
            !line.timer_late && line.relation != Relation::kWaker && line.relation != Relation::kTimerCallback) {
            line.relation = Relation::kStopper;
            merge = true;
        }
    }
    if (!merge) return;
    for (std::size_t i = 0; i < bill.lines.size(); ++i) {
        for (std::size_t j = bill.lines.size(); j-- > i + 1;) {
            BillLine& a = bill.lines[i];
            const BillLine& b = bill.lines[j];
            if (a.relation != Relation::kStopper || b.relation != Relation::kStopper || a.subject != b.subject)
                continue;
            a.ticks += b.ticks;
            a.stretches += b.stretches;
            a.page_faults += b.page_faults;
            a.more_page_faults |= b.more_page_faults;
            a.first = std::min(a.first, b.first);
            bill.lines.erase(bill.lines.begin() + static_cast<std::ptrdiff_t>(j));
        }
    }
    std::sort(bill.lines.begin(), bill.lines.end(), goes_before);
}

}  // namespace hftmon
