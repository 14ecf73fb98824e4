// SPDX-License-Identifier: MIT
#include "hftmon/clock.hpp"

#include <limits>

namespace hftmon {

namespace {

__extension__ using Uint128 = unsigned __int128;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

// Two instants must be this far apart before a measured frequency is better
// than the kernel's own: a reading is good to some 100 ns, 10 ppm of 10 ms.
constexpr std::uint64_t kMinSpanNs = 10'000'000;

// to_ticks() shifts 63 bits by this much, and they must still fit 128.
constexpr std::uint32_t kMaxShift = 65;

struct Scale {
    std::uint64_t mult;
    std::uint32_t shift;
};

/// ns / ticks with as many bits as fit, rounded up: so a product that should be
/// whole does not come out one too low. `ns` is below 2^62 and `ticks` not 0.
Scale make_scale(std::uint64_t ns, std::uint64_t ticks) noexcept {
    for (std::uint32_t shift = kMaxShift;; --shift) {
        const Uint128 mult = ((static_cast<Uint128>(ns) << shift) + (ticks - 1)) / ticks;
        if (mult <= std::numeric_limits<std::uint64_t>::max()) return {static_cast<std::uint64_t>(mult), shift};
    }
}

/// Without the sign; at most kMax.
constexpr std::uint64_t magnitude(std::int64_t value) noexcept {
    return static_cast<std::uint64_t>(value < 0 ? (value < -kMax ? kMax : -value) : value);
}

/// Puts the sign back; what does not fit becomes the largest value.
constexpr std::int64_t with_sign_of(std::int64_t sign, Uint128 value) noexcept {
    const std::int64_t clamped = value > static_cast<Uint128>(kMax) ? kMax : static_cast<std::int64_t>(value);
    return sign < 0 ? -clamped : clamped;
}

std::int64_t add_clamped(std::int64_t a, std::int64_t b) noexcept {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) return b < 0 ? std::numeric_limits<std::int64_t>::min() : kMax;
    return sum;
}

/// A time since an epoch; one beyond the year 2262 is a damaged file.
constexpr std::int64_t epoch_ns(std::uint64_t ns) noexcept {
    return ns > static_cast<std::uint64_t>(kMax) ? kMax : static_cast<std::int64_t>(ns);
}

}  // namespace

TscClock TscClock::from_khz(std::uint64_t tsc_khz) noexcept {
    TscClock clock;
    if (tsc_khz == 0) return clock;
    const Scale scale = make_scale(1'000'000, tsc_khz);
    clock.mult_ = scale.mult;
    clock.shift_ = scale.shift;
    return clock;
}

TscClock TscClock::from_sync(std::uint64_t tsc_khz, const ClockSync& sync) noexcept {
    TscClock clock = from_khz(tsc_khz);
    clock.anchor_tsc_ = TscTime{sync.tsc};
    clock.anchor_monotonic_ns_ = epoch_ns(sync.monotonic_ns);
    clock.anchor_realtime_ns_ = epoch_ns(sync.realtime_ns);
    return clock;
}

TscClock TscClock::from_syncs(std::uint64_t tsc_khz, const ClockSync& first, const ClockSync& last) noexcept {
    TscClock clock = from_sync(tsc_khz, first);
    if (last.tsc <= first.tsc || last.monotonic_ns <= first.monotonic_ns) return clock;
    const std::uint64_t ticks = last.tsc - first.tsc;
    const std::uint64_t ns = last.monotonic_ns - first.monotonic_ns;
    if (ns < kMinSpanNs || ns >= std::uint64_t{1} << 62) return clock;

    const Uint128 measured = static_cast<Uint128>(ticks) * 1'000'000;
    const Uint128 stated = static_cast<Uint128>(ns) * tsc_khz;
    const Uint128 difference = measured > stated ? measured - stated : stated - measured;
    if (difference > stated / 1000) return clock;

    const Scale scale = make_scale(ns, ticks);
    clock.mult_ = scale.mult;
    clock.shift_ = scale.shift;
    return clock;
}

Nanoseconds TscClock::to_ns(TscTicks ticks) const noexcept {
    const Uint128 product = static_cast<Uint128>(magnitude(ticks.value)) * mult_;
    return Nanoseconds(with_sign_of(ticks.value, product >> shift_));
}

TscTicks TscClock::to_ticks(Nanoseconds ns) const noexcept {
    // Rounded up, as to_ns() rounds down: so a round trip is exact in the
    // direction of the finer unit.
    const Uint128 scaled = static_cast<Uint128>(magnitude(ns.count())) << shift_;
    return TscTicks{with_sign_of(ns.count(), (scaled + (mult_ - 1)) / mult_)};
}

Nanoseconds TscClock::monotonic(TscTime time) const noexcept {
    return Nanoseconds(add_clamped(anchor_monotonic_ns_, to_ns(time - anchor_tsc_).count()));
}

Nanoseconds TscClock::realtime(TscTime time) const noexcept {
    return Nanoseconds(add_clamped(anchor_realtime_ns_, to_ns(time - anchor_tsc_).count()));
}

}  // namespace hftmon
