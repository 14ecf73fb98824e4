// SPDX-License-Identifier: MIT
/// What is explored: who writes how much, who may interrupt, who reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ringtest {

/// What must hold. Each violation names one.
enum class Rule : std::uint8_t {
    kNone,
    kOutside,     ///< a store to where the writer has no business
    kBlocked,     ///< the writer does not come to an end
    kOwner,       ///< a store to a slot that is not (any more, or yet) this writer's
    kUnread,      ///< a slot written again before it was released
    kUntrueTail,  ///< a tail that cannot be true made room
    kRace,        ///< an access that is not ordered with the other side's
    kContent,     ///< a committed record is not what its writer was given
    kTime,        ///< time stamps decrease
    kHead,        ///< published although not complete, or half a run
    kStuck,       ///< not everything is published in the end
    kCount,       ///< produced != read + lost + overwritten
    kGap,         ///< cumulative count of a GAP is wrong, or it says nothing new
    kLateGap,     ///< a record written after a loss stands before the GAP that tells of it
    kLostCount,   ///< control->lost is not exact in the end
    kRoom,        ///< lost although there was room
    kSlowPath,    ///< looked at the reader's tail without need
    kWake,        ///< a batch is complete and nobody was woken
    kFrozen,      ///< a writer that began after a freeze got past it, or none after a thaw
    kReader,      ///< the reader returned something else than what was written
};

const char* describe(Rule rule);

enum class Reading : std::uint8_t {
    kNever,    ///< stream: the ring runs full
    kHonest,   ///< stream: RingReader. Flight: by seq while the ring runs, RingReader after
    kHostile,  ///< stream: writes whatever it likes to its page
};

/// An interrupt: the sizes (1, or 2 with COMM) of the records that it writes.
using Program = std::vector<unsigned>;

struct Scenario {
    std::string name = {};
    bool flight = false;
    unsigned capacity = 4;
    std::uint64_t base = 0;  ///< position of the first record
    unsigned filled = 0;     ///< records written before, uninterrupted and unread
    Program task = {};
    std::vector<Program> irqs = {};  ///< each comes once, at any step of the task, in this order
    std::vector<Program> nmis = {};  ///< each comes once, at any step of the task or of an irq
    Reading reading = Reading::kNever;
    unsigned rounds = 2;   ///< stream: batches that the reader takes at most while it is written
    unsigned polls = 0;    ///< stream: times that a poller goes to sleep, at any step
    unsigned freezes = 0;  ///< flight: times that the ring is frozen, and thawed, at any step
    unsigned tail = 0;     ///< records that a freeze lets pass
    bool eager = false;    ///< the reader may also run before every step, not only where the writer looks
};

/// How much is explored: in a sanitized build, in the normal run, on demand.
enum class Effort : std::uint8_t { kQuick, kNormal, kFull };
std::vector<Scenario> scenarios(Effort effort);

/// A scenario, and the rule that was once violated in it, or, while the finding
/// is open, still is. The rules of open findings are not checked elsewhere.
struct Finding {
    bool open = false;
    Rule rule = Rule::kNone;
    Scenario scenario;
};
std::vector<Finding> findings();

struct Outcome {
    std::uint64_t schedules = 0;
    std::uint64_t steps = 0;
    double seconds = 0;
    Rule violated = Rule::kNone;
    std::string what;      ///< of the violation
    std::string schedule;  ///< that led to it, a line per step
};

struct WriterCode;
struct ReaderCode;

/// Runs all schedules, or up to the first violation of a rule that is not
/// in `ignored`.
Outcome explore(const Scenario& scenario, const WriterCode& writer, const ReaderCode& reader,
                const std::vector<Rule>& ignored = {});

}  // namespace ringtest
