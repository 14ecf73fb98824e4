// SPDX-License-Identifier: MIT
// Scheduler events into the states of threads.
#include "hftmon/names.hpp"
#include "hftmon/timeline.hpp"

#include <algorithm>

namespace hftmon {
namespace {

/// TASK_DEAD of <linux/sched.h>: the thread's last switch.
constexpr std::uint32_t kTaskDead = 0x80;

constexpr Cause kNotWatchedHere{.kind = CauseKind::kNotWatched, .policy = {}, .prio = 0, .subject = 0, .thread = {}};

bool valid(Tid tid) noexcept { return tid.value < kTidLimit; }

void add_hop(Wait& wait, TscTime time, CpuId cpu) {
    if (wait.hops.back().cpu == cpu) return;
    if (wait.hops.back().since == time) {
        wait.hops.back().cpu = cpu;
    } else {
        wait.hops.push_back({time, cpu});
    }
}

}  // namespace

void Timeline::end_life(const Thread& thread) noexcept {
    TscTicks sum{};
    for (const TscTicks spent : thread.spent) sum += spent;
    if (sum != thread.since - thread.first) ++broken_lives_;
    threads_.forget(thread.tid);
}

Thread* Timeline::leave_cpu(const SchedSwitchEvent& event, CpuId cpu) {
    if (event.prev == kIdleTid) return nullptr;
    Thread& thread = threads_.at(event.prev, now_);
    const bool running_here = thread.state == ThreadState::kRunning && thread.cpu == cpu;
    if (!running_here && thread.state != ThreadState::kUnknown && !thread.assumed && !event.prev_partial)
        ++anomalies_.wrong_prev;
    thread.assumed = false;
    thread.cpu = cpu;
    thread.left = {};
    thread.prio = event.prev_prio;
    thread.policy = event.prev_policy;
    if ((event.prev_state & kTaskDead) != 0) {
        thread.enter(ThreadState::kDead, now_);
        return &thread;
    }
    if (event.prev_partial) {
        // When it runs again need not be recorded.
        thread.enter(ThreadState::kUnknown, now_);
    } else if (event.prev_runnable()) {
        thread.enter(ThreadState::kRunnable, now_);
        Wait& wait = thread.wait;
        wait.kind = DelayKind::kPreemption;
        wait.reason = StartReason::kPreempted;
        wait.is_enqueued = true;
        wait.start = wait.enqueued = now_;
        wait.preempted_by = event.next;
        wait.hops.clear();
        wait.hops.push_back({now_, cpu});
    } else {
        thread.enter(ThreadState::kSleeping, now_);
        // It was asked to wake while it was on its way out.
        if (thread.waking_pending) begin_wakeup(thread, thread.pending, StartReason::kWaking, cpu);
    }
    thread.waking_pending = false;
    return &thread;
}

Thread* Timeline::take_cpu(const SchedSwitchEvent& event, CpuId cpu, bool& waited) {
    waited = false;
    if (event.next == kIdleTid) return nullptr;
    Thread& thread = threads_.at(event.next, now_);
    if (event.next_partial) {
        thread.enter(ThreadState::kUnknown, now_);
        thread.waking_pending = false;
        thread.cpu = cpu;
        return &thread;
    }
    switch (thread.state) {
        case ThreadState::kRunnable:
            waited = true;
            if (thread.wait.hops.back().cpu != cpu) ++anomalies_.unseen_moves;
            break;
        case ThreadState::kSleeping: ++anomalies_.unseen_wakings; break;
        case ThreadState::kRunning:
        case ThreadState::kDead:
            if (!thread.assumed) ++anomalies_.wrong_next;
            break;
        case ThreadState::kUnknown: break;
    }
    thread.enter(ThreadState::kRunning, now_);
    thread.assumed = false;
    thread.waking_pending = false;
    thread.cpu = cpu;
    thread.prio = event.next_prio;
    thread.policy = event.next_policy;
    thread.page_faults_this_run = 0;
    return &thread;
}

Switched Timeline::apply(const EventHeader& header, const SchedSwitchEvent& event) {
    CpuTimeline* cpu = admit(header);
    if (!cpu) return {};
    if (!valid(event.prev) || !valid(event.next)) {
        ++anomalies_.bad_ids;
        return {};
    }
    Thread* prev = leave_cpu(event, header.cpu);
    Switched result;
    bool waited = false;
    Thread* next = take_cpu(event, header.cpu, waited);
    SuspendedSoftirq dropped;
    // Its end would not be seen.
    const bool is_softirq_seen = (cpu->shed_now() & HFTMON_SOURCE_BIT(HFTMON_SOURCE_SOFTIRQ)) == 0;
    if (event.prev_partial || event.next_partial) cpu->set_partial();
    cpu->switch_bottom(
        now_, event.prev_partial ? kNotWatchedHere : cause_of(event.prev, event.prev_prio, event.prev_policy),
        event.next_partial ? kNotWatchedHere : cause_of(event.next, event.next_prio, event.next_policy),
        prev ? prev->softirq : dropped, next && is_softirq_seen ? next->softirq : no_softirq_, anomalies_);
    if (next) next->softirq.active = false;
    if (waited) result.waited = next;
    if (prev && prev->state == ThreadState::kDead) {
        result.died = true;
        result.dead_tag = prev->tag;
        end_life(*prev);
    }
    return result;
}

/// A sleeping or unknown thread becomes runnable because of `waking`.
void Timeline::begin_wakeup(Thread& thread, const Waking& waking, StartReason reason, CpuId target) {
    // Before it went to sleep it was not late; before the stream nothing is known.
    const TscTime earliest = thread.first < now_ ? thread.since : first_;
    thread.assumed = thread.state == ThreadState::kUnknown;
    thread.enter(ThreadState::kRunnable, now_);
    thread.waking_pending = false;
    thread.cpu = target;
    Wait& wait = thread.wait;
    wait.kind = DelayKind::kWakeup;
    wait.reason = waking.timer.active ? StartReason::kTimer : reason;
    wait.is_enqueued = false;
    wait.waking = waking;
    wait.preempted_by = {};
    wait.start = std::clamp(waking.timer.active ? waking.timer.expiry : waking.time, std::min(earliest, now_), now_);
    wait.hops.clear();
    wait.hops.push_back({now_, target});
}

/// It stands in the run queue of `target`.
void Timeline::enqueue(Thread& thread, CpuId target) {
    Wait& wait = thread.wait;
    if (wait.is_enqueued) return;
    wait.is_enqueued = true;
    wait.enqueued = now_;
    add_hop(wait, now_, target);
    thread.cpu = target;
}

void Timeline::apply(const EventHeader& header, const SchedWakeEvent& event) {
    CpuTimeline* cpu = admit(header);
    if (!cpu) return;
    if (!valid(event.tid) || event.tid == kIdleTid || event.target.value >= kCpuLimit) {
        ++anomalies_.bad_ids;
        return;
    }
    Waking waking{.time = now_,
                  .waker = event.waker,
                  .cpu = header.cpu,
                  .context = event.context,
                  .source = cpu->owner(),
                  .timer = cpu->timer(),
                  .stack = {}};
    if (event.stage == WakeStage::kWakeupNew) {
        Thread& thread = threads_.at(event.tid, now_);
        waking.timer.active = false;
        begin_wakeup(thread, waking, StartReason::kNewThread, event.target);
        enqueue(thread, event.target);
        thread.prio = event.prio;
        return;
    }
    Thread& thread = threads_.at(event.tid, now_);
    thread.prio = event.prio;
    const bool is_waking = event.stage == WakeStage::kWaking;
    if (is_waking) cpu->set_woken(event.tid);
    switch (thread.state) {
        case ThreadState::kRunning:
            // Either it has not given the CPU away and goes on, which a wakeup
            // confirms; or it is on its way out, which its switch-out confirms.
            thread.waking_pending = is_waking;
            if (is_waking) thread.pending = waking;
            break;
        case ThreadState::kRunnable:
            if (!is_waking) {
                enqueue(thread, event.target);
                break;
            }
            // Awake already, unless it may have slept inside a gap.
            if (const CpuTimeline* waits_on = this->cpu(thread.cpu); waits_on && waits_on->last_gap() > thread.since) {
                begin_wakeup(thread, waking, StartReason::kWaking, event.target);
            }
            break;
        case ThreadState::kUnknown:
        case ThreadState::kSleeping:
        case ThreadState::kDead:
            if (is_waking) {
                begin_wakeup(thread, waking, StartReason::kWaking, event.target);
                break;
            }
            if (thread.state == ThreadState::kSleeping) ++anomalies_.unseen_starts;
            waking.timer.active = false;
            begin_wakeup(thread, waking, StartReason::kUnseen, event.target);
            enqueue(thread, event.target);
            break;
    }
}

/// Follows its event at once: nothing else has become of the thread.
void Timeline::apply(const EventHeader& header, const StackEvent& event) {
    CpuTimeline* cpu = admit(header);
    if (!cpu) return;
    if (!valid(event.tid)) {
        ++anomalies_.bad_ids;
        return;
    }
    if (event.of == StackOf::kSwitch) {
        Thread* thread = threads_.find(event.tid);
        if (thread && thread->state != ThreadState::kRunning) thread->left = event.stack;
    } else if (event.of == StackOf::kWaking) {
        Thread* thread = threads_.find(cpu->woken());
        cpu->set_woken(kIdleTid);  // a waking that was interrupted by another loses its stack
        if (!thread || (!thread->waking_pending && thread->state != ThreadState::kRunnable)) return;
        Waking& waking = thread->waking_pending ? thread->pending : thread->wait.waking;
        if (waking.cpu == header.cpu && waking.waker == event.tid && !waking.stack.any()) waking.stack = event.stack;
    }
}

void Timeline::apply(const EventHeader& header, const SchedMigrateEvent& event) {
    if (!admit(header)) return;
    if (!valid(event.tid) || event.to.value >= kCpuLimit) {
        ++anomalies_.bad_ids;
        return;
    }
    Thread* thread = threads_.find(event.tid);
    if (!thread || thread->state == ThreadState::kRunning) return;
    thread->cpu = event.to;
    if (thread->state == ThreadState::kRunnable) add_hop(thread->wait, now_, event.to);
}

/// Whoever waits behind the thread from now on waits behind the new priority.
void Timeline::apply(const EventHeader& header, const PriorityEvent& event) {
    if (!admit(header)) return;
    if (!valid(event.tid) || event.tid == kIdleTid) {
        ++anomalies_.bad_ids;
        return;
    }
    Thread* thread = threads_.find(event.tid);
    if (!thread) return;
    thread->prio = event.new_prio;
    if (thread->state == ThreadState::kRunning && thread->cpu.value < cpus_.size() && cpus_[thread->cpu.value])
        cpus_[thread->cpu.value]->set_bottom_priority(now_, event.tid, event.new_prio);
}

void Timeline::apply(const EventHeader& header, const ThreadEvent& event) {
    CpuTimeline* cpu = admit(header);
    if (!cpu) return;
    if (!valid(event.tid) || !valid(event.related) || event.tid == kIdleTid) {
        ++anomalies_.bad_ids;
        return;
    }
    if (event.change == IdentityChange::kFork) {
        threads_.forget(event.tid);  // whatever it was, it is another thread now
    } else if (event.change == IdentityChange::kExec && event.related != event.tid && event.related != kIdleTid) {
        threads_.rename(event.related, event.tid, now_);
        if (cpu->bottom().thread == event.related) cpu->rename_bottom(event.tid);
    }
}

void Timeline::set_tag(Tid tid, std::uint32_t tag) noexcept {
    if (Thread* thread = threads_.find(tid)) thread->tag = tag;
}

}  // namespace hftmon
