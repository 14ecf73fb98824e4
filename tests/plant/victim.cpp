// SPDX-License-Identifier: MIT
#include "victim.hpp"

namespace plant {

Spin spin_until(Tsc until) noexcept {
    constexpr Tsc kGapMin = 10'000;  // 3 to 5 us: more than the loop itself takes
    Spin spin;
    spin.start = tsc_now();
    Tsc last = spin.start;
    while (last < until) {
        const Tsc now = tsc_now();
        if (now - last > kGapMin) spin.gap += now - last;
        if (now - last > spin.gap_end - spin.gap_start) {
            spin.gap_start = last;
            spin.gap_end = now;
        }
        last = now;
    }
    spin.end = last;
    return spin;
}

void Victim::start(const Round& round) {
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
            spin_ = spin_until(round.until() + (round.until() - round.wake_tsc()) / 5);
            woke_on_ = sched_getcpu();
        });
    }
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
        delay.start = spin_.gap_start;
        delay.end = spin_.gap_end;
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
