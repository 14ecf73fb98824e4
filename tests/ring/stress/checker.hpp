// SPDX-License-Identifier: MIT
/// Checks what readers return against what the writer must have written.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "tests/ring/stress/writer.hpp"

namespace ringtest {

/// Content of a record alone: which write of which level it is.
struct Identity {
    unsigned level;
    std::uint64_t n;
};
/// False when nobody wrote that. `record` is no GAP and no COMM.
bool identify(const ::hftmon_record& record, Identity& identity);

/// Follows one ring from position to position.
class Checker {
public:
    /// A stream begins with the first write of each level; a flight recorder's
    /// window begins anywhere.
    explicit Checker(bool from_the_start) : from_the_start_(from_the_start) {}

    /// Neighbouring records, the first at `position`. Stops at the first mistake.
    void take(std::uint64_t position, std::span<const ::hftmon_record> records);
    /// The writer has stopped: whatever was not seen until here is missing.
    void end(const Written& written);

    [[nodiscard]] const std::string& mistake() const { return mistake_; }
    [[nodiscard]] std::uint64_t events() const { return events_; }    ///< records less GAPs
    [[nodiscard]] std::uint64_t missing() const { return missing_; }  ///< records, by the numbers of their writes
    [[nodiscard]] std::uint64_t gaps() const { return gaps_; }
    /// Records that stand before the GAP of a loss that came before them.
    [[nodiscard]] std::uint64_t late() const { return late_; }
    [[nodiscard]] std::uint64_t told() const { return told_; }  ///< by the last GAP

private:
    void take_one(std::uint64_t position, const ::hftmon_record& record);
    void missed(unsigned level, std::uint64_t next);
    bool expect(bool holds, std::uint64_t position, const char* what);

    bool from_the_start_;
    std::string mistake_;
    std::array<std::uint64_t, kLevels> last_{};  ///< number of the last write seen
    std::array<bool, kLevels> seen_{};
    Content open_{};  ///< whose COMM comes next
    bool comm_due_ = false;
    std::uint64_t next_position_ = 0;
    bool any_ = false;
    std::uint64_t tsc_ = 0;
    std::uint64_t events_ = 0;
    std::uint64_t missing_ = 0;
    std::uint64_t gaps_ = 0;
    std::uint64_t told_ = 0;
    std::uint64_t late_ = 0;
};

}  // namespace ringtest
