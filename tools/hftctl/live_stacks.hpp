// SPDX-License-Identifier: MIT
/// Stacks of bills while their session runs.
#pragma once

#include <optional>

#include "hftmon/attribution.hpp"
#include "hftmon/functions.hpp"
#include "hftmon/session.hpp"
#include "hftmon/stacks.hpp"

namespace hftctl {

/// Must not outlive the session.
class LiveStacks {
public:
    /// `sources`: of the session. Reads the kernel's symbols if stacks are among them.
    LiveStacks(const hftmon::Session& session, std::uint64_t sources);

    /// Those that this bill names.
    void learn(const hftmon::Bill& bill);
    [[nodiscard]] const hftmon::StackTable& stacks() const noexcept { return stacks_; }
    [[nodiscard]] const hftmon::FunctionNames& functions() const noexcept { return functions_; }

private:
    void learn(hftmon::StackPart part, std::uint32_t id);

    const hftmon::Session& session_;
    std::optional<hftmon::KernelSymbols> symbols_;
    hftmon::StackTable stacks_;
    hftmon::FunctionNames functions_;
};

}  // namespace hftctl
