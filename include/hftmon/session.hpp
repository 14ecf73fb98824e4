// SPDX-License-Identifier: MIT
/// A measurement through the kernel module: one open /dev/hftmon.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hftmon/abi/ioctl.h"
#include "hftmon/capture.hpp"
#include "hftmon/result.hpp"
#include "hftmon/ring_reader.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

using SessionInfo = ::hftmon_info;
using SourceStatus = ::hftmon_source_status;
using CpuStats = ::hftmon_cpu_stats;

enum class RingMode : std::uint32_t { kStream = HFTMON_MODE_STREAM, kFlight = HFTMON_MODE_FLIGHT };

struct SessionOptions {
    RingMode mode = RingMode::kStream;
    std::uint64_t sources = HFTMON_SOURCE_ALL;  ///< bits of enum hftmon_source
    /// Records per CPU, a power of two, 2^10 .. 2^25. 32 bytes each.
    std::uint32_t ring_records = 1u << 16;
    /// Unread records in one ring that end a wait(); at most ring_records / 2.
    std::uint32_t wakeup_records = 1u << 13;
    std::vector<CpuId> cpus;  ///< empty: all that are online
    /// Only on these CPUs, of `cpus`, is everything recorded; elsewhere what
    /// concerns a watched thread: it runs there, or an event names it. Unset:
    /// everything everywhere.
    std::optional<std::vector<CpuId>> whole_cpus;
    /// Whom to watch, where not everything is recorded: threads, and processes by
    /// their leader; and the threads and processes that these start from now on.
    std::vector<Tid> watched;
};

/// "sched_switch"; "unknown" beyond the sources of this library.
[[nodiscard]] std::string_view source_name(std::uint32_t source) noexcept;
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
    /// Hooks and records. Sources that could not be hooked are left out.
    Status start();
    /// No record is written after this returns; rings stay readable.
    Status stop();

    /// One reader per CPU, by CPU number; empty before setup().
    [[nodiscard]] std::span<RingReader> rings() noexcept;

    /// CPUs on which only what concerns watched threads is recorded; after setup().
    [[nodiscard]] std::span<const CpuId> partial_cpus() const noexcept;

    /// Waits until a ring holds wakeup_records unread records (true) or the
    /// time is over (false). A signal ends the wait early (false).
    Result<bool> wait(std::chrono::milliseconds timeout) const;

    /// For poll(2) and epoll(7), at any time after open(): readable when wait()
    /// would say true, POLLHUP after stop(). Stays the session's.
    [[nodiscard]] int fd() const noexcept;

    [[nodiscard]] Result<CpuStats> cpu_stats(CpuId cpu) const;
    [[nodiscard]] Result<ClockSync> clock_sync() const;
    /// All threads that exist now, with names.
    [[nodiscard]] Result<CaptureThreads> threads() const;
    /// What a capture of this session says of itself; call after start().
    [[nodiscard]] Result<CaptureMeta> describe() const;

private:
    struct Impl;
    explicit Session(std::unique_ptr<Impl> impl) noexcept;
    Result<std::uint32_t> change_watch(Tid tid, std::uint32_t op) const;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hftmon
