// SPDX-License-Identifier: MIT
/// Random streams of a few CPUs and threads whose bills are known beforehand:
/// the generator adds up, while it invents the events, who owned the CPU that
/// each late thread waited on. It shares nothing with the library's look-back.
#pragma once

#include <random>
#include <vector>

#include "bill_truth.hpp"
#include "trace_builder.hpp"

namespace hftmon::test {

class RandomTrace {
public:
    explicit RandomTrace(std::uint64_t seed, int steps = 600) : random_(seed) {
        cpus_.resize(1 + below(3));
        const std::size_t count = 4 + below(6);
        for (std::uint32_t i = 0; i < count; ++i) {
            Thread& thread = threads_.emplace_back();
            thread.who = invent(100 + i);
            thread.cpu = below32(cpus_.size());
        }
        for (std::uint32_t c = 0; c < cpus_.size(); ++c) begin(c);
        for (int i = 0; i < steps; ++i) act(below32(cpus_.size()));
        for (std::uint32_t c = 0; c < cpus_.size(); ++c) {
            if (cpus_[c].in_nmi) end_nmi(c);
        }
        trace.timer_end();  // so that the stream ends when the truth does
    }

    Trace trace;
    std::vector<BillTruth> bills;

private:
    enum class State { kSleeping, kWaiting, kRunning };
    enum class Phase { kTimer, kWaking, kQueued };
    struct Owner {
        CauseKind kind;
        std::uint32_t subject;
    };
    struct Level {
        Owner owner;
        std::uint64_t entered;
    };
    struct Cpu {
        std::size_t bottom = kNone;  // thread index; none: idle
        std::uint32_t idle_state = kIdleStateUnknown;
        std::vector<Level> levels;
        bool in_nmi = false;
        std::uint64_t nmi_start = 0;
        std::size_t last_bill = kNone;  // of the thread that runs, in its first run after
    };
    struct Piece {
        std::uint64_t from, to;  // equal: a page fault at that time
        Owner owner;
        Relation relation;
        Phase phase;
    };
    struct Thread {
        Who who;
        State state = State::kSleeping;
        std::uint32_t cpu = 0;
        bool queued = false, pending = false, has_timer = false, has_softirq = false;
        std::uint32_t softirq = 0, timer_cpu = 0, waker_cpu = 0, waker = 0;
        std::uint64_t expiry = 0, slack = 0, slept = 0, start = 0, arrival = 0;
        std::size_t resident = kNone;
        bool found_idle = false;  // the CPU was idle when it was queued there, and still is
        StartReason reason = StartReason::kWaking;
        std::vector<Piece> pieces;
    };
    static constexpr std::size_t kNone = ~std::size_t{0};
    static constexpr Owner kLocalTimer{CauseKind::kVector, HFTMON_VECTOR_LOCAL_TIMER};

    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    std::uint32_t below32(std::uint64_t limit) { return static_cast<std::uint32_t>(below(limit)); }
    bool chance(unsigned percent) { return below(100) < percent; }

    Who invent(std::uint32_t tid) {
        switch (below(4)) {
            case 0: return {tid, -1, Policy::kDeadline};
            case 1: return fair(tid, static_cast<int>(below(3)) - 1);
            default: return fifo(tid, 10 + static_cast<int>(below(3)) * 10);
        }
    }

    [[nodiscard]] Owner owner_of(const Cpu& cpu) const {
        if (cpu.in_nmi) return {CauseKind::kNmi, 0};
        if (!cpu.levels.empty()) return cpu.levels.back().owner;
        if (cpu.bottom == kNone) return {CauseKind::kIdle, cpu.idle_state};
        return {CauseKind::kThread, threads_[cpu.bottom].who.tid};
    }

    [[nodiscard]] Relation relation(const Thread& late, const Owner& owner, Phase phase) const {
        if (owner.kind == CauseKind::kIdle && phase == Phase::kQueued && !late.found_idle) return Relation::kThrottled;
        if (owner.kind != CauseKind::kThread) return Relation::kNone;
        if (phase == Phase::kTimer) return Relation::kTimerCallback;
        if (phase == Phase::kWaking && owner.subject == late.waker && late.cpu == late.waker_cpu)
            return Relation::kWaker;
        const Who& who = threads_[owner.subject - 100].who;
        if (who.prio >= 100 && late.who.prio >= 100) return Relation::kCompeting;
        if (who.prio < late.who.prio) return Relation::kHigher;
        if (who.prio == late.who.prio) return Relation::kEqual;
        if (phase == Phase::kWaking) return Relation::kInFlight;
        return late.resident == owner.subject - 100 ? Relation::kLower : Relation::kChosen;
    }

    void note(Thread& t, std::uint64_t from, std::uint64_t to) {
        if (t.state == State::kSleeping && t.has_timer) {
            const std::uint64_t start = std::max(t.expiry, t.slept);
            if (start > from && start >= to) return;
            from = std::max(from, start);
            const Owner owner = owner_of(cpus_[t.timer_cpu]);
            t.pieces.push_back({from, to, owner, relation(t, owner, Phase::kTimer), Phase::kTimer});
        } else if (t.state == State::kWaiting) {
            const Owner owner = owner_of(cpus_[t.cpu]);
            const Phase phase = t.queued ? Phase::kQueued : Phase::kWaking;
            t.pieces.push_back({from, to, owner, relation(t, owner, phase), phase});
        }
    }

    void advance() {
        const std::uint64_t next = now_ + 1 + below(20);
        for (Thread& t : threads_) note(t, now_, next);
        for (const Cpu& cpu : cpus_) {
            const Owner owner = owner_of(cpu);
            if (cpu.last_bill == kNone || owner.kind == CauseKind::kThread) continue;
            bills[cpu.last_bill].after[{owner.kind, owner.subject}] += static_cast<std::int64_t>(next - now_);
        }
        now_ = next;
        trace.at(now_);
    }

    void settle(Thread& t, std::uint32_t cpu) {
        BillTruth bill{
            .tid = t.who.tid, .cpu = cpu, .start = t.start, .end = now_, .reason = t.reason, .lines = {}, .after = {}};
        const std::uint64_t due = std::min(t.arrival, t.expiry + t.slack);
        std::uint64_t arrival = t.arrival;
        for (const Piece& p : t.pieces) {
            if (p.phase == Phase::kTimer && p.to > due && p.from < p.to && p.owner.kind == kLocalTimer.kind &&
                p.owner.subject == kLocalTimer.subject) {
                arrival = std::min(arrival, std::max(p.from, due));
            }
        }
        const LineKey none{};
        LineKey last = none;
        for (Piece p : t.pieces) {
            if (p.phase == Phase::kTimer && p.from < due) {
                const std::uint64_t allowed = std::min(p.to, due);
                if (p.from == p.to) continue;  // a fault that held nothing up
                const LineKey key{CauseKind::kTimerSlack, 0, Relation::kNone, false};
                bill.lines[key].ticks += static_cast<std::int64_t>(allowed - p.from);
                bill.lines[key].stretches = 1;
                p.from = allowed;
                if (p.from == p.to) continue;
            }
            const bool late = p.phase == Phase::kTimer && p.from < arrival;
            const LineKey key{p.owner.kind, p.owner.subject, late ? Relation::kNone : p.relation, late};
            LineTruth& line = bill.lines[key];
            if (p.from == p.to) {
                ++line.page_faults;
                continue;
            }
            line.ticks += static_cast<std::int64_t>(p.to - p.from);
            if (key != last) ++line.stretches;
            last = key;
        }
        t.pieces.clear();
        cpus_[cpu].last_bill = bills.size();
        bills.push_back(std::move(bill));
    }

    void begin(std::uint32_t c) {
        advance();
        Who who = kIdle;
        for (std::size_t i = 0; i < threads_.size(); ++i) {
            if (threads_[i].cpu != c || chance(50)) continue;
            threads_[i].state = State::kRunning;
            cpus_[c].bottom = i;
            who = threads_[i].who;
            break;
        }
        trace.cpu(c).runs(who);
    }

    void act(std::uint32_t c) {
        advance();
        trace.cpu(c);
        Cpu& cpu = cpus_[c];
        if (cpu.in_nmi) {
            if (chance(50)) end_nmi(c);
            return;
        }
        switch (below(12)) {
            case 0: return interrupt(c);
            case 1: return soft_interrupt(c);
            case 2:
            case 3: return leave(c);
            case 4:
                cpu.in_nmi = true;
                cpu.nmi_start = now_;
                return;
            case 5: return fault_or_idle(c);
            case 6:
            case 7: return wake_somebody(c);
            case 8: return finish_wakeup(c);
            case 9: return chance(30) ? move_somebody() : fire_timer(c);
            default: return switch_thread(c);
        }
    }

    void end_nmi(std::uint32_t c) {
        if (cpus_[c].nmi_start == now_) advance();
        trace.cpu(c).nmi(now_ - cpus_[c].nmi_start);
        cpus_[c].in_nmi = false;
    }

    [[nodiscard]] static bool is_hard(const Level& level) { return level.owner.kind != CauseKind::kSoftirq; }

    void enter(std::uint32_t c, Owner owner) {
        if (owner.kind == CauseKind::kIrq) trace.irq(owner.subject, true);
        if (owner.kind == CauseKind::kSoftirq) trace.softirq(owner.subject, true);
        if (owner.kind == CauseKind::kVector) trace.vector(static_cast<hftmon_vector_kind>(owner.subject), true);
        cpus_[c].levels.push_back({owner, now_});
    }

    void interrupt(std::uint32_t c) {
        if (cpus_[c].levels.size() >= 3) return;
        if (chance(50))
            enter(c, {CauseKind::kIrq, 30 + below32(3)});
        else
            enter(c, chance(50) ? kLocalTimer : Owner{CauseKind::kVector, HFTMON_VECTOR_RESCHEDULE});
    }

    void soft_interrupt(std::uint32_t c) {
        if (cpus_[c].levels.empty()) enter(c, {CauseKind::kSoftirq, below32(10)});
    }

    void leave(std::uint32_t c) {
        auto& levels = cpus_[c].levels;
        if (levels.empty()) return;
        const Owner owner = levels.back().owner;
        if (owner.kind == CauseKind::kIrq) trace.irq(owner.subject, false);
        if (owner.kind == CauseKind::kSoftirq) trace.softirq(owner.subject, false);
        if (owner.kind == CauseKind::kVector) trace.vector(static_cast<hftmon_vector_kind>(owner.subject), false);
        levels.pop_back();
    }

    void fault_or_idle(std::uint32_t c) {
        Cpu& cpu = cpus_[c];
        if (!cpu.levels.empty()) return;
        if (cpu.bottom == kNone) {
            cpu.idle_state = below32(4);
            trace.idle(cpu.idle_state);
            return;
        }
        trace.page_fault();
        for (Thread& t : threads_) {
            const std::uint32_t waits_on = t.state == State::kSleeping ? t.timer_cpu : t.cpu;
            if (waits_on == c) note(t, now_, now_);
        }
    }

    [[nodiscard]] Context context(std::uint32_t c) const {
        const auto& levels = cpus_[c].levels;
        if (levels.empty()) return Context::kTask;
        return is_hard(levels.back()) ? Context::kHardirq : Context::kSoftirq;
    }

    void begin_wait(Thread& t, std::uint32_t c, bool by_timer) {
        t.state = State::kWaiting;
        t.queued = t.pending = t.has_timer = false;
        t.waker_cpu = c;
        t.waker = cpus_[c].bottom == kNone ? 0 : threads_[cpus_[c].bottom].who.tid;
        t.reason = by_timer ? StartReason::kTimer : StartReason::kWaking;
        t.start = by_timer ? std::max(t.expiry, t.slept) : now_;
        if (!by_timer) t.pieces.clear();
    }

    void wake_somebody(std::uint32_t c) {
        const std::size_t index = below(threads_.size());
        Thread& t = threads_[index];
        if (cpus_[c].bottom == index) return;
        if (t.state == State::kWaiting && (t.reason != StartReason::kPreempted || chance(80))) return;
        trace.waking(t.who, t.cpu, context(c));
        if (t.state == State::kRunning) {
            t.pending = true;
            t.waker_cpu = c;
            t.waker = cpus_[c].bottom == kNone ? 0 : threads_[cpus_[c].bottom].who.tid;
        } else if (t.state == State::kSleeping) {
            begin_wait(t, c, false);
        }
    }

    void finish_wakeup(std::uint32_t c) {
        Thread& t = threads_[below(threads_.size())];
        if (t.state == State::kRunning && t.pending) {
            trace.wakeup(t.who, t.cpu, context(c));
            t.pending = false;
        }
        if (t.state != State::kWaiting || t.queued) return;
        const std::uint32_t target = cpus_[t.cpu].in_nmi ? t.cpu : below32(cpus_.size());
        if (target != t.cpu && chance(50)) {
            trace.migrate(t.who, t.cpu, target);
            t.cpu = target;
            advance();
        }
        trace.wakeup(t.who, target, context(c));
        t.cpu = target;
        t.queued = true;
        t.resident = cpus_[target].bottom;
        t.found_idle = t.resident == kNone;
    }

    void move_somebody() {
        Thread& t = threads_[below(threads_.size())];
        const std::uint32_t target = below32(cpus_.size());
        if (t.state != State::kWaiting || target == t.cpu || cpus_[t.cpu].in_nmi) return;
        trace.migrate(t.who, t.cpu, target);
        t.cpu = target;
        t.resident = cpus_[target].bottom;
        t.found_idle = t.resident == kNone;
    }

    void fire_timer(std::uint32_t c) {
        Cpu& cpu = cpus_[c];
        if (cpu.levels.empty()) return;
        for (Thread& t : threads_) {
            if (t.state != State::kSleeping || !t.has_timer || t.timer_cpu != c || t.expiry > now_) continue;
            trace.timer(static_cast<std::int64_t>(now_ - t.expiry), static_cast<std::uint32_t>(t.slack));
            t.arrival = is_hard(cpu.levels.back()) ? cpu.levels.back().entered : now_;
            advance();
            trace.waking(t.who, t.cpu, context(c));
            begin_wait(t, c, true);
            advance();
            trace.timer_end();
            if (chance(50)) return;
            advance();
        }
    }

    void sleep(Thread& t, std::uint32_t c) {
        t.slept = now_;
        if (t.pending) {
            const std::uint32_t waker_cpu = t.waker_cpu, waker = t.waker;
            begin_wait(t, c, false);
            t.waker_cpu = waker_cpu;
            t.waker = waker;
            return;
        }
        t.state = State::kSleeping;
        t.has_timer = chance(50);
        t.timer_cpu = chance(80) ? c : below32(cpus_.size());
        t.slack = chance(30) ? below(60) : 0;
        t.expiry = now_ + below(100) - std::min<std::uint64_t>(now_, 10);
        t.pieces.clear();
    }

    void switch_thread(std::uint32_t c) {
        Cpu& cpu = cpus_[c];
        while (!cpu.levels.empty() && is_hard(cpu.levels.back())) {
            leave(c);
            advance();
        }
        if (cpu.bottom == kNone && !cpu.levels.empty()) return;
        std::size_t next = kNone;
        for (int i = 0; i < 6 && next == kNone; ++i) {
            const std::size_t candidate = below(threads_.size());
            const Thread& t = threads_[candidate];
            if (t.state == State::kWaiting && t.queued && t.cpu == c) next = candidate;
        }
        if (next == cpu.bottom) return;  // both idle
        const bool stays_runnable = chance(50);
        trace.to(next == kNone ? kIdle : threads_[next].who, stays_runnable ? 0 : kSleeps, stays_runnable);
        cpu.last_bill = kNone;
        for (Thread& t : threads_) {
            if (t.state != State::kWaiting || t.cpu != c) continue;
            t.resident = kNone;
            t.found_idle = false;
        }
        if (cpu.bottom != kNone) put_down(threads_[cpu.bottom], c, stays_runnable);
        cpu.levels.clear();
        cpu.bottom = next;
        cpu.idle_state = kIdleStateUnknown;
        if (next == kNone) return;
        Thread& t = threads_[next];
        settle(t, c);
        t.state = State::kRunning;
        t.pending = false;
        if (t.has_softirq) cpu.levels.push_back({{CauseKind::kSoftirq, t.softirq}, now_});
        t.has_softirq = false;
    }

    void put_down(Thread& t, std::uint32_t c, bool stays_runnable) {
        const Cpu& cpu = cpus_[c];
        t.has_softirq = !cpu.levels.empty();
        if (t.has_softirq) t.softirq = cpu.levels.back().owner.subject;
        t.cpu = c;
        if (!stays_runnable) return sleep(t, c);
        t.state = State::kWaiting;
        t.queued = true;
        t.pending = false;
        t.resident = kNone;
        t.found_idle = false;
        t.reason = StartReason::kPreempted;
        t.start = now_;
        t.pieces.clear();
    }

    std::mt19937_64 random_;
    std::uint64_t now_ = 0;
    std::vector<Cpu> cpus_;
    std::vector<Thread> threads_;
};

}  // namespace hftmon::test
