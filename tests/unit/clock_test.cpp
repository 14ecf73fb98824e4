// SPDX-License-Identifier: MIT
#include "hftmon/clock.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <random>

#include "tests/unit/support.hpp"

using namespace hftmon;

namespace {

__extension__ using Int128 = __int128;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::uint64_t kFrequencies[] = {1,         32,        1'000,       24'000,      999'999,      1'000'000,
                                          1'000'001, 1'996'800, 2'499'998,   2'994'374,   3'600'000,    5'000'000,
                                          6'000'003, 9'999'991, 100'000'000, 999'999'999, 1'000'000'000};

Int128 clamp(Int128 value) { return value > kMax ? kMax : value < -kMax ? -kMax : value; }

/// Toward zero, as C++ divides.
Int128 reference_ns(std::int64_t ticks, std::uint64_t khz) {
    return clamp(static_cast<Int128>(ticks) * 1'000'000 / static_cast<Int128>(khz));
}

/// Nearest below the exact value; to_ticks() may differ by one tick.
Int128 reference_ticks(std::int64_t ns, std::uint64_t khz) {
    return clamp(static_cast<Int128>(ns) * static_cast<Int128>(khz) / 1'000'000);
}

bool close(Int128 a, Int128 b, Int128 allowed = 1) { return a - b <= allowed && b - a <= allowed; }

/// As clock.hpp promises: 1 tick, or 1 ns beyond the range of real machines.
Int128 allowed_ticks(Int128 ticks, std::uint64_t khz) {
    const bool real = ticks < (Int128{1} << 60) && ticks > -(Int128{1} << 60) && khz <= 10'000'000;
    return real ? 1 : 1 + static_cast<Int128>(khz / 1'000'000);
}

/// Values of every magnitude, and the extremes.
std::vector<std::int64_t> interesting_values() {
    std::vector<std::int64_t> values{0, 1, -1, 2, 3, 999, 1000, 1001, kMax, kMax - 1, kMin, kMin + 1};
    std::mt19937_64 random(42);
    for (int i = 0; i < 2000; ++i) {
        const auto value = static_cast<std::int64_t>(random() >> (random() % 64));
        values.push_back(value);
        values.push_back(value == kMin ? 0 : -value);
    }
    return values;
}

ClockSync sync_at(std::uint64_t tsc, std::uint64_t monotonic, std::uint64_t realtime = 0) {
    ClockSync sync{};
    sync.size = sizeof sync;
    sync.tsc = tsc;
    sync.monotonic_ns = monotonic;
    sync.realtime_ns = realtime;
    return sync;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(clock_test)

BOOST_AUTO_TEST_CASE(matches_the_128_bit_reference_at_all_magnitudes) {
    const auto values = interesting_values();
    for (const std::uint64_t khz : kFrequencies) {
        const TscClock clock = TscClock::from_khz(khz);
        for (const std::int64_t value : values) {
            const Int128 ns = clock.to_ns(TscTicks{value}).count();
            BOOST_REQUIRE_MESSAGE(close(ns, reference_ns(value, khz)), "to_ns " << value << " at " << khz << " kHz");
            const Int128 ticks = clock.to_ticks(Nanoseconds(value)).value;
            const Int128 expected = reference_ticks(value, khz);
            BOOST_REQUIRE_MESSAGE(close(ticks, expected, allowed_ticks(expected, khz)),
                                  "to_ticks " << value << " at " << khz << " kHz");
        }
    }
}

BOOST_AUTO_TEST_CASE(a_round_trip_is_exact_in_the_coarser_unit) {
    const auto values = interesting_values();
    for (const std::uint64_t khz : kFrequencies) {
        const TscClock clock = TscClock::from_khz(khz);
        for (const std::int64_t value : values) {
            if (value == kMin) continue;
            const TscTicks ticks = clock.to_ticks(Nanoseconds(value));
            if (khz >= 1'000'000 && ticks.value != kMax && ticks.value != -kMax)
                BOOST_REQUIRE_EQUAL(clock.to_ns(ticks).count(), value);
            const Nanoseconds ns = clock.to_ns(TscTicks{value});
            if (khz <= 1'000'000 && ns.count() != kMax && ns.count() != -kMax)
                BOOST_REQUIRE_EQUAL(clock.to_ticks(ns).value, value);
        }
    }
}

BOOST_AUTO_TEST_CASE(one_gigahertz_is_the_identity) {
    const TscClock clock = TscClock::from_khz(1'000'000);
    for (const std::int64_t value : interesting_values()) {
        if (value == kMin) continue;
        BOOST_REQUIRE_EQUAL(clock.to_ns(TscTicks{value}).count(), value);
        BOOST_REQUIRE_EQUAL(clock.to_ticks(Nanoseconds(value)).value, value);
    }
}

BOOST_AUTO_TEST_CASE(is_odd_and_clamps) {
    const TscClock slow = TscClock::from_khz(1);
    BOOST_TEST(slow.to_ns(TscTicks{kMax}).count() == kMax);
    BOOST_TEST(slow.to_ns(TscTicks{kMin}).count() == -kMax);
    const TscClock fast = TscClock::from_khz(3'000'000);
    BOOST_TEST(fast.to_ticks(Nanoseconds(kMax)).value == kMax);
    BOOST_TEST(fast.to_ticks(Nanoseconds(kMin)).value == -kMax);
    for (const std::int64_t value : {1, 7, 2999, 3001})
        BOOST_TEST(fast.to_ns(TscTicks{-value}).count() == -fast.to_ns(TscTicks{value}).count());
}

BOOST_AUTO_TEST_CASE(a_frequency_of_zero_does_not_divide_by_it) {
    BOOST_TEST(TscClock::from_khz(0).to_ns(TscTicks{17}).count() == 17);
    BOOST_TEST(TscClock::from_khz(0).to_ticks(Nanoseconds(17)).value == 17);
    (void)TscClock::from_khz(std::numeric_limits<std::uint64_t>::max()).to_ticks(Nanoseconds(1));
}

BOOST_AUTO_TEST_CASE(absolute_times_follow_the_anchor) {
    const TscClock clock = TscClock::from_sync(2'000'000, sync_at(10'000, 500, 1'000'000));
    BOOST_TEST(clock.monotonic(TscTime{10'000}).count() == 500);
    BOOST_TEST(clock.monotonic(TscTime{10'200}).count() == 600);
    BOOST_TEST(clock.realtime(TscTime{9'000}).count() == 999'500);
}

BOOST_AUTO_TEST_CASE(absolute_times_clamp) {
    const auto huge = std::numeric_limits<std::uint64_t>::max();
    const TscClock clock = TscClock::from_sync(1'000, sync_at(0, huge, huge));
    BOOST_TEST(clock.realtime(TscTime{1'000'000}).count() == kMax);
    BOOST_TEST(clock.monotonic(TscTime{0}).count() == kMax);
}

BOOST_AUTO_TEST_CASE(two_instants_measure_the_frequency) {
    // 500 ppm faster than stated, over one second.
    const TscClock clock =
        TscClock::from_syncs(2'000'000, sync_at(1000, 0), sync_at(1000 + 2'001'000'000, 1'000'000'000));
    BOOST_TEST(clock.to_ns(TscTicks{2'001'000'000}).count() == 1'000'000'000);
    BOOST_TEST(clock.monotonic(TscTime{1000 + 2'001'000'000}).count() == 1'000'000'000);
}

BOOST_AUTO_TEST_CASE(the_time_of_day_is_right_after_a_day) {
    // As hftctl tells it live: the frequency is 20 ppm from what was stated.
    constexpr std::uint64_t kDayNs = 86'400'000'000'000, kRealtime = 1'700'000'000'000'000'000;
    const ClockSync first = sync_at(1000, 50, kRealtime);
    const ClockSync latest = sync_at(1000 + 3 * kDayNs + 3 * kDayNs / 50'000, 50 + kDayNs, kRealtime + kDayNs);
    const auto error = [&](const TscClock& clock) {
        return clock.realtime(TscTime{latest.tsc}).count() - static_cast<std::int64_t>(latest.realtime_ns);
    };
    BOOST_TEST(error(TscClock::from_syncs(3'000'000, first, latest)) == 0);
    BOOST_TEST(error(TscClock::from_sync(3'000'000, first)) > 1'700'000'000);  // why one instant is not enough
}

BOOST_AUTO_TEST_CASE(instants_that_cannot_be_trusted_fall_back) {
    const ClockSync first = sync_at(1'000'000, 1'000'000);
    const ClockSync too_close = sync_at(1'000'000 + 19'999'900, 1'000'000 + 9'999'999);
    const ClockSync disagrees = sync_at(1'000'000 + 2'002'100'000, 1'000'000 + 1'000'000'000);
    const ClockSync before = sync_at(5, 5);
    const ClockSync still = sync_at(1'000'000, 2'000'000'000);
    for (const ClockSync& last : {too_close, disagrees, before, still, first}) {
        const TscClock clock = TscClock::from_syncs(2'000'000, first, last);
        BOOST_TEST(clock.to_ns(TscTicks{2'000'000'000}).count() == 1'000'000'000);
    }
}

BOOST_AUTO_TEST_SUITE_END()
