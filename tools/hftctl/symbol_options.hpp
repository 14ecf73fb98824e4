// SPDX-License-Identifier: MIT
/// Where names of programs' functions come from.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "hftmon/stack_namer.hpp"

namespace hftctl {

/// --symbols and --no-symbols.
struct SymbolOptions {
    std::vector<std::string> folders;
    bool none = false;

    void add_to(CLI::App& app);
    [[nodiscard]] hftmon::StackNamer namer() const;
};

/// Says on standard error which files would tell more.
void tell_missing(const hftmon::StackNamer& namer);

}  // namespace hftctl
