// SPDX-License-Identifier: MIT
#include "lib/capture/told.hpp"

#include <algorithm>
#include <optional>

#include "hftmon/decode.hpp"

namespace hftmon::capture {

namespace {

/// Threads whose stacks are known one by one, and stacks that wait: beyond that the eldest are forgotten.
constexpr std::size_t kMostThreads = 1u << 16, kMostWaiting = 1u << 16;

ProgramReader::RecordClock clock_of(const Session& session) {
    return [&session]() -> std::optional<TscTime> {
        const auto sync = session.clock_sync();
        return sync ? std::optional(TscTime{sync->tsc}) : std::nullopt;
    };
}

}  // namespace

void ToldByNumber::look(std::span<const Record> records) {
    const auto now = ProgramReader::SteadyClock::now();
    for (const Record& record : records) {
        std::uint32_t function = 0;
        if (record.type >= HFTMON_REC_HRTIMER_START && record.type <= HFTMON_REC_CSD_EXIT)
            function = record.function.function;
        else if (record.type == HFTMON_REC_HRTIMER_EXPIRE_ENTRY)
            function = record.hrtimer.function;
        if (function != 0) functions_.insert(function);
        if (!has_stacks_) continue;
        programs_.learn(record);
        if (record.type == HFTMON_REC_STACK) look(record.stack, now);
        if (record.type == HFTMON_REC_EXIT) places_.erase(record.thread.tid);
    }
}

void ToldByNumber::look(const ::hftmon_stack_ref& stack, ProgramReader::SteadyClock::time_point now) {
    look(StackPart::kKernel, stack.kernel, kernel_stacks_);
    look(StackPart::kUser, stack.user, user_stacks_);
    if (stack.user == 0 || !reads_programs_) return;
    if (places_.size() > kMostThreads) places_.clear();
    auto& stacks = places_[stack.tid];
    if (stacks.empty()) has_new_threads_ = true;
    if (!stacks.insert(stack.user).second) return;
    if (new_places_.size() == kMostWaiting) new_places_.pop_front();
    new_places_.push_back({Tid{stack.tid}, stack.user, now});
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

std::vector<ProgramMap> ToldByNumber::take_programs(const Session& session, bool all) {
    // What waits for its process's next turn must not keep others waiting; nor may all this take long.
    constexpr std::size_t kMostLooks = 200;
    if (all) programs_.lift_limits();
    const auto clock = clock_of(session);
    for (std::size_t n = all ? new_places_.size() : std::min(new_places_.size(), kMostLooks); n > 0; --n) {
        const Place place = new_places_.front();
        new_places_.pop_front();
        const auto stack = session.stack(StackPart::kUser, place.stack);
        if (stack && !programs_.look(place.thread, stack->frames, place.seen, clock)) new_places_.push_back(place);
    }
    has_new_threads_ = false;
    return programs_.take();
}

std::vector<ProgramMap> ToldByNumber::all_programs(const Session& session) {
    if (reads_programs_) programs_.look_at_all(clock_of(session));
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
