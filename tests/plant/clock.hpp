// SPDX-License-Identifier: MIT
/// The program's own clock: the TSC, and its relation to CLOCK_MONOTONIC.
#pragma once

#include <x86intrin.h>

#include <cstdint>

namespace plant {

using Tsc = std::uint64_t;
/// Nanoseconds of CLOCK_MONOTONIC.
using MonoNs = std::int64_t;

/// Ordered read: after everything before it, before everything after it.
inline Tsc tsc_now() noexcept {
    _mm_lfence();
    const Tsc now = __rdtsc();
    _mm_lfence();
    return now;
}

MonoNs mono_now() noexcept;
/// Sleeps until a time on CLOCK_MONOTONIC; returns at once when it is past.
void sleep_until(MonoNs when) noexcept;

/// One instant on both clocks, known to within `window` ticks.
struct ClockPair {
    MonoNs ns = 0;
    Tsc tsc = 0;
    Tsc window = 0;
};

/// The tightest of many readings: a disturbed one is wide and loses.
ClockPair read_clock_pair() noexcept;

/// Straight line through two instants.
class Clock {
public:
    Clock(const ClockPair& a, const ClockPair& b) noexcept : a_(a), b_(b) {}
    /// Measures the frequency over 200 ms.
    static Clock calibrate() noexcept;
    /// The same frequency through another instant.
    [[nodiscard]] Clock through(const ClockPair& pair) const noexcept;

    [[nodiscard]] Tsc tsc_at(MonoNs ns) const noexcept;
    [[nodiscard]] Tsc ticks(MonoNs ns) const noexcept;
    [[nodiscard]] double microseconds(Tsc ticks) const noexcept;
    [[nodiscard]] std::uint64_t khz() const noexcept { return ticks(1'000'000); }

private:
    ClockPair a_;
    ClockPair b_;
};

}  // namespace plant
