// SPDX-License-Identifier: MIT
/// An event in the terms that ftrace and hftmon share, and what its fields are called.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "hftmon/abi/record.h"

namespace ftrace_compare {

using Name = std::array<char, HFTMON_COMM_LEN>;

Name name_of(std::string_view text);

std::string_view view(const Name& name);

// ftrace's common_flags.
enum : std::uint8_t { kIrqsOff = 0x01, kHardirq = 0x08, kSoftirq = 0x10, kNmi = 0x40 };

/// One event as both sides can express it.
struct Item {
    std::uint64_t tsc = 0;
    std::uint16_t type = 0;     ///< enum hftmon_record_type
    std::uint8_t flags = 0;     ///< the context; ours: kHardirq in a handler, else 0
    std::uint32_t current = 0;  ///< who ran here
    std::array<std::int64_t, 6> field{};
    Name first{}, second{};  ///< names that the event mentions
    /// Ours only: what they may still be. The kernel tells a new name before it
    /// is in place; a thread may be preempted in between. Empty: no other.
    Name first_before{}, second_before{};
};

/// Names of a type's fields, for the report.
struct Kind {
    std::uint16_t type;
    const char* name;
    std::array<const char*, 6> fields;
};

const Kind* kind_of(std::uint16_t type);

bool is_entry(std::uint16_t type);
bool is_exit(std::uint16_t type);

}  // namespace ftrace_compare
