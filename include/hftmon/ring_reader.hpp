// SPDX-License-Identifier: MIT
/// Reads one CPU's ring in place: no copy, no system call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hftmon/abi/ring.h"
#include "hftmon/stream.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// The three mapped regions of one ring (abi/ring.h). Borrowed: whoever maps
/// them outlives the reader.
struct RingMapping {
    CpuId cpu;
    const ::hftmon_ring_control* control = nullptr;
    const Record* slots = nullptr;  ///< capacity records, twice in a row
    ::hftmon_ring_reader* reader = nullptr;
};

/// What one reader has seen, in records.
struct RingCounts {
    std::uint64_t read = 0;         ///< released by the reader
    std::uint64_t overwritten = 0;  ///< gone before they were read (flight mode)
    std::uint64_t lost = 0;         ///< never written for want of room (stream mode)
};

/// A CpuStream over a live ring.
///
/// Stream mode: at any time while the session lives. Flight mode: after the
/// session was stopped; a running ring peeks empty, because its records could
/// be overwritten under the reader's eyes.
///
/// One thread at a time per reader; different CPUs' readers are independent.
/// No call allocates, blocks or enters the kernel.
class RingReader final : public CpuStream {
public:
    explicit RingReader(const RingMapping& mapping) noexcept;

    [[nodiscard]] CpuId cpu() const noexcept override { return mapping_.cpu; }
    [[nodiscard]] std::span<const Record> peek() noexcept override;
    [[nodiscard]] std::uint64_t position() const noexcept override { return tail_; }
    /// Stream mode: gives the room back to the writer.
    void release(std::size_t count) noexcept override;

    /// Flight mode: the writer has stopped for good, the ring may be read.
    void freeze() noexcept;

    /// Complete records that were not released yet. One load from the ring.
    [[nodiscard]] std::uint64_t unread() const noexcept;
    /// Exact once the session was stopped and peek() has returned empty.
    [[nodiscard]] RingCounts counts() const noexcept;
    [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

private:
    [[nodiscard]] std::uint64_t load_head() const noexcept;
    void skip_overwritten() noexcept;
    [[nodiscard]] bool whole(std::uint64_t position) const noexcept;

    RingMapping mapping_;
    std::uint32_t capacity_;
    bool flight_;
    bool frozen_ = false;
    std::uint64_t first_ = 0;        ///< position where this reader began
    std::uint64_t tail_ = 0;         ///< position of the next record to read
    std::uint64_t head_ = 0;         ///< largest published head seen
    std::uint64_t overwritten_ = 0;  ///< of the positions below tail_
};

}  // namespace hftmon
