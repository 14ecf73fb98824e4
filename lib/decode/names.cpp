// SPDX-License-Identifier: MIT
#include <array>
#include <string>

#include "hftmon/abi/source.h"
#include "hftmon/event.hpp"

namespace hftmon {

namespace {

constexpr std::string_view kUnknown = "unknown";

// The order of the kernel's softirq_to_name[].
constexpr std::array<std::string_view, 10> kSoftirqs = {"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
                                                        "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};

constexpr std::array<std::string_view, HFTMON_SOURCE_COUNT> kSources = {
#define HFTMON_SOURCE_NAME(id, name) name,
    HFTMON_SOURCES(HFTMON_SOURCE_NAME)
#undef HFTMON_SOURCE_NAME
};

// The names of the tracepoints, in the order of hftmon_vector_kind.
constexpr std::array<std::string_view, HFTMON_VECTOR_KIND_END> kVectors = {
    "local_timer",  "reschedule",     "call_function", "call_function_single", "irq_work",           "x86_platform_ipi",
    "thermal_apic", "threshold_apic", "error_apic",    "spurious_apic",        "deferred_error_apic"};

}  // namespace

std::string_view source_name(std::uint32_t source) noexcept {
    return source < kSources.size() ? kSources[source] : kUnknown;
}

std::string sources_text(std::uint64_t sources) {
    std::string text;
    for (std::uint32_t source = 0; source < kSources.size(); ++source) {
        if ((sources & HFTMON_SOURCE_BIT(source)) == 0) continue;
        if (!text.empty()) text += ',';
        text += kSources[source];
    }
    if ((sources & ~HFTMON_SOURCE_ALL) != 0) text += text.empty() ? "unknown" : ",unknown";
    return text;
}

std::string_view softirq_name(std::uint32_t vec) noexcept { return vec < kSoftirqs.size() ? kSoftirqs[vec] : kUnknown; }

std::string_view vector_name(VectorKind kind) noexcept {
    const auto index = static_cast<std::size_t>(kind);
    return index < kVectors.size() ? kVectors[index] : kUnknown;
}

std::string_view tlb_flush_reason_name(TlbFlushReason reason) noexcept {
    switch (reason) {
        case HFTMON_TLB_TASK_SWITCH: return "task_switch";
        case HFTMON_TLB_REMOTE_SHOOTDOWN: return "remote_shootdown";
        case HFTMON_TLB_LOCAL_SHOOTDOWN: return "local_shootdown";
        case HFTMON_TLB_LOCAL_MM_SHOOTDOWN: return "local_mm_shootdown";
        case HFTMON_TLB_REMOTE_SEND_IPI: return "remote_send_ipi";
        case HFTMON_TLB_REMOTE_WRONG_CPU: return "remote_wrong_cpu";
        case HFTMON_TLB_REASON_END: break;
    }
    return kUnknown;
}

std::string_view policy_name(Policy policy) noexcept {
    switch (policy) {
        case Policy::kNormal: return "normal";
        case Policy::kFifo: return "fifo";
        case Policy::kRoundRobin: return "rr";
        case Policy::kBatch: return "batch";
        case Policy::kIdle: return "idle";
        case Policy::kDeadline: return "deadline";
        case Policy::kExt: return "ext";
    }
    return kUnknown;
}

}  // namespace hftmon
