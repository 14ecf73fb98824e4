// SPDX-License-Identifier: MIT
/// What records tell by number, and what those numbers mean.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "hftmon/functions.hpp"
#include "hftmon/program_reader.hpp"
#include "hftmon/session.hpp"
#include "hftmon/stacks.hpp"

namespace hftmon::capture {

/// Functions of the kernel, by the low half of their addresses, and stacks, with what the
/// processes had mapped that were there. Memory grows with the number of different ones.
class ToldByNumber {
public:
    explicit ToldByNumber(bool has_stacks) noexcept : has_stacks_(has_stacks) {}

    void look(std::span<const Record> records);
    /// Stacks that records have named since the last call.
    [[nodiscard]] std::vector<Stack> take_stacks(const Session& session);
    /// Stacks of programs were seen of threads that were not seen before, since the last take_programs().
    [[nodiscard]] bool has_new_threads() const noexcept { return has_new_threads_; }
    /// Maps that explain the stacks of programs that records have named so far, as far as
    /// ProgramReader's limits let it, or all that are left.
    [[nodiscard]] std::vector<ProgramMap> take_programs(const Session& session, bool all = false);
    /// Of all processes that there are.
    [[nodiscard]] std::vector<ProgramMap> all_programs(const Session& session);
    /// Those functions, of records and of stacks, that /proc/kallsyms knows; none, where it hides its addresses.
    [[nodiscard]] std::vector<FunctionName> names() const;

private:
    /// A stack of a program that nobody has looked at yet.
    struct Place {
        Tid thread;
        std::uint32_t stack = 0;
        ProgramReader::SteadyClock::time_point seen;
    };

    void look(const ::hftmon_stack_ref& stack, ProgramReader::SteadyClock::time_point now);
    void look(StackPart part, std::uint32_t id, std::unordered_set<std::uint32_t>& known);

    bool has_stacks_, reads_programs_ = proc_is_of_records();
    std::unordered_set<std::uint32_t> functions_;
    std::unordered_set<std::uint32_t> kernel_stacks_, user_stacks_;
    std::vector<std::pair<StackPart, std::uint32_t>> new_stacks_;
    std::unordered_set<std::uint64_t> calls_;
    std::unordered_map<std::uint32_t, std::unordered_set<std::uint32_t>> places_;  ///< stacks, by thread
    std::deque<Place> new_places_;
    bool has_new_threads_ = false;
    ProgramReader programs_;
};

}  // namespace hftmon::capture
