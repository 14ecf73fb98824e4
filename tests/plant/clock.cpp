// SPDX-License-Identifier: MIT
#include "clock.hpp"

#include <cerrno>
#include <ctime>

namespace plant {

__extension__ using Wide = unsigned __int128;  // -Wpedantic: not ISO C++

namespace {

constexpr MonoNs kSecond = 1'000'000'000;

timespec to_timespec(MonoNs ns) { return {static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)}; }

}  // namespace

MonoNs mono_now() noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * kSecond + now.tv_nsec;
}

void sleep_until(MonoNs when) noexcept {
    const timespec until = to_timespec(when);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    }
}

ClockPair read_clock_pair() noexcept {
    ClockPair best{0, 0, ~Tsc{0}};
    for (int i = 0; i < 100; ++i) {
        const Tsc before = tsc_now();
        const MonoNs ns = mono_now();
        const Tsc window = tsc_now() - before;
        if (window < best.window) best = {ns, before + window / 2, window};
    }
    return best;
}

Clock Clock::calibrate() noexcept {
    const ClockPair first = read_clock_pair();
    sleep_until(first.ns + kSecond / 5);
    return {first, read_clock_pair()};
}

Clock Clock::through(const ClockPair& pair) const noexcept {
    const MonoNs span = b_.ns - a_.ns;
    return {pair, {pair.ns + span, pair.tsc + ticks(span), pair.window}};
}

Tsc Clock::tsc_at(MonoNs ns) const noexcept {
    if (ns >= a_.ns) return a_.tsc + ticks(ns - a_.ns);
    return a_.tsc - ticks(a_.ns - ns);
}

Tsc Clock::ticks(MonoNs ns) const noexcept {
    const auto product = static_cast<Wide>(ns) * (b_.tsc - a_.tsc);
    return static_cast<Tsc>(product / static_cast<std::uint64_t>(b_.ns - a_.ns));
}

double Clock::microseconds(Tsc ticks) const noexcept {
    return static_cast<double>(ticks) * static_cast<double>(b_.ns - a_.ns) / static_cast<double>(b_.tsc - a_.tsc) / 1e3;
}

}  // namespace plant
