// SPDX-License-Identifier: MIT
// When two Items are the same, and how to go on where they are not.
#include "compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

namespace ftrace_compare {

namespace {

std::string describe(const Item& item) {
    const Kind* kind = kind_of(item.type);
    std::string text = fmt::format("{} {} current={}", item.tsc, kind ? kind->name : "?", item.current);
    for (std::size_t i = 0; kind && i < item.field.size(); ++i) {
        if (*kind->fields[i] != '\0') text += fmt::format(" {}={:#x}", kind->fields[i], item.field[i]);
    }
    if (item.first[0] != '\0') text += fmt::format(" '{}'", view(item.first));
    if (item.second[0] != '\0') text += fmt::format(" '{}'", view(item.second));
    if (item.flags != 0) text += fmt::format(" flags={:#x}", item.flags);
    return text;
}

/// What ftrace makes of a task state: __trace_sched_switch_state() of the kernel.
bool same_state(const Item& theirs, const Item& ours) {
    constexpr std::int64_t kReportMax = 0x100, kReportIdle = 0x80;
    const std::int64_t told = theirs.field[2];
    if (ours.field[5] != 0) return told == kReportMax;
    const auto state = static_cast<std::uint32_t>(ours.field[2]);
    // A thread that ends: its exit_state is not in the scheduler's state.
    if ((told == 0x10 || told == 0x20) && (state & 0x80) != 0) return true;
    std::uint32_t report = state & 0x7f;
    if ((state & 0x402) == 0x402) {
        report = kReportIdle;
    } else if ((state & (0x1000 | 0x8000)) != 0) {  // waits for a lock of PREEMPT_RT, or is frozen
        report = 2;
    }
    while ((report & (report - 1)) != 0) report &= report - 1;  // its highest bit
    return told == report;
}

bool same_name(const Name& theirs, const Name& ours, const Name& before) {
    return theirs == ours || (before[0] != '\0' && theirs == before);
}

bool same(const Item& theirs, const Item& ours, const Ours& all) {
    if (theirs.type != ours.type) return false;
    // Between the switch that is told and the one that is done, the kernel changes the address space.
    if (theirs.type != HFTMON_REC_TLB_FLUSH && theirs.current != ours.current) return false;
    if (!same_name(theirs.first, ours.first, ours.first_before)) return false;
    if (!same_name(theirs.second, ours.second, ours.second_before)) return false;
    for (std::size_t i = 0; i < theirs.field.size(); ++i) {
        if (theirs.type == HFTMON_REC_SCHED_SWITCH && (i == 2 || i == 5)) continue;
        // Who is being woken may still stand in a queue, and be moved between the two probes.
        if (theirs.type == HFTMON_REC_SCHED_WAKING && i == 2 && all.moved(theirs, ours)) continue;
        if (theirs.field[i] != ours.field[i]) return false;
    }
    return theirs.type != HFTMON_REC_SCHED_SWITCH || same_state(theirs, ours);
}

/// Is F[i] an event with interrupts enabled that an interrupt separated from
/// O[j..]? Then the length of that interrupt's block, as far as ftrace has it.
std::optional<std::size_t> transposed_block(std::span<const Item> theirs, std::span<const Item> ours, const Ours& all) {
    const Item& event = theirs.front();
    if ((event.flags & kIrqsOff) != 0) return std::nullopt;
    // It begins in a context above that of the event; what it does on its way
    // out (waking ksoftirqd, say) it does with interrupts off. Nobody else runs.
    const std::uint8_t above = (event.flags & (kHardirq | kSoftirq)) != 0 ? kHardirq : kHardirq | kSoftirq;
    std::int64_t depth = 0;
    for (std::size_t n = 0; n + 1 < theirs.size() && n < ours.size(); ++n) {
        if (n != 0 && depth == 0 && same(event, ours[n], all)) return n;
        const Item& item = theirs[n + 1];
        if ((item.flags & above) == 0 && (n == 0 || (item.flags & kIrqsOff) == 0)) return std::nullopt;
        if (item.type == HFTMON_REC_SCHED_SWITCH || !same(item, ours[n], all)) return std::nullopt;
        depth += is_entry(item.type) - is_exit(item.type);
        if (depth < 0) return std::nullopt;
    }
    // ftrace's interval ended inside the block.
    const bool is_end = theirs.size() <= 64 && theirs.size() <= ours.size();
    const auto behind = ours.begin() + static_cast<std::ptrdiff_t>(is_end ? theirs.size() - 1 : ours.size());
    if (std::none_of(behind, ours.end(), [&](const Item& item) { return same(event, item, all); })) return std::nullopt;
    return theirs.size() - 1;
}

/// ftrace's interval began inside the interrupt that separated the two probes:
/// its part of our event at j was before the interval, behind which is what
/// both have seen so far.
bool began_inside(std::span<const Item> so_far, std::span<const Item> theirs, std::span<const Item> ours,
                  const Ours& all) {
    constexpr std::uint8_t kInterrupt = kHardirq | kSoftirq | kIrqsOff;
    const bool is_block = std::all_of(so_far.begin(), so_far.end(), [](const Item& item) {
        return (item.flags & kInterrupt) != 0 && item.type != HFTMON_REC_SCHED_SWITCH;
    });
    return is_block && ours.size() > 1 && !theirs.empty() && same(theirs.front(), ours[1], all);
}

}  // namespace

void compare_cpu(unsigned cpu, std::span<const Item> theirs, const Ours& all, Result& result) {
    const std::vector<Item>& all_ours = all.cpu(cpu);
    if (theirs.empty()) return;
    // Our probe runs second: the first event of ftrace's interval cannot be earlier here.
    const auto begin = std::partition_point(all_ours.begin(), all_ours.end(),
                                            [&](const Item& item) { return item.tsc < theirs.front().tsc; });
    std::span<const Item> ours(begin, all_ours.end());
    std::uint64_t shown = 0;
    bool may_open = true;
    for (std::size_t i = 0, j = 0; i < theirs.size();) {
        if (j < ours.size() && same(theirs[i], ours[j], all)) {
            result.deltas.push_back(static_cast<std::int64_t>(ours[j].tsc - theirs[i].tsc));
            ++result.by_type[theirs[i].type];
            ++result.compared;
            ++i, ++j;
            continue;
        }
        const auto block = j < ours.size() ? transposed_block(theirs.subspan(i), ours.subspan(j), all) : std::nullopt;
        if (block) {
            ++result.transpositions;
            ++result.transposed_by_type[theirs[i].type];
            result.transposed_events += *block;
            for (std::size_t k = 0; k <= *block; ++k) ++result.by_type[theirs[i + k].type];
            result.compared += *block + 1;
            i += *block + 1;
            j += *block + 1;
            continue;
        }
        if (may_open && j < ours.size() && began_inside(theirs.first(i), theirs.subspan(i), ours.subspan(j), all)) {
            may_open = false;
            ++result.transpositions;
            ++result.transposed_by_type[ours[j].type];
            result.transposed_events += i;
            ++j;
            continue;
        }
        ++result.differences;
        if (++shown <= 5) {
            fmt::print("CPU {}: difference at event {}:\n", cpu, i);
            for (std::size_t k = i - std::min<std::size_t>(i, 2); k < std::min(theirs.size(), i + 4); ++k) {
                fmt::print("  ftrace {}{}\n", k == i ? "* " : "  ", describe(theirs[k]));
            }
            for (std::size_t k = j - std::min<std::size_t>(j, 2); k < std::min(ours.size(), j + 4); ++k) {
                fmt::print("  hftmon {}{}\n", k == j ? "* " : "  ", describe(ours[k]));
            }
        }
        if (shown > 50) {
            fmt::print("CPU {}: given up after event {} of {}\n", cpu, i, theirs.size());
            return;
        }
        // Go on behind it: the nearest place where both agree again.
        std::size_t skip_theirs = 1, skip_ours = 1;
        for (std::size_t sum = 1, found = 0; sum < 64 && found == 0; ++sum) {
            for (std::size_t a = 0; a <= sum && found == 0; ++a) {
                const std::size_t b = sum - a;
                if (i + a >= theirs.size() || j + b >= ours.size() || !same(theirs[i + a], ours[j + b], all)) continue;
                skip_theirs = a, skip_ours = b, found = 1;
            }
        }
        i += skip_theirs;
        j += skip_ours;
    }
}

}  // namespace ftrace_compare
