// SPDX-License-Identifier: MIT
// A thread that is sent away from the node that its memory is on, and may go where it likes.
//
// usage: homesick HOME_CPU AWAY_CPU
//
// Uses 8 MiB on HOME_CPU until NUMA balancing knows that its memory is there; goes to
// AWAY_CPU, lifts the restriction, uses it on, and waits for the kernel to move it home
// (sched_move_numa, sched_swap_numa). Up to five times, 10 s each. Exit status: 0 it came
// home, 3 never. Balancing is on meanwhile.
#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kSize = 8u << 20;
constexpr std::size_t kPage = 4096;
constexpr auto kKnown = 3s;

void must(bool holds, const char* what) {
    if (holds) return;
    fmt::print(stderr, "homesick: {}\n", what);
    std::exit(1);
}

void allow(const cpu_set_t& set) { must(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity"); }

void go_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    allow(set);
}

void balance(const char* word) {
    std::ofstream setting("/proc/sys/kernel/numa_balancing");
    must(static_cast<bool>(setting << word << std::flush), "numa_balancing");
}

unsigned node() {
    unsigned here = 0;
    must(getcpu(nullptr, &here) == 0, "getcpu");
    return here;
}

void use(char* memory) {
    for (std::size_t at = 0; at < kSize; at += kPage) {
        volatile char& byte = memory[at];
        byte = static_cast<char>(byte + 1);
    }
}

}  // namespace

int main(int argc, char** argv) {
    must(argc == 3, "usage: homesick HOME_CPU AWAY_CPU");
    const int home_cpu = std::atoi(argv[1]), away_cpu = std::atoi(argv[2]);
    cpu_set_t anywhere;
    must(sched_getaffinity(0, sizeof anywhere, &anywhere) == 0, "sched_getaffinity");
    go_to(home_cpu);
    const unsigned home = node();
    bool came_home = false;
    balance("1");
    for (int attempt = 0; attempt < 5 && !came_home; ++attempt) {
        go_to(home_cpu);
        char* const memory =
            static_cast<char*>(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        must(memory != MAP_FAILED && madvise(memory, kSize, MADV_NOHUGEPAGE) == 0, "memory");
        for (const auto end = Clock::now() + kKnown; Clock::now() < end;) use(memory);
        go_to(away_cpu);
        must(node() != home, "both CPUs are of one node");
        allow(anywhere);
        for (const auto end = Clock::now() + 10s; Clock::now() < end && !came_home;) {
            use(memory);
            came_home = node() == home;
        }
        munmap(memory, kSize);
    }
    balance("0");
    return came_home ? 0 : 3;
}
