// SPDX-License-Identifier: MIT
#include "tools/hftctl/live_stacks.hpp"

#include <utility>
#include <vector>

namespace hftctl {

LiveStacks::LiveStacks(const hftmon::Session& session, std::uint64_t sources, hftmon::StackNamer namer)
    : session_(session), has_stacks_((sources & HFTMON_SOURCE_STACKS) != 0), namer_(std::move(namer)) {
    if (!has_stacks_) return;
    // Without the right to see addresses there are none of the kernel's to be named.
    if (auto symbols = hftmon::KernelSymbols::read()) symbols_ = *std::move(symbols);
}

void LiveStacks::look(std::span<const hftmon::Record> records) {
    if (!has_stacks_) return;
    for (const hftmon::Record& record : records) programs_.learn(record);
}

void LiveStacks::learn(const hftmon::Bill& bill) {
    const auto& delay = bill.delay;
    for (const auto& [ids, thread] :
         {std::pair(delay.left, delay.tid), std::pair(delay.waking.stack, delay.waking.waker)}) {
        learn(hftmon::StackPart::kKernel, ids.kernel, thread);
        learn(hftmon::StackPart::kUser, ids.user, thread);
    }
    namer_.learn(programs_.take());
}

void LiveStacks::learn(hftmon::StackPart part, std::uint32_t id, hftmon::Tid thread) {
    if (id == 0) return;
    const auto* known = namer_.stacks().lookup(part, id);
    auto stack = known == nullptr ? session_.stack(part, id) : std::optional(*known);
    if (!stack) return;
    if (known == nullptr) namer_.learn(std::span(&*stack, 1));
    if (part == hftmon::StackPart::kKernel && known == nullptr) learn_functions(*stack);
    if (part == hftmon::StackPart::kKernel || !reads_programs_) return;
    // What has to wait stays an address in this bill.
    (void)programs_.look(thread, stack->frames, hftmon::ProgramReader::SteadyClock::now(),
                         [this]() -> std::optional<hftmon::TscTime> {
                             const auto now = session_.clock_sync();
                             return now ? std::optional(hftmon::TscTime{now->tsc}) : std::nullopt;
                         });
}

void LiveStacks::learn_functions(const hftmon::Stack& stack) {
    if (!symbols_) return;
    std::vector<hftmon::FunctionName> names;
    for (const std::uint64_t frame : stack.frames) {
        const std::uint64_t call = hftmon::call_site(frame);
        if (!namer_.functions().lookup(call).empty()) continue;
        if (auto name = symbols_->name_of(call)) names.push_back({call, *std::move(name)});
    }
    namer_.learn(names);
}

}  // namespace hftctl
