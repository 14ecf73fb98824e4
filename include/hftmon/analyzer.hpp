// SPDX-License-Identifier: MIT
/// Records in, bills out: the whole analysis behind one door.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hftmon/attribution.hpp"
#include "hftmon/clock.hpp"
#include "hftmon/event.hpp"
#include "hftmon/names.hpp"
#include "hftmon/timeline.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// Number and action names of interrupts.
using IrqNames = std::map<std::uint32_t, std::string>;

struct AnalyzerOptions {
    /// Whose delays are wanted: these threads, and the threads of these
    /// processes and of their children. Both empty: everybody's.
    std::vector<Tid> threads;
    std::vector<Tid> processes;
    /// Shorter delays are counted, but get no bill.
    Nanoseconds over{0};
    /// How many bills are kept, the longest ones. May be 0.
    std::size_t keep = 10;
    /// Called for every bill, when its after_switch_in is complete: so a little
    /// after the delay, and not in the order of their ends. Must not call back
    /// into the Analyzer.
    std::function<void(const Bill&)> on_bill;
    /// after_switch_in ends here, even if the thread runs on.
    Nanoseconds after_limit = std::chrono::milliseconds(1);
    /// Look-back per CPU, in changes of its owner; rounded up to a power of two.
    std::size_t history_segments = 1u << 15;
};

/// Delays of one kind. Those in which records are missing are only in
/// `doubtful`: the thread may have run meanwhile.
struct DelayStats {
    std::uint64_t count = 0;
    std::uint64_t over = 0;  ///< at least AnalyzerOptions::over long
    TscTicks sum{};
    TscTicks max{};
    std::uint64_t doubtful = 0;
    void add(TscTicks length, bool is_over) noexcept;
    void add(const DelayStats& other) noexcept;
};

/// Delays of one thread that was asked about.
struct ThreadDelays {
    Tid tid{};
    TscTime first{};  ///< end of its first delay
    TscTime last{};   ///< end of its latest: use it to look up the name
    bool is_dead = false;
    std::array<DelayStats, kDelayKinds> by_kind;  ///< by DelayKind
    /// Longest time from when it was due (its timer's expiry, where it may have run
    /// on for a while, or its waking) until it slept again, wherever it was meanwhile:
    /// what it can have noticed of one wakeup. Of those with no records missing.
    TscTicks longest_episode{};
    TscTime episode{};               ///< when the one that is open began; 0: none is
    std::uint64_t episode_gaps = 0;  ///< AnalyzerTotals::gaps then
    [[nodiscard]] const DelayStats& of(DelayKind kind) const noexcept {
        return by_kind[static_cast<std::size_t>(kind)];
    }
};

/// What went in and what became of it.
struct AnalyzerTotals {
    std::uint64_t records = 0;        ///< all that were given
    std::uint64_t events = 0;         ///< decoded and applied
    std::uint64_t unknown_types = 0;  ///< records of types that this library does not know
    std::uint64_t bad_records = 0;    ///< records that cannot be true
    std::uint64_t repeated = 0;       ///< positions that had been given before: ignored
    std::uint64_t gaps = 0;           ///< places where records are missing
    std::uint64_t lost = 0;           ///< records lost there, as far as it is known
    std::uint64_t over = 0;           ///< delays of wanted threads at least AnalyzerOptions::over long
    std::uint64_t doubtful = 0;       ///< not among those: records are missing inside, they may have been shorter
    std::uint64_t bills = 0;          ///< how many of both were itemised: with no on_bill, those worth keeping
    std::uint64_t incomplete = 0;     ///< bills that are not a verdict
};

/// Consumes a merged stream; see Merger for where it comes from.
///
///     Analyzer analyzer(reader.clock(), {.over = std::chrono::microseconds(50)});
///     for (const auto& list : reader.threads()) analyzer.add_threads(list.entries, list.from, list.to);
///     for (const auto& irq : reader.irqs()) analyzer.add_irq(irq.irq, irq.name);
///     merger.run([&](CpuId cpu, std::uint64_t at, std::span<const Record> r) { analyzer.consume(cpu, at, r); });
///     analyzer.finish();
///     for (const Bill* bill : analyzer.longest()) ...
///
/// consume() allocates nothing in steady state, apart from names of new threads
/// and bills that are kept. Records are untrusted. One thread at a time.
class Analyzer {
public:
    Analyzer(const TscClock& clock, AnalyzerOptions options);
    Analyzer(const Analyzer&) = delete;
    Analyzer& operator=(const Analyzer&) = delete;

    /// Before the records where possible: a thread of a wanted process is
    /// recognised from then on only.
    void add_threads(std::span<const ThreadEntry> threads, TscTime from, TscTime until);
    void add_irq(std::uint32_t irq, std::string_view name);
    /// Of a capture that lost its beginning, a flight recorder's: CaptureCpuStats::ever_shed,
    /// as nothing else tells what was shed before the first ShedEvent that is left.
    void assume_shed(CpuId cpu, std::uint64_t sources) { timeline_.assume_shed(cpu, sources); }

    /// Neighbouring records of one CPU; the calls must come in order of time.
    /// A jump of positions counts as a gap.
    void consume(CpuId cpu, std::uint64_t first_position, std::span<const Record> records);
    /// Live use: hands over the bills whose after_limit has passed at `now`,
    /// though their CPUs are quiet.
    void settle(TscTime now);
    /// The stream has ended: completes what is open. May be called again.
    void finish();

    /// Bills kept so far, longest first; behind them those in which records are
    /// missing. Valid until the next consume().
    [[nodiscard]] std::vector<const Bill*> longest() const;
    /// Threads that were asked about and had a delay. Rows of the dead are kept
    /// up to 65536, older ones are summed in exited().
    [[nodiscard]] std::vector<const ThreadDelays*> threads() const;
    [[nodiscard]] const ThreadDelays& exited() const noexcept { return exited_; }

    [[nodiscard]] Nanoseconds over() const noexcept { return options_.over; }
    [[nodiscard]] const AnalyzerTotals& totals() const noexcept { return totals_; }
    [[nodiscard]] const Anomalies& anomalies() const noexcept { return timeline_.anomalies(); }
    [[nodiscard]] const Timeline& timeline() const noexcept { return timeline_; }
    [[nodiscard]] const NameTable& names() const noexcept { return names_; }
    [[nodiscard]] const IrqNames& irqs() const noexcept { return irqs_; }
    [[nodiscard]] const TscClock& clock() const noexcept { return clock_; }

    /// What must hold for any input, and one line for each case where it does
    /// not: empty unless this library is wrong. O(history).
    [[nodiscard]] std::vector<std::string> check_invariants() const;

private:
    static constexpr TscTime kNever{~std::uint64_t{0}};
    static constexpr std::size_t kNobody = ~std::size_t{0};
    /// A delay that cannot be judged yet: find_unsettled().
    struct Postponed {
        bool is_used = false;
        bool is_settled = false;
        CpuId awaited{};           // if not settled
        TscTime run_end = kNever;  // of its first run; kNever: still observed
        Thread thread;
    };
    struct CpuSide {
        bool begun = false;
        bool is_open = false;        // a bill waits for the end of its first run: `open`, or
        std::size_t late = kNobody;  // a slot of postponed_
        std::uint64_t position = 0;  // of the next record
        std::uint64_t lost = 0;      // as of the last GAP
        std::size_t awaited = 0;     // slots of postponed_ that wait for its next record
        TscTime deadline = kNever;   // of the bill that waits
        Bill open;
    };

    template <class Body>
    void on(CpuSide& side, const EventHeader& header, const Body& body);
    void on_switch(CpuSide& side, const EventHeader& header, const SchedSwitchEvent& event);
    void on_gap(CpuSide& side, const EventHeader& header, const GapEvent& event);
    void on_identity(const EventHeader& header, const ThreadEvent& event);
    void on_delay(CpuSide& side, const Thread& thread);
    void end_episode(Tid tid);
    bool itemise(const Thread& thread, Bill& bill);
    std::size_t postpone(const Thread& thread, CpuId awaited);
    void on_awaited(CpuSide& side, CpuId cpu);
    void judge_late(Postponed& entry);
    void complete(CpuSide& side, TscTime at);
    void hand_over(Bill& bill, TscTime until);
    void keep(Bill& bill);
    [[nodiscard]] bool would_keep(TscTicks length, bool is_upper_bound) const noexcept;
    [[nodiscard]] ThreadDelays* row_of(const Thread& thread);
    void follow(const ThreadEvent& event);
    [[nodiscard]] bool is_wanted(Tid tid, bool& is_sure) const noexcept;
    void retire(std::uint32_t tag);
    CpuSide& side_of(CpuId cpu);

    TscClock clock_;
    AnalyzerOptions options_;
    TscTicks over_;
    TscTicks after_limit_;
    Timeline timeline_;
    NameTable names_;
    IrqNames irqs_;
    AnalyzerTotals totals_;
    std::deque<CpuSide> sides_;
    std::vector<Postponed> postponed_;  // slots, used again
    Bill late_bill_;
    std::vector<Bill> kept_;  // a heap, shortest in front
    std::deque<ThreadDelays> rows_;
    std::vector<std::uint32_t> free_rows_;
    std::deque<std::uint32_t> dead_rows_;
    ThreadDelays exited_;
    std::size_t names_limit_ = 1u << 17;
    std::uint64_t wrong_sums_ = 0;
};

}  // namespace hftmon
