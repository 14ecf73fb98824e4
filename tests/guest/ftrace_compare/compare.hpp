// SPDX-License-Identifier: MIT
/// One CPU's events of both sides, event by event: what is equal, transposed, different.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "item.hpp"
#include "ours.hpp"

namespace ftrace_compare {

struct Result {
    std::uint64_t compared = 0;
    std::uint64_t differences = 0;
    std::uint64_t transpositions = 0;
    std::uint64_t transposed_events = 0;  ///< in the blocks that changed sides
    std::map<std::uint16_t, std::uint64_t> by_type;
    std::map<std::uint16_t, std::uint64_t> transposed_by_type;
    std::vector<std::int64_t> deltas;  ///< ticks, ours - theirs
};

/// The same event, as far as both sides tell?
bool same(const Item& theirs, const Item& ours, const Ours& all);

void compare_cpu(unsigned cpu, std::span<const Item> theirs, const Ours& all, Result& result);

}  // namespace ftrace_compare
