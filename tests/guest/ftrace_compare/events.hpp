// SPDX-License-Identifier: MIT
/// The events of ftrace that hftmon has, too, and how each becomes an Item.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "format.hpp"
#include "item.hpp"

namespace ftrace_compare {

using Fill = std::function<void(const Format&, const std::uint8_t*, Item&)>;

struct FtraceEvent {
    std::string path;  ///< system/name
    std::uint16_t type;
    Fill fill;
    Format format;
};

std::vector<FtraceEvent> ftrace_events();

}  // namespace ftrace_compare
