// SPDX-License-Identifier: MIT
/// Strong types for time and identity. A raw integer never stands for either:
/// what has no conversion here cannot be mixed up.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>

namespace hftmon {

/// A length of time in wall-clock nanoseconds.
using Nanoseconds = std::chrono::nanoseconds;

/// A length of time in ticks of the records' clock (the TSC). Signed: a
/// difference can be negative until it has been checked.
struct TscTicks {
    std::int64_t value = 0;

    friend constexpr auto operator<=>(TscTicks, TscTicks) = default;
    friend constexpr TscTicks operator+(TscTicks a, TscTicks b) { return {a.value + b.value}; }
    friend constexpr TscTicks operator-(TscTicks a, TscTicks b) { return {a.value - b.value}; }
    constexpr TscTicks& operator+=(TscTicks other) {
        value += other.value;
        return *this;
    }
    constexpr TscTicks& operator-=(TscTicks other) {
        value -= other.value;
        return *this;
    }
};

/// A point in time on the records' clock.
struct TscTime {
    std::uint64_t value = 0;

    friend constexpr auto operator<=>(TscTime, TscTime) = default;
    friend constexpr TscTicks operator-(TscTime a, TscTime b) { return {static_cast<std::int64_t>(a.value - b.value)}; }
    friend constexpr TscTime operator+(TscTime t, TscTicks d) {
        return {t.value + static_cast<std::uint64_t>(d.value)};
    }
    friend constexpr TscTime operator-(TscTime t, TscTicks d) {
        return {t.value - static_cast<std::uint64_t>(d.value)};
    }
};

/// Number of a logical CPU.
struct CpuId {
    std::uint32_t value = 0;
    friend constexpr auto operator<=>(CpuId, CpuId) = default;
};

/// Kernel thread id in the initial pid namespace; 0 is the idle thread of a CPU.
struct Tid {
    std::uint32_t value = 0;
    friend constexpr auto operator<=>(Tid, Tid) = default;
};

inline constexpr Tid kIdleTid{0};

}  // namespace hftmon

template <>
struct std::hash<hftmon::Tid> {
    std::size_t operator()(hftmon::Tid tid) const noexcept { return std::hash<std::uint32_t>{}(tid.value); }
};

template <>
struct std::hash<hftmon::CpuId> {
    std::size_t operator()(hftmon::CpuId cpu) const noexcept { return std::hash<std::uint32_t>{}(cpu.value); }
};
