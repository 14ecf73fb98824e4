// SPDX-License-Identifier: MIT
// A process whose memory is on one node while it runs on another, under NUMA balancing.
//
// usage: wanderer FROM_CPU TO_CPU PAGES
//
// Fills 24 MiB on FROM_CPU, goes to TO_CPU and uses all of it again and again until the
// kernel has moved PAGES pages (numa_pages_migrated of /proc/vmstat) or 20 s have gone by.
// Balancing is switched on in between and off in the end.
#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

constexpr std::size_t kSize = 24u << 20;
constexpr std::size_t kPage = 4096;

void must(bool holds, const char* what) {
    if (holds) return;
    fmt::print(stderr, "wanderer: {}\n", what);
    std::exit(1);
}

void go_to(const char* cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(std::atoi(cpu), &set);
    must(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity");
}

void balance(const char* word) {
    std::ofstream setting("/proc/sys/kernel/numa_balancing");
    must(static_cast<bool>(setting << word << std::flush), "numa_balancing");
}

std::uint64_t moved() {
    std::ifstream counts("/proc/vmstat");
    std::uint64_t value = 0;
    for (std::string name; counts >> name >> value;) {
        if (name == "numa_pages_migrated") return value;
    }
    must(false, "numa_pages_migrated");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    must(argc == 4, "usage: wanderer FROM_CPU TO_CPU PAGES");
    go_to(argv[1]);
    char* const memory =
        static_cast<char*>(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    must(memory != MAP_FAILED, "mmap");
    // One fault for each page.
    must(madvise(memory, kSize, MADV_NOHUGEPAGE) == 0, "madvise");
    std::fill_n(memory, kSize, 1);
    balance("1");
    go_to(argv[2]);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    const std::uint64_t enough = moved() + std::strtoull(argv[3], nullptr, 10);
    while (std::chrono::steady_clock::now() < end && moved() < enough) {
        for (std::size_t at = 0; at < kSize; at += kPage) {
            volatile char& byte = memory[at];
            byte = static_cast<char>(byte + 1);
        }
    }
    balance("0");
    return 0;
}
