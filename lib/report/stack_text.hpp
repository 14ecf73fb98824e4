// SPDX-License-Identifier: MIT
/// Stacks in words.
#pragma once

#include <string>
#include <vector>

#include "hftmon/functions.hpp"
#include "hftmon/stacks.hpp"

namespace hftmon {

/// "schedule", "e1000_watchdog[e1000]", "0x401136": a frame's function, or its address
/// where that is not known; the innermost first, without what called the probe.
[[nodiscard]] std::vector<std::string> frame_names(const Stack& stack, const FunctionNames& functions);

}  // namespace hftmon
