// SPDX-License-Identifier: MIT
/// Events between whose two probes the thread was preempted.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "item.hpp"
#include "ours.hpp"

namespace ftrace_compare {

/// Since 7.x the kernel calls probes with preemption on, where it is on. A thread
/// may lose its CPU between ftrace's probe and ours: then our record stands where
/// it runs again, behind the switches that came in between, maybe on another CPU.
/// Takes exactly these events out of both sides; how many there are of each type.
std::map<std::uint16_t, std::uint64_t> take_preempted(std::map<unsigned, std::vector<Item>>& theirs, Ours& ours);

}  // namespace ftrace_compare
