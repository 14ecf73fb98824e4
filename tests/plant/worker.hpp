// SPDX-License-Identifier: MIT
/// Pinned, named threads of a known priority, and CPU sets.
#pragma once

#include <sched.h>

#include <functional>
#include <future>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace plant {

/// The machine does not let us do what the scenario needs; says what helps.
struct SetupError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// SetupError from errno: "what: reason (hint)".
[[noreturn]] void throw_errno(const std::string& what, const std::string& hint = "");

/// CPUs that this process may use.
std::vector<int> allowed_cpus();
/// Moves a thread (0: the calling one) to these CPUs.
void set_affinity(int tid, const std::vector<int>& cpus);
/// All memory, now and later, stays in RAM. Throws without the rights for that
/// or for real-time priorities.
void prepare_process();

/// Real-time priorities (SCHED_FIFO). Stock RT kernels run interrupt threads
/// at 50: above the victim, below the hogs.
enum Priority : int { kEqual = 40, kVictim = 40, kHigher = 60, kControl = 80 };

/// A job under way. Its end is waited for at the latest when this goes out of
/// scope: declare what the job uses before it.
class [[nodiscard]] Job {
public:
    Job() = default;
    explicit Job(std::future<void> end) : end_(std::move(end)) {}
    Job(Job&&) = default;
    Job& operator=(Job&&) = default;
    ~Job() {
        if (end_.valid()) end_.wait();
    }
    /// Waits, and throws what the job threw.
    void get() { end_.get(); }

private:
    std::future<void> end_;
};

/// A thread that lives as long as this object and runs one job at a time.
class Worker {
public:
    /// `name` shows in the kernel: at most 15 characters.
    Worker(std::string name, int cpu, Priority priority);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Starts a job; the one before must have ended.
    Job run(std::function<void()> job);

    [[nodiscard]] int tid() const noexcept { return tid_; }
    [[nodiscard]] int cpu() const noexcept { return cpu_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// State letter in /proc, 'S' when it sleeps.
    [[nodiscard]] char state() const;

private:
    void loop();

    std::string name_;
    int cpu_;
    int tid_ = 0;
    std::packaged_task<void()> job_;
    std::counting_semaphore<1> start_{0};
    std::thread thread_;
};

}  // namespace plant
