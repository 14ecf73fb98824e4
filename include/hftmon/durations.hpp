// SPDX-License-Identifier: MIT
/// Durations of handlers and threads, counted from events.
#pragma once

#include <array>
#include <cstdint>
#include <map>
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
/// CPU with events, 40 KiB for each thread that is followed, about 100 bytes for any
/// other. One thread at a time.
class DurationCounter {
public:
    /// Of threads that were followed and have ended, so many are kept: 40 MiB.
    static constexpr std::size_t kEndedKept = 1024;

    /// The records' clock: the kernel tells durations of NMIs in nanoseconds.
    explicit DurationCounter(const TscClock& clock) noexcept : clock_(clock) {}
    void apply(const Event& event);
    /// Counts that thread's durations by themselves, too, and those of the threads of its
    /// process that it creates from now on.
    void follow(Tid tid);
    /// Records of that CPU are missing, or cannot be read: what was begun is not known.
    void missing(CpuId cpu);
    /// What has been counted so far; empty for a CPU without events.
    [[nodiscard]] DurationHistograms of(CpuId cpu) const;
    /// Of those that are followed, by tid.
    [[nodiscard]] const std::map<Tid, ThreadHistograms>& threads() const noexcept { return followed_; }
    /// Of those that were, and have ended, the first kEndedKept: others may have their ids.
    [[nodiscard]] const std::vector<ThreadHistograms>& ended() const noexcept { return ended_; }
    /// Durations of those that ended later.
    [[nodiscard]] std::uint64_t not_kept() const noexcept { return not_kept_; }

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
    void count(Cpu& cpu, Tid tid, DurationKind kind, TscTicks duration);
    void end(Cpu& cpu, Tid tid, DurationKind kind, std::optional<TscTime>& begin, TscTime now);
    void apply(Cpu& cpu, TscTime now, const SchedSwitchEvent& event);
    void apply(TscTime now, const SchedWakeEvent& event);
    void apply(const ThreadEvent& event);
    void finish(Tid tid);
    Cpu& at(CpuId cpu);

    TscClock clock_;
    std::vector<std::unique_ptr<Cpu>> cpus_;
    std::unordered_map<std::uint32_t, Times> threads_;
    std::map<Tid, ThreadHistograms> followed_;
    std::vector<ThreadHistograms> ended_;
    std::uint64_t not_kept_ = 0;
};

}  // namespace hftmon
