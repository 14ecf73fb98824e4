// SPDX-License-Identifier: MIT
/// A measurement through the kernel module: one open /dev/hftmon.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hftmon/abi/ioctl.h"
#include "hftmon/capture.hpp"
#include "hftmon/event.hpp"
#include "hftmon/histogram.hpp"
#include "hftmon/result.hpp"
#include "hftmon/ring_reader.hpp"
#include "hftmon/stacks.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

using SessionInfo = ::hftmon_info;
using SourceStatus = ::hftmon_source_status;
using CpuStats = ::hftmon_cpu_stats;
using StacksInfo = ::hftmon_stacks;
using SourceCost = ::hftmon_source_cost;

enum class RingMode : std::uint32_t { kStream = HFTMON_MODE_STREAM, kFlight = HFTMON_MODE_FLIGHT };

/// Only where they are asked for by name: stacks, which cost many times the rest; functions
/// of the kernel, by kprobes; the depth of run queues, which takes grace periods to begin.
inline constexpr std::uint64_t kSourcesByName =
    HFTMON_SOURCE_STACKS | HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_UPDATE_NR_RUNNING) |
    HFTMON_SOURCE_BIT(HFTMON_SOURCE_AFFINE_MOVE_TASK) | HFTMON_SOURCE_BIT(HFTMON_SOURCE_THROTTLE_CFS_RQ) |
    HFTMON_SOURCE_BIT(HFTMON_SOURCE_TASK_NUMA_FAULT);

struct SessionOptions {
    RingMode mode = RingMode::kStream;
    /// Bits of enum hftmon_source.
    std::uint64_t sources = HFTMON_SOURCE_ALL & ~kSourcesByName;
    /// Records per CPU, a power of two, 2^10 .. 2^25. 32 bytes each.
    std::uint32_t ring_records = 1u << 16;
    /// Unread records in one ring that end a wait(); at most ring_records / 2.
    std::uint32_t wakeup_records = 1u << 13;
    std::vector<CpuId> cpus;  ///< empty: all that are online
    /// Only on these CPUs, of `cpus`, is everything recorded; elsewhere what
    /// concerns a watched thread: it runs there, or an event names it. Unset:
    /// everything everywhere.
    std::optional<std::vector<CpuId>> whole_cpus;
    /// Whom to watch, where not everything is recorded, or for a trigger: threads, and
    /// processes by their leader; and the threads and processes that these start from
    /// now on.
    std::vector<Tid> watched;
    bool inherit_processes = true;  ///< else only their new threads are watched, not their child processes
    /// Bits of DurationKind that the kernel counts in histograms, on all of `cpus`;
    /// `sources` may then be 0. Those it cannot measure are left out, as info() tells.
    std::uint32_t durations = 0;
    /// Watched threads have histograms of their own, too: thread_durations(). The module has
    /// room for so many (its parameter thread_slots). Wants somebody in `watched` and a kind
    /// that ThreadHistograms::counts() in `durations`: else kInvalidArgument.
    bool thread_histograms = false;
    /// Each duration over one of these is recorded, a DurationEvent when it has ended, of
    /// kinds that need not be in `durations`. To have these in place of a source's events,
    /// leave that out of `sources`. A kind that cannot be measured: kUnsupported.
    std::vector<DurationThreshold> minimums;
};

enum class Freeze : std::uint8_t {
    kNothing,
    kCpu,  ///< the flight recorder of the CPU of the hit
    /// And that of the CPU from which the thread was woken, or the vector sent: of vectors
    /// where ipi_send_cpu and ipi_send_cpumask are recorded.
    kSender,
    kAll,
};

/// A trigger: a duration over its threshold is a hit, writes a SpikeEvent into the
/// ring of its CPU, ends waits, and can freeze flight recorders.
struct TriggerOptions {
    std::vector<DurationThreshold> thresholds;  ///< kinds of SessionOptions::durations; none: no hit any more
    bool watched = false;                       ///< only what happens to threads that the session watches
    Freeze freeze = Freeze::kNothing;           ///< flight mode
    /// What frozen rings still take: whichever bound comes first; without one, nothing.
    std::optional<std::uint32_t> tail_records;
    std::optional<Nanoseconds> tail;
    /// So long after a hit there is no other, and then frozen rings go on. Unset:
    /// until spikes(Rearm::kYes).
    std::optional<Nanoseconds> holdoff;
};

enum class Rearm : bool { kNo, kYes };

/// Hits of a trigger so far, and the latest one.
struct Spikes {
    std::uint64_t hits = 0;
    std::uint64_t held = 0;  ///< durations over the threshold that were none: it was not armed again yet
    Event last;              ///< a SpikeEvent, meaningful when there was a hit
};

/// What the module's events cost on one CPU since it was loaded, for all sessions; see
/// abi/cost.h. Times are ticks of the records' clock (info().tsc_khz).
struct CpuCosts {
    CpuId cpu;
    std::uint32_t budget_ppm = 0;  ///< parts per million of the CPU's time; 0: no limit
    std::uint32_t spent_ppm = 0;   ///< in the last 100 ms; 0 without a budget, or when nobody records
    std::uint64_t events = 0;      ///< updates of histograms included
    SourceCost timed{};            ///< of these, about one in 61
    std::uint64_t shed = 0;        ///< sources that are not recorded there now
    std::array<SourceCost, HFTMON_COST_COUNT> by_source{};  ///< of those timed; the last: histograms
};

/// Why a source is not there, in words; empty when it is.
[[nodiscard]] std::string source_reason(const SourceStatus& status);

/// Owns the descriptor and the mappings of one session. Move-only; rings()
/// stay valid across moves. Not thread-safe, but different rings may be read by
/// different threads. Destruction stops the session and frees everything.
class Session {
public:
    /// Opens /dev/hftmon and checks that module and library speak the same ABI.
    /// kNotFound: the module is not loaded. kNoPermission: CAP_PERFMON (or
    /// root) is missing. kVersionMismatch.
    static Result<Session> open();

    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;
    ~Session();

    [[nodiscard]] Result<SessionInfo> info() const;
    /// Every source the module knows, by number.
    [[nodiscard]] Result<std::vector<SourceStatus>> sources() const;

    /// Allocates and maps the rings. kInvalidArgument, kNotFound (a CPU that
    /// does not exist or is offline; a thread to be watched), kBusy (second call),
    /// kSystem (memory).
    Status setup(const SessionOptions& options);
    /// Watches another thread, or process, as SessionOptions::watched does; between
    /// setup() and stop(). Returns how many threads that is. kNotFound.
    Result<std::uint32_t> watch(Tid tid);
    /// No longer. Its children that are watched stay so.
    Result<std::uint32_t> unwatch(Tid tid);
    /// Sets the session's trigger, or another one instead, and arms it; between setup()
    /// and stop(). kInvalidArgument: a kind that is not counted, a ring to be frozen
    /// that is no flight recorder.
    Status set_trigger(const TriggerOptions& options) const;
    /// What was hit so far; ends the interruption of waits that the last hit began.
    /// With kYes frozen rings go on, and there can be another hit.
    [[nodiscard]] Result<Spikes> spikes(Rearm rearm = Rearm::kNo) const;
    /// Hooks and records. Sources that could not be hooked are left out.
    Status start();
    /// No record is written after this returns; rings stay readable.
    Status stop();

    /// One reader per CPU, by CPU number; empty before setup().
    [[nodiscard]] std::span<RingReader> rings() noexcept;

    /// As set up.
    [[nodiscard]] std::span<const DurationThreshold> minimums() const noexcept;
    /// CPUs on which only what concerns watched threads is recorded; after setup().
    [[nodiscard]] std::span<const CpuId> partial_cpus() const noexcept;

    /// Waits until a ring holds wakeup_records unread records (true) or the
    /// time is over (false). A signal ends the wait early (false), and so does a hit of
    /// the trigger that spikes() has not told of.
    Result<bool> wait(std::chrono::milliseconds timeout) const;

    /// For poll(2) and epoll(7), at any time after open(): readable when wait()
    /// would say true, POLLPRI after a hit, POLLHUP after stop(). Stays the session's.
    [[nodiscard]] int fd() const noexcept;

    [[nodiscard]] Result<CpuStats> cpu_stats(CpuId cpu) const;
    /// In any state. kNotFound: the machine has no such CPU.
    [[nodiscard]] Result<CpuCosts> costs(CpuId cpu) const;
    /// What was counted on a CPU since start(), until stop(), of the kinds that info()
    /// calls active; others are empty. No system call. kNotFound: no durations are
    /// counted there, or not yet.
    Status durations(CpuId cpu, DurationHistograms& counted) const;
    /// What was counted since start(), until stop(), of each watched thread that had a
    /// duration, on the CPUs of this session and of others that count; a thread may be there
    /// more than once. No system call; copies 40 KiB for each, so not in a hot path. kNotFound: not with
    /// thread_histograms, or not yet.
    [[nodiscard]] Result<std::vector<ThreadHistograms>> thread_durations() const;
    /// How full the tables of stacks are; after setup(), with no slots without stacks.
    [[nodiscard]] Result<StacksInfo> stacks_info() const;
    /// A stack that an event of this session has named; nothing for another number, and
    /// for the kernel's where its addresses may not be seen. No system call.
    [[nodiscard]] std::optional<Stack> stack(StackPart part, std::uint32_t id) const;
    /// kUnsupported: the clock is no longer good, and the records of about now may not be either.
    [[nodiscard]] Result<ClockSync> clock_sync() const;
    /// All threads that exist now, with names.
    [[nodiscard]] Result<CaptureThreads> threads() const;
    /// What a capture of this session says of itself; call after start().
    [[nodiscard]] Result<CaptureMeta> describe() const;

private:
    struct Impl;
    explicit Session(std::unique_ptr<Impl> impl) noexcept;
    Status map_stacks();
    Result<std::uint32_t> change_watch(Tid tid, std::uint32_t op) const;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hftmon
