// SPDX-License-Identifier: MIT
/// What was done, and what came of it; shared by all processes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace device_fuzz {

enum class Op : std::uint8_t {
    kOpen,
    kClose,
    kDuplicate,
    kIoctl,
    kSession,
    kMap,
    kUnmap,
    kRemap,
    kProtect,
    kWrite,
    kRead,
    kForce,
    kPoll,
    kFile,
    kSend,
    kReceive,
    kFork,
    kMove,
    kCount
};
inline constexpr std::size_t kOps = static_cast<std::size_t>(Op::kCount);
inline constexpr std::array<const char*, kOps> kOpNames{"open",   "close",  "dup",      "ioctl",   "session", "mmap",
                                                        "munmap", "mremap", "mprotect", "write",   "read",    "force",
                                                        "poll",   "file",   "send",     "receive", "fork",    "move"};

struct Counts {
    /// By operation and errno; 0 is success.
    std::array<std::array<std::atomic<std::uint64_t>, 136>, kOps> of;
    std::array<std::atomic<std::uint64_t>, 16> ioctls_done;  ///< by number of the command
    std::atomic<std::uint64_t> faults_injected;
    std::atomic<std::uint64_t> violations;  ///< what must never succeed has

    void add(Op op, int error) {
        auto& row = of[static_cast<std::size_t>(op)];
        row[static_cast<std::size_t>(error) < row.size() ? static_cast<std::size_t>(error) : row.size() - 1].fetch_add(
            1, std::memory_order_relaxed);
    }
};

}  // namespace device_fuzz
