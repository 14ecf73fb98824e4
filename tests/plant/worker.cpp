// SPDX-License-Identifier: MIT
#include "worker.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace plant {

namespace {

constexpr const char* kRightsHint = "run as root, or with CAP_SYS_NICE and CAP_IPC_LOCK";

void set_policy(int policy, int priority) {
    sched_param param{};
    param.sched_priority = priority;
    if (sched_setscheduler(0, policy, &param) != 0) throw_errno("set a real-time priority", kRightsHint);
}

}  // namespace

void throw_errno(const std::string& what, const std::string& hint) {
    const std::string reason = std::strerror(errno);
    throw SetupError("cannot " + what + ": " + reason + (hint.empty() ? "" : " (" + hint + ")"));
}

std::vector<int> allowed_cpus() {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) throw_errno("read the CPU affinity");
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
    return cpus;
}

void set_affinity(int tid, const std::vector<int>& cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int cpu : cpus) CPU_SET(cpu, &set);
    if (sched_setaffinity(tid, sizeof set, &set) != 0) throw_errno("set the CPU affinity");
}

void prepare_process() {
    set_policy(SCHED_FIFO, kControl);  // only to see whether we may
    set_policy(SCHED_OTHER, 0);
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) throw_errno("lock memory", kRightsHint);
}

Worker::Worker(std::string name, int cpu, Priority priority) : name_(std::move(name)), cpu_(cpu) {
    thread_ = std::thread([this] { loop(); });
    try {
        run([this, priority] {
            tid_ = gettid();
            prctl(PR_SET_NAME, name_.c_str());
            set_affinity(0, {cpu_});
            set_policy(SCHED_FIFO, priority);
        }).get();
    } catch (...) {
        start_.release();
        thread_.join();
        throw;
    }
}

Worker::~Worker() {
    start_.release();
    thread_.join();
}

Job Worker::run(std::function<void()> job) {
    job_ = std::packaged_task<void()>(std::move(job));
    Job under_way(job_.get_future());
    start_.release();
    return under_way;
}

void Worker::loop() {
    for (;;) {
        start_.acquire();
        std::packaged_task<void()> job = std::move(job_);
        if (!job.valid()) return;  // released without a job: the end
        job();
    }
}

char Worker::state() const {
    std::ifstream stat("/proc/self/task/" + std::to_string(tid_) + "/stat");
    std::string text;
    std::getline(stat, text);
    const auto end_of_name = text.rfind(") ");
    return end_of_name == std::string::npos ? '?' : text[end_of_name + 2];
}

}  // namespace plant
