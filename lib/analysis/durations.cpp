// SPDX-License-Identifier: MIT
#include "hftmon/durations.hpp"

#include <variant>

#include "hftmon/names.hpp"
#include "hftmon/timeline.hpp"

namespace hftmon {

namespace {

/// TASK_DEAD of <linux/sched.h>: the thread's last switch.
constexpr std::uint32_t kTaskDead = 0x80;

bool is_thread(Tid tid) noexcept { return tid != kIdleTid && tid.value < kTidLimit; }

}  // namespace

std::uint32_t countable_durations(const CaptureMeta& meta) noexcept {
    if (!meta.partial_cpus.empty()) return 0;
    std::uint64_t sources = 0;
    for (const CaptureSource& source : meta.sources) {
        if (source.active && source.id < HFTMON_SOURCE_COUNT) sources |= HFTMON_SOURCE_BIT(source.id);
    }
    std::uint32_t kinds = HFTMON_DURATION_ALL;
    if (meta.ring_mode != HFTMON_MODE_STREAM || meta.cpus.size() < meta.online_cpus || meta.online_cpus == 0) {
        kinds &= ~(HFTMON_DURATION_BIT(HFTMON_DURATION_WAKEUP) | HFTMON_DURATION_BIT(HFTMON_DURATION_RUN_QUEUE) |
                   HFTMON_DURATION_BIT(HFTMON_DURATION_OFF_CPU) | HFTMON_DURATION_BIT(HFTMON_DURATION_PREEMPTED));
    }
    return ::hftmon_durations_of(kinds, sources);
}

void DurationCounter::Cpu::forget() noexcept {
    handlers = {};
    switched.reset();
}

DurationCounter::Cpu& DurationCounter::at(CpuId cpu) {
    if (cpu.value >= cpus_.size()) cpus_.resize(cpu.value + 1);
    if (!cpus_[cpu.value]) cpus_[cpu.value] = std::make_unique<Cpu>();
    return *cpus_[cpu.value];
}

DurationHistograms DurationCounter::of(CpuId cpu) const {
    return cpu.value < cpus_.size() && cpus_[cpu.value] ? cpus_[cpu.value]->counted : DurationHistograms{};
}

void DurationCounter::missing(CpuId cpu) {
    if (cpu.value >= kCpuLimit) return;
    at(cpu).forget();
    threads_.clear();
}

void DurationCounter::handler(Cpu& cpu, DurationKind kind, bool entry, TscTime now) {
    Handlers& handlers = cpu.handlers[kind];
    if (entry) {
        if (handlers.depth < kDeep) handlers.entered[handlers.depth] = now;
        ++handlers.depth;
        return;
    }
    if (handlers.depth == 0) return;  // entered unseen
    if (--handlers.depth < kDeep) cpu.counted.of[kind].record(now - handlers.entered[handlers.depth]);
}

void DurationCounter::follow(Tid tid) { followed_.try_emplace(tid).first->second.tid = tid; }

void DurationCounter::count(Cpu& cpu, Tid tid, DurationKind kind, TscTicks duration) {
    cpu.counted.of[kind].record(duration);
    if (followed_.empty() || !ThreadHistograms::counts(kind)) return;
    if (const auto found = followed_.find(tid); found != followed_.end()) found->second[kind].record(duration);
}

/// Ends a duration that has begun.
void DurationCounter::end(Cpu& cpu, Tid tid, DurationKind kind, std::optional<TscTime>& begin, TscTime now) {
    if (begin) count(cpu, tid, kind, now - *begin);
    begin.reset();
}

void DurationCounter::apply(Cpu& cpu, TscTime now, const SchedSwitchEvent& event) {
    if (is_thread(event.prev)) {
        end(cpu, event.prev, HFTMON_DURATION_ON_CPU, cpu.switched, now);
        if ((event.prev_state & kTaskDead) != 0) {
            threads_.erase(event.prev.value);
            finish(event.prev);
        } else {
            Times& prev = threads_[event.prev.value];
            prev.running = false;
            prev.lost = event.prev_runnable();
            prev.out = now;
            prev.queued.reset();
            // Asked to wake and awake: it had not slept. Else it was on its way out.
            if (event.prev_runnable()) {
                prev.queued = now;
                prev.waking.reset();
            }
        }
    }
    if (is_thread(event.next)) {
        Times& next = threads_[event.next.value];
        end(cpu, event.next, HFTMON_DURATION_WAKEUP, next.waking, now);
        end(cpu, event.next, HFTMON_DURATION_RUN_QUEUE, next.queued, now);
        if (next.out && next.lost) count(cpu, event.next, HFTMON_DURATION_PREEMPTED, now - *next.out);
        end(cpu, event.next, HFTMON_DURATION_OFF_CPU, next.out, now);
        next.running = true;
    }
    cpu.switched = now;
}

void DurationCounter::apply(TscTime now, const SchedWakeEvent& event) {
    if (!is_thread(event.tid)) return;
    Times& thread = threads_[event.tid.value];
    switch (event.stage) {
        case WakeStage::kWaking:
            if (!thread.queued) thread.waking = now;
            break;
        case WakeStage::kWakeup:
            if (thread.running)
                thread.waking.reset();
            else if (!thread.queued)
                thread.queued = now;
            break;
        case WakeStage::kWakeupNew: thread.waking = thread.queued = now; break;
    }
}

/// A followed thread is no more, or not under this id.
void DurationCounter::finish(Tid tid) {
    auto found = followed_.extract(tid);
    if (!found) return;
    if (ended_.size() == kEndedKept) {
        for (const Histogram& histogram : found.mapped().of) not_kept_ += histogram.count();
        return;
    }
    found.mapped().ended = true;
    ended_.push_back(found.mapped());
}

void DurationCounter::apply(const ThreadEvent& event) {
    if (followed_.empty()) return;
    if (event.change == IdentityChange::kFork) {
        finish(event.tid);  // its death was not seen
        if (event.tid != event.tgid && followed_.contains(event.related)) follow(event.tid);
    } else if (event.change == IdentityChange::kExec && event.related != event.tid) {
        // Another thread of the process than its first takes over the first one's id.
        finish(event.tid);
        auto found = followed_.extract(event.related);
        if (!found) return;
        found.key() = found.mapped().tid = event.tid;
        followed_.insert(std::move(found));
    }
}

void DurationCounter::apply(const Event& event) {
    if (event.header.cpu.value >= kCpuLimit) return;
    const TscTime now = event.header.time;
    Cpu& cpu = at(event.header.cpu);
    if (const auto* change = std::get_if<SchedSwitchEvent>(&event.body)) {
        apply(cpu, now, *change);
    } else if (const auto* wake = std::get_if<SchedWakeEvent>(&event.body)) {
        apply(now, *wake);
    } else if (const auto* thread = std::get_if<ThreadEvent>(&event.body)) {
        apply(*thread);
    } else if (const auto* irq = std::get_if<IrqEvent>(&event.body)) {
        handler(cpu, HFTMON_DURATION_HARDIRQ, irq->entry, now);
    } else if (const auto* softirq = std::get_if<SoftirqEvent>(&event.body)) {
        if (softirq->stage != SoftirqStage::kRaise)
            handler(cpu, HFTMON_DURATION_SOFTIRQ, softirq->stage == SoftirqStage::kEntry, now);
    } else if (const auto* vector = std::get_if<VectorEvent>(&event.body)) {
        handler(cpu, HFTMON_DURATION_VECTOR, vector->entry, now);
    } else if (const auto* nmi = std::get_if<NmiEvent>(&event.body)) {
        cpu.counted.of[HFTMON_DURATION_NMI].record(clock_.to_ticks(nmi->duration));
    } else if (const auto* shed = std::get_if<ShedEvent>(&event.body)) {
        cpu.forget();
        if ((shed->sources & HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKING)) == 0) return;
        for (auto& [tid, times] : threads_) {
            times.waking.reset();
            times.queued.reset();
        }
    } else if (std::holds_alternative<CpuStateEvent>(event.body)) {
        cpu.forget();
    } else if (std::holds_alternative<GapEvent>(event.body)) {
        missing(event.header.cpu);
    }
}

}  // namespace hftmon
