// SPDX-License-Identifier: MIT
#include "faults.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "hftmon/abi/ioctl.h"

namespace device_fuzz {

Faults::Faults() : fd_(::open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC)) {}

Faults::~Faults() {
    if (fd_ >= 0) ::close(fd_);
}

void Faults::arm(int n) const {
    const std::string text = std::to_string(n);
    if (::pwrite(fd_, text.data(), text.size(), 0) >= 0) return;
    fmt::print("fail-nth: {}\n", std::strerror(errno));
    std::exit(2);
}

bool Faults::disarm() const {
    std::array<char, 16> text{};
    const bool injected = ::pread(fd_, text.data(), text.size() - 1, 0) > 0 && std::atoi(text.data()) == 0;
    (void)!::pwrite(fd_, "0", 1, 0);
    return injected;
}

namespace {

constexpr std::uint32_t kRecords = HFTMON_RING_MIN_RECORDS;
constexpr std::size_t kPage = 4096;
// No step has that many allocations.
constexpr int kAllocations = 5000;

template <class T>
T sized() {
    T argument{};
    argument.size = sizeof(argument);
    return argument;
}

int result(int returned) { return returned < 0 ? errno : 0; }

/// Each kind of hook: tracepoints, what is learnt on the way, functions, stacks.
/// All sources take a debug kernel ten seconds to hook, and allocate the same again and again.
constexpr std::uint64_t kOfEachKind =
    HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_SWITCH) | HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKING) |
    HFTMON_SOURCE_BIT(HFTMON_SOURCE_IRQ_HANDLER) | HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_UPDATE_NR_RUNNING) |
    HFTMON_SOURCE_BIT(HFTMON_SOURCE_AFFINE_MOVE_TASK) | HFTMON_SOURCE_BIT(HFTMON_SOURCE_THROTTLE_CFS_RQ) |
    HFTMON_SOURCE_BIT(HFTMON_SOURCE_TASK_NUMA_FAULT) | HFTMON_SOURCE_STACKS;

/// One session. Each step returns 0 or an errno.
class Victim {
public:
    explicit Victim(std::uint64_t sources) : sources_(sources) {}
    ~Victim() {
        if (fd_ >= 0) ::close(fd_);
    }
    int open() {
        fd_ = ::open(HFTMON_DEVICE, O_RDWR | O_CLOEXEC);
        return result(fd_);
    }
    int set_up() {
        auto setup = sized<hftmon_setup>();
        setup.mode = HFTMON_MODE_FLIGHT;
        setup.sources = sources_;
        setup.ring_records = kRecords;
        setup.wakeup_records = kRecords / 2;
        setup.durations = HFTMON_DURATION_ALL;
        setup.flags = HFTMON_SETUP_WATCH | HFTMON_SETUP_INHERIT_THREADS | HFTMON_SETUP_INHERIT_PROCESSES |
                      HFTMON_SETUP_WHOLE | HFTMON_SETUP_THREADS;
        return result(::ioctl(fd_, HFTMON_IOC_SETUP, &setup));
    }
    int map() {
        const std::size_t bytes = std::size_t{kRecords} * HFTMON_RECORD_SIZE;
        for (const auto& [region, length] :
             {std::pair{HFTMON_MMAP_CONTROL, kPage}, {HFTMON_MMAP_DATA, 2 * bytes}, {HFTMON_MMAP_READER, kPage}}) {
            void* base = ::mmap(nullptr, length, region == HFTMON_MMAP_READER ? PROT_READ | PROT_WRITE : PROT_READ,
                                MAP_SHARED | MAP_POPULATE, fd_, static_cast<off_t>(HFTMON_MMAP_OFFSET(0, region)));
            if (base == MAP_FAILED) return errno;
            // The fault, if it comes here, comes once.
            if (::munmap(base, length) != 0 && ::munmap(base, length) != 0) return errno;
        }
        return 0;
    }
    int trigger() {
        auto trigger = sized<hftmon_trigger>();
        trigger.kinds = HFTMON_DURATION_BIT(HFTMON_DURATION_WAKEUP);
        trigger.flags = HFTMON_TRIGGER_FREEZE;
        trigger.holdoff_ticks = 1u << 20;
        trigger.over[HFTMON_DURATION_WAKEUP] = 1u << 12;
        return result(::ioctl(fd_, HFTMON_IOC_TRIGGER, &trigger));
    }
    int minimum() {
        auto minimum = sized<hftmon_minimum>();
        minimum.kinds = HFTMON_DURATION_BIT(HFTMON_DURATION_VECTOR);
        return result(::ioctl(fd_, HFTMON_IOC_MINIMUM, &minimum));
    }
    int watch() {
        auto watch = sized<hftmon_watch>();
        watch.tid = static_cast<std::uint32_t>(::getpid());
        watch.flags = HFTMON_WATCH_PROCESS;
        return result(::ioctl(fd_, HFTMON_IOC_WATCH, &watch));
    }
    int start() { return result(::ioctl(fd_, HFTMON_IOC_START)); }
    int threads() {
        static std::array<hftmon_thread_entry, 512> entries;
        auto threads = sized<hftmon_threads>();
        threads.count = entries.size();
        threads.entries = reinterpret_cast<std::uint64_t>(entries.data());
        return result(::ioctl(fd_, HFTMON_IOC_THREADS, &threads));
    }
    int sources() {
        std::array<hftmon_source_status, HFTMON_SOURCE_COUNT> entries;
        auto sources = sized<hftmon_sources>();
        sources.count = entries.size();
        sources.entries = reinterpret_cast<std::uint64_t>(entries.data());
        return result(::ioctl(fd_, HFTMON_IOC_SOURCES, &sources));
    }
    int costs() {
        std::array<hftmon_source_cost, HFTMON_COST_COUNT> entries;
        auto costs = sized<hftmon_costs>();
        costs.count = entries.size();
        costs.entries = reinterpret_cast<std::uint64_t>(entries.data());
        return result(::ioctl(fd_, HFTMON_IOC_COSTS, &costs));
    }
    /// A child of a watched process is watched.
    int fork() {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(0);
        if (child < 0) return errno;
        return result(::waitpid(child, nullptr, 0));
    }
    int poll() {
        pollfd fd{.fd = fd_, .events = POLLIN | POLLPRI, .revents = 0};
        return result(::poll(&fd, 1, 1));
    }
    int stop() { return result(::ioctl(fd_, HFTMON_IOC_STOP)); }
    int close() { return result(::close(std::exchange(fd_, -1))); }

private:
    std::uint64_t sources_;
    int fd_ = -1;
};

struct Step {
    const char* name;
    int (Victim::*run)();
};

constexpr std::array<Step, 14> kSteps{{{"open", &Victim::open},
                                       {"SETUP", &Victim::set_up},
                                       {"mmap", &Victim::map},
                                       {"TRIGGER", &Victim::trigger},
                                       {"MINIMUM", &Victim::minimum},
                                       {"WATCH", &Victim::watch},
                                       {"START", &Victim::start},
                                       {"THREADS", &Victim::threads},
                                       {"SOURCES", &Victim::sources},
                                       {"COSTS", &Victim::costs},
                                       {"fork", &Victim::fork},
                                       {"poll", &Victim::poll},
                                       {"STOP", &Victim::stop},
                                       {"close", &Victim::close}}};

constexpr std::size_t kStart = 6;
static_assert(kSteps[kStart].run == &Victim::start);

enum class Outcome { kNotReached, kRefused, kDidWithout, kWrong };

/// Steps from `from` to before `to`; each must succeed.
bool run(Victim& victim, std::size_t from, std::size_t to, const char* when) {
    for (std::size_t step = from; step < to; ++step) {
        const int error = (victim.*kSteps[step].run)();
        if (error == 0) continue;
        fmt::print("WRONG: {}, {}: {}\n", kSteps[step].name, when, std::strerror(error));
        return false;
    }
    return true;
}

constexpr int kWholeSessions = 16;

/// The n-th allocation of a step fails; the steps before it, and this again or those that follow, do not.
Outcome fail(const Faults& faults, std::size_t step, int n) {
    Victim victim(step < kStart ? HFTMON_SOURCE_ALL : kOfEachKind);
    if (!run(victim, 0, step, "before any fault")) return Outcome::kWrong;
    faults.arm(n);
    const int error = (victim.*kSteps[step].run)();
    const bool injected = faults.disarm();
    if (!injected && error == 0) return Outcome::kNotReached;
    if (error != 0 && (!injected || error != ENOMEM)) {
        fmt::print("WRONG: {}, allocation {}: {}\n", kSteps[step].name, n, std::strerror(error));
        return Outcome::kWrong;
    }
    const std::size_t next = error == 0 ? step + 1 : step;
    // A whole session takes long: its end is looked at of some.
    const std::size_t last = n % kWholeSessions == 1 ? kSteps.size() : step + 1;
    if (!run(victim, next, last, "after a fault")) return Outcome::kWrong;
    return error == 0 ? Outcome::kDidWithout : Outcome::kRefused;
}

}  // namespace

int every_allocation() {
    const Faults faults;
    if (!faults.available()) return 77;
    int wrong = 0, total = 0;
    for (std::size_t step = 0; step < kSteps.size(); ++step) {
        int refused = 0, without = 0;
        for (int n = 1;; ++n) {
            const Outcome outcome = n < kAllocations ? fail(faults, step, n) : Outcome::kWrong;
            if (outcome == Outcome::kNotReached) break;
            refused += outcome == Outcome::kRefused;
            without += outcome == Outcome::kDidWithout;
            if (outcome == Outcome::kWrong && ++wrong > 10) return 1;
        }
        fmt::print("{}: {} allocations failed, {} refused, {} done without\n", kSteps[step].name, refused + without,
                   refused, without);
        std::fflush(stdout);  // a step takes minutes on a kernel that checks everything
        total += refused + without;
    }
    fmt::print("{} allocations failed, {} wrong\n", total, wrong);
    return wrong == 0 && total > 0 ? 0 : 1;
}

}  // namespace device_fuzz
