// SPDX-License-Identifier: MIT
/// -e: which sources are captured, by their own names and in groups.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hftmon/capture.hpp"
#include "hftmon/result.hpp"

namespace hftctl {

/// Bits of enum hftmon_source that bills are made of: what is captured unless -e says otherwise.
[[nodiscard]] std::uint64_t sources_of_bills() noexcept;

/// "sched_switch", "irq", "all,-tlb_flush": adds what is named, takes away what
/// has a minus, in order; a list that begins with a minus starts from what is
/// captured by default. kInvalidArgument: a name that is not known, or nothing left.
hftmon::Result<std::uint64_t> parse_events(const std::vector<std::string>& words);

/// These sources are not captured, nor are stacks of their events.
[[nodiscard]] std::uint64_t without(std::uint64_t sources, std::uint64_t removed) noexcept;

/// Names of the groups and what is in them, for people.
[[nodiscard]] std::string events_help();

/// What bills are made of and this capture lacks, by name.
[[nodiscard]] std::vector<std::string> missing_for_bills(const hftmon::CaptureMeta& meta);
/// "" or lines about them, and about what was only captured when it took long.
[[nodiscard]] std::string missing_text(const std::vector<std::string>& names, const hftmon::CaptureMeta& meta);

}  // namespace hftctl
