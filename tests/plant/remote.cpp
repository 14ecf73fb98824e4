// SPDX-License-Identifier: MIT
// deep-idle and remote-migrate: the victim is woken by a thread of another
// CPU, through an eventfd.
#include <sys/eventfd.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "victim.hpp"

namespace plant {

namespace {

class Event {
public:
    Event() : fd_(eventfd(0, EFD_CLOEXEC)) {
        if (fd_ < 0) throw_errno("create an eventfd");
    }
    ~Event() { close(fd_); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    void signal() const {
        if (eventfd_write(fd_, 1) != 0) throw_errno("signal the eventfd");
    }
    void wait() const {
        eventfd_t value = 0;
        if (eventfd_read(fd_, &value) != 0) throw_errno("wait for the eventfd");
    }

private:
    int fd_;
};

/// The victim's part, and the waker's.
class Remote : public Scenario {
public:
    Remote(const Setting& setting, const char* waker_name)
        : victim_(setting), waker_(waker_name, setting.helper_cpu, kControl) {}

protected:
    Job start_victim() {
        return victim_.worker().run([this] {
            event_.wait();
            woke_at_ = tsc_now();
            woke_on_ = sched_getcpu();
        });
    }
    /// On the waker: wakes the victim; returns when.
    Tsc wake() {
        slept_ = victim_.worker().state() == 'S';
        wake_at_ = tsc_now();
        event_.signal();
        return wake_at_;
    }
    Delay seen(const Round& round) const {
        Delay delay = victim_.blank(round);
        delay.cpu = woke_on_;
        delay.start = wake_at_;
        delay.end = woke_at_;
        if (!slept_) delay.fault = "the victim was not asleep in time";
        return delay;
    }

    Event event_;
    Victim victim_;
    Worker waker_;

private:
    bool slept_ = false;
    Tsc wake_at_ = 0;
    Tsc woke_at_ = 0;
    int woke_on_ = 0;
};

/// Local timer interrupts that a CPU has had: the line LOC of /proc/interrupts.
std::uint64_t timer_interrupts(int cpu) {
    std::ifstream table("/proc/interrupts");
    std::string line;
    std::getline(table, line);
    std::istringstream header(line);
    int column = 0;
    for (std::string name; header >> name && name != "CPU" + std::to_string(cpu);) ++column;
    while (std::getline(table, line)) {
        std::istringstream row(line);
        std::string name;
        if (!(row >> name) || name != "LOC:") continue;
        std::uint64_t count = 0;
        for (int i = 0; i <= column; ++i) row >> count;
        return count;
    }
    throw SetupError("cannot read LOC in /proc/interrupts");
}

/// How often a CPU has begun to run a thread that is not its idle one: last
/// field of its line in /proc/schedstat.
std::uint64_t switch_ins(int cpu) {
    std::ifstream table("/proc/schedstat");
    for (std::string line; std::getline(table, line);) {
        std::istringstream row(line);
        std::string name;
        if (!(row >> name) || name != "cpu" + std::to_string(cpu)) continue;
        std::uint64_t last = 0;
        for (std::uint64_t field = 0; row >> field;) last = field;
        return last;
    }
    throw SetupError("cannot read /proc/schedstat");
}

/// How long leaving idle takes is not ours to say: it is what the victim saw.
class DeepIdle : public Remote {
public:
    explicit DeepIdle(const Setting& setting) : Remote(setting, "plant-waker") {}

    Delay plant(const Round& round) override {
        auto waiting = start_victim();
        const int cpu = round.setting.cpu;
        std::uint64_t ticks = 0, ran_earlier = 0, ran = 0;
        waker_
            .run([&] {
                sleep_until(round.wake - 2 * Round::kLead);
                ran_earlier = switch_ins(cpu);
                sleep_until(round.wake);
                ticks = timer_interrupts(cpu);
                ran = switch_ins(cpu);
                wake();
            })
            .get();
        waiting.get();
        Delay delay = seen(round);
        const bool was_idle = ran == ran_earlier && switch_ins(cpu) == ran + 1;
        if (delay.fault.empty() && !was_idle) delay.fault = "the CPU was not idle";
        if (delay.fault.empty() && timer_interrupts(cpu) != ticks)
            delay.fault = "a timer interrupt came while it was woken";
        delay.causes.push_back({.kind = "idle",
                                .name = "swapper/" + std::to_string(delay.cpu),
                                .cpu = delay.cpu,
                                .start = delay.start,
                                .end = delay.end,
                                .at_most = true});
        return delay;
    }
};

/// The victim waits behind a hog of its CPU, is moved half-way, and waits
/// behind a hog of the other CPU: two places, two causes.
class RemoteMigrate : public Remote {
public:
    explicit RemoteMigrate(const Setting& setting)
        : Remote(setting, "plant-mover"),
          first_("plant-hog", setting.cpu, kHigher),
          second_("plant-hog-b", setting.second_cpu, kHigher) {}

    Delay plant(const Round& round) override {
        const Setting& setting = round.setting;
        Spin first_spin;
        Spin second_spin;
        Tsc moving = 0;
        Tsc moved = 0;
        hogging_ = 0;
        second_starts_ = false;
        until_ = second_until_ = round.give_up();
        set_affinity(victim_.worker().tid(), {setting.cpu});
        auto waiting = start_victim();
        auto first = first_.run([&] {
            sleep_until(round.offender_start);
            first_spin = hog(until_);
        });
        // As late as possible: a machine that emulates its CPUs has not always two to give.
        auto second = second_.run([&] {
            while (!second_starts_ && tsc_now() < second_until_) sleep_until(mono_now() + Round::kLead / 10);
            second_spin = hog(second_until_);
        });
        waker_
            .run([&] {
                sleep_until(round.wake);
                while (hogging_ < 1) sleep_until(mono_now() + Round::kLead / 10);
                const Tsc woken = wake();
                sleep_until(mono_now() + setting.length_ns / 2);
                second_starts_ = true;
                while (hogging_ < 2 && tsc_now() < second_until_) sleep_until(mono_now() + Round::kLead / 10);
                moving = tsc_now();
                set_affinity(victim_.worker().tid(), {setting.second_cpu});
                moved = tsc_now();
                until_ = moved;
                second_until_ = std::max(woken + round.length(), moved + round.length() / 2);
            })
            .get();
        waiting.get();
        first.get();
        second.get();

        Delay delay = seen(round);
        delay.causes.push_back(to_cause(first_, first_spin, first_spin.start, std::min(moving, first_spin.end)));
        delay.causes.push_back(to_cause(second_, second_spin, std::max(moved, second_spin.start), second_spin.end));
        if (delay.cpu != setting.second_cpu) delay.fault = "the victim was not moved while it waited";
        return delay;
    }

private:
    Spin hog(const std::atomic<Tsc>& until) {
        ++hogging_;
        return spin_while([&](Tsc, Tsc now) { return now < until; });
    }
    static Cause to_cause(const Worker& hog, const Spin& spin, Tsc start, Tsc end) {
        return {.kind = "thread",
                .name = hog.name(),
                .cpu = hog.cpu(),
                .tid = hog.tid(),
                .start = start,
                .end = end,
                .gaps = spin.gaps,
                .more_gap = spin.more_gap};
    }

    std::atomic<int> hogging_ = 0;
    std::atomic<bool> second_starts_ = false;
    std::atomic<Tsc> until_ = 0;
    std::atomic<Tsc> second_until_ = 0;
    Worker first_;
    Worker second_;
};

}  // namespace

std::unique_ptr<Scenario> make_deep_idle(const Setting& setting) { return std::make_unique<DeepIdle>(setting); }
std::unique_ptr<Scenario> make_remote_migrate(const Setting& setting) {
    return std::make_unique<RemoteMigrate>(setting);
}

}  // namespace plant
