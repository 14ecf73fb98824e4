// SPDX-License-Identifier: MIT
/// Conversion between ticks of the records' clock and nanoseconds.
#pragma once

#include <cstdint>

#include "hftmon/abi/ioctl.h"
#include "hftmon/units.hpp"

namespace hftmon {

using ClockSync = ::hftmon_clock_sync;

/// ns = ticks * mult >> shift, with 128-bit intermediates: exact to 1 ns and,
/// up to 2^60 ticks (12 years at 3 GHz) and 10 GHz, to 1 tick; no overflow over
/// the whole range of either type. A value type; threads may share a const one.
class TscClock {
public:
    /// Frequency only: durations convert, absolute times do not (anchor is 0).
    /// tsc_khz must not be 0 (it would count as 1 GHz).
    static TscClock from_khz(std::uint64_t tsc_khz) noexcept;
    /// Frequency and one instant that ties the TSC to the other clocks.
    static TscClock from_sync(std::uint64_t tsc_khz, const ClockSync& sync) noexcept;
    /// Frequency measured between two instants (CLOCK_MONOTONIC), falling back
    /// to tsc_khz when they are less than 10 ms apart or disagree with it by
    /// more than 1000 ppm.
    static TscClock from_syncs(std::uint64_t tsc_khz, const ClockSync& first, const ClockSync& last) noexcept;

    /// Rounded toward zero; to_ns(-t) == -to_ns(t). Beyond the range: clamped.
    [[nodiscard]] Nanoseconds to_ns(TscTicks ticks) const noexcept;
    /// The inverse, rounded away from zero: with ticks finer than 1 ns
    /// to_ns(to_ticks(n)) == n, with coarser ones to_ticks(to_ns(t)) == t.
    [[nodiscard]] TscTicks to_ticks(Nanoseconds ns) const noexcept;
    /// Time on CLOCK_MONOTONIC / CLOCK_REALTIME, ns since its epoch. Clamped.
    [[nodiscard]] Nanoseconds monotonic(TscTime time) const noexcept;
    [[nodiscard]] Nanoseconds realtime(TscTime time) const noexcept;

private:
    std::uint64_t mult_ = 1;
    std::uint32_t shift_ = 0;
    TscTime anchor_tsc_{};
    std::int64_t anchor_monotonic_ns_ = 0;
    std::int64_t anchor_realtime_ns_ = 0;
};

}  // namespace hftmon
