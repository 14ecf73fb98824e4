// SPDX-License-Identifier: MIT
#include "victim.hpp"

namespace plant {

void Victim::start(const Round& round) {
    spinning_ = false;
    let_go_ = false;
    if (round.setting.kind == DelayKind::kWakeup) {
        job_ = worker_.run([this, round] {
            slept_at_ = tsc_now();
            sleep_until(round.wake);
            woke_at_ = tsc_now();
            woke_on_ = sched_getcpu();
        });
    } else {
        job_ = worker_.run([this, round] {
            sleep_until(round.wake - Round::kLead);
            spinning_ = true;
            spin_ = spin_while([&](Tsc, Tsc now) { return !let_go_ && now < round.give_up(); });
            woke_on_ = sched_getcpu();
        });
    }
}

void Victim::await(const Round& round) const noexcept {
    sleep_until(round.offender_start);
    if (round.setting.kind != DelayKind::kPreemption) return;
    while (!spinning_ && tsc_now() < round.give_up()) sleep_until(mono_now() + Round::kLead / 10);
}

Delay Victim::finish(const Round& round) {
    job_.get();
    Delay delay = blank(round);
    delay.cpu = woke_on_;
    if (round.setting.kind == DelayKind::kWakeup) {
        round.start_at_wake(delay);
        delay.end = woke_at_;
        if (slept_at_ >= delay.start) delay.fault = "the victim was not asleep in time";
    } else {
        delay.start = spin_.longest.start;
        delay.end = spin_.longest.end;
    }
    return delay;
}

Delay Victim::blank(const Round& round) const {
    Delay delay;
    delay.kind = round.setting.kind;
    delay.victim = worker_.name();
    delay.tid = worker_.tid();
    delay.cpu = round.setting.cpu;
    return delay;
}

}  // namespace plant
