// SPDX-License-Identifier: MIT
#include "tools/hftctl/symbol_options.hpp"

#include <algorithm>

#include "tools/hftctl/command.hpp"

namespace hftctl {

void SymbolOptions::add_to(CLI::App& app) {
    auto* symbols = app.add_option("--symbols", folders,
                                   "Look for programs, libraries and their debug information here first (repeatable)")
                        ->type_name("DIR")
                        ->check(CLI::ExistingDirectory);
    app.add_flag("--no-symbols", none, "Tell programs by addresses")->excludes(symbols);
}

hftmon::StackNamer SymbolOptions::namer() const {
    return none ? hftmon::StackNamer(std::nullopt) : hftmon::StackNamer(folders);
}

void tell_missing(const hftmon::StackNamer& namer) {
    constexpr std::size_t kShown = 5;
    const auto missing = namer.missing();
    for (std::size_t i = 0; i < missing.size() && i < kShown; ++i) {
        const auto& file = missing[i];
        std::string path = file.path;  // anybody's, maybe
        std::ranges::replace_if(
            path, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
        tell("note: no functions of {}{}: it is not here, or another one, or stripped (--symbols DIR)\n", path,
             file.build_id.empty() ? "" : fmt::format(" (build id {})", file.build_id));
    }
    if (missing.size() > kShown) tell("note: nor of {} files more\n", missing.size() - kShown);
}

}  // namespace hftctl
