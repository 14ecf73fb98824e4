// SPDX-License-Identifier: MIT
#include "lib/capture/told.hpp"

#include "hftmon/decode.hpp"

namespace hftmon::capture {

void ToldByNumber::look(std::span<const Record> records) {
    for (const Record& record : records) {
        std::uint32_t function = 0;
        if (record.type >= HFTMON_REC_HRTIMER_START && record.type <= HFTMON_REC_CSD_EXIT)
            function = record.function.function;
        else if (record.type == HFTMON_REC_HRTIMER_EXPIRE_ENTRY)
            function = record.hrtimer.function;
        if (function != 0) functions_.insert(function);
        if (record.type == HFTMON_REC_EXEC) programs_.began(Tid{record.thread.tgid}, TscTime{record.tsc});
        if (record.type != HFTMON_REC_STACK) continue;
        look(StackPart::kKernel, record.stack.kernel, kernel_stacks_);
        look(StackPart::kUser, record.stack.user, user_stacks_);
        const std::uint64_t place = std::uint64_t{record.stack.tid} << 32 | record.stack.user;
        if (record.stack.user == 0 || !places_.insert(place).second) continue;
        new_places_.emplace_back(Tid{record.stack.tid}, record.stack.user);
        if (threads_.insert(record.stack.tid).second) has_new_threads_ = true;
    }
}

void ToldByNumber::look(StackPart part, std::uint32_t id, std::unordered_set<std::uint32_t>& known) {
    if (id != 0 && known.insert(id).second) new_stacks_.emplace_back(part, id);
}

std::vector<Stack> ToldByNumber::take_stacks(const Session& session) {
    std::vector<Stack> stacks;
    for (const auto& [part, id] : std::exchange(new_stacks_, {})) {
        auto stack = session.stack(part, id);
        if (!stack) continue;
        if (part == StackPart::kKernel)
            for (const std::uint64_t frame : stack->frames) calls_.insert(call_site(frame));
        stacks.push_back(*std::move(stack));
    }
    return stacks;
}

std::vector<ProgramMap> ToldByNumber::take_programs(const Session& session, TscTime now, bool all) {
    if (all) programs_.lift_limit();
    auto place = new_places_.begin();
    for (; place != new_places_.end(); ++place) {
        const auto stack = session.stack(StackPart::kUser, place->second);
        if (stack && !programs_.look(place->first, stack->frames, now)) break;  // the rest next time
    }
    new_places_.erase(new_places_.begin(), place);
    has_new_threads_ = false;
    return programs_.take();
}

std::vector<ProgramMap> ToldByNumber::all_programs(TscTime now) {
    programs_.look_at_all(now);
    return programs_.take();
}

std::vector<FunctionName> ToldByNumber::names() const {
    std::vector<FunctionName> names;
    if (functions_.empty() && calls_.empty()) return names;
    const auto symbols = KernelSymbols::read();
    if (!symbols) return names;
    const auto add = [&](std::uint64_t address) {
        if (auto name = symbols->name_of(address)) names.push_back({address, *std::move(name)});
    };
    for (const std::uint32_t low : functions_) add(detail::kernel_address(low));
    for (const std::uint64_t call : calls_) add(call);
    return names;
}

}  // namespace hftmon::capture
