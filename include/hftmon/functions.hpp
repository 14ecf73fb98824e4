// SPDX-License-Identifier: MIT
/// Functions of the kernel: which one an address is in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hftmon/result.hpp"

namespace hftmon {

/// "tick_nohz_handler", "e1000_watchdog [e1000]", "schedule+0x2e".
struct FunctionName {
    std::uint64_t address = 0;
    std::string name;  ///< may not contain a newline
    friend bool operator==(const FunctionName&, const FunctionName&) = default;
};

/// What an address is called. Filled once, then read by any number of threads.
class FunctionNames {
public:
    void learn(std::span<const FunctionName> names);
    /// Empty when it is not known; valid until the next learn().
    [[nodiscard]] std::string_view lookup(std::uint64_t address) const noexcept;

private:
    std::vector<FunctionName> names_;  ///< by address
};

/// All functions of the running kernel and its modules.
class KernelSymbols {
public:
    /// From a file like /proc/kallsyms. kNoPermission: its addresses are hidden from
    /// the caller (CAP_SYSLOG, kernel.kptr_restrict).
    static Result<KernelSymbols> read(const std::string& path = "/proc/kallsyms");

    /// With the distance, where the address is not a function's first. Nothing
    /// below the first function and far beyond the last.
    [[nodiscard]] std::optional<std::string> name_of(std::uint64_t address) const;

private:
    struct Symbol {
        std::uint64_t address;
        std::uint32_t name, length;  ///< in text_
    };
    std::vector<Symbol> symbols_;
    std::string text_;
};

}  // namespace hftmon
