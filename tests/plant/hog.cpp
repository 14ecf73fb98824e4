// SPDX-License-Identifier: MIT
// preempt-higher and equal-priority: another SCHED_FIFO thread has the CPU.
#include "victim.hpp"

namespace plant {

namespace {

class Hog : public Scenario {
public:
    Hog(const Setting& setting, Priority priority) : victim_(setting), hog_("plant-hog", setting.cpu, priority) {}

    Delay plant(const Round& round) override {
        Spin spin;
        victim_.start(round);
        auto hogging = hog_.run([&] {
            victim_.await(round);
            spin = spin_while([&](Tsc start, Tsc now) { return now < round.until(start); });
            victim_.let_go();
        });
        hogging.get();
        Delay delay = victim_.finish(round);
        delay.causes.push_back({.kind = "thread",
                                .name = hog_.name(),
                                .cpu = hog_.cpu(),
                                .tid = hog_.tid(),
                                .start = spin.start,
                                .end = spin.end,
                                .gaps = spin.gaps,
                                .more_gap = spin.more_gap});
        return delay;
    }

private:
    Victim victim_;
    Worker hog_;
};

}  // namespace

std::unique_ptr<Scenario> make_preempt_higher(const Setting& setting) {
    return std::make_unique<Hog>(setting, kHigher);
}

std::unique_ptr<Scenario> make_equal_priority(const Setting& setting) { return std::make_unique<Hog>(setting, kEqual); }

}  // namespace plant
