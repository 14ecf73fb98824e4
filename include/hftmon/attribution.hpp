// SPDX-License-Identifier: MIT
/// Delay -> bill: what took the time in which a thread should have run.
/// docs/design.md, "Delay and bill".
#pragma once

#include <cstdint>
#include <vector>

#include "hftmon/names.hpp"
#include "hftmon/timeline.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// [start, end) in which a thread should have run and did not.
struct Delay {
    DelayKind kind = DelayKind::kWakeup;
    StartReason reason = StartReason::kUnseen;
    bool is_enqueued = false;
    Tid tid{};
    std::int16_t prio = 0;  ///< when it was switched in
    Policy policy = Policy::kNormal;
    CpuId cpu{};  ///< where it was switched in
    TscTime start{}, end{};
    TscTime enqueued{};     ///< stood in a run queue from here on, if is_enqueued
    Waking waking;          ///< kTimer, kWaking, kNewThread
    Tid preempted_by{};     ///< kPreempted; 0 is the idle thread
    StackIds left;          ///< where it was when it left its CPU before, if stacks were recorded
    std::vector<Hop> hops;  ///< CPUs that it waited on, from the waking or the switch-out on

    [[nodiscard]] TscTicks length() const noexcept { return end - start; }
};

/// How the owner of a line stood to the delayed thread. Only lines whose cause
/// is a thread have one, and idle lines where it is kThrottled.
enum class Relation : std::uint8_t {
    kNone,           ///< not a thread; or its priority is not known
    kHigher,         ///< higher priority
    kEqual,          ///< same priority: first come, first served, or round robin
    kLower,          ///< lower, and ran already: the kernel had preemption off there, or the
                     ///< reschedule interrupt was on its way
    kChosen,         ///< lower, and switched in over it: real-time throttling or fair server
    kCompeting,      ///< both fair: they share the CPU
    kWaker,          ///< the thread that was waking it, on the same CPU
    kStopper,        ///< the kernel's stop task: above all priorities
    kInFlight,       ///< lower, while the wakeup was on its way to this CPU from another
    kThrottled,      ///< the CPU went idle over it: real-time or cgroup throttling
    kTimerCallback,  ///< before the waking: the due timer's callback waited for this thread
};

/// Time that one owner took of a delay.
struct BillLine {
    CauseKind cause = CauseKind::kUnknown;
    Relation relation = Relation::kNone;
    bool timer_late = false;    ///< the due timer's interrupt had not arrived meanwhile
    bool is_named = false;      ///< comm is known
    std::uint32_t subject = 0;  ///< as Cause::subject
    std::int16_t prio = 0;      ///< threads only, kPrioUnknown possible
    Policy policy = Policy::kNormal;
    Comm comm;                      ///< threads only
    TscTime first{};                ///< when the first stretch began
    TscTicks ticks{};               ///< net of what nested in it
    std::uint32_t stretches = 0;    ///< uninterrupted pieces
    std::uint32_t page_faults = 0;  ///< that it took meanwhile
    bool more_page_faults = false;  ///< at least: earlier ones are forgotten
};

/// Why a bill is not a verdict. Bits of Bill::incomplete.
enum : std::uint8_t {
    kIncompleteGap = 1,          ///< records are missing inside the delay
    kIncompleteStart = 2,        ///< the waking was not seen: the delay began earlier
    kIncompleteCpu = 4,          ///< it ran on a CPU that it was not seen to move to
    kIncompleteHistory = 8,      ///< reaches back beyond the history kept
    kIncompleteUnrecorded = 16,  ///< it waited on a CPU that was not recorded, or not yet
    kIncompleteShed = 32,        ///< sources that bills need were not recorded all the time, to keep to the budget
};
/// The thread may have run inside the delay, which is then an upper bound.
inline constexpr std::uint8_t kMayHaveRun = kIncompleteGap | kIncompleteUnrecorded;

/// An itemised delay: lines and `unattributed` sum to end - start, exactly.
struct Bill {
    Delay delay;
    ThreadInfo thread;            ///< the delayed one; comm is empty when not known
    ThreadInfo other;             ///< waker or preempter, likewise
    std::vector<BillLine> lines;  ///< by ticks, largest first
    TscTicks unattributed{};
    /// hftmon's own events on the CPUs that the delay walks, while it does: each took
    /// those CPUs a moment, which is in the lines.
    std::uint32_t own_events = 0;
    /// Interrupts between the switch-in and after_end: the next switch-out, or
    /// the limit of observation, or the end of the stream. Not in the sum.
    std::vector<BillLine> after_switch_in;
    TscTime after_end{};
    bool after_has_gap = false;   ///< records are missing there, or were left out to keep to the budget
    std::uint8_t incomplete = 0;  ///< 0, or why there is no verdict

    /// Lines plus unattributed.
    [[nodiscard]] TscTicks total() const noexcept;
    /// The delay may have been shorter.
    [[nodiscard]] bool is_upper_bound() const noexcept { return (incomplete & kMayHaveRun) != 0; }
};

/// Delay that a thread's wait was; call it when Timeline::apply() says `waited`.
void describe_wait(const Thread& thread, Delay& delay);

/// Where must more be known before the wait that `thread` has ended can be
/// judged? A CPU that it waited on earlier and that has recorded nothing since:
/// its next record may tell that records are missing. Null when all is known.
const CpuTimeline* find_unsettled(const Timeline& timeline, const Thread& thread) noexcept;

/// kMayHaveRun, as far as it holds for the wait that `thread` has ended. O(1)
/// where no records are missing. Pulled to a CPU and back, all inside a gap of
/// that CPU, is beyond what can be known.
std::uint8_t doubts(const Timeline& timeline, const Thread& thread);

/// Makes the lines of `bill.delay` out of the CPUs' history. Everything up to
/// delay.end must have been applied and not much after it. Reuses the vectors.
void attribute(const Timeline& timeline, Bill& bill);

/// Fills after_switch_in for [delay.end, until).
void attribute_after(const Timeline& timeline, TscTime until, Bill& bill);

/// Fills in names as known now, and what follows from them (kStopper). Names
/// already found stay. May be called again when more names were learned.
void label(const NameTable& names, Bill& bill);

}  // namespace hftmon
