// SPDX-License-Identifier: MIT
#include "tests/ring/explore/scenario.hpp"

namespace ringtest {

namespace {

constexpr std::uint64_t kWrap = std::uint64_t{1} << 32;
constexpr Reading kHonest = Reading::kHonest;
constexpr Reading kHostile = Reading::kHostile;

// Tables.
// clang-format off

/// Some thousand schedules each: every feature once.
const std::vector<Scenario> kQuick = {
    {.name = "stream, room", .task = {1, 1}, .irqs = {{1}}, .nmis = {{1}}, .reading = kHonest},
    {.name = "stream, 2 slots", .capacity = 2, .task = {1, 1}, .irqs = {{1}}, .reading = kHonest},
    {.name = "stream, nobody reads", .capacity = 2, .task = {1, 1}, .irqs = {{1}, {2}}, .nmis = {{1}}},
    {.name = "stream, full", .filled = 4, .task = {1}, .irqs = {{1}}, .nmis = {{1}}, .reading = kHonest,
     .rounds = 1},
    {.name = "stream, a GAP due", .filled = 5, .task = {1, 1}, .irqs = {{1}}, .reading = kHonest},
    {.name = "stream, a GAP due, task writes four", .filled = 5, .task = {1, 1, 1, 1}, .nmis = {{1}},
     .reading = kHonest, .rounds = 1},
    {.name = "stream, runs", .filled = 1, .task = {2}, .irqs = {{2}}, .nmis = {{1}}, .reading = kHonest},
    {.name = "stream, irq of two records", .capacity = 8, .task = {1}, .irqs = {{1, 1}}, .nmis = {{1}, {1}},
     .reading = kHonest, .rounds = 1},
    {.name = "stream, at the wrap of seq", .base = kWrap - 3, .filled = 3, .task = {1}, .irqs = {{2}},
     .nmis = {{1}}, .reading = kHonest, .rounds = 1},
    {.name = "stream, poller", .task = {1}, .irqs = {{1}}, .polls = 2},
    {.name = "stream, poller, two levels", .task = {1}, .irqs = {{1}}, .nmis = {{1}}, .polls = 1},
    {.name = "stream, eager reader", .capacity = 2, .task = {1}, .irqs = {{1}}, .reading = kHonest, .eager = true},
    {.name = "stream, published head steps back", .filled = 1, .task = {1, 1}, .irqs = {{1}, {1}},
     .reading = kHonest},
    {.name = "stream, hostile reader", .filled = 4, .task = {1, 1, 1}, .irqs = {{1}}, .reading = kHostile,
     .rounds = 3},
    {.name = "stream, hostile reader, two levels", .filled = 3, .task = {1}, .irqs = {{1}}, .nmis = {{2}},
     .reading = kHostile},
    // Flight: nested writers stay within a lap of what they interrupt.
    {.name = "flight, 2 slots", .flight = true, .capacity = 2, .filled = 2, .task = {1, 1}, .irqs = {{1}},
     .reading = kHonest},
    {.name = "flight, runs", .flight = true, .filled = 3, .task = {2}, .irqs = {{1}}, .reading = kHonest},
    {.name = "flight, frozen and thawed", .flight = true, .filled = 3, .task = {1, 1, 1}, .freezes = 1},
    {.name = "flight, frozen after a tail", .flight = true, .filled = 3, .task = {1, 1, 1}, .freezes = 1,
     .tail = 1},
    {.name = "flight, half a run is left", .flight = true, .task = {2, 1, 2}, .nmis = {{1}}, .reading = kHonest},
};

/// Two nesting levels on two or more records of the task, a reader at any place.
const std::vector<Scenario> kNormal = {
    {.name = "stream, 2 slots, two levels", .capacity = 2, .task = {1, 1}, .irqs = {{1}}, .nmis = {{1}},
     .reading = kHonest},
    {.name = "stream, runs, two levels", .filled = 1, .task = {2, 1}, .irqs = {{2}}, .nmis = {{1}},
     .reading = kHonest},
    {.name = "stream, runs, almost full", .filled = 3, .task = {1, 1}, .irqs = {{2}}, .nmis = {{2}},
     .reading = kHonest, .rounds = 1},
    {.name = "stream, full, two levels", .filled = 4, .task = {1, 1}, .irqs = {{1}}, .nmis = {{1}},
     .reading = kHonest, .rounds = 1},
    {.name = "stream, a GAP due, two levels", .filled = 5, .task = {1, 1}, .irqs = {{1}}, .nmis = {{1}},
     .reading = kHonest, .rounds = 1},
    {.name = "stream, 2 slots, a GAP due", .capacity = 2, .filled = 3, .task = {1, 1}, .irqs = {{1}},
     .nmis = {{1}}, .reading = kHonest},
    {.name = "stream, at the wrap of seq, two levels", .base = kWrap - 3, .filled = 2, .task = {1, 1},
     .irqs = {{2}}, .nmis = {{1}}, .reading = kHonest, .rounds = 1},
    {.name = "stream, eager reader, two slots", .capacity = 2, .task = {1, 1}, .irqs = {{1}}, .reading = kHonest,
     .eager = true},
    {.name = "flight, two levels", .flight = true, .filled = 3, .task = {1, 1}, .irqs = {{1}}, .nmis = {{1}},
     .reading = kHonest},
    {.name = "flight, runs, two levels", .flight = true, .capacity = 8, .filled = 7, .task = {2}, .irqs = {{2}},
     .nmis = {{1}}, .reading = kHonest},
    {.name = "flight, at the wrap of seq", .flight = true, .base = kWrap - 5, .filled = 4, .task = {1},
     .irqs = {{1}}, .nmis = {{1}}, .reading = kHonest},
    {.name = "flight, frozen, an irq", .flight = true, .filled = 3, .task = {1}, .irqs = {{1}}, .freezes = 1},
    {.name = "flight, frozen twice", .flight = true, .filled = 1, .task = {1, 1}, .freezes = 2},
    {.name = "flight, three laps", .flight = true, .capacity = 2, .filled = 2, .task = {1, 1, 1, 1},
     .irqs = {{1}}, .reading = kHonest},
};

const std::vector<Scenario> kFull = {
    {.name = "full: almost full", .filled = 3, .task = {1, 1}, .irqs = {{2}}, .nmis = {{2}}, .reading = kHonest},
    {.name = "full: no room", .filled = 4, .task = {1, 1}, .irqs = {{1}}, .nmis = {{1}}, .reading = kHonest},
    {.name = "full: a GAP due", .filled = 5, .task = {1, 1}, .irqs = {{1}}, .nmis = {{1}}, .reading = kHonest},
    {.name = "full: a GAP due, four records", .filled = 5, .task = {1, 1, 1, 1}, .irqs = {{1}},
     .reading = kHonest, .rounds = 3},
    {.name = "full: two irqs, two nmis", .filled = 2, .task = {1}, .irqs = {{1}, {1}}, .nmis = {{1}, {1}},
     .reading = kHonest, .rounds = 1},
    {.name = "full: three records, two irqs", .capacity = 2, .task = {1, 1, 1}, .irqs = {{1}, {1}},
     .reading = kHonest, .rounds = 1},
    {.name = "full: runs", .filled = 3, .task = {2, 1}, .irqs = {{2}}, .nmis = {{1}}, .reading = kHonest},
    {.name = "full: eager reader", .filled = 3, .task = {1, 1}, .irqs = {{1}}, .nmis = {{1}}, .reading = kHonest,
     .rounds = 1, .eager = true},
    {.name = "full: hostile reader", .filled = 4, .task = {1, 2}, .irqs = {{1}}, .nmis = {{1}},
     .reading = kHostile, .rounds = 3},
    {.name = "full: flight, frozen", .flight = true, .filled = 1, .task = {1, 1}, .irqs = {{1}}, .reading = kHonest,
     .freezes = 1},
    {.name = "full: flight, frozen after a tail", .flight = true, .filled = 3, .task = {1, 1, 1}, .irqs = {{1}},
     .freezes = 1, .tail = 1},
    {.name = "full: flight, frozen twice", .flight = true, .filled = 2, .task = {1, 1, 1}, .freezes = 2},
    {.name = "full: flight", .flight = true, .capacity = 8, .filled = 7, .task = {2, 1}, .irqs = {{2}},
     .nmis = {{1}}, .reading = kHonest},
};

// clang-format on

}  // namespace

std::vector<Scenario> scenarios(Effort effort) {
    std::vector<Scenario> all = kQuick;
    if (effort >= Effort::kNormal) all.insert(all.end(), kNormal.begin(), kNormal.end());
    if (effort >= Effort::kFull) all.insert(all.end(), kFull.begin(), kFull.end());
    return all;
}

// clang-format off
std::vector<Finding> findings() {
    constexpr bool kMended = false;
    return {
        {kMended, Rule::kLateGap, {.name = "an nmi loses between the load of lost and the clock", .filled = 3, .task = {1},
                          .nmis = {{2}}}},
        {kMended, Rule::kLostCount, {.name = "an nmi loses inside a loss", .capacity = 2, .filled = 2, .irqs = {{1}},
                            .nmis = {{1}}}},
        {kMended, Rule::kLateGap, {.name = "an irq opens the limit for an nmi while a loss is untold", .filled = 5, .irqs = {{1}},
                      .nmis = {{1}}, .reading = kHonest, .rounds = 1}},
        {kMended, Rule::kLateGap, {.name = "two nmis while the limit is opened, one loses, one writes", .filled = 3,
                          .task = {1, 1}, .nmis = {{2}, {1}}, .reading = kHonest, .rounds = 1}},
        {kMended, Rule::kUntrueTail, {.name = "a tail below zero in the first lap", .filled = 3, .task = {1, 1}, .nmis = {{2}},
                         .reading = kHostile, .rounds = 2}},
        {kMended, Rule::kOwner, {.name = "flight: an irq fills the ring inside one record", .flight = true, .capacity = 2,
                        .task = {1}, .irqs = {{1, 1}}, .reading = kHonest}},
        {kMended, Rule::kOwner, {.name = "a hostile tail lets an irq lap the task's record", .capacity = 2, .task = {1},
                        .irqs = {{1, 1}}, .reading = kHostile, .rounds = 1}},
    };
}
// clang-format on

}  // namespace ringtest
