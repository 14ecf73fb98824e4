// SPDX-License-Identifier: MIT
// Mappings that must not be, and what one can do with those that are.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "checks.hpp"
#include "device.hpp"
#include "map.hpp"
#include "verdict.hpp"

namespace abi_abuse {

namespace {

void drop_capability(int capability) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    if (::syscall(SYS_capget, &header, data) != 0) ::_exit(100);
    data[capability / 32].effective &= ~(1u << (capability % 32));
    if (::syscall(SYS_capset, &header, data) != 0) ::_exit(101);
}

void expect_map(int wanted, const Device& device, std::uint64_t offset, std::size_t length, int protection, int flags,
                const std::string& what) {
    const Map map(device.fd(), offset, length, protection, flags);
    verdict(map.error() == wanted, fmt::format("mmap of {}: {}", what, errno_name(wanted)));
    if (map.error() != wanted) fmt::print("  got {}\n", errno_name(map.error()));
}

}  // namespace

void mappings() {
    Device device;
    constexpr auto kControlAt = HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_CONTROL);
    constexpr auto kDataAt = HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_DATA);
    constexpr auto kReaderAt = HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_READER);
    constexpr int kRead = PROT_READ, kWrite = PROT_READ | PROT_WRITE;

    expect_map(ENXIO, device, kControlAt, kPage, kRead, MAP_SHARED, "the control page before SETUP");
    set_up(device);
    expect_map(EPERM, device, kControlAt, kPage, kWrite, MAP_SHARED, "a writable control page");
    expect_map(EPERM, device, kDataAt, 2 * kData, kWrite, MAP_SHARED, "writable data");
    expect_map(EPERM, device, kDataAt, 2 * kData, kRead | PROT_EXEC, MAP_SHARED, "executable data");
    expect_map(EPERM, device, kReaderAt, kPage, kWrite | PROT_EXEC, MAP_SHARED, "an executable reader page");
    expect_map(EINVAL, device, kControlAt, kPage, kRead, MAP_PRIVATE, "a private control page");
    expect_map(EINVAL, device, kControlAt, kPage, kWrite, MAP_PRIVATE, "a private, writable control page");
    expect_map(EINVAL, device, kDataAt, 2 * kData, kRead, MAP_PRIVATE, "private data");
    expect_map(EINVAL, device, kDataAt, 2 * kData, kWrite, MAP_PRIVATE, "private, writable data");
    expect_map(EINVAL, device, kReaderAt, kPage, kWrite, MAP_PRIVATE, "a private reader page");
    expect_map(EINVAL, device, kControlAt, 2 * kPage, kRead, MAP_SHARED, "two control pages");
    expect_map(EINVAL, device, kReaderAt, 2 * kPage, kWrite, MAP_SHARED, "two reader pages");
    for (const std::size_t length : {kPage, kData, 2 * kData - kPage, 2 * kData + kPage, 4 * kData}) {
        expect_map(EINVAL, device, kDataAt, length, kRead, MAP_SHARED, fmt::format("{} bytes of data", length));
    }
    expect_map(ENXIO, device, HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_HISTOGRAMS), kPage, kRead, MAP_SHARED,
               "histograms of a session without");
    expect_map(ENXIO, device, HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_USER_STACKS), kPage, kRead, MAP_SHARED,
               "stacks of a session without");
    expect_map(ENXIO, device, HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_THREAD_HISTOGRAMS), kPage, kRead, MAP_SHARED,
               "histograms of threads of a session without");
    for (const unsigned region : {7u, 8u, 15u}) {
        expect_map(EINVAL, device, HFTMON_MMAP_OFFSET(0, region), kPage, kRead, MAP_SHARED,
                   fmt::format("region {}", region));
    }
    expect_map(EINVAL, device, kControlAt + kPage, kPage, kRead, MAP_SHARED, "the page behind the control page");
    expect_map(EINVAL, device, kDataAt + kData, kData, kRead, MAP_SHARED, "the second half of the data");
    expect_map(EINVAL, device, kReaderAt + (1ull << 39), kPage, kRead, MAP_SHARED, "an offset with a stray bit");
    for (const unsigned cpu : {4095u, 8191u, 65535u, 0x3ffffu}) {
        const Map map(device.fd(), HFTMON_MMAP_OFFSET(cpu, HFTMON_MMAP_CONTROL), kPage, kRead);
        verdict(map.error() == ENXIO || map.error() == EOVERFLOW || map.error() == EINVAL,
                fmt::format("mmap of CPU {}: ENXIO, or beyond what mmap takes", cpu));
    }

    Map control(device.fd(), kControlAt, kPage, kRead);
    Map data(device.fd(), kDataAt, 2 * kData, kRead);
    Map reader(device.fd(), kReaderAt, kPage, kWrite);
    verdict(control.mapped() && data.mapped() && reader.mapped(), "mmap as documented");
    if (!control.mapped() || !data.mapped() || !reader.mapped()) return;

    expect(EACCES, ::mprotect(control.get(), kPage, kWrite), "mprotect of the control page to writable");
    expect(EACCES, ::mprotect(data.get(), 2 * kData, kWrite), "mprotect of the data to writable");
    expect(EACCES, ::mprotect(data.get(), kPage, kRead | PROT_EXEC), "mprotect of the data to executable");
    expect(EACCES, ::mprotect(reader.get(), kPage, kWrite | PROT_EXEC), "mprotect of the reader page to executable");
    expect(0, ::mprotect(reader.get(), kPage, kRead), "mprotect of the reader page to read-only");
    expect(0, ::mprotect(reader.get(), kPage, kWrite), "and back");
    void* grown = ::mremap(data.get(), 2 * kData, 4 * kData, MREMAP_MAYMOVE);
    verdict(grown == MAP_FAILED, "mremap to a larger mapping is refused");

    // The kernel's own ways around page protection.
    const int mem = ::open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    const std::uint64_t poison = 0x4141414141414141;
    const auto poke = [&](void* address) {
        const auto written =
            ::pwrite(mem, &poison, sizeof(poison), static_cast<off_t>(reinterpret_cast<std::uintptr_t>(address)));
        return written == static_cast<ssize_t>(sizeof(poison));
    };
    verdict(!poke(control.get()), "/proc/self/mem cannot write to the control page");
    verdict(!poke(data.get()), "/proc/self/mem cannot write to the data");
    ::close(mem);
    const int zero = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
    expect(EFAULT, ::read(zero, data.get(), 64), "read(2) into the data");
    ::close(zero);
    verdict(static_cast<hftmon_ring_control*>(control.get())->capacity == kRecords,
            "and the control page is untouched");

    verdict(signal_of([&] { touch(data.get()); }) == SIGSEGV, "a child does not inherit the data");
    verdict(signal_of([&] { touch(reader.get()); }) == SIGSEGV, "nor the reader page");
    verdict(signal_of([&] { *static_cast<volatile char*>(control.get()) = 1; }) == SIGSEGV,
            "writing to the control page kills");
}

void thread_tables() {
    Device device;
    auto setup = good_setup();
    setup.durations = HFTMON_DURATION_BIT(HFTMON_DURATION_ON_CPU);
    setup.flags = HFTMON_SETUP_WATCH | HFTMON_SETUP_WHOLE | HFTMON_SETUP_THREADS;
    constexpr auto kAt = HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_THREAD_HISTOGRAMS);
    constexpr int kRead = PROT_READ, kWrite = PROT_READ | PROT_WRITE;
    expect_map(ENXIO, device, kAt, kPage, kRead, MAP_SHARED, "histograms of threads before SETUP");
    expect(0, device.call(HFTMON_IOC_SETUP, &setup), "SETUP with histograms of threads");
    auto info = sized<hftmon_info>();
    expect(0, device.call(HFTMON_IOC_INFO, &info), "INFO");
    verdict(info.thread_slots >= 1 && info.thread_slots <= 254, fmt::format("there are {} slots", info.thread_slots));
    const std::size_t bytes = (info.thread_slots * sizeof(hftmon_thread_histograms) + kPage - 1) / kPage * kPage;
    expect_map(EPERM, device, kAt, bytes, kWrite, MAP_SHARED, "writable histograms of threads");
    expect_map(EPERM, device, kAt, bytes, kRead | PROT_EXEC, MAP_SHARED, "executable ones");
    expect_map(EINVAL, device, kAt, bytes, kRead, MAP_PRIVATE, "private ones");
    expect_map(EINVAL, device, kAt, bytes + kPage, kRead, MAP_SHARED, "more of them than there are");
    expect_map(EINVAL, device, kAt + kPage, kPage, kRead, MAP_SHARED, "their second page");
    expect_map(ENXIO, device, kAt + HFTMON_MMAP_OFFSET(1, 0), kPage, kRead, MAP_SHARED, "those of another CPU");
    const Map map(device.fd(), kAt, bytes, kRead);
    verdict(map.mapped(), "they are mapped");
    if (!map.mapped()) return;
    expect(0, device.call(HFTMON_IOC_START), "START");
    auto watch = sized<hftmon_watch>();
    watch.tid = static_cast<std::uint32_t>(::gettid());
    expect(0, device.call(HFTMON_IOC_WATCH, &watch), "WATCH of this thread, while it runs");
    for (int i = 0; i < 50; ++i) ::usleep(1000);
    {
        Device other;  // shares the table, which outlives it
        expect(0, other.call(HFTMON_IOC_SETUP, &setup), "SETUP of another session with them");
        expect(0, other.call(HFTMON_IOC_START), "START of it");
    }
    expect(0, device.call(HFTMON_IOC_STOP), "STOP");
    const auto* table = static_cast<const hftmon_thread_histograms*>(map.get());
    std::uint32_t mine = 0, others = 0;
    std::uint64_t count = 0;
    for (std::uint32_t slot = 0; slot < info.thread_slots; ++slot) {
        if (table[slot].state == HFTMON_THREAD_FREE) continue;
        const bool is_mine = table[slot].tid == watch.tid && table[slot].state == HFTMON_THREAD_LIVE;
        ++(is_mine ? mine : others);
        for (const auto one : table[slot].of[HFTMON_DURATION_ON_CPU - HFTMON_THREAD_DURATION_FIRST].counts)
            count += one;
    }
    verdict(mine == 1 && others == 0 && count >= 50,
            fmt::format("one slot is this thread's, {} times on a CPU, {} are others'", count, others));
}

void stack_tables() {
    Device device;
    auto setup = good_setup();
    setup.sources |= HFTMON_SOURCE_STACKS;
    constexpr auto kKernelAt = HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_KERNEL_STACKS);
    constexpr auto kUserAt = HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_USER_STACKS);
    constexpr int kRead = PROT_READ, kWrite = PROT_READ | PROT_WRITE;
    auto stacks = sized<hftmon_stacks>();
    expect(ENODEV, device.call(HFTMON_IOC_STACKS, &stacks), "STACKS before SETUP");
    expect_map(ENXIO, device, kUserAt, kPage, kRead, MAP_SHARED, "stacks before SETUP");
    expect(0, device.call(HFTMON_IOC_SETUP, &setup), "SETUP with stacks");
    expect(0, device.call(HFTMON_IOC_STACKS, &stacks), "STACKS");
    verdict(stacks.slots >= 256 && stacks.kernel_used == 0 && stacks.taken == 0, "the tables are empty");
    const std::size_t bytes = std::size_t{stacks.slots} * sizeof(hftmon_stack);
    for (const std::uint64_t at : {kKernelAt, kUserAt}) {
        expect_map(EPERM, device, at, bytes, kWrite, MAP_SHARED, "writable stacks");
        expect_map(EPERM, device, at, bytes, kRead | PROT_EXEC, MAP_SHARED, "executable stacks");
        expect_map(EINVAL, device, at, bytes, kRead, MAP_PRIVATE, "private stacks");
        expect_map(EINVAL, device, at, bytes + kPage, kRead, MAP_SHARED, "more than the stacks");
        expect_map(EINVAL, device, at + kPage, kPage, kRead, MAP_SHARED, "the second page of the stacks");
        expect_map(ENXIO, device, at + HFTMON_MMAP_OFFSET(1, 0), kPage, kRead, MAP_SHARED, "stacks of another CPU");
    }
    // A child, so that the others keep the right to see addresses.
    const int seen = signal_of([&] {
        drop_capability(CAP_SYSLOG);
        Device blind;
        if (blind.call(HFTMON_IOC_SETUP, &setup) != 0) ::_exit(1);
        if (Map(blind.fd(), kKernelAt, bytes, kRead).error() != EPERM) ::_exit(2);
        if (!Map(blind.fd(), kUserAt, bytes, kRead).mapped()) ::_exit(3);
    });
    verdict(seen == 0, fmt::format("stacks of the kernel are kept from who may not see addresses ({})", seen));
    const Map map(device.fd(), kKernelAt, bytes, kRead);
    verdict(map.mapped() && device.call(HFTMON_IOC_START) == 0, "the kernel's stacks, mapped");
    if (!map.mapped()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    // A second session shares the tables, and they outlive its end.
    {
        Device other;
        expect(0, other.call(HFTMON_IOC_SETUP, &setup), "SETUP of another session with stacks");
        expect(0, other.call(HFTMON_IOC_START), "START of it");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    expect(0, device.call(HFTMON_IOC_STOP), "STOP");
    expect(0, device.call(HFTMON_IOC_STACKS, &stacks), "STACKS after STOP");
    const auto* table = static_cast<const hftmon_stack*>(map.get());
    std::uint32_t whole = 0, odd = 0;
    for (std::uint32_t slot = 0; slot < stacks.slots; ++slot) {
        whole += table[slot].state == HFTMON_STACK_WHOLE;
        odd += table[slot].state == HFTMON_STACK_BUSY || table[slot].state > HFTMON_STACK_WHOLE ||
               table[slot].depth > HFTMON_STACK_DEPTH;
    }
    verdict(whole == stacks.kernel_used && whole > 0 && odd == 0, "as many stacks as STACKS tells");
    verdict(stacks.taken > stacks.kernel_used && stacks.missed == 0, "all found room");
    expect(EACCES, ::mprotect(map.get(), bytes, kWrite), "mprotect of the stacks to writable");
}

void afterlife() {
    void* data = nullptr;
    {
        Device device;
        set_up(device);
        Map map(device.fd(), HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_DATA), 2 * kData, PROT_READ);
        verdict(map.mapped() && device.call(HFTMON_IOC_START) == 0,
                "a session whose file is closed before its mapping");
        data = map.get();
        map.forget();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    verdict(static_cast<const hftmon_record*>(data)->type == HFTMON_REC_CPU_STATE, "it still records");
    ::munmap(data, 2 * kData);

    // The parent's session, kept alive by a child that insisted on the mapping.
    Device device;
    set_up(device);
    Map map(device.fd(), HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_DATA), 2 * kData, PROT_READ);
    if (::madvise(map.get(), map.length(), MADV_DOFORK) == 0) {
        verdict(signal_of([&] { touch(map.get()); }) == 0, "MADV_DOFORK: the child has the mapping");
    } else {
        verdict(true, "MADV_DOFORK is refused");
    }
    // Pages that were thrown away are not made up again.
    Map other(device.fd(), HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_CONTROL), kPage, PROT_READ);
    touch(other.get());
    ::madvise(other.get(), kPage, MADV_DONTFORK);
    int pipes[2];
    if (::pipe(pipes) != 0) std::abort();
    if (::madvise(other.get(), kPage, MADV_DONTNEED) == 0) {
        expect(EFAULT, ::write(pipes[1], other.get(), 1), "MADV_DONTNEED: the page is gone for the kernel");
        // Kernel 7.x lets no child have it.
        const int wanted = ::madvise(other.get(), kPage, MADV_DOFORK) == 0 ? SIGBUS : SIGSEGV;
        verdict(signal_of([&] { touch(other.get()); }) == wanted, "MADV_DONTNEED: and for a child");
    } else {
        verdict(true, "MADV_DONTNEED is refused");
    }
    // Pages in a pipe outlive the session.
    iovec part{map.get(), kPage};
    const auto spliced = ::vmsplice(pipes[1], &part, 1, 0);
    verdict(spliced == static_cast<ssize_t>(kPage) || spliced < 0, "vmsplice of the data");
    ::munmap(map.get(), map.length());
    map.forget();
    if (spliced > 0) {
        std::vector<char> page(kPage);
        {
            Device another;
            set_up(another);
        }
        verdict(::read(pipes[0], page.data(), page.size()) == static_cast<ssize_t>(kPage), "and read back later");
    }
    ::close(pipes[0]);
    ::close(pipes[1]);
}

void histograms() {
    constexpr auto kAt = HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_HISTOGRAMS);
    constexpr std::size_t kLength = (sizeof(hftmon_histograms) + kPage - 1) / kPage * kPage;
    constexpr int kRead = PROT_READ, kWrite = PROT_READ | PROT_WRITE;

    std::optional<Map> kept;
    {
        Device device;
        expect_map(ENXIO, device, kAt, kLength, kRead, MAP_SHARED, "histograms before SETUP");
        auto setup = good_setup();
        setup.sources = 0;
        setup.durations = HFTMON_DURATION_ALL;
        expect(0, device.call(HFTMON_IOC_SETUP, &setup), "SETUP of durations alone");
        expect_map(EPERM, device, kAt, kLength, kWrite, MAP_SHARED, "writable histograms");
        expect_map(EPERM, device, kAt, kLength, kRead | PROT_EXEC, MAP_SHARED, "executable histograms");
        expect_map(EINVAL, device, kAt, kLength, kRead, MAP_PRIVATE, "private histograms");
        expect_map(EINVAL, device, kAt, kLength + kPage, kRead, MAP_SHARED, "a page more than there is of histograms");
        // A program that knows fewer kinds.
        verdict(Map(device.fd(), kAt, kPage, kRead).mapped(), "the first page of histograms");
        kept.emplace(device.fd(), kAt, kLength, kRead);
        verdict(kept->mapped(), "histograms as documented");
        if (!kept->mapped()) return;
        expect(EACCES, ::mprotect(kept->get(), kLength, kWrite), "mprotect of histograms to writable");
        expect(0, device.call(HFTMON_IOC_START), "START");
        auto info = sized<hftmon_info>();
        expect(0, device.call(HFTMON_IOC_INFO, &info), "INFO");
        verdict(info.sources_active == 0 && info.durations_active == HFTMON_DURATION_ALL &&
                    info.durations_available == HFTMON_DURATION_ALL,
                "INFO tells what is counted, and that nothing is recorded");
    }
    // The file is closed, its mapping is not: it holds session and histograms, which go on.
    const auto& histograms = *static_cast<const hftmon_histograms*>(kept->get());
    const auto vectors = [&] {
        std::uint64_t sum = 0;
        for (const auto& count : histograms.of[HFTMON_DURATION_VECTOR].counts)
            sum += __atomic_load_n(&count, __ATOMIC_RELAXED);
        return sum;
    };
    const std::uint64_t before = vectors();
    // Timers on the CPU whose histograms these are: it may have nothing else to do.
    std::thread sleeper([] {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET(0, &cpus);
        if (::sched_setaffinity(0, sizeof(cpus), &cpus) != 0) std::abort();
        for (int i = 0; i < 50; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    });
    sleeper.join();
    verdict(vectors() > before, "a mapping keeps a session that counts");
}

}  // namespace abi_abuse
