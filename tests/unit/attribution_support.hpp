// SPDX-License-Identifier: MIT
/// The cast of the tests about delays and bills, and how they begin.
#pragma once

#include <boost/test/unit_test.hpp>

#include "hftmon/analyzer.hpp"
#include "support.hpp"
#include "trace_builder.hpp"

namespace hftmon::test {

inline constexpr Who kRt = fifo(10, 80);
inline constexpr Who kHigh = fifo(20, 90);
inline constexpr Who kSame = fifo(21, 80);
inline constexpr Who kLow = fifo(22, 10);
inline constexpr Who kFairA = fair(30);
inline constexpr Who kFairB = fair(31, -5);
inline constexpr Who kDeadline{40, -1, Policy::kDeadline};
inline constexpr Who kStop{15, 0, Policy::kFifo};

inline constexpr auto kThread = CauseKind::kThread;
inline constexpr auto kIrq = CauseKind::kIrq;
inline constexpr auto kSoftirq = CauseKind::kSoftirq;
inline constexpr auto kVector = CauseKind::kVector;

/// The only bill of kRt; the invariants hold.
struct One {
    Analysis analysis;
    const Bill* bill = nullptr;

    explicit One(const Trace& trace, Who who = kRt, const std::vector<ThreadEntry>& threads = {})
        : analysis(trace, Analysis::only(who), threads) {
        const auto bills = analysis.bills();
        BOOST_REQUIRE_EQUAL(bills.size(), 1u);
        bill = bills[0];
        check();
    }
    void check() const {
        for (const std::string& wrong : analysis.analyzer.check_invariants()) BOOST_ERROR(wrong);
        BOOST_TEST(bill->total().value == bill->delay.length().value);
    }
    [[nodiscard]] std::int64_t length() const { return bill->delay.length().value; }
    [[nodiscard]] std::int64_t ticks(CauseKind cause, std::uint32_t subject, Relation relation = Relation::kNone,
                                     bool late = false) const {
        return ticks_of(*bill, cause, subject, relation, late);
    }
};

/// kRt ran and went to sleep on CPU 0 at 10, then `owner` ran there.
inline Trace asleep(Who owner) { return Trace().cpu(0).at(0).runs(kRt).at(10).to(owner); }

/// Woken from CPU 1 at `time`.
inline Trace& woken(Trace& trace, std::uint64_t time, Who who = kRt) {
    return trace.cpu(1).at(time).waking(who, 0).cpu(0).at(time).wakeup(who, 0);
}

}  // namespace hftmon::test
