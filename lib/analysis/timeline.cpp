// SPDX-License-Identifier: MIT
// Events into the levels of CPUs; who runs after records were lost.
#include "hftmon/timeline.hpp"

#include <algorithm>
#include <bit>

#include "hftmon/names.hpp"

namespace hftmon {
namespace {

constexpr Cause kNotWatchedHere{
    .kind = CauseKind::kNotWatched, .policy = {}, .prio = 0, .subject = kAssumed, .thread = {}};

bool valid(Tid tid) noexcept { return tid.value < kTidLimit; }

}  // namespace

Timeline::Timeline(const TscClock& clock, std::size_t history_segments)
    : clock_(clock), history_segments_(std::bit_ceil(std::clamp<std::size_t>(history_segments, 256, 1u << 30))) {}

Cause Timeline::cause_of(Tid tid, std::int16_t prio, Policy policy) noexcept {
    if (tid == kIdleTid) {
        return {.kind = CauseKind::kIdle, .policy = {}, .prio = 0, .subject = kIdleStateUnknown, .thread = {}};
    }
    return {.kind = CauseKind::kThread, .policy = policy, .prio = prio, .subject = tid.value, .thread = tid};
}

/// Times never go back, whatever the records say.
TscTime Timeline::clamp(TscTime time) noexcept {
    if (!begun_) {
        begun_ = true;
        first_ = now_ = time;
    }
    if (time < now_) {
        ++anomalies_.backwards;
    } else {
        now_ = time;
    }
    return now_;
}

CpuTimeline* Timeline::place(CpuId id) {
    if (id.value >= kCpuLimit) {
        ++anomalies_.bad_ids;
        return nullptr;
    }
    if (id.value >= cpus_.size()) cpus_.resize(id.value + 1);
    auto& cpu = cpus_[id.value];
    if (!cpu) cpu = std::make_unique<CpuTimeline>(id, history_segments_);
    return cpu.get();
}

CpuTimeline* Timeline::admit(const EventHeader& header) {
    CpuTimeline* cpu = place(header.cpu);
    if (cpu) cpu->touch(clamp(header.time));
    return cpu;
}

// ---- interrupts and the like ----------------------------------------------

void Timeline::apply(const EventHeader& header, const IrqEvent& event) {
    CpuTimeline* cpu = admit(header);
    if (!cpu) return;
    if (event.entry)
        cpu->enter(now_, CauseKind::kIrq, event.irq, anomalies_);
    else
        cpu->leave(now_, CauseKind::kIrq, event.irq, anomalies_);
}

void Timeline::apply(const EventHeader& header, const SoftirqEvent& event) {
    CpuTimeline* cpu = admit(header);
    if (!cpu) return;
    if (event.stage == SoftirqStage::kEntry) cpu->enter(now_, CauseKind::kSoftirq, event.vec, anomalies_);
    if (event.stage == SoftirqStage::kExit) cpu->leave(now_, CauseKind::kSoftirq, event.vec, anomalies_);
}

void Timeline::apply(const EventHeader& header, const VectorEvent& event) {
    CpuTimeline* cpu = admit(header);
    if (!cpu) return;
    if (event.entry)
        cpu->enter(now_, CauseKind::kVector, event.kind, anomalies_);
    else
        cpu->leave(now_, CauseKind::kVector, event.kind, anomalies_);
}

void Timeline::apply(const EventHeader& header, const NmiEvent& event) {
    if (CpuTimeline* cpu = admit(header)) cpu->nmi(now_, clock_.to_ticks(event.duration));
}

void Timeline::apply(const EventHeader& header, const DurationEvent& event) {
    CpuTimeline* cpu = admit(header);
    if (!cpu) return;
    switch (event.kind) {
        case HFTMON_DURATION_HARDIRQ: return cpu->handler(now_, event.duration, CauseKind::kIrq, event.cause);
        case HFTMON_DURATION_SOFTIRQ: return cpu->handler(now_, event.duration, CauseKind::kSoftirq, event.cause);
        case HFTMON_DURATION_VECTOR: return cpu->handler(now_, event.duration, CauseKind::kVector, event.cause);
        case HFTMON_DURATION_NMI: return cpu->nmi(now_, event.duration);
        default: return;  // of threads: switches and wakings tell it, where they are recorded
    }
}

void Timeline::apply(const EventHeader& header, const CpuIdleEvent& event) {
    if (CpuTimeline* cpu = admit(header)) cpu->idle(now_, event.enter, event.state);
}

void Timeline::apply(const EventHeader& header, const PageFaultEvent&) {
    CpuTimeline* cpu = admit(header);
    if (!cpu) return;
    cpu->page_fault(now_);
    if (cpu->bottom().kind != CauseKind::kThread) return;
    if (Thread* thread = threads_.find(cpu->bottom().thread)) {
        ++thread->page_faults;
        ++thread->page_faults_this_run;
    }
}

void Timeline::apply(const EventHeader& header, const HrtimerEvent& event) {
    CpuTimeline* cpu = admit(header);
    if (!cpu) return;
    if (event.entry)
        cpu->timer_enter(now_, clock_.to_ticks(event.late), clock_.to_ticks(event.slack));
    else
        cpu->timer_leave();
}

void Timeline::apply(const EventHeader& header, const ShedEvent& event) {
    CpuTimeline* cpu = admit(header);
    if (!cpu) return;
    cpu->shed(now_, event.sources);
    // What was begun is ended unseen: a wakeup that finds its thread running, a
    // softirq that went with its thread, here or elsewhere.
    threads_.for_each([&](Thread& thread) {
        if ((event.sources & HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKEUP)) != 0) thread.waking_pending = false;
        if ((event.sources & HFTMON_SOURCE_BIT(HFTMON_SOURCE_SOFTIRQ)) != 0) thread.softirq.active = false;
    });
}

void Timeline::assume_shed(CpuId id, std::uint64_t sources) {
    CpuTimeline* cpu = place(id);
    if (cpu && !cpu->begun()) cpu->shed(TscTime{}, sources);
}

// ---- who runs, after records were lost ------------------------------------

/// A record names the thread that runs here, without a switch.
void Timeline::observe_running(Tid tid, CpuId cpu, TscTime time) {
    if (tid == kIdleTid) return;
    Thread& thread = threads_.at(tid, time);
    if (thread.state == ThreadState::kRunning && thread.cpu == cpu) return;
    thread.enter(ThreadState::kRunning, time);
    thread.cpu = cpu;
    thread.waking_pending = false;
    thread.assumed = true;
}

void Timeline::begin_gap(CpuTimeline& cpu, TscTime time, const Cause& bottom) {
    // What the thread that ran here did since the last record is not known.
    if (Thread* thread = threads_.find(cpu.bottom().thread);
        thread && thread->state == ThreadState::kRunning && thread->cpu == cpu.cpu()) {
        thread->enter(ThreadState::kUnknown, std::max(thread->since, cpu.last()));
        thread->softirq.active = false;
    }
    cpu.gap(time, bottom, anomalies_);
}

void Timeline::apply(const EventHeader& header, const GapEvent& event) {
    CpuTimeline* cpu = place(header.cpu);
    if (!cpu) return;
    const TscTime time = clamp(header.time);
    if (!valid(event.current)) {
        ++anomalies_.bad_ids;
        return missing(header.cpu, header.time);
    }
    const Thread* current = threads_.find(event.current);
    Cause bottom =
        cause_of(event.current, current ? current->prio : kPrioUnknown, current ? current->policy : Policy::kNormal);
    if (cpu->partial()) bottom = kNotWatchedHere;  // unless a switch says that it is watched
    if (cpu->begun()) {
        begin_gap(*cpu, time, bottom);
        cpu->touch(time);
    } else {
        cpu->touch(time);
        cpu->set_bottom(time, bottom, anomalies_);
    }
    observe_running(event.current, header.cpu, time);
}

void Timeline::missing(CpuId id, TscTime at) {
    CpuTimeline* cpu = place(id);
    if (!cpu) return;
    const TscTime time = clamp(at);
    if (cpu->begun()) begin_gap(*cpu, time, Cause{});
    cpu->touch(time);
}

/// Threads that were watched may not be any longer, and nobody says which.
void Timeline::lose_sight() {
    threads_.for_each([&](Thread& thread) {
        if (thread.state == ThreadState::kUnknown) return;
        const CpuTimeline* runs_on = this->cpu(thread.cpu);
        if (thread.state == ThreadState::kRunning && runs_on && !runs_on->partial()) return;
        thread.enter(ThreadState::kUnknown, now_);
        thread.waking_pending = false;
        thread.softirq.active = false;
    });
}

void Timeline::apply(const EventHeader& header, const CpuStateEvent& event) {
    CpuTimeline* cpu = place(header.cpu);
    if (!cpu) return;
    const bool is_first = !cpu->begun();
    admit(header);
    if (!valid(event.current)) {
        ++anomalies_.bad_ids;
        return;
    }
    if (event.partial) {
        cpu->set_partial();
        if (event.unwatched) lose_sight();
        if (is_first)
            cpu->set_bottom(now_, kNotWatchedHere, anomalies_);
        else
            cpu->assume(now_, kNotWatchedHere);
        observe_running(event.current, header.cpu, now_);
        return;
    }
    cpu->set_bottom(now_, cause_of(event.current, event.prio, event.policy), anomalies_);
    observe_running(event.current, header.cpu, now_);
    if (Thread* thread = event.current == kIdleTid ? nullptr : threads_.find(event.current)) {
        thread->prio = event.prio;
        thread->policy = event.policy;
        thread->assumed = false;
    }
}

}  // namespace hftmon
