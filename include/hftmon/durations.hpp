// SPDX-License-Identifier: MIT
/// Durations of handlers and threads, counted from events.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "hftmon/capture.hpp"
#include "hftmon/clock.hpp"
#include "hftmon/event.hpp"
#include "hftmon/histogram.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// Bits of DurationKind that can be counted from a capture. None, where parts were
/// left out (`--watch`); no wakeups, waits and absences of threads unless all CPUs
/// were recorded all the time: elsewhere they may have run unseen.
[[nodiscard]] std::uint32_t countable_durations(const CaptureMeta& meta) noexcept;

/// Counts from events, in order of time, as the kernel does. Memory: 90 KiB for a
/// CPU with events and about 100 bytes for each thread. One thread at a time.
class DurationCounter {
public:
    /// The records' clock: the kernel tells durations of NMIs in nanoseconds.
    explicit DurationCounter(const TscClock& clock) noexcept : clock_(clock) {}
    void apply(const Event& event);
    /// Records of that CPU are missing, or cannot be read: what was begun is not known.
    void missing(CpuId cpu);
    /// What has been counted so far; empty for a CPU without events.
    [[nodiscard]] DurationHistograms of(CpuId cpu) const;

private:
    /// Handlers that call others of the same kind: so deep, as the kernel remembers.
    static constexpr std::size_t kDeep = 4;
    struct Handlers {
        std::size_t depth = 0;
        std::array<TscTime, kDeep> entered{};
    };
    struct Cpu {
        std::array<Handlers, HFTMON_DURATION_VECTOR + 1> handlers;
        std::optional<TscTime> switched;
        DurationHistograms counted;
        void forget() noexcept;
    };
    struct Times {
        bool running = false;
        bool lost = false;  ///< the CPU, while it could run
        std::optional<TscTime> out, waking, queued;
    };

    static void handler(Cpu& cpu, DurationKind kind, bool entry, TscTime now);
    void apply(Cpu& cpu, TscTime now, const SchedSwitchEvent& event);
    void apply(TscTime now, const SchedWakeEvent& event);
    Cpu& at(CpuId cpu);

    TscClock clock_;
    std::vector<std::unique_ptr<Cpu>> cpus_;
    std::unordered_map<std::uint32_t, Times> threads_;
};

}  // namespace hftmon
