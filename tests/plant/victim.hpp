// SPDX-License-Identifier: MIT
/// The thread that is delayed, and what it and its hogs do with their time.
#pragma once

#include "scenario.hpp"

namespace plant {

/// A stretch of spinning on the TSC. `gap` is the time that was not seen to
/// pass tick by tick; the longest single gap is [gap_start, gap_end).
struct Spin {
    Tsc start = 0;
    Tsc end = 0;
    Tsc gap = 0;
    Tsc gap_start = 0;
    Tsc gap_end = 0;
};

Spin spin_until(Tsc until) noexcept;

/// Pinned SCHED_FIFO thread "plant-victim".
class Victim {
public:
    explicit Victim(const Setting& setting) : worker_("plant-victim", setting.cpu, kVictim) {}

    /// Is late for round.wake (wakeup), or runs then and is pushed away
    /// (preemption). finish() waits and says what the victim saw.
    void start(const Round& round);
    Delay finish(const Round& round);

    [[nodiscard]] Worker& worker() noexcept { return worker_; }
    /// A delay with the victim's name and so on filled in.
    [[nodiscard]] Delay blank(const Round& round) const;

private:
    Worker worker_;
    Job job_;
    Spin spin_;
    Tsc slept_at_ = 0;
    Tsc woke_at_ = 0;
    int woke_on_ = 0;
};

}  // namespace plant
