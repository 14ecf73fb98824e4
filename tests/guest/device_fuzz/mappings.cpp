// SPDX-License-Identifier: MIT
#include "mappings.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdio>

#include "hftmon/abi/ioctl.h"

namespace device_fuzz {

namespace {

constexpr std::size_t kPage = 4096;

thread_local sigjmp_buf way_back;
thread_local volatile sig_atomic_t guarded = 0;

void on_fault(int signal) {
    if (guarded != 0) siglongjmp(way_back, 1);
    ::signal(signal, SIG_DFL);
}

/// Whether all of it could be done.
template <class Touch>
bool guard(Touch&& touch) {
    bool whole = false;
    if (sigsetjmp(way_back, 1) == 0) {
        guarded = 1;
        touch();
        whole = true;
    }
    guarded = 0;
    return whole;
}

std::size_t whole_pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

/// A fault is injected once: then it is unmapped.
int unmap_now(void* base, std::size_t length) { return ::munmap(base, length) == 0 ? 0 : ::munmap(base, length); }

std::size_t any_length(Random& random) {
    static constexpr std::array<std::size_t, 9> kLengths{kPage,
                                                         2 * kPage,
                                                         std::size_t{HFTMON_RING_MIN_RECORDS} * HFTMON_RECORD_SIZE,
                                                         std::size_t{HFTMON_RING_MIN_RECORDS} * HFTMON_RECORD_SIZE * 2,
                                                         std::size_t{HFTMON_RING_MIN_RECORDS} * HFTMON_RECORD_SIZE * 4,
                                                         std::size_t{HFTMON_RING_MIN_RECORDS} * HFTMON_RECORD_SIZE * 8,
                                                         sizeof(hftmon_histograms),
                                                         sizeof(hftmon_thread_histograms),
                                                         std::size_t{1} << 20};
    return random.one_in(6) ? kPage * (1 + random.below(2048)) : random.any_of(kLengths);
}

}  // namespace

void Mappings::catch_faults() {
    struct sigaction action {};
    action.sa_handler = on_fault;
    action.sa_flags = SA_NODEFER;
    ::sigaction(SIGSEGV, &action, nullptr);
    ::sigaction(SIGBUS, &action, nullptr);
}

Mappings::~Mappings() {
    for (Mapping& mapping : all_) {
        if (mapping.base != nullptr) unmap_now(mapping.base, mapping.length);
    }
}

void Mappings::violation(const char* what) {
    counts_.violations.fetch_add(1, std::memory_order_relaxed);
    fmt::print("VIOLATION: {}\n", what);
    std::fflush(stdout);  // a child ends without
}

void Mappings::map(Mapping& place, int fd, std::uint64_t offset, std::size_t length, int protection, int flags) {
    void* base = ::mmap(nullptr, length, protection, flags, fd, static_cast<off_t>(offset));
    counts_.add(Op::kMap, base == MAP_FAILED ? errno : 0);
    if (base == MAP_FAILED) return;
    if (place.base != nullptr) unmap_now(place.base, place.length);
    const auto region = (offset >> HFTMON_MMAP_REGION_SHIFT) & 0xf;
    place = {static_cast<std::byte*>(base), whole_pages(length), protection, region == HFTMON_MMAP_READER};
    if (!place.ours_to_write && (protection & PROT_WRITE) != 0)
        violation("what only the kernel writes was mapped to be written");
    if ((flags & MAP_PRIVATE) != 0 || (protection & PROT_EXEC) != 0) violation("mapped private, or executable");
}

void Mappings::map(Random& random, int fd) {
    static constexpr std::array<int, 8> kProtections{
        PROT_READ, PROT_READ,  PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
        PROT_NONE, PROT_WRITE, PROT_READ | PROT_EXEC,  PROT_READ | PROT_WRITE | PROT_EXEC};
    static constexpr std::array<int, 6> kFlags{
        MAP_SHARED, MAP_SHARED, MAP_SHARED, MAP_SHARED | MAP_POPULATE, MAP_PRIVATE, MAP_SHARED | MAP_LOCKED};
    std::uint64_t offset = HFTMON_MMAP_OFFSET(random.below(6), random.below(9));
    if (random.one_in(6)) offset += kPage * random.below(64);
    if (random.one_in(24)) offset = random.edge();
    map(slot(random), fd, offset, any_length(random), random.any_of(kProtections), random.any_of(kFlags));
}

void Mappings::map_session(int fd, std::uint32_t ring_records) {
    const std::size_t bytes = std::size_t{ring_records} * HFTMON_RECORD_SIZE;
    Mapping* place = all_.data();
    const auto map_next = [&](std::uint64_t cpu, std::uint64_t region, std::size_t length, int protection = PROT_READ) {
        map(*place++, fd, HFTMON_MMAP_OFFSET(cpu, region), length, protection, MAP_SHARED);
    };
    for (std::uint64_t cpu = 0; cpu < 4; ++cpu) {
        map_next(cpu, HFTMON_MMAP_CONTROL, kPage);
        map_next(cpu, HFTMON_MMAP_DATA, 2 * bytes);
        map_next(cpu, HFTMON_MMAP_READER, kPage, PROT_READ | PROT_WRITE);
        map_next(cpu, HFTMON_MMAP_HISTOGRAMS, whole_pages(sizeof(hftmon_histograms)));
    }
    hftmon_stacks stacks{};
    stacks.size = sizeof(stacks);
    hftmon_info info{};
    info.size = sizeof(info);
    if (::ioctl(fd, HFTMON_IOC_STACKS, &stacks) != 0 || ::ioctl(fd, HFTMON_IOC_INFO, &info) != 0) return;
    map_next(0, HFTMON_MMAP_KERNEL_STACKS, stacks.slots * sizeof(hftmon_stack));
    map_next(0, HFTMON_MMAP_USER_STACKS, stacks.slots * sizeof(hftmon_stack));
    map_next(0, HFTMON_MMAP_THREAD_HISTOGRAMS, whole_pages(info.thread_slots * sizeof(hftmon_thread_histograms)));
}

void Mappings::unmap(Random& random) {
    Mapping& mapping = slot(random);
    if (mapping.base == nullptr) return;
    // A part of it, sometimes: the rest stays mapped until its own end.
    std::size_t length = mapping.length;
    if (length > kPage && random.one_in(3)) length = kPage * (1 + random.below(length / kPage));
    const int error = ::munmap(mapping.base, length) == 0 ? 0 : errno;
    counts_.add(Op::kUnmap, error);
    if (error != 0) return;
    mapping.base += length;
    mapping.length -= length;
    if (mapping.length == 0) mapping.base = nullptr;
}

void Mappings::remap(Random& random) {
    Mapping& mapping = slot(random);
    if (mapping.base == nullptr) return;
    const std::size_t length = random.one_in(2) ? mapping.length : any_length(random);
    void* base = ::mremap(mapping.base, mapping.length, length, random.one_in(3) ? 0 : MREMAP_MAYMOVE);
    counts_.add(Op::kRemap, base == MAP_FAILED ? errno : 0);
    if (base == MAP_FAILED) return;
    if (whole_pages(length) > mapping.length) violation("a mapping has grown");
    mapping.base = static_cast<std::byte*>(base);
    mapping.length = whole_pages(length);
}

void Mappings::protect(Random& random) {
    Mapping& mapping = slot(random);
    if (mapping.base == nullptr) return;
    if (random.one_in(3)) {
        static constexpr std::array<int, 6> kAdvice{MADV_DONTNEED, MADV_DONTFORK, MADV_DOFORK,
                                                    MADV_WILLNEED, MADV_REMOVE,   MADV_MERGEABLE};
        counts_.add(Op::kProtect, ::madvise(mapping.base, mapping.length, random.any_of(kAdvice)) == 0 ? 0 : errno);
        return;
    }
    const int protection = static_cast<int>(random.below(8));
    const bool done = ::mprotect(mapping.base, mapping.length, protection) == 0;
    counts_.add(Op::kProtect, done ? 0 : errno);
    if (!done) return;
    mapping.protection = protection;
    if ((protection & PROT_EXEC) != 0) violation("mprotect made a mapping executable");
    if ((protection & PROT_WRITE) != 0 && !mapping.ours_to_write)
        violation("mprotect let a program write what only the kernel writes");
}

void Mappings::write(Random& random) {
    Mapping& mapping = slot(random);
    if (mapping.base == nullptr || (mapping.protection & PROT_WRITE) == 0) return;
    const bool whole = guard([&] {
        for (std::uint64_t n = 1 + random.below(64); n > 0; --n) {
            // The first words are those that the kernel reads.
            const std::uint64_t words = random.one_in(2) ? 8 : mapping.length / 8;
            auto* word = reinterpret_cast<volatile std::uint64_t*>(mapping.base) + random.below(words);
            *word = random.one_in(2) ? *word + random.below(4096) : random.one_in(2) ? random.edge() : random.word();
        }
    });
    counts_.add(Op::kWrite, whole ? 0 : EFAULT);
}

void Mappings::read(Random& random) {
    Mapping& mapping = slot(random);
    if (mapping.base == nullptr || (mapping.protection & PROT_READ) == 0) return;
    const bool whole = guard([&] {
        for (std::uint64_t n = 1 + random.below(64); n > 0; --n)
            (void)reinterpret_cast<const volatile std::uint64_t*>(mapping.base)[random.below(mapping.length / 8)];
    });
    counts_.add(Op::kRead, whole ? 0 : EFAULT);
}

void Mappings::force(Random& random) {
    const Mapping& mapping = slot(random);
    if (mapping.base == nullptr || mapping.ours_to_write) return;
    const int memory = ::open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    if (memory < 0) return counts_.add(Op::kForce, errno);
    const std::uint64_t word = random.word();
    const auto where = reinterpret_cast<std::uint64_t>(mapping.base) + 8 * random.below(mapping.length / 8);
    const auto written = ::pwrite(memory, &word, sizeof(word), static_cast<off_t>(where));
    counts_.add(Op::kForce, written < 0 ? errno : 0);
    if (written > 0) violation("/proc/self/mem wrote what only the kernel writes");
    ::close(memory);
}

}  // namespace device_fuzz
