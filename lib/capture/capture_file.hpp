// SPDX-License-Identifier: MIT
/// A capture file as the reader has indexed it. Private to lib/capture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "hftmon/capture.hpp"

namespace hftmon::detail {

/// Read-only memory, unmapped at the end when it was mapped here.
class Bytes {
public:
    Bytes() = default;
    static Bytes borrowed(std::span<const std::byte> bytes) noexcept { return Bytes(bytes, false); }
    static Bytes mapped(std::span<const std::byte> bytes) noexcept { return Bytes(bytes, true); }
    Bytes(Bytes&& other) noexcept;
    Bytes& operator=(Bytes&& other) noexcept;
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;
    ~Bytes();

    [[nodiscard]] std::span<const std::byte> view() const noexcept { return bytes_; }

private:
    Bytes(std::span<const std::byte> bytes, bool owned) noexcept : bytes_(bytes), owned_(owned) {}
    std::span<const std::byte> bytes_;
    bool owned_ = false;
};

struct CaptureFile {
    Bytes bytes;
    CaptureMeta meta;
    bool has_meta = false;
    std::vector<CaptureThreads> threads;
    std::vector<ClockSync> clock_syncs;
    std::vector<IrqName> irqs;
    std::vector<FunctionName> functions;
    std::vector<Stack> stacks;
    std::vector<ProgramMap> programs;
    std::optional<CaptureStats> stats;
    std::map<CpuId, std::vector<RecordChunk>> chunks;  ///< positions grow within a CPU
    std::uint64_t slots = 0;
    std::uint64_t readable_bytes = 0;
    std::uint64_t damaged_chunks = 0;
    std::uint64_t unknown_chunks = 0;
    bool ended = false;   ///< the end mark was there
    bool broken = false;  ///< what stands at readable_bytes is no chunk
};

/// Indexes `bytes`, which must be aligned to 8. Errors as CaptureReader::open().
Result<CaptureFile> index_capture(Bytes bytes, const std::string& name);

}  // namespace hftmon::detail
