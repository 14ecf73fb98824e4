// SPDX-License-Identifier: MIT
// Finds by time and thread what stands at another place of the stream.
#include "preempted.hpp"

#include <algorithm>
#include <cstddef>

#include "compare.hpp"

namespace ftrace_compare {

namespace {

auto later_than(const std::vector<Item>& items, std::uint64_t tsc) {
    return std::partition_point(items.begin(), items.end(), [tsc](const Item& item) { return item.tsc <= tsc; });
}

/// The same, of the same thread, and not in an interrupt of it.
bool is_of_thread(const Item& event, const Item& item, const Ours& ours) {
    return item.current == event.current && (item.flags & kHardirq) == 0 && same(event, item, ours);
}

/// When the thread lost the CPU before our probe of this event had run; 0: it did not.
std::uint64_t preempted_at(const Item& event, const std::vector<Item>& here, const Ours& ours) {
    for (auto item = later_than(here, event.tsc); item != here.end(); ++item) {
        if (is_of_thread(event, *item, ours)) return 0;
        if (item->type != HFTMON_REC_SCHED_SWITCH) continue;
        const bool is_preemption = item->field[0] == event.current && item->field[5] != 0;
        return is_preemption ? item->tsc : 0;
    }
    return 0;
}

}  // namespace

std::map<std::uint16_t, std::uint64_t> take_preempted(std::map<unsigned, std::vector<Item>>& theirs, Ours& ours) {
    std::map<std::uint16_t, std::uint64_t> taken;
    for (auto& [cpu, items] : theirs) {
        for (Item& event : items) {
            if ((event.flags & (kIrqsOff | kHardirq | kNmi)) != 0 || event.type == HFTMON_REC_SCHED_SWITCH) continue;
            const std::uint64_t left = preempted_at(event, ours.cpu(cpu), ours);
            if (left == 0) continue;
            // The first of this thread's that is the same, wherever it came back.
            Item* first = nullptr;
            for (const auto& [other, unused] : theirs) {
                auto& there = ours.cpu(other);
                const auto found = std::find_if(there.begin() + (later_than(there, left) - there.cbegin()), there.end(),
                                                [&](const Item& item) { return is_of_thread(event, item, ours); });
                if (found != there.end() && (first == nullptr || found->tsc < first->tsc)) first = &*found;
            }
            if (first == nullptr) continue;
            ++taken[event.type];
            event.type = first->type = HFTMON_REC_NONE;
        }
    }
    const auto is_taken = [](const Item& item) { return item.type == HFTMON_REC_NONE; };
    for (auto& [cpu, items] : theirs) {
        std::erase_if(items, is_taken);
        std::erase_if(ours.cpu(cpu), is_taken);
    }
    return taken;
}

}  // namespace ftrace_compare
