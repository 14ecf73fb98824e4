// SPDX-License-Identifier: MIT
// Random use of /dev/hftmon: sessions at once, of processes whose threads share files;
// arguments that are nearly right; mappings that are written, cut, moved; files that are
// closed, duplicated, sent and inherited at any moment; with --faults, memory that is
// refused. The kernel is to stay well (scripts/vm looks), what only it writes is not to be
// written by others, and every call is to come back.
//
// usage: device_fuzz [--faults] SEED SECONDS   the same choices for the same seed
//        device_fuzz --every-allocation        each allocation of a session fails once
//
// Exit status: 0 well, 1 not, 77 this kernel cannot refuse memory.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>
#include <thread>

#include "faults.hpp"
#include "hftmon/abi/ioctl.h"
#include "worker.hpp"

namespace {

using namespace device_fuzz;
using namespace std::chrono_literals;

constexpr std::size_t kProcesses = 3;

/// Returns how many operations that were.
std::uint64_t print(const Counts& counts) {
    std::uint64_t total = 0;
    for (std::size_t op = 0; op < kOps; ++op) {
        fmt::print("{}:", kOpNames[op]);
        for (std::size_t error = 0; error < counts.of[op].size(); ++error) {
            const auto n = counts.of[op][error].load();
            total += n;
            const char* name = error == 0 ? "done" : ::strerrorname_np(static_cast<int>(error));
            if (n > 0) fmt::print(" {} {}", name != nullptr ? name : std::to_string(error), n);
        }
        fmt::print("\n");
    }
    fmt::print("commands done:");
    for (const auto& done : counts.ioctls_done) fmt::print(" {}", done.load());
    fmt::print("\n{} operations, {} allocations refused, {} violations\n", total, counts.faults_injected.load(),
               counts.violations.load());
    return total;
}

// With fewer, chance or a slow machine may leave a command out.
constexpr std::uint64_t kEnough = 10'000;

/// Whether every command that changes a session has been done, and what else was to be.
bool reached_all(const Counts& counts, std::uint64_t operations, bool faults) {
    if (operations < kEnough) return true;
    bool reached = !faults || counts.faults_injected > 0;
    for (const unsigned long command : std::initializer_list<unsigned long>{
             HFTMON_IOC_SETUP, HFTMON_IOC_START, HFTMON_IOC_STOP, HFTMON_IOC_THREADS, HFTMON_IOC_WATCH,
             HFTMON_IOC_TRIGGER, HFTMON_IOC_SPIKES, HFTMON_IOC_MINIMUM})
        reached = reached && counts.ioctls_done[_IOC_NR(command)] > 0;
    if (!reached) fmt::print("WRONG: not every command was done, or no allocation refused\n");
    return reached;
}

/// Whether it ended by itself, and well. One that does not come back is left.
bool ended_well(pid_t child, Deadline until) {
    for (int status = 0;; std::this_thread::sleep_for(50ms)) {
        const pid_t ended = ::waitpid(child, &status, WNOHANG);
        if (ended == child) {
            if (status != 0) fmt::print("WRONG: a process ended with status {:#x}\n", status);
            return status == 0;
        }
        if (std::chrono::steady_clock::now() > until) break;
    }
    fmt::print("WRONG: process {} does not come to its end\n", child);
    ::kill(child, SIGKILL);
    return false;
}

int fuzz(std::uint64_t seed, int seconds, bool faults) {
    void* memory = ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    std::array<int, 2> mail{};
    if (memory == MAP_FAILED || ::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, mail.data()) != 0) return 2;
    Counts& counts = *new (memory) Counts{};
    const Deadline until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    std::array<pid_t, kProcesses> children{};
    for (std::size_t i = 0; i < kProcesses; ++i) {
        children[i] = ::fork();
        if (children[i] != 0) continue;
        work({seed * kProcesses + i, faults, i == 2, mail[i % 2], until}, counts);
        std::fflush(stdout);
        ::_exit(0);
    }
    const char* patience = std::getenv("HFTMON_PATIENCE");
    const Deadline latest = until + 120s * std::max(1, patience != nullptr ? std::atoi(patience) : 1);
    bool well = true;
    for (const pid_t child : children) well = ended_well(child, latest) && well;
    fmt::print("seed {}\n", seed);
    const std::uint64_t operations = print(counts);
    return reached_all(counts, operations, faults) && well && counts.violations == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && argv[1] == std::string_view("--every-allocation")) return every_allocation();
    const bool faults = argc == 4 && argv[1] == std::string_view("--faults");
    const int seconds = argc == (faults ? 4 : 3) ? std::atoi(argv[argc - 1]) : 0;
    if (seconds <= 0) {
        fmt::print(stderr, "usage: device_fuzz [--faults] SEED SECONDS | --every-allocation\n");
        return 2;
    }
    if (faults && !Faults().available()) return 77;
    return fuzz(std::strtoull(argv[argc - 2], nullptr, 0), seconds, faults);
}
