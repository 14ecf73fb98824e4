// SPDX-License-Identifier: MIT
#include "lib/report/stack_text.hpp"

#include <fmt/format.h>

#include <string_view>

namespace hftmon {

namespace {

/// Symbols of a module are told as "name+0x1f [module]".
std::string frame_name(StackPart part, std::uint64_t address, const FunctionNames& functions) {
    const std::string_view name =
        part == StackPart::kKernel ? functions.lookup(call_site(address)) : std::string_view();
    if (name.empty()) return fmt::format("{:#x}", address);
    const auto module = name.find(' ');
    return fmt::format("{}{}", name.substr(0, name.find_first_of("+ ")),
                       module == name.npos ? "" : name.substr(module + 1));
}

}  // namespace

std::vector<std::string> frame_names(const Stack& stack, const FunctionNames& functions) {
    std::vector<std::string> names;
    names.reserve(stack.frames.size());
    for (const std::uint64_t address : stack.frames) {
        std::string name = frame_name(stack.part, address, functions);
        if (names.empty() && name.starts_with("__traceiter_")) continue;
        names.push_back(std::move(name));
    }
    return names;
}

}  // namespace hftmon
