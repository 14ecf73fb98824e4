// SPDX-License-Identifier: MIT
/// A scenario plants one delay at a time; the runner repeats, checks, prints.
#pragma once

#include <algorithm>
#include <memory>
#include <span>

#include "clock.hpp"
#include "truth.hpp"
#include "worker.hpp"

namespace plant {

/// Where and how: what the command line settled, the same for every delay.
struct Setting {
    int cpu = 0;         ///< the victim's
    int helper_cpu = 0;  ///< drivers and wakers, not the victim's
    int second_cpu = 0;  ///< remote-migrate: where the victim goes
    MonoNs length_ns = 0;
    DelayKind kind = DelayKind::kWakeup;
};

/// The plan of one delay. The victim is due at `wake`; the offender starts
/// `kLead` before that (wakeup) or at that time (preemption) on the same CPU,
/// and keeps it until() the victim has waited for length().
class Round {
public:
    static constexpr MonoNs kLead = 1'000'000;
    static constexpr MonoNs kMargin = 100'000;
    static constexpr MonoNs kPatience = 300'000'000;

    Round(const Setting& setting, const Clock& clock, MonoNs wake) noexcept;

    const Setting& setting;
    const MonoNs wake;
    const MonoNs offender_start;

    /// Planned time on the TSC of `wake`, and of the end of the cause.
    [[nodiscard]] Tsc wake_tsc() const noexcept { return clock_.tsc_at(wake); }
    [[nodiscard]] Tsc until() const noexcept { return wake_tsc() + length(); }
    /// The end of a cause that came at `start`, which may have been late.
    [[nodiscard]] Tsc until(Tsc start) const noexcept { return std::max(until(), start + length()); }
    [[nodiscard]] Tsc length() const noexcept { return clock_.ticks(setting.length_ns + kMargin); }
    /// Whoever spins and waits for another thread stops then.
    [[nodiscard]] Tsc give_up() const noexcept { return until() + clock_.ticks(kPatience); }
    /// To be called after the delay: sets its start to `wake`, converted
    /// between clock readings before and after it.
    void start_at_wake(Delay& delay) const noexcept;

private:
    ClockPair before_;
    Clock clock_;
};

class Scenario {
public:
    virtual ~Scenario() = default;
    virtual Delay plant(const Round& round) = 0;
};

/// A row of the table of scenarios.
struct ScenarioInfo {
    const char* name;
    const char* help;
    bool preemption;  ///< can do DelayKind::kPreemption
    bool controlled;  ///< the delay lasts at least the length asked for
    int cpus;         ///< how many CPUs it needs
    std::unique_ptr<Scenario> (*make)(const Setting&);
};

std::span<const ScenarioInfo> scenarios();

std::unique_ptr<Scenario> make_preempt_higher(const Setting&);
std::unique_ptr<Scenario> make_equal_priority(const Setting&);
std::unique_ptr<Scenario> make_page_fault(const Setting&);
std::unique_ptr<Scenario> make_stopper(const Setting&);
std::unique_ptr<Scenario> make_hardirq(const Setting&);
std::unique_ptr<Scenario> make_irq_thread(const Setting&);
std::unique_ptr<Scenario> make_softirq(const Setting&);
std::unique_ptr<Scenario> make_timer(const Setting&);
std::unique_ptr<Scenario> make_deep_idle(const Setting&);
std::unique_ptr<Scenario> make_remote_migrate(const Setting&);
std::unique_ptr<Scenario> make_quiet(const Setting&);

}  // namespace plant
