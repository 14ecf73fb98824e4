// SPDX-License-Identifier: MIT
/// Log-linear histograms of durations, in the layout that the kernel counts in.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "hftmon/abi/histogram.h"
#include "hftmon/units.hpp"

namespace hftmon {

/// Fixed memory (10 KiB), constant time, no allocation. Up to 31 ticks exact,
/// above to within 1/32; durations beyond kLongest count as that long. Not
/// thread-safe.
class Histogram {
public:
    /// An hour and a half at 3 GHz. quantile() of kLongest says: that, or longer.
    static constexpr TscTicks kLongest{(std::int64_t{1} << HFTMON_HISTOGRAM_MAX_BITS) - 1};

    /// Negative counts as 0.
    void record(TscTicks duration) noexcept;
    void add(const Histogram& other) noexcept;
    /// What has been counted since `earlier`, a copy of this one.
    void subtract(const Histogram& earlier) noexcept;
    /// What the kernel, or another thread, counts meanwhile: each count is read once.
    void copy(const ::hftmon_histogram& shared) noexcept;

    [[nodiscard]] std::uint64_t count() const noexcept;
    /// The smallest bound that at least the share `q` of all durations, 0 < q <= 1,
    /// does not exceed: the largest value of its bucket. 0 when there is none.
    [[nodiscard]] TscTicks quantile(double q) const noexcept;
    [[nodiscard]] TscTicks max() const noexcept { return quantile(1); }
    /// By bucket; see hftmon_histogram_floor().
    [[nodiscard]] std::span<const std::uint64_t> counts() const noexcept { return counts_; }

private:
    std::array<std::uint64_t, HFTMON_HISTOGRAM_BUCKETS> counts_{};
};

/// What begins and ends each: enum hftmon_duration of abi/histogram.h.
using DurationKind = ::hftmon_duration;  // also in event.hpp
inline constexpr std::size_t kDurationKinds = HFTMON_DURATION_COUNT;

/// "hardirq", "run_queue"; "unknown" beyond them.
[[nodiscard]] std::string_view duration_name(DurationKind kind) noexcept;

/// Of one watched thread, on all CPUs: kinds from HFTMON_THREAD_DURATION_FIRST on.
struct ThreadHistograms {
    Tid tid{};
    bool ended = false;  ///< it has died, or was not watched for a time
    std::array<Histogram, HFTMON_THREAD_DURATIONS> of;

    /// Of the kinds for which counts() says true.
    [[nodiscard]] const Histogram& operator[](DurationKind kind) const noexcept { return of[index(kind)]; }
    [[nodiscard]] Histogram& operator[](DurationKind kind) noexcept { return of[index(kind)]; }
    [[nodiscard]] static bool counts(DurationKind kind) noexcept { return index(kind) < HFTMON_THREAD_DURATIONS; }

private:
    [[nodiscard]] static std::uint32_t index(DurationKind kind) noexcept {
        return static_cast<std::uint32_t>(kind) - static_cast<std::uint32_t>(HFTMON_THREAD_DURATION_FIRST);
    }
};

struct DurationThreshold {
    DurationKind kind{};
    Nanoseconds over{};  ///< what is longer, is over it
    friend bool operator==(const DurationThreshold&, const DurationThreshold&) = default;
};

/// Of one CPU, or of several added up. 90 KiB: not for small stacks.
struct DurationHistograms {
    std::array<Histogram, kDurationKinds> of;
    std::uint64_t missed = 0;   ///< durations of threads whose beginning was lost
    std::uint64_t no_slot = 0;  ///< durations of watched threads that found no room for their own

    void add(const DurationHistograms& other) noexcept;
    void subtract(const DurationHistograms& earlier) noexcept;
};

}  // namespace hftmon
