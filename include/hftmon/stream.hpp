// SPDX-License-Identifier: MIT
/// The records of one CPU as a sequence, whatever they come from: a live ring,
/// a capture file, a test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hftmon/event.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// A source of the records of one CPU, in the order of their positions.
///
/// What an implementation promises:
///  - records are whole: their seq was checked, a two-record run (identity and
///    COMM) never lies across the end of what peek() returns;
///  - positions only grow. When the position after a release is larger than
///    position() + released, the records between are missing: treat the place
///    as a gap, as after a GAP record.
/// What it does not promise: that fields or time stamps are sane. Check times
/// in the consumer; decode() checks the fields.
///
/// One thread at a time per stream. Calls are noexcept and do not allocate.
class CpuStream {
public:
    virtual ~CpuStream() = default;

    /// Whose records these are.
    [[nodiscard]] virtual CpuId cpu() const noexcept = 0;

    /// Neighbouring records that can be read now, empty when there are none
    /// (live: none yet; capture: the end). Not necessarily all that there are.
    /// Each record stays valid until release() has passed it, and no longer
    /// than the stream. Two calls without a release between begin at the same
    /// record; the later one may return more.
    [[nodiscard]] virtual std::span<const Record> peek() noexcept = 0;

    /// Position of the first record of the last peek(), or of the next record
    /// after a release; meaningful only after a peek() that was not empty.
    [[nodiscard]] virtual std::uint64_t position() const noexcept = 0;

    /// Done with the first `count` records of the last peek(); the others stay
    /// valid. `count` must not exceed what that peek() returned, less what has
    /// been released since.
    virtual void release(std::size_t count) noexcept = 0;

protected:
    CpuStream() = default;
    CpuStream(const CpuStream&) = default;
    CpuStream(CpuStream&&) = default;
    CpuStream& operator=(const CpuStream&) = default;
    CpuStream& operator=(CpuStream&&) = default;
};

}  // namespace hftmon
