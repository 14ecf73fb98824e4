// SPDX-License-Identifier: MIT
#include "hftmon/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hftmon {

void Histogram::record(TscTicks duration) noexcept {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.value, 0));
    ++counts_[::hftmon_histogram_bucket(value)];
}

void Histogram::add(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
}

void Histogram::subtract(const Histogram& earlier) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] -= earlier.counts_[i];
}

void Histogram::copy(const ::hftmon_histogram& shared) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] = __atomic_load_n(&shared.counts[i], __ATOMIC_RELAXED);
}

std::uint64_t Histogram::count() const noexcept {
    return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

TscTicks Histogram::quantile(double q) const noexcept {
    const std::uint64_t all = count();
    if (all == 0) return {};
    const double share = q > 0 ? std::min(q, 1.0) : 0.0;  // NaN is 0
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(all)));
    std::uint64_t seen = 0;
    std::uint32_t bucket = 0;
    for (; bucket < counts_.size() - 1; ++bucket) {
        seen += counts_[bucket];
        if (seen >= std::max<std::uint64_t>(wanted, 1)) break;
    }
    return {static_cast<std::int64_t>(::hftmon_histogram_floor(bucket + 1) - 1)};
}

std::string_view duration_name(DurationKind kind) noexcept {
    static constexpr std::array<std::string_view, kDurationKinds> kNames = {
        "hardirq", "softirq", "vector", "wakeup", "run_queue", "on_cpu", "off_cpu", "preempted", "nmi"};
    return kind < kNames.size() ? kNames[kind] : "unknown";
}

void DurationHistograms::add(const DurationHistograms& other) noexcept {
    for (std::size_t kind = 0; kind < of.size(); ++kind) of[kind].add(other.of[kind]);
    missed += other.missed;
    no_slot += other.no_slot;
}

void DurationHistograms::subtract(const DurationHistograms& earlier) noexcept {
    for (std::size_t kind = 0; kind < of.size(); ++kind) of[kind].subtract(earlier.of[kind]);
    missed -= earlier.missed;
    no_slot -= earlier.no_slot;
}

}  // namespace hftmon
