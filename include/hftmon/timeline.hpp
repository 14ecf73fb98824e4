// SPDX-License-Identifier: MIT
/// All CPUs and threads of one merged stream: who owned the CPUs, and what
/// state every thread was in. docs/design.md, "Timeline".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "hftmon/clock.hpp"
#include "hftmon/cpu_timeline.hpp"
#include "hftmon/event.hpp"
#include "hftmon/thread_timeline.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// CPUs of a larger number are damaged records.
inline constexpr std::uint32_t kCpuLimit = 8192;

/// What a switch did to the two threads.
struct Switched {
    /// The thread switched to, when that ended a wait: `waited->wait` says which,
    /// `waited->since` is its end. Null otherwise. Valid until the next event.
    const Thread* waited = nullptr;
    /// The thread switched away from will not come back; its tag was this.
    bool died = false;
    std::uint32_t dead_tag = 0;
};

/// Apply every event of the merged stream, in order, once.
///
/// Amortised O(1) per event; no allocation once threads and history have been
/// seen. Events are untrusted: what cannot be is counted in anomalies() and
/// never makes a duration negative. One thread at a time.
class Timeline {
public:
    /// history_segments: look-back per CPU; rounded up to a power of two.
    explicit Timeline(const TscClock& clock, std::size_t history_segments = 1u << 15);

    Switched apply(const EventHeader& header, const SchedSwitchEvent& event);
    void apply(const EventHeader& header, const SchedWakeEvent& event);
    void apply(const EventHeader& header, const SchedMigrateEvent& event);
    void apply(const EventHeader& header, const ThreadEvent& event);
    void apply(const EventHeader& header, const GapEvent& event);
    void apply(const EventHeader& header, const CpuStateEvent& event);
    void apply(const EventHeader& header, const IrqEvent& event);
    void apply(const EventHeader& header, const SoftirqEvent& event);
    void apply(const EventHeader& header, const VectorEvent& event);
    void apply(const EventHeader& header, const NmiEvent& event);
    void apply(const EventHeader& header, const PageFaultEvent& event);
    void apply(const EventHeader& header, const CpuIdleEvent& event);
    void apply(const EventHeader& header, const HrtimerEvent& event);
    void apply(const EventHeader& header, const PriorityEvent& event);
    // These take no CPU and move no thread: they only show that their CPU was alive.
    void apply(const EventHeader& header, const NeedReschedEvent&) { admit(header); }
    void apply(const EventHeader& header, const BlockedEvent&) { admit(header); }
    void apply(const EventHeader& header, const NumaEvent&) { admit(header); }
    void apply(const EventHeader& header, const RunQueueEvent&) { admit(header); }
    void apply(const EventHeader& header, const AffinityEvent&) { admit(header); }
    void apply(const EventHeader& header, const ThrottleEvent&) { admit(header); }
    void apply(const EventHeader& header, const NumaFaultEvent&) { admit(header); }
    void apply(const EventHeader& header, const IpiSendEvent&) { admit(header); }
    void apply(const EventHeader& header, const TlbFlushEvent&) { admit(header); }
    void apply(const EventHeader& header, const CpuFrequencyEvent&) { admit(header); }
    void apply(const EventHeader& header, const SignalEvent&) { admit(header); }
    void apply(const EventHeader& header, const SpikeEvent&) { admit(header); }
    void apply(const EventHeader& header, const DurationEvent& event);
    void apply(const EventHeader& header, const StackEvent& event);
    void apply(const EventHeader& header, const ShedEvent& event);
    /// Before the first record of that CPU: these sources may not have been recorded
    /// until a ShedEvent says what is.
    void assume_shed(CpuId id, std::uint64_t sources);
    void apply(const EventHeader& header, const HrtimerStartEvent&) { admit(header); }
    void apply(const EventHeader& header, const FunctionEvent&) { admit(header); }
    void apply(const EventHeader& header, const NapiEvent&) { admit(header); }
    void apply(const EventHeader& header, const PacketEvent&) { admit(header); }
    void apply(const EventHeader& header, const BlockEvent&) { admit(header); }
    void apply(const EventHeader& header, const SyscallEvent&) { admit(header); }
    /// Records of this CPU are missing before the one at `time`, and no GAP
    /// record says who runs: a jump in its positions.
    void missing(CpuId cpu, TscTime time);

    /// Null when the CPU has no record yet.
    [[nodiscard]] const CpuTimeline* cpu(CpuId cpu) const noexcept {
        return cpu.value < cpus_.size() ? cpus_[cpu.value].get() : nullptr;
    }
    [[nodiscard]] std::size_t cpu_limit() const noexcept { return cpus_.size(); }
    [[nodiscard]] const Thread* thread(Tid tid) const noexcept { return threads_.find(tid); }
    /// Gives the thread that holds `tid` now a tag; see Thread::tag.
    void set_tag(Tid tid, std::uint32_t tag) noexcept;
    [[nodiscard]] const ThreadTable& threads() const noexcept { return threads_; }
    [[nodiscard]] const Anomalies& anomalies() const noexcept { return anomalies_; }
    /// Time of the first and of the latest event.
    [[nodiscard]] TscTime first() const noexcept { return first_; }
    [[nodiscard]] TscTime now() const noexcept { return now_; }
    /// Threads whose states did not add up to their life when they died; 0.
    [[nodiscard]] std::uint64_t broken_lives() const noexcept { return broken_lives_; }

private:
    CpuTimeline* admit(const EventHeader& header);
    CpuTimeline* place(CpuId id);
    TscTime clamp(TscTime time) noexcept;
    [[nodiscard]] static Cause cause_of(Tid tid, std::int16_t prio, Policy policy) noexcept;
    void begin_gap(CpuTimeline& cpu, TscTime time, const Cause& bottom);
    void observe_running(Tid tid, CpuId cpu, TscTime time);
    void lose_sight();
    Thread* leave_cpu(const SchedSwitchEvent& event, CpuId cpu);
    Thread* take_cpu(const SchedSwitchEvent& event, CpuId cpu, bool& waited);
    void begin_wakeup(Thread& thread, const Waking& waking, StartReason reason, CpuId target);
    void enqueue(Thread& thread, CpuId target);
    void end_life(const Thread& thread) noexcept;

    TscClock clock_;
    std::size_t history_segments_;
    std::vector<std::unique_ptr<CpuTimeline>> cpus_;
    ThreadTable threads_;
    Anomalies anomalies_;
    SuspendedSoftirq no_softirq_;
    bool begun_ = false;
    TscTime first_{};
    TscTime now_{};
    std::uint64_t broken_lives_ = 0;
};

}  // namespace hftmon
