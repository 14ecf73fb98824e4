// SPDX-License-Identifier: MIT
/// Typed events: what a record means, in the library's own types.
///
/// Events are plain values, valid for as long as you keep them. Priorities are
/// the kernel's: -1 deadline, 0..99 real-time (0 highest), 100..139 fair.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "hftmon/abi/histogram.h"
#include "hftmon/abi/record.h"
#include "hftmon/units.hpp"

namespace hftmon {

using Record = ::hftmon_record;

/// The kernel's SCHED_* policy numbers.
enum class Policy : std::uint8_t {
    kNormal = 0,
    kFifo = 1,
    kRoundRobin = 2,
    kBatch = 3,
    kIdle = 5,
    kDeadline = 6,
    kExt = 7
};

enum class Context : std::uint8_t { kTask = 0, kSoftirq = 1, kHardirq = 2, kNmi = 3 };

using VectorKind = ::hftmon_vector_kind;
using TlbFlushReason = ::hftmon_tlb_flush_reason;
using DurationKind = ::hftmon_duration;

/// A thread's name as the kernel holds it: up to 15 bytes, any bytes.
struct Comm {
    std::array<char, HFTMON_COMM_LEN> bytes{};
    [[nodiscard]] std::string_view view() const noexcept {
        std::string_view all(bytes.data(), bytes.size());
        return all.substr(0, all.find('\0'));
    }
    friend bool operator==(const Comm&, const Comm&) = default;
};

/// When, where, and the position in that CPU's ring.
struct EventHeader {
    TscTime time;
    CpuId cpu;
    std::uint64_t position = 0;
};

// A table, one event per line where it fits.
// clang-format off
struct GapEvent { std::uint64_t lost_total = 0; Tid current; };
/// partial: the session records here only what concerns the threads it watches.
/// unwatched: threads may not be watched any longer; where they are is not known.
struct CpuStateEvent { Tid current; std::int16_t prio; Policy policy; bool partial = false, unwatched = false; };
struct SchedSwitchEvent {
    Tid prev, next;
    std::int16_t prev_prio, next_prio;
    Policy prev_policy, next_policy;
    std::uint32_t prev_state;  ///< TASK_* bits; 0 = runnable
    bool preempt;              ///< the switch was a preemption inside the kernel
    bool prev_queued;          ///< prev stays in the run queue, whatever prev_state says
    /// Not watched: what it does while it runs on this CPU is not recorded.
    bool prev_partial = false, next_partial = false;
    /// prev was still runnable: it lost the CPU, it did not give it away.
    [[nodiscard]] bool prev_runnable() const noexcept { return preempt || prev_queued || prev_state == 0; }
};
enum class WakeStage : std::uint8_t { kWaking, kWakeup, kWakeupNew };
struct SchedWakeEvent {
    WakeStage stage;
    Tid tid, waker;
    std::int16_t prio;
    CpuId target;     ///< waking: CPU it last ran on; wakeup: CPU it was put on
    Context context;  ///< what ran the wakeup
};
struct SchedMigrateEvent { Tid tid; std::int16_t prio; CpuId from, to; };
enum class IdentityChange : std::uint8_t { kThread, kFork, kExec, kExit, kRename, kDead };
struct ThreadEvent {
    IdentityChange change;
    Tid tid, tgid, related;
    std::int16_t prio;
    Policy policy;
    Comm comm;
};
struct IrqEvent { bool entry; std::uint32_t irq; std::int32_t ret; };
enum class SoftirqStage : std::uint8_t { kRaise, kEntry, kExit };
struct SoftirqEvent { SoftirqStage stage; std::uint32_t vec; };
struct VectorEvent { bool entry; std::uint32_t vector; VectorKind kind; };
struct NmiEvent { Nanoseconds duration; std::uint32_t handled; };
struct PageFaultEvent { bool user; std::uint64_t address, ip; std::uint16_t error_code; };
struct CpuIdleEvent { bool enter; std::uint32_t state; };
struct HrtimerEvent { bool entry; Nanoseconds late, slack; std::uint64_t function = 0; };
struct PriorityEvent {
    Tid tid, donor;  ///< donor: whose priority it inherits; 0: nobody's any more
    std::int16_t old_prio, new_prio;
};
struct NeedReschedEvent { Tid tid; CpuId cpu; bool lazy; };
struct BlockedEvent { bool iowait; Tid tid; Nanoseconds length; };
struct NumaEvent { Tid tid, swapped; CpuId from, to; };
/// How many threads a CPU's run queue holds has changed; of changes at one moment the last
/// counts. Where threads are watched: changes that they make, and no others.
struct RunQueueEvent {
    static constexpr std::uint32_t kUnknown = 0xffff'ffff;
    CpuId cpu;            ///< whose queue; any CPU may change it
    std::uint32_t count;  ///< threads in it now, who runs among them; kUnknown: see abi/payload.h
    std::int32_t change;
    bool counted;  ///< rests on the threads that were found in the queue at the beginning
};
struct AffinityEvent { Tid tid; std::uint32_t cpus; CpuId first, last; };  ///< how many CPUs, the lowest, the highest
/// queue: the same number for one cgroup on one CPU. The last end before the next beginning is the end.
struct ThrottleEvent { bool throttled; std::uint32_t queue; };
enum class NumaOutcome : std::uint8_t { kStayed, kMoved, kMoveFailed };
/// Memory that NUMA balancing watches was used here; node: where it is now, pages: of 4 KiB.
struct NumaFaultEvent { std::uint32_t node, pages; NumaOutcome outcome; };
struct IpiSendEvent {
    CpuId first;          ///< the lowest of the CPUs that are interrupted
    std::uint32_t count;  ///< of all that are
    std::uint64_t cpus;   ///< bit i: CPU (first & ~63) + i; others are only counted
};
struct TlbFlushEvent {
    static constexpr std::uint64_t kAllPages = ~std::uint64_t{0};
    TlbFlushReason reason;
    std::uint64_t pages;
};
struct CpuFrequencyEvent { CpuId cpu; std::uint32_t khz; };
struct SignalEvent {
    bool deliver;  ///< else it is sent, by the thread that runs here
    Tid tid;       ///< whom it is for
    std::uint16_t signal;
    std::int32_t code;     ///< si_code
    bool group;            ///< sent to the whole process
    std::uint32_t result;  ///< of sending: enum hftmon_signal_result
};
/// Functions and objects are addresses of the kernel; 0: not known, or hidden
/// from who recorded.
struct HrtimerStartEvent { std::uint64_t function; Nanoseconds expires; };  ///< on the timer's own clock
enum class FunctionStage : std::uint8_t {
    kTimerEntry, kTimerExit, kWorkQueue, kWorkStart, kWorkEnd, kTaskletEntry, kTaskletExit, kCsdQueue, kCsdEntry, kCsdExit
};
struct FunctionEvent {
    static constexpr std::uint32_t kAnyCpu = 0xffff'ffff;
    FunctionStage stage;
    std::uint64_t function, object;
    std::uint32_t arg;  ///< kTimerEntry: jiffies late; kWorkQueue, kCsdQueue: CPU
};
struct NapiEvent { std::uint32_t ifindex, work, budget; };
enum class PacketStage : std::uint8_t { kReceive, kQueue, kStartXmit };
struct PacketEvent { PacketStage stage; std::uint32_t ifindex, length; };
struct BlockEvent {
    bool complete;
    std::uint32_t device;  ///< major << 20 | minor
    std::uint32_t op, bytes;
    std::uint64_t sector;
};
struct SyscallEvent { bool enter, compat; std::int32_t number; std::int64_t ret; };  ///< compat: of the 32-bit table
/// A duration has ended just before that was over the session's minimum.
struct DurationEvent {
    DurationKind kind;
    TscTicks duration;
    Tid tid;              ///< whose; of handlers, who was interrupted
    std::uint32_t cause;  ///< of handlers: which; else the thread that ran until then
    [[nodiscard]] bool of_handler() const noexcept {
        return kind <= HFTMON_DURATION_VECTOR || kind == HFTMON_DURATION_NMI;
    }
};
/// The same, and a trigger was set for it.
struct SpikeEvent : DurationEvent {};
/// From now on these sources are not recorded on this CPU, to keep to the budget; see abi/cost.h.
struct ShedEvent { std::uint64_t sources; std::uint32_t spent_ppm, budget_ppm; };
enum class StackOf : std::uint8_t { kSwitch, kWaking, kSpike };
/// Numbers of a StackTable; 0: there is none, it found no room or is hidden.
struct StackIds {
    std::uint32_t kernel = 0, user = 0;
    [[nodiscard]] bool any() const noexcept { return kernel != 0 || user != 0; }
};
/// Where a thread was at the last such event of this CPU before: who left, who woke
/// another, who ran.
struct StackEvent { StackOf of; Tid tid; StackIds stack; };
// clang-format on

using EventBody =
    std::variant<GapEvent, CpuStateEvent, SchedSwitchEvent, SchedWakeEvent, SchedMigrateEvent, ThreadEvent, IrqEvent,
                 SoftirqEvent, VectorEvent, NmiEvent, PageFaultEvent, CpuIdleEvent, HrtimerEvent, PriorityEvent,
                 NeedReschedEvent, BlockedEvent, NumaEvent, IpiSendEvent, TlbFlushEvent, CpuFrequencyEvent, SignalEvent,
                 SpikeEvent, HrtimerStartEvent, FunctionEvent, NapiEvent, PacketEvent, BlockEvent, SyscallEvent,
                 ShedEvent, StackEvent, DurationEvent, RunQueueEvent, AffinityEvent, ThrottleEvent, NumaFaultEvent>;

struct Event {
    EventHeader header;
    EventBody body;
};

/// "sched_switch"; "unknown" beyond the sources of this library.
[[nodiscard]] std::string_view source_name(std::uint32_t source) noexcept;
/// Names of a mask of sources: "sys_enter,sys_exit".
[[nodiscard]] std::string sources_text(std::uint64_t sources);
/// Kernel names: "NET_RX", "local_timer"; "unknown" beyond the known range.
[[nodiscard]] std::string_view softirq_name(std::uint32_t vec) noexcept;
[[nodiscard]] std::string_view vector_name(VectorKind kind) noexcept;
/// "remote_shootdown" and so on.
[[nodiscard]] std::string_view tlb_flush_reason_name(TlbFlushReason reason) noexcept;
[[nodiscard]] std::string_view policy_name(Policy policy) noexcept;

}  // namespace hftmon
