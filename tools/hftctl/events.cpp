// SPDX-License-Identifier: MIT
#include "tools/hftctl/events.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "hftmon/abi/source.h"
#include "hftmon/session.hpp"

namespace hftctl {

namespace {

using hftmon::Error;
using hftmon::ErrorCode;

template <class... Sources>
constexpr std::uint64_t bits(Sources... sources) {
    return (HFTMON_SOURCE_BIT(sources) | ...);
}

/// From the first to the last of a row of sources.
constexpr std::uint64_t row(unsigned first, unsigned last) {
    return (HFTMON_SOURCE_BIT(last) << 1) - HFTMON_SOURCE_BIT(first);
}

constexpr std::uint64_t kSched = row(HFTMON_SOURCE_SCHED_SWITCH, HFTMON_SOURCE_SCHED_MIGRATE_TASK) |
                                 bits(HFTMON_SOURCE_SCHED_PI_SETPRIO, HFTMON_SOURCE_SCHED_SET_NEED_RESCHED);
constexpr std::uint64_t kThread = row(HFTMON_SOURCE_SCHED_PROCESS_FORK, HFTMON_SOURCE_TASK_RENAME);
constexpr std::uint64_t kIrq = row(HFTMON_SOURCE_IRQ_HANDLER, HFTMON_SOURCE_NMI_HANDLER);
constexpr std::uint64_t kFault = bits(HFTMON_SOURCE_PAGE_FAULT_USER, HFTMON_SOURCE_PAGE_FAULT_KERNEL);
constexpr std::uint64_t kTimer =
    bits(HFTMON_SOURCE_HRTIMER_EXPIRE, HFTMON_SOURCE_HRTIMER_START, HFTMON_SOURCE_TIMER_EXPIRE);
/// Not what is only told: no line of a bill comes from it.
constexpr std::uint64_t kBills =
    (kSched | kThread | kIrq | kFault | bits(HFTMON_SOURCE_HRTIMER_EXPIRE, HFTMON_SOURCE_CPU_IDLE)) &
    ~bits(HFTMON_SOURCE_SCHED_SET_NEED_RESCHED, HFTMON_SOURCE_SOFTIRQ_RAISE);

struct Group {
    std::string_view name;
    std::uint64_t sources;
};
constexpr std::array<Group, 19> kGroups = {
    {{"all", HFTMON_SOURCE_ALL & ~hftmon::kSourcesByName},
     {"bills", kBills},
     {"sched", kSched},
     {"thread", kThread},
     {"irq", kIrq},
     {"fault", kFault},
     {"timer", kTimer},
     {"power", bits(HFTMON_SOURCE_CPU_IDLE, HFTMON_SOURCE_CPU_FREQUENCY)},
     {"ipi", bits(HFTMON_SOURCE_IPI_SEND_CPU, HFTMON_SOURCE_IPI_SEND_CPUMASK, HFTMON_SOURCE_TLB_FLUSH)},
     {"work", bits(HFTMON_SOURCE_WORKQUEUE_QUEUE_WORK, HFTMON_SOURCE_WORKQUEUE_EXECUTE, HFTMON_SOURCE_TASKLET)},
     {"csd", bits(HFTMON_SOURCE_CSD_QUEUE_CPU, HFTMON_SOURCE_CSD_FUNCTION)},
     {"net", row(HFTMON_SOURCE_NAPI_POLL, HFTMON_SOURCE_NET_DEV_START_XMIT)},
     {"block", bits(HFTMON_SOURCE_BLOCK_RQ_ISSUE, HFTMON_SOURCE_BLOCK_RQ_COMPLETE)},
     {"syscall", bits(HFTMON_SOURCE_SYS_ENTER, HFTMON_SOURCE_SYS_EXIT)},
     {"signal", bits(HFTMON_SOURCE_SIGNAL_GENERATE, HFTMON_SOURCE_SIGNAL_DELIVER)},
     {"blocked", bits(HFTMON_SOURCE_SCHED_STAT_BLOCKED, HFTMON_SOURCE_SCHED_STAT_IOWAIT)},
     {"numa", bits(HFTMON_SOURCE_SCHED_MOVE_NUMA, HFTMON_SOURCE_SCHED_SWAP_NUMA, HFTMON_SOURCE_TASK_NUMA_FAULT)},
     {"queue", row(HFTMON_SOURCE_SCHED_UPDATE_NR_RUNNING, HFTMON_SOURCE_THROTTLE_CFS_RQ)},
     {"stack", HFTMON_SOURCE_STACKS}}};

/// 0: no such name.
std::uint64_t sources_named(std::string_view name) {
    const auto group = std::find_if(kGroups.begin(), kGroups.end(), [name](const Group& g) { return g.name == name; });
    if (group != kGroups.end()) return group->sources;
    for (unsigned source = 0; source < HFTMON_SOURCE_COUNT; ++source) {
        if (hftmon::source_name(source) == name) return HFTMON_SOURCE_BIT(source);
    }
    return 0;
}

}  // namespace

std::uint64_t sources_of_bills() noexcept { return kBills; }

hftmon::Result<std::uint64_t> parse_events(const std::vector<std::string>& words) {
    std::uint64_t sources = !words.empty() && words.front().starts_with('-') ? kBills : 0;
    for (const std::string& word : words) {
        const bool is_minus = word.starts_with('-');
        const std::uint64_t named = sources_named(std::string_view(word).substr(is_minus ? 1 : 0));
        if (named == 0) {
            return Error{ErrorCode::kInvalidArgument, 0, fmt::format("--events: there is no event or group '{}'", word),
                         "hftctl status lists the events; the groups are " + events_help()};
        }
        sources = is_minus ? sources & ~named : sources | named;
    }
    // A stack is of an event, and of a program, which a process may change.
    if ((sources & HFTMON_SOURCE_STACKS) != 0)
        sources |= bits(HFTMON_SOURCE_SCHED_PROCESS_FORK) | bits(HFTMON_SOURCE_SCHED_PROCESS_EXEC) |
                   bits(HFTMON_SOURCE_SCHED_PROCESS_EXIT);
    if ((sources & bits(HFTMON_SOURCE_STACK_SWITCH)) != 0) sources |= bits(HFTMON_SOURCE_SCHED_SWITCH);
    if ((sources & bits(HFTMON_SOURCE_STACK_WAKING)) != 0) sources |= bits(HFTMON_SOURCE_SCHED_WAKING);
    if (sources == 0) return Error{ErrorCode::kInvalidArgument, 0, "--events: nothing is left to capture", ""};
    return sources;
}

std::uint64_t without(std::uint64_t sources, std::uint64_t removed) noexcept {
    if ((removed & bits(HFTMON_SOURCE_SCHED_SWITCH)) != 0) removed |= bits(HFTMON_SOURCE_STACK_SWITCH);
    if ((removed & bits(HFTMON_SOURCE_SCHED_WAKING)) != 0) removed |= bits(HFTMON_SOURCE_STACK_WAKING);
    return sources & ~removed;
}

std::string events_help() {
    std::vector<std::string_view> names;
    names.reserve(kGroups.size());
    for (const Group& group : kGroups) names.push_back(group.name);
    return fmt::format("{}", fmt::join(names, ", "));
}

std::vector<std::string> missing_for_bills(const hftmon::CaptureMeta& meta) {
    // Vectors that a machine may do without: nothing of them runs where the kernel has no tracepoint.
    constexpr std::uint64_t kOptional = row(HFTMON_SOURCE_THERMAL_APIC, HFTMON_SOURCE_DEFERRED_ERROR_APIC);
    std::uint64_t partly = 0;
    for (const auto& minimum : meta.minimums) partly |= ::hftmon_duration_sources(minimum.kind);
    std::vector<std::string> names;
    for (const auto& source : meta.sources) {
        if ((partly & kIrq & HFTMON_SOURCE_BIT(source.id)) != 0) continue;
        if (source.active || source.id >= HFTMON_SOURCE_COUNT) continue;
        if ((kBills & ~kOptional & HFTMON_SOURCE_BIT(source.id)) != 0) names.push_back(source.name);
    }
    return names;
}

std::string missing_text(const std::vector<std::string>& names, const hftmon::CaptureMeta& meta) {
    std::string text;
    if (!names.empty())
        text = fmt::format("note: not captured: {}; {}\n", fmt::join(names, ", "),
                           std::ranges::count(names, "sched_switch") != 0 ? "without sched_switch there are no bills"
                                                                          : "what they did is on the lines of others");
    for (const auto& minimum : meta.minimums) {
        if ((::hftmon_duration_sources(minimum.kind) & kIrq) == 0) continue;
        text +=
            fmt::format("note: {} only captured when longer than {} us; what others did is on the lines of others\n",
                        hftmon::duration_name(minimum.kind), static_cast<double>(minimum.over.count()) / 1e3);
    }
    return text;
}

}  // namespace hftctl
