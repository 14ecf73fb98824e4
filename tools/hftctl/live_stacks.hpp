// SPDX-License-Identifier: MIT
/// Stacks of bills while their session runs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "hftmon/attribution.hpp"
#include "hftmon/functions.hpp"
#include "hftmon/program_reader.hpp"
#include "hftmon/session.hpp"
#include "hftmon/stack_namer.hpp"

namespace hftctl {

/// Must not outlive the session.
class LiveStacks {
public:
    /// `sources`: of the session. Reads the kernel's symbols if stacks are among them.
    LiveStacks(const hftmon::Session& session, std::uint64_t sources, hftmon::StackNamer namer);

    /// Records, before they are analysed.
    void look(std::span<const hftmon::Record> records);
    /// Stacks that this bill names.
    void learn(const hftmon::Bill& bill);
    [[nodiscard]] hftmon::StackNamer& namer() noexcept { return namer_; }

private:
    void learn(hftmon::StackPart part, std::uint32_t id, hftmon::Tid thread);
    void learn_functions(const hftmon::Stack& stack);

    const hftmon::Session& session_;
    bool has_stacks_, reads_programs_ = hftmon::proc_is_of_records();
    std::optional<hftmon::KernelSymbols> symbols_;
    hftmon::ProgramReader programs_;
    hftmon::StackNamer namer_;
};

}  // namespace hftctl
