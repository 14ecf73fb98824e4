// SPDX-License-Identifier: MIT
/// Capture files: what a session recorded, and all that is needed to read it on
/// another machine. The bytes are described in lib/capture/format.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hftmon/abi/ioctl.h"
#include "hftmon/clock.hpp"
#include "hftmon/event.hpp"
#include "hftmon/functions.hpp"
#include "hftmon/histogram.hpp"
#include "hftmon/programs.hpp"
#include "hftmon/result.hpp"
#include "hftmon/stacks.hpp"
#include "hftmon/stream.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// State of one source when the session was started.
struct CaptureSource {
    std::uint32_t id = 0;     ///< enum hftmon_source; may be beyond what this library knows
    std::string name;         ///< the kernel's name
    std::uint32_t state = 0;  ///< enum hftmon_source_state
    std::uint32_t error = 0;  ///< errno of a failed hook, else 0
    bool active = false;      ///< was recorded
    friend bool operator==(const CaptureSource&, const CaptureSource&) = default;
};

/// Where, when and how a capture was made.
struct CaptureMeta {
    std::string hostname;
    std::string kernel_release;
    std::string machine;             ///< CPU model and such, for people
    std::string backend = "module";  ///< what the records came from
    std::uint32_t abi_version = HFTMON_ABI_VERSION;
    std::uint32_t schema_version = HFTMON_SCHEMA_VERSION;
    std::uint32_t clock = HFTMON_CLOCK_TSC;        ///< enum hftmon_clock_id
    std::uint64_t tsc_khz = 0;                     ///< 1 .. 10^9; 10^6 for HFTMON_CLOCK_MONO
    bool tsc_invariant = false;                    ///< constant, and runs in all idle states
    std::uint32_t ring_mode = HFTMON_MODE_STREAM;  ///< enum hftmon_ring_mode
    std::uint32_t ring_records = 0;                ///< capacity per CPU
    std::vector<CpuId> cpus;                       ///< that were recorded
    std::uint32_t online_cpus = 0;                 ///< when recording began; 0 = not known
    /// Of these, where only what concerns the subjects is recorded: SessionOptions::whole_cpus.
    std::vector<CpuId> partial_cpus;
    std::vector<CaptureSource> sources;
    std::vector<DurationThreshold> minimums;  ///< SessionOptions::minimums
    std::vector<Tid> subjects;                ///< threads that the user asked about; empty: none in particular
    std::vector<std::string> command_line;    ///< of the tool that recorded. Bytes that are not UTF-8 do not survive
    Nanoseconds start_realtime{};             ///< since the epoch; 0 = not known
    Nanoseconds end_realtime{};
    friend bool operator==(const CaptureMeta&, const CaptureMeta&) = default;
};

/// The threads that existed at some moment between two times.
struct CaptureThreads {
    TscTime from, to;
    std::vector<::hftmon_thread_entry> entries;
};

/// The actions of one interrupt line, as /sys/kernel/irq/N/actions names them.
struct IrqName {
    std::uint32_t irq = 0;
    std::string name;  ///< may not contain a newline
    friend bool operator==(const IrqName&, const IrqName&) = default;
};

/// Final counts of one CPU, in records; produced = head + lost = read + lost + overwritten.
struct CaptureCpuStats {
    CpuId cpu;
    std::uint64_t head = 0;
    std::uint64_t lost = 0;
    std::uint64_t overwritten = 0;
    std::uint64_t read = 0;
    std::uint64_t probes = 0;        ///< times that a probe ran
    std::uint64_t self_samples = 0;  ///< of these, how many were timed
    std::uint64_t self_ticks = 0;    ///< what those took together
    std::uint64_t ever_shed = 0;     ///< sources that were not recorded all the time, to keep to the budget
    friend bool operator==(const CaptureCpuStats&, const CaptureCpuStats&) = default;
};

/// What recording cost and lost.
struct CaptureStats {
    std::vector<CaptureCpuStats> cpus;
    Nanoseconds collector_cpu{};  ///< CPU time of the recording process meanwhile
    Nanoseconds observed{};       ///< from before the start of recording to just before its end, by the records' clock
    friend bool operator==(const CaptureStats&, const CaptureStats&) = default;
};

/// Writes a capture file.
///
/// What one call has written is readable even if the process is killed after
/// the next flush(); records are buffered up to 1 MiB. After a failed write
/// every call returns that error again, and the file stays readable up to the
/// byte that was written last. One thread at a time. Move-only.
class CaptureWriter {
public:
    /// Creates or empties `path` (mode 0600) and writes `meta`. A pipe must have
    /// a reader already. kInvalidArgument: meta.tsc_khz is out of range. kNotFound,
    /// kNoPermission, kSystem: from open(2) and write(2).
    static Result<CaptureWriter> create(const std::string& path, const CaptureMeta& meta);

    /// Could create() open this path? Changes nothing: a pipe or device is not
    /// even opened, so create() may still fail. Errors as create()'s.
    static Status check(const std::string& path);

    CaptureWriter(CaptureWriter&&) noexcept;
    CaptureWriter& operator=(CaptureWriter&&) noexcept;
    CaptureWriter(const CaptureWriter&) = delete;
    CaptureWriter& operator=(const CaptureWriter&) = delete;
    /// Flushes as far as it can. Without finish() the file counts as truncated.
    ~CaptureWriter();

    /// Replaces what create() said about the session.
    Status meta(const CaptureMeta& meta);
    Status threads(const CaptureThreads& threads);
    Status clock(const ClockSync& sync);
    Status irqs(std::span<const IrqName> irqs);
    Status functions(std::span<const FunctionName> functions);
    Status stacks(std::span<const Stack> stacks);
    Status programs(std::span<const ProgramMap> programs);
    /// Records of one CPU whose first is at `first_position`. Whole runs only:
    /// a run that is cut by the end of the span is dropped by the reader. Does
    /// not allocate unless it fails.
    Status records(CpuId cpu, std::uint64_t first_position, std::span<const Record> records);
    Status stats(const CaptureStats& stats);

    /// Hands everything to the kernel; no fsync.
    Status flush();
    /// Writes the end mark, flushes and closes. No call may follow.
    Status finish(Nanoseconds end_realtime);

    /// Bytes so far, buffered ones included.
    [[nodiscard]] std::uint64_t bytes() const noexcept;

private:
    struct Impl;
    explicit CaptureWriter(std::unique_ptr<Impl> impl) noexcept;
    std::unique_ptr<Impl> impl_;
};

namespace detail {
struct CaptureFile;
/// Neighbouring slots of one CPU as the file holds them, not yet checked.
struct RecordChunk {
    std::uint64_t first_position = 0;
    std::span<const Record> slots;
};
}  // namespace detail

/// One CPU's records in a capture. Keeps the file mapped as long as it lives.
/// The counts grow while the stream is read; they are final at its end.
class CaptureStream final : public CpuStream {
public:
    [[nodiscard]] CpuId cpu() const noexcept override { return cpu_; }
    [[nodiscard]] std::span<const Record> peek() noexcept override;
    [[nodiscard]] std::uint64_t position() const noexcept override { return position_; }
    void release(std::size_t count) noexcept override;

    /// Slots whose seq does not belong to their position: overwritten while
    /// they were read, or damaged. Not delivered.
    [[nodiscard]] std::uint64_t damaged() const noexcept { return damaged_; }
    /// Halves of two-record runs whose other half is missing. Not delivered.
    [[nodiscard]] std::uint64_t orphaned() const noexcept { return orphaned_; }
    /// Positions that no chunk holds, between the first and the last that do.
    [[nodiscard]] std::uint64_t missing() const noexcept { return missing_; }

private:
    friend class CaptureReader;
    CaptureStream(std::shared_ptr<const detail::CaptureFile> file, CpuId cpu,
                  std::span<const detail::RecordChunk> chunks) noexcept;
    void find_stretch() noexcept;

    std::shared_ptr<const detail::CaptureFile> file_;
    CpuId cpu_;
    std::span<const detail::RecordChunk> chunks_;  ///< those not finished yet
    std::size_t next_ = 0;                         ///< slot of chunks_.front() to look at next
    bool entered_ = false;                         ///< chunks_.front() was begun
    bool after_hole_ = true;                       ///< what came before next_ is missing
    std::span<const Record> ready_;                ///< checked, not released
    std::uint64_t position_ = 0;                   ///< of ready_.front()
    std::uint64_t end_position_ = 0;               ///< of the chunk before, one past its last
    std::uint64_t damaged_ = 0;
    std::uint64_t orphaned_ = 0;
    std::uint64_t missing_ = 0;
};

/// Reads a capture file. The file is untrusted: whatever it holds, the reader
/// gives an error or counts what it left out. A file that was cut reads up to
/// its last whole record; only one that is cut before the end of its first META
/// chunk (nothing was recorded yet) is refused.
///
/// Cheap to copy: copies share the mapping. Const calls from several threads
/// are fine. The file must not be shortened while it is open (SIGBUS).
class CaptureReader {
public:
    /// kNotFound, kNoPermission, kSystem: from open(2) or mmap(2). kCorrupt: not
    /// a capture, or damaged at its beginning. kVersionMismatch: made by a newer
    /// hftmon. O(chunks): records are not looked at yet.
    static Result<CaptureReader> open(const std::string& path);
    /// The same from memory, which must be aligned to 8 bytes and outlive the
    /// reader and its streams.
    static Result<CaptureReader> from_memory(std::span<const std::byte> bytes);

    [[nodiscard]] const CaptureMeta& meta() const noexcept;
    /// In file order: normally one of the start and one of the end.
    [[nodiscard]] std::span<const CaptureThreads> threads() const noexcept;
    [[nodiscard]] std::span<const ClockSync> clock_syncs() const noexcept;
    /// By number; a later name of the same interrupt replaces the earlier.
    [[nodiscard]] std::span<const IrqName> irqs() const noexcept;
    /// Names of the functions that events tell, as far as the recorder could learn them.
    /// Of frames of stacks, by call_site().
    [[nodiscard]] std::span<const FunctionName> functions() const noexcept;
    /// Those that events name.
    [[nodiscard]] std::span<const Stack> stacks() const noexcept;
    /// Of the processes whose stacks those are, as far as the recorder could learn them.
    [[nodiscard]] std::span<const ProgramMap> programs() const noexcept;
    /// Absent in a file that was cut, or whose recorder was killed.
    [[nodiscard]] const std::optional<CaptureStats>& stats() const noexcept;

    /// From the first and the last clock reading in the file; without any,
    /// durations convert and absolute times do not.
    [[nodiscard]] TscClock clock() const noexcept;

    /// One stream per CPU with records, by CPU number, from the beginning.
    [[nodiscard]] std::vector<CaptureStream> streams() const;
    /// Slots in the file, damaged ones included.
    [[nodiscard]] std::uint64_t slots() const noexcept;

    /// The end mark is missing: cut, damaged on the way, or still being written.
    [[nodiscard]] bool truncated() const noexcept;
    /// Not cut but damaged: what stands at readable_bytes() is no part of a
    /// capture, and nothing behind it can be found.
    [[nodiscard]] bool broken() const noexcept;
    [[nodiscard]] std::uint64_t file_bytes() const noexcept;
    /// Bytes that could be read, up to the cut or the end.
    [[nodiscard]] std::uint64_t readable_bytes() const noexcept;
    /// Chunks left out, whole or in part, because what they hold cannot be true.
    [[nodiscard]] std::uint64_t damaged_chunks() const noexcept;
    /// Chunks left out because this library does not know their type.
    [[nodiscard]] std::uint64_t unknown_chunks() const noexcept;

private:
    explicit CaptureReader(std::shared_ptr<const detail::CaptureFile> file) noexcept;
    std::shared_ptr<const detail::CaptureFile> file_;
};

}  // namespace hftmon
