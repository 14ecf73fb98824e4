// SPDX-License-Identifier: MIT
// What must hold whatever the records say.
#include <fmt/format.h>

#include "hftmon/analyzer.hpp"

namespace hftmon {
namespace {

void check_cpu(const CpuTimeline& cpu, std::vector<std::string>& wrong) {
    const std::int64_t life = (cpu.last() - cpu.first()).value;
    std::int64_t sum = 0;
    for (std::size_t kind = 0; kind < kCauseKinds; ++kind) {
        const std::int64_t ticks = cpu.time_of(static_cast<CauseKind>(kind)).value;
        if (ticks < 0) wrong.push_back(fmt::format("CPU {}: negative time of cause {}", cpu.cpu().value, kind));
        sum += ticks;
    }
    if (sum != life) wrong.push_back(fmt::format("CPU {}: causes sum to {} of {} ticks", cpu.cpu().value, sum, life));

    TscTime at = cpu.first();
    bool is_whole = true;
    (void)cpu.walk(cpu.first(), cpu.last(), [&](TscTime from, TscTime to, const Cause&) {
        is_whole = is_whole && from == at && to > from;
        at = to;
    });
    if (!is_whole || at != cpu.last())
        wrong.push_back(fmt::format("CPU {}: segments do not partition", cpu.cpu().value));
}

void check_thread(const Thread& thread, TscTime now, std::vector<std::string>& wrong) {
    std::int64_t sum = (now - thread.since).value;
    bool is_negative = sum < 0;
    for (const TscTicks spent : thread.spent) {
        is_negative = is_negative || spent.value < 0;
        sum += spent.value;
    }
    if (is_negative) wrong.push_back(fmt::format("thread {}: negative time in a state", thread.tid.value));
    if (sum != (now - thread.first).value) {
        wrong.push_back(fmt::format("thread {}: states do not partition its life", thread.tid.value));
    }
}

void check_lines(const std::vector<BillLine>& lines, std::string_view what, std::vector<std::string>& wrong) {
    for (const BillLine& line : lines) {
        if (line.ticks.value <= 0 || line.stretches == 0) wrong.push_back(fmt::format("{}: empty line", what));
    }
}

void check_bill(const Bill& bill, std::vector<std::string>& wrong) {
    const std::string what = fmt::format("bill of {} at {}", bill.delay.tid.value, bill.delay.start.value);
    if (bill.delay.length().value < 0) wrong.push_back(what + ": negative delay");
    if (bill.unattributed.value < 0) wrong.push_back(what + ": negative unattributed");
    if (bill.total() != bill.delay.length()) wrong.push_back(what + ": lines do not sum to the delay");
    check_lines(bill.lines, what, wrong);
    check_lines(bill.after_switch_in, what + ", after", wrong);
    TscTicks after{};
    for (const BillLine& line : bill.after_switch_in) after += line.ticks;
    if (after > bill.after_end - bill.delay.end) wrong.push_back(what + ": after_switch_in exceeds the run");
}

}  // namespace

std::vector<std::string> Analyzer::check_invariants() const {
    std::vector<std::string> wrong;
    for (std::size_t i = 0; i < timeline_.cpu_limit(); ++i) {
        const CpuTimeline* cpu = timeline_.cpu(CpuId{static_cast<std::uint32_t>(i)});
        if (cpu && cpu->begun()) check_cpu(*cpu, wrong);
    }
    timeline_.threads().for_each([&](const Thread& thread) { check_thread(thread, timeline_.now(), wrong); });
    for (const Bill* bill : longest()) check_bill(*bill, wrong);
    if (timeline_.broken_lives() != 0) {
        wrong.push_back(fmt::format("{} dead threads: states did not partition their lives", timeline_.broken_lives()));
    }
    if (wrong_sums_ != 0) wrong.push_back(fmt::format("{} bills did not sum to their delay", wrong_sums_));
    return wrong;
}

}  // namespace hftmon
