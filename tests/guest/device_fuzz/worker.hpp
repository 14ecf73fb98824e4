// SPDX-License-Identifier: MIT
/// One process: threads that share files of sessions, and do to them what they can.
#pragma once

#include <chrono>
#include <cstdint>

#include "counts.hpp"

namespace device_fuzz {

using Deadline = std::chrono::steady_clock::time_point;

struct WorkerOptions {
    std::uint64_t seed = 0;
    bool faults = false;             ///< allocations fail now and then, too
    bool sees_no_addresses = false;  ///< without CAP_SYSLOG
    int mail = -1;                   ///< a datagram socket that all processes share: files are sent through it
    Deadline until;
};

/// Returns at the deadline.
void work(const WorkerOptions& options, Counts& counts);

}  // namespace device_fuzz
