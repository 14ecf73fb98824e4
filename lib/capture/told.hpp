// SPDX-License-Identifier: MIT
/// What records tell by number, and what those numbers mean.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "hftmon/functions.hpp"
#include "hftmon/program_reader.hpp"
#include "hftmon/session.hpp"
#include "hftmon/stacks.hpp"

namespace hftmon::capture {

/// Functions of the kernel, by the low half of their addresses, and stacks, with what the
/// processes had mapped that were there.
class ToldByNumber {
public:
    void look(std::span<const Record> records);
    /// Stacks that records have named since the last call.
    [[nodiscard]] std::vector<Stack> take_stacks(const Session& session);
    /// Stacks of programs were seen of threads that were not seen before, since the last take_programs().
    [[nodiscard]] bool has_new_threads() const noexcept { return has_new_threads_; }
    /// Maps that explain the stacks of programs that records have named so far, as far as
    /// ProgramReader's limit lets it, or all that are left. `now` as there.
    [[nodiscard]] std::vector<ProgramMap> take_programs(const Session& session, TscTime now, bool all = false);
    /// Of all processes that there are.
    [[nodiscard]] std::vector<ProgramMap> all_programs(TscTime now);
    /// Those functions, of records and of stacks, that /proc/kallsyms knows; none, where it hides its addresses.
    [[nodiscard]] std::vector<FunctionName> names() const;

private:
    void look(StackPart part, std::uint32_t id, std::unordered_set<std::uint32_t>& known);

    std::unordered_set<std::uint32_t> functions_;
    std::unordered_set<std::uint32_t> kernel_stacks_, user_stacks_;
    std::vector<std::pair<StackPart, std::uint32_t>> new_stacks_;
    std::unordered_set<std::uint64_t> calls_;
    std::unordered_set<std::uint32_t> threads_;
    bool has_new_threads_ = false;
    std::unordered_set<std::uint64_t> places_;  ///< thread and number of its stack
    std::vector<std::pair<Tid, std::uint32_t>> new_places_;
    ProgramReader programs_;
};

}  // namespace hftmon::capture
