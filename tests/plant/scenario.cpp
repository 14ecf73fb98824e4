// SPDX-License-Identifier: MIT
#include "scenario.hpp"

#include <algorithm>
#include <array>

namespace plant {

namespace {

// name, help, preemption, controlled, cpus, make
constexpr std::array<ScenarioInfo, 11> kScenarios{{
    {"preempt-higher", "a SCHED_FIFO thread of higher priority has the CPU", true, true, 2, make_preempt_higher},
    {"equal-priority", "a SCHED_FIFO thread of equal priority has the CPU", false, true, 2, make_equal_priority},
    {"stopper", "migration/N has the CPU (stop_machine) [module]", true, true, 2, make_stopper},
    {"hardirq", "the handler of an interrupt line has the CPU [module]", false, true, 2, make_hardirq},
    {"irq-thread", "the thread of an interrupt line has the CPU [module]", true, true, 2, make_irq_thread},
    {"softirq", "a tasklet has the CPU [module]", false, true, 2, make_softirq},
    {"timer", "an hrtimer callback in the timer interrupt has the CPU [module]", false, true, 2, make_timer},
    {"page-fault", "a higher thread that only takes page faults has the CPU", true, true, 2, make_page_fault},
    {"deep-idle", "the CPU is idle when a thread elsewhere wakes the victim", false, false, 2, make_deep_idle},
    {"remote-migrate", "woken from elsewhere, waits on one CPU, is moved, waits on another", false, true, 3,
     make_remote_migrate},
    {"quiet", "nothing at all", false, false, 2, make_quiet},
}};

}  // namespace

std::span<const ScenarioInfo> scenarios() { return kScenarios; }

Round::Round(const Setting& a_setting, const Clock& clock, MonoNs a_wake) noexcept
    : setting(a_setting),
      wake(a_wake),
      offender_start(a_setting.kind == DelayKind::kWakeup ? a_wake - kLead : a_wake),
      before_(read_clock_pair()),
      clock_(clock.through(before_)) {}

void Round::start_at_wake(Delay& delay) const noexcept {
    const ClockPair after = read_clock_pair();
    delay.start = Clock(before_, after).tsc_at(wake);
    delay.start_error = std::max(before_.window, after.window);
}

}  // namespace plant
