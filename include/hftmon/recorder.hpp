// SPDX-License-Identifier: MIT
/// From a session's rings to a capture file.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hftmon/capture.hpp"
#include "hftmon/result.hpp"
#include "hftmon/session.hpp"

namespace hftmon {

/// Names of the interrupt lines and their actions, as the kernel lists them in
/// /sys/kernel/irq. Lines without an action are left out.
[[nodiscard]] std::vector<IrqName> read_irq_names();

/// Records one session into one file. Stream mode writes while it runs; flight
/// mode writes what the rings hold when it is finished. Move-only, one thread.
///
/// Without finish() the file keeps everything up to the last pump(), but no
/// final counts; when the process is killed, about the last second is missing.
class Recorder {
public:
    struct Options {
        SessionOptions session;
        std::optional<TriggerOptions> trigger;
        std::string path;
        std::vector<Tid> subjects;              ///< threads that the user asks about
        std::vector<std::string> command_line;  ///< for the file's description
    };

    /// Opens the session, starts recording, then creates or empties the file: a
    /// start that fails leaves an older file as it was.
    static Result<Recorder> start(const Options& options);

    Recorder(Recorder&&) noexcept;
    Recorder& operator=(Recorder&&) noexcept;
    ~Recorder();

    /// Waits up to `timeout` for a batch, or a hit of the trigger, and writes what there is. Stream mode:
    /// also a reading of the clocks, and all of it to the kernel, once a second.
    /// kUnsupported: the records' clock is no longer good; finish() then.
    Status pump(std::chrono::milliseconds timeout);
    /// Stops the session, writes the rest, the final thread list and the counts. kUnsupported:
    /// the rest is written, but no end, as the records' clock is no longer good.
    Result<CaptureStats> finish();

    [[nodiscard]] std::uint64_t bytes() const noexcept;
    /// What the file says of itself; end_realtime is set by finish().
    [[nodiscard]] const CaptureMeta& meta() const noexcept;
    [[nodiscard]] Session& session() noexcept;

private:
    struct Impl;
    explicit Recorder(std::unique_ptr<Impl> impl) noexcept;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hftmon
