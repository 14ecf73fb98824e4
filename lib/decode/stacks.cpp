// SPDX-License-Identifier: MIT
#include "hftmon/stacks.hpp"

#include <algorithm>
#include <utility>

namespace hftmon {

namespace {
constexpr auto key = [](const Stack& stack) { return std::pair(stack.part, stack.id); };
}

void StackTable::learn(std::span<const Stack> stacks) {
    stacks_.insert(stacks_.end(), stacks.begin(), stacks.end());
    std::ranges::stable_sort(stacks_, {}, key);
}

const Stack* StackTable::lookup(StackPart part, std::uint32_t id) const noexcept {
    const auto found = std::ranges::lower_bound(stacks_, std::pair(part, id), {}, key);
    return found != stacks_.end() && key(*found) == std::pair(part, id) ? &*found : nullptr;
}

}  // namespace hftmon
