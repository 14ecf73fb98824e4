// SPDX-License-Identifier: MIT
/// What was planted: one Delay per line of output, times in TSC ticks.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "clock.hpp"

namespace plant {

/// The two delays that hftmon bills.
enum class DelayKind { kWakeup, kPreemption };

/// [start, end)
struct Interval {
    Tsc start = 0;
    Tsc end = 0;
};

/// Somebody who had the CPU, as the offender measured it itself.
struct Cause {
    std::string kind;  ///< thread, stopper, irq, irq-thread, softirq, vector, page-fault, idle
    std::string name;  ///< thread, interrupt action or softirq
    int cpu = 0;
    int tid = 0;                     ///< thread that was current meanwhile; 0 = not known or idle
    std::optional<int> number = {};  ///< interrupt line, softirq vector or hftmon_vector_kind
    Tsc start = 0;
    Tsc end = 0;
    // What the offender did not see pass (nested interrupts, a host that took the CPU): where, as far as known ...
    std::vector<Interval> gaps = {};
    Tsc more_gap = 0;                          ///< ... and how much more, anywhere
    std::optional<std::uint64_t> faults = {};  ///< page faults since faults_tsc.front()
    std::vector<Tsc> faults_tsc = {};          ///< readings just before the first of them
    bool at_most = false;                      ///< its part of the delay is an upper bound; else a lower one
};

struct Delay {
    DelayKind kind = DelayKind::kWakeup;
    std::string victim;
    int tid = 0;
    int cpu = 0;  ///< where it ran at the end
    Tsc start = 0;
    Tsc end = 0;
    Tsc start_error = 0;  ///< `start` is known to within this many ticks
    std::vector<Cause> causes = {};
    std::string fault = {};  ///< why this attempt is void; empty when it is good

    [[nodiscard]] Tsc length() const { return end > start ? end - start : 0; }
    /// Ticks of a cause inside this delay.
    [[nodiscard]] Tsc expected(const Cause& cause) const;
    [[nodiscard]] Tsc expected() const;
    /// Of these, at most so many that the offender did not see pass.
    [[nodiscard]] Tsc gap(const Cause& cause) const;
    /// Ticks that the causes certainly had: expected() less gap().
    [[nodiscard]] Tsc certain() const;
};

const char* to_string(DelayKind kind);
/// One JSON object on one line.
void print(std::ostream& out, const std::string& scenario, int index, const Delay& delay);

}  // namespace plant
