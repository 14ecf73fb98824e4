// SPDX-License-Identifier: MIT
/// Stacks that StackEvents name by number.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hftmon {

enum class StackPart : std::uint8_t { kKernel, kUser };

/// Addresses, the innermost first: where a call returns to; of a program, the first
/// is the instruction that it is at.
struct Stack {
    StackPart part = StackPart::kKernel;
    std::uint32_t id = 0;  ///< from 1, of its part
    bool cut = false;      ///< it was deeper
    std::vector<std::uint64_t> frames;
    friend bool operator==(const Stack&, const Stack&) = default;
};

/// An address in the call that a frame of the kernel will return from: what to look
/// for in FunctionNames and in symbol tables. (The return itself may be the next function's.)
[[nodiscard]] constexpr std::uint64_t call_site(std::uint64_t return_address) noexcept { return return_address - 1; }

/// Filled once, then read by any number of threads.
class StackTable {
public:
    void learn(std::span<const Stack> stacks);
    /// nullptr when it is not known, as number 0 never is; valid until the next learn().
    [[nodiscard]] const Stack* lookup(StackPart part, std::uint32_t id) const noexcept;

private:
    std::vector<Stack> stacks_;  ///< by part and number
};

}  // namespace hftmon
