// SPDX-License-Identifier: MIT
// When two Items are the same, and how to go on where they are not.
#include "compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

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
    // Kernels before 5.18 let the probes read the state, ours after theirs: its waking may come in between.
    if (state == 0x200 && told != kReportMax && told != 0x10 && told != 0x20) return true;
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

}  // namespace

bool same(const Item& theirs, const Item& ours, const Ours& all) {
    if (theirs.type != ours.type) return false;
    // Between the switch that is told and the one that is done, the kernel changes the
    // address space, and interrupts itself where a probe wants to wake somebody.
    if (theirs.type != HFTMON_REC_TLB_FLUSH && theirs.type != HFTMON_REC_IPI_SEND && theirs.current != ours.current)
        return false;
    // Nothing else tells a timer in an interrupt from one that it interrupts.
    const bool is_timer =
        theirs.type == HFTMON_REC_HRTIMER_EXPIRE_ENTRY || theirs.type == HFTMON_REC_HRTIMER_EXPIRE_EXIT;
    if (is_timer && ((theirs.flags ^ ours.flags) & kHardirq) != 0) return false;
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

namespace {

/// An event that an interrupt separated: ftrace's probe has run, ours not yet.
struct Separated {
    const Item* event;
    std::int64_t depth;  ///< of handlers, where it happened
    std::size_t next;    ///< index in ftrace's events of the first of the interrupt
};

/// Does it stand in a context that may interrupt the other's?
bool is_above(const Item& event, const Item& other) {
    const std::uint8_t above = (other.flags & (kHardirq | kSoftirq)) != 0 ? kHardirq : kHardirq | kSoftirq;
    return (event.flags & above) != 0;
}

/// Is F[i] an event with interrupts enabled, and F[i + 1] the first of an interrupt
/// (in which another event may be separated, too) that goes on at O[j]?
bool is_separated(std::span<const Item> theirs, std::size_t i, const Item& ours, const Ours& all, int levels = 3) {
    if (levels == 0 || i + 1 >= theirs.size() || (theirs[i].flags & kIrqsOff) != 0) return false;
    if (!is_above(theirs[i + 1], theirs[i])) return false;
    return same(theirs[i + 1], ours, all) || is_separated(theirs, i + 1, ours, all, levels - 1);
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

/// ftrace's interval ended inside an interrupt that came while ftrace wrote its
/// part of the event at i: that is its last, behind those of the interrupt.
bool ended_inside(std::span<const Item> theirs, std::size_t i) {
    return i > 0 && i + 1 == theirs.size() && (theirs[i].flags & kIrqsOff) == 0 && is_above(theirs[i - 1], theirs[i]);
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
    std::int64_t depth = 0;
    std::vector<Separated> separated;
    // Their interrupts have ended, or nobody can say any more whether they did.
    const auto lose_separated = [&](std::size_t i) {
        for (const Separated& one : separated) {
            ++result.differences;
            fmt::print("WRONG: CPU {}: event {} is missing: {}\n", cpu, i, describe(*one.event));
        }
        separated.clear();
    };
    std::size_t i = 0, j = 0;
    while (i < theirs.size()) {
        if (!separated.empty() && j < ours.size() && i > separated.back().next && depth == separated.back().depth &&
            same(*separated.back().event, ours[j], all)) {
            const Item& event = *separated.back().event;
            ++result.transpositions;
            ++result.transposed_by_type[event.type];
            ++result.by_type[event.type];
            ++result.compared;
            result.transposed_events += i - separated.back().next;
            depth += is_entry(event.type) - is_exit(event.type);
            separated.pop_back();
            ++j;
            continue;
        }
        // Probes cannot be preempted.
        if (theirs[i].type == HFTMON_REC_SCHED_SWITCH) lose_separated(i);
        if (j < ours.size() && same(theirs[i], ours[j], all)) {
            result.deltas.push_back(static_cast<std::int64_t>(ours[j].tsc - theirs[i].tsc));
            ++result.by_type[theirs[i].type];
            ++result.compared;
            depth += is_entry(theirs[i].type) - is_exit(theirs[i].type);
            ++i, ++j;
            continue;
        }
        if (j < ours.size() && is_separated(theirs, i, ours[j], all)) {
            separated.push_back({&theirs[i], depth, i + 1});
            ++i;
            continue;
        }
        if (j < ours.size() && ended_inside(theirs, i)) {
            separated.push_back({&theirs[i], depth, i + 1});
            ++i;
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
            fmt::print("WRONG: CPU {}: difference at event {}:\n", cpu, i);
            for (std::size_t k = i - std::min<std::size_t>(i, 2); k < std::min(theirs.size(), i + 4); ++k) {
                fmt::print("  ftrace {}{}\n", k == i ? "* " : "  ", describe(theirs[k]));
            }
            for (std::size_t k = j - std::min<std::size_t>(j, 2); k < std::min(ours.size(), j + 4); ++k) {
                fmt::print("  hftmon {}{}\n", k == j ? "* " : "  ", describe(ours[k]));
            }
        }
        if (shown > 50) {
            fmt::print("WRONG: CPU {}: given up after event {} of {}\n", cpu, i, theirs.size());
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
    // ftrace's interval ended inside an interrupt.
    std::erase_if(separated, [&](const Separated& one) {
        const auto rest = ours.begin() + static_cast<std::ptrdiff_t>(std::min(j, ours.size()));
        return std::any_of(rest, ours.end(), [&](const Item& item) { return same(*one.event, item, all); });
    });
    lose_separated(i);
}

}  // namespace ftrace_compare
