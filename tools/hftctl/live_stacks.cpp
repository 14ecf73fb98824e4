// SPDX-License-Identifier: MIT
#include "tools/hftctl/live_stacks.hpp"

#include <span>
#include <utility>
#include <vector>

namespace hftctl {

LiveStacks::LiveStacks(const hftmon::Session& session, std::uint64_t sources) : session_(session) {
    if ((sources & HFTMON_SOURCE_STACKS) == 0) return;
    // Without the right to see addresses there are none of the kernel's to be named.
    if (auto symbols = hftmon::KernelSymbols::read()) symbols_ = *std::move(symbols);
}

void LiveStacks::learn(const hftmon::Bill& bill) {
    for (const hftmon::StackIds& ids : {bill.delay.left, bill.delay.waking.stack}) {
        learn(hftmon::StackPart::kKernel, ids.kernel);
        learn(hftmon::StackPart::kUser, ids.user);
    }
}

void LiveStacks::learn(hftmon::StackPart part, std::uint32_t id) {
    if (id == 0 || stacks_.lookup(part, id) != nullptr) return;
    const auto stack = session_.stack(part, id);
    if (!stack) return;
    stacks_.learn(std::span(&*stack, 1));
    if (part != hftmon::StackPart::kKernel || !symbols_) return;
    std::vector<hftmon::FunctionName> names;
    for (const std::uint64_t frame : stack->frames) {
        const std::uint64_t call = hftmon::call_site(frame);
        if (!functions_.lookup(call).empty()) continue;
        if (auto name = symbols_->name_of(call)) names.push_back({call, *std::move(name)});
    }
    functions_.learn(names);
}

}  // namespace hftctl
