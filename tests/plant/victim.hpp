// SPDX-License-Identifier: MIT
/// The thread that is delayed, and what it and its hogs do with their time.
#pragma once

#include <atomic>

#include "scenario.hpp"

namespace plant {

/// A stretch of spinning on the TSC, and the times that were not seen to pass
/// tick by tick.
struct Spin {
    Tsc start = 0;
    Tsc end = 0;
    std::vector<Interval> gaps;  ///< the first kGapsKept
    Tsc more_gap = 0;            ///< sum of all others
    Interval longest;
};

/// Spins as long as go_on(start, now) says so.
template <typename GoOn>
Spin spin_while(GoOn&& go_on) {
    constexpr Tsc kGapMin = 10'000;  // 3 to 5 us: more than the loop itself takes
    constexpr std::size_t kGapsKept = 1024;
    Spin spin;
    spin.gaps.reserve(kGapsKept);
    spin.start = tsc_now();
    Tsc last = spin.start;
    while (go_on(spin.start, last)) {
        const Tsc now = tsc_now();
        if (now - last > kGapMin) {
            if (spin.gaps.size() < kGapsKept)
                spin.gaps.push_back({last, now});
            else
                spin.more_gap += now - last;
        }
        if (now - last > spin.longest.end - spin.longest.start) spin.longest = {last, now};
        last = now;
    }
    spin.end = last;
    return spin;
}

/// Pinned SCHED_FIFO thread "plant-victim".
class Victim {
public:
    explicit Victim(const Setting& setting) : worker_("plant-victim", setting.cpu, kVictim) {}

    /// Is late for round.wake (wakeup), or runs then and is pushed away
    /// (preemption). finish() waits and says what the victim saw.
    void start(const Round& round);
    /// On the offender: sleeps until its time has come.
    void await(const Round& round) const noexcept;
    /// The offender has had its time (any thread).
    void let_go() noexcept { let_go_ = true; }
    Delay finish(const Round& round);

    [[nodiscard]] Worker& worker() noexcept { return worker_; }
    /// A delay with the victim's name and so on filled in.
    [[nodiscard]] Delay blank(const Round& round) const;

private:
    Worker worker_;
    std::atomic<bool> spinning_ = false;
    std::atomic<bool> let_go_ = false;
    Spin spin_;
    Tsc slept_at_ = 0;
    Tsc woke_at_ = 0;
    int woke_on_ = 0;
    Job job_;
};

}  // namespace plant
