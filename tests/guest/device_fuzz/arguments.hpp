// SPDX-License-Identifier: MIT
/// Arguments of the commands of /dev/hftmon: mostly right, often nearly so.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hftmon/abi/ioctl.h"
#include "random.hpp"

namespace device_fuzz {

/// What arguments point to, and room for answers.
struct Arena {
    alignas(64) std::array<std::byte, 256> argument;
    std::array<std::uint64_t, 128> cpus, whole;
    std::array<std::byte, 4096 * sizeof(hftmon_thread_entry)> answers;
    void* mapped;  ///< of a session, or nothing: answers go there, too
};

struct Call {
    unsigned long request;
    void* argument;
};

/// A session that will mostly be accepted; its masks are in `arena`.
hftmon_setup good_setup(Random& random, Arena& arena);

/// What such a session can be told before it starts: WATCH, TRIGGER or MINIMUM.
Call fitting_call(Random& random, Arena& arena, const hftmon_setup& setup);

/// Any command, with an argument in `arena` or somewhere that is none.
Call any_call(Random& random, Arena& arena);

/// Once per process, before it has threads.
void prepare_arguments();

}  // namespace device_fuzz
