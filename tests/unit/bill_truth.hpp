// SPDX-License-Identifier: MIT
/// What a bill must say, for tests that know it beforehand.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

#include "hftmon/attribution.hpp"

namespace hftmon::test {

/// cause, subject, relation, timer_late
using LineKey = std::tuple<CauseKind, std::uint32_t, Relation, bool>;
struct LineTruth {
    std::int64_t ticks = 0;
    std::uint32_t stretches = 0;
    std::uint32_t page_faults = 0;
    friend bool operator==(const LineTruth&, const LineTruth&) = default;
};
struct BillTruth {
    std::uint32_t tid = 0;
    std::uint32_t cpu = 0;
    std::uint64_t start = 0, end = 0;
    StartReason reason = StartReason::kUnseen;
    std::map<LineKey, LineTruth> lines;
    std::map<std::pair<CauseKind, std::uint32_t>, std::int64_t> after;
};

}  // namespace hftmon::test
