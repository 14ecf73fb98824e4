// SPDX-License-Identifier: MIT
#include "hftmon/functions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>

namespace hftmon {

void FunctionNames::learn(std::span<const FunctionName> names) {
    names_.insert(names_.end(), names.begin(), names.end());
    std::ranges::stable_sort(names_, {}, &FunctionName::address);
}

std::string_view FunctionNames::lookup(std::uint64_t address) const noexcept {
    const auto found = std::ranges::lower_bound(names_, address, {}, &FunctionName::address);
    return found != names_.end() && found->address == address ? std::string_view(found->name) : "";
}

Result<KernelSymbols> KernelSymbols::read(const std::string& path) {
    std::ifstream file(path);
    if (!file) return Error{ErrorCode::kSystem, errno, fmt::format("cannot read {}", path), ""};
    KernelSymbols all;
    bool any_address = false;
    // "ffffffff81000000 T name" and, of modules, a tab and "[module]".
    for (std::string line; std::getline(file, line);) {
        const char* const end = line.data() + line.size();
        std::uint64_t address = 0;
        const auto [rest, error] = std::from_chars(line.data(), end, address, 16);
        if (error != std::errc{} || end - rest < 4 || std::string_view("tTwW").find(rest[1]) == std::string_view::npos)
            continue;
        any_address = any_address || address != 0;
        std::string name(rest + 3, end);
        std::ranges::replace(name, '\t', ' ');
        all.symbols_.push_back(
            {address, static_cast<std::uint32_t>(all.text_.size()), static_cast<std::uint32_t>(name.size())});
        all.text_ += name;
    }
    if (!any_address) {
        return Error{ErrorCode::kNoPermission, 0, fmt::format("{} hides the kernel's addresses", path),
                     "run with CAP_SYSLOG, and with the sysctl kernel.kptr_restrict below 2"};
    }
    // Of names for one address the first, as the kernel itself has it.
    std::ranges::stable_sort(all.symbols_, {}, &Symbol::address);
    return all;
}

std::optional<std::string> KernelSymbols::name_of(std::uint64_t address) const {
    constexpr std::uint64_t kLongest = 1u << 20;  // no function is as large
    auto after = std::ranges::upper_bound(symbols_, address, {}, &Symbol::address);
    if (after == symbols_.begin()) return std::nullopt;
    const std::uint64_t start = (after - 1)->address;
    if (address - start > kLongest) return std::nullopt;
    const auto& symbol = *std::ranges::lower_bound(symbols_, start, {}, &Symbol::address);
    const std::string_view name = std::string_view(text_).substr(symbol.name, symbol.length);
    if (address == start) return std::string(name);
    const auto split = name.find(' ');
    return fmt::format("{}+{:#x}{}", name.substr(0, split), address - start,
                       split == name.npos ? "" : name.substr(split));
}

}  // namespace hftmon
