// SPDX-License-Identifier: MIT
// Uses /dev/hftmon wrongly in every way that the ABI names, and in some that it
// does not: each call must give the documented errno, and the kernel must stay
// well. Prints "ok WHAT" or "not ok WHAT" per check and "end" at the end.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "hftmon/abi/ioctl.h"

namespace {

bool all_good = true;

void verdict(bool good, const std::string& what) {
    all_good = all_good && good;
    fmt::print("{}ok {}\n", good ? "" : "not ", what);
    std::fflush(stdout);
}

std::string errno_name(int error) {
    const char* name = ::strerrorname_np(error);
    return error == 0 ? "success" : name ? name : std::to_string(error);
}

/// The call must fail with `wanted` (0: succeed).
void expect(int wanted, long result, const std::string& what) {
    const int got = result < 0 ? errno : 0;
    verdict(got == wanted, what + ": " + errno_name(wanted));
    if (got != wanted) fmt::print("  got {}\n", errno_name(got));
}

/// An open session, closed with the object.
class Device {
public:
    Device() : fd_(::open(HFTMON_DEVICE, O_RDWR | O_CLOEXEC)) {
        if (fd_ < 0) {
            fmt::print("not ok cannot open {}: {}\n", HFTMON_DEVICE, std::strerror(errno));
            std::exit(1);
        }
    }
    ~Device() { ::close(fd_); }
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

    template <class T>
    int call(unsigned long request, T* argument) {
        return ::ioctl(fd_, request, argument);
    }
    int call(unsigned long request) { return ::ioctl(fd_, request, 0); }

private:
    int fd_;
};

template <class T>
T sized() {
    T argument{};
    argument.size = sizeof(argument);
    return argument;
}

constexpr std::uint32_t kRecords = 4096;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kData = std::size_t{kRecords} * HFTMON_RECORD_SIZE;

hftmon_setup good_setup() {
    auto setup = sized<hftmon_setup>();
    setup.mode = HFTMON_MODE_STREAM;
    setup.sources = HFTMON_SOURCE_ALL;
    setup.ring_records = kRecords;
    setup.wakeup_records = kRecords / 2;
    return setup;
}

void set_up(Device& device) {
    auto setup = good_setup();
    if (device.call(HFTMON_IOC_SETUP, &setup) != 0) verdict(false, "a good SETUP");
}

void* const kBadPointer = reinterpret_cast<void*>(16);
void* const kKernelPointer = reinterpret_cast<void*>(0xffffffff81000000);

// ---- arguments -------------------------------------------------------------

/// What every command does with a wrong size, reserved word or pointer.
template <class T>
void check_argument(unsigned long request, const std::string& name, const std::function<void(T&)>& fill = {}) {
    Device device;
    const auto fresh = [&] {
        auto argument = sized<T>();
        if (fill) fill(argument);
        return argument;
    };
    for (const std::int64_t size : {std::int64_t{0}, std::int64_t{4}, std::int64_t{sizeof(T)} - 8,
                                    std::int64_t{sizeof(T)} + 8, std::int64_t{0xffffffff}}) {
        auto argument = fresh();
        argument.size = static_cast<__u32>(size);
        expect(EINVAL, device.call(request, &argument), fmt::format("{} with size {}", name, size));
    }
    for (std::size_t i = 0; i < std::size(T{}.reserved); ++i) {
        auto argument = fresh();
        argument.reserved[i] = i == 0 ? 1 : __u64{1} << 63;
        expect(EINVAL, device.call(request, &argument), fmt::format("{} with reserved[{}] set", name, i));
    }
    expect(EFAULT, device.call(request, static_cast<T*>(nullptr)), name + " of a null pointer");
    expect(EFAULT, device.call(request, static_cast<T*>(kBadPointer)), name + " of a bad pointer");
    expect(EFAULT, device.call(request, static_cast<T*>(kKernelPointer)), name + " of a kernel pointer");
    // An argument that ends in a page that is not there.
    auto* pages =
        static_cast<char*>(::mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ::munmap(pages + kPage, kPage);
    auto* across = reinterpret_cast<T*>(pages + kPage - 8);
    across->size = sizeof(T);
    expect(EFAULT, device.call(request, across), name + " of a half mapped argument");
    ::munmap(pages, kPage);
    // The command's number has the size in it.
    auto argument = fresh();
    expect(ENOTTY, device.call(_IOC(_IOC_DIR(request), HFTMON_IOC_MAGIC, _IOC_NR(request), sizeof(T) + 8), &argument),
           name + " of another age (size in the number)");
}

void arguments() {
    check_argument<hftmon_info>(HFTMON_IOC_INFO, "INFO");
    check_argument<hftmon_setup>(HFTMON_IOC_SETUP, "SETUP", [](hftmon_setup& setup) { setup = good_setup(); });
    check_argument<hftmon_sources>(HFTMON_IOC_SOURCES, "SOURCES");
    check_argument<hftmon_cpu_stats>(HFTMON_IOC_CPU_STATS, "CPU_STATS");
    check_argument<hftmon_clock_sync>(HFTMON_IOC_CLOCK_SYNC, "CLOCK_SYNC");
    check_argument<hftmon_threads>(HFTMON_IOC_THREADS, "THREADS");

    Device device;
    for (const unsigned nr : {8u, 9u, 100u, 255u}) {
        expect(ENOTTY, device.call(_IO(HFTMON_IOC_MAGIC, nr)), fmt::format("command {}", nr));
    }
    expect(ENOTTY, device.call(0x5401), "a terminal's command");
    // Read-only memory for an answer.
    auto* page =
        static_cast<hftmon_info*>(::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    page->size = sizeof(*page);
    ::mprotect(page, kPage, PROT_READ);
    expect(EFAULT, device.call(HFTMON_IOC_INFO, page), "INFO into read-only memory");
    ::munmap(page, kPage);
}

void setups() {
    struct Case {
        const char* what;
        int wanted;
        std::function<void(hftmon_setup&)> change;
    };
    static const __u64 none[2] = {}, far[16] = {0, 0, 1}, beyond[1] = {1ull << 63}, one[1] = {1};
    const auto mask = [](hftmon_setup& s, const __u64* words, __u32 bytes) {
        s.cpu_mask = reinterpret_cast<__u64>(words);
        s.cpu_mask_bytes = bytes;
    };
    const std::vector<Case> cases = {
        {"an unknown mode", EINVAL, [](auto& s) { s.mode = 2; }},
        {"an absurd mode", EINVAL, [](auto& s) { s.mode = ~0u; }},
        {"a flag", EINVAL, [](auto& s) { s.flags = 1; }},
        {"all flags", EINVAL, [](auto& s) { s.flags = ~0u; }},
        {"no source", EINVAL, [](auto& s) { s.sources = 0; }},
        {"a source beyond the last", EINVAL, [](auto& s) { s.sources |= HFTMON_SOURCE_BIT(HFTMON_SOURCE_COUNT); }},
        {"the highest source", EINVAL, [](auto& s) { s.sources = 1ull << 63; }},
        {"an empty ring", EINVAL, [](auto& s) { s.ring_records = 0; }},
        {"a ring below the minimum", EINVAL, [](auto& s) { s.ring_records = HFTMON_RING_MIN_RECORDS / 2; }},
        {"a ring above the maximum", EINVAL, [](auto& s) { s.ring_records = HFTMON_RING_MAX_RECORDS * 2; }},
        {"an absurd ring", EINVAL, [](auto& s) { s.ring_records = 1u << 31; }},
        {"a ring that is no power of two", EINVAL, [](auto& s) { s.ring_records = 5000; }},
        {"the largest ring: above max_session_mb", ENOSPC,
         [](auto& s) {
             s.ring_records = HFTMON_RING_MAX_RECORDS;
             s.wakeup_records = 64;
         }},
        {"no wakeup", EINVAL, [](auto& s) { s.wakeup_records = 0; }},
        {"a wakeup below the minimum", EINVAL, [](auto& s) { s.wakeup_records = HFTMON_MIN_WAKEUP_RECORDS - 1; }},
        {"a wakeup beyond half the ring", EINVAL, [](auto& s) { s.wakeup_records = kRecords / 2 + 1; }},
        {"an absurd wakeup", EINVAL, [](auto& s) { s.wakeup_records = ~0u; }},
        {"a mask of 1 byte", EINVAL, [&](auto& s) { mask(s, one, 1); }},
        {"a mask of 12 bytes", EINVAL, [&](auto& s) { mask(s, none, 12); }},
        {"a mask of 2 KiB", EINVAL, [&](auto& s) { mask(s, none, 2048); }},
        {"a mask of 4 GiB", EINVAL, [&](auto& s) { mask(s, none, 0xfffffff8); }},
        {"an empty mask", EINVAL, [&](auto& s) { mask(s, none, 16); }},
        {"a mask at a null pointer", EFAULT, [&](auto& s) { mask(s, nullptr, 8); }},
        {"a mask at a kernel pointer", EFAULT, [&](auto& s) { mask(s, static_cast<__u64*>(kKernelPointer), 8); }},
        {"CPU 63", ENXIO, [&](auto& s) { mask(s, beyond, 8); }},
        {"CPU 128", ENXIO, [&](auto& s) { mask(s, far, sizeof(far)); }},
    };
    Device device;
    for (const Case& c : cases) {
        auto setup = good_setup();
        c.change(setup);
        expect(c.wanted, device.call(HFTMON_IOC_SETUP, &setup), fmt::format("SETUP with {}", c.what));
    }
    auto setup = good_setup();
    mask(setup, one, 8);
    expect(0, device.call(HFTMON_IOC_SETUP, &setup), "after all that, a good SETUP");
    auto info = sized<hftmon_info>();
    expect(0, device.call(HFTMON_IOC_INFO, &info), "INFO");
    verdict(info.state == HFTMON_SESSION_READY && info.ring_records == kRecords && info.mode == HFTMON_MODE_STREAM,
            "INFO tells what was set up");
    verdict(std::has_single_bit(info.ring_records) && info.record_size == HFTMON_RECORD_SIZE &&
                info.abi_version == HFTMON_ABI_VERSION,
            "INFO tells the ABI");
    auto stats = sized<hftmon_cpu_stats>();
    stats.cpu = 1;
    expect(ENXIO, device.call(HFTMON_IOC_CPU_STATS, &stats), "CPU_STATS of a CPU without a ring");
    for (const __u32 cpu : {info.nr_cpu_ids, 8191u, 0x7fffffffu, 0xffffffffu}) {
        stats = sized<hftmon_cpu_stats>();
        stats.cpu = cpu;
        expect(ENXIO, device.call(HFTMON_IOC_CPU_STATS, &stats), fmt::format("CPU_STATS of CPU {}", cpu));
    }
}

void lists() {
    Device device;
    std::vector<hftmon_source_status> entries(HFTMON_SOURCE_COUNT + 4);
    std::memset(entries.data(), 0xa5, entries.size() * sizeof(entries[0]));
    auto sources = sized<hftmon_sources>();
    expect(0, device.call(HFTMON_IOC_SOURCES, &sources), "SOURCES without room");
    verdict(sources.count == HFTMON_SOURCE_COUNT, "SOURCES tells how many there are");
    sources = sized<hftmon_sources>();
    sources.count = 3;
    sources.entries = reinterpret_cast<__u64>(entries.data());
    expect(0, device.call(HFTMON_IOC_SOURCES, &sources), "SOURCES with little room");
    verdict(entries[2].source == 2 && entries[3].source == 0xa5a5a5a5, "SOURCES stays inside that room");
    for (const __u32 count : {HFTMON_SOURCE_COUNT + 0u, 0xffffffffu}) {
        sources = sized<hftmon_sources>();
        sources.count = count;
        sources.entries = reinterpret_cast<__u64>(entries.data());
        expect(0, device.call(HFTMON_IOC_SOURCES, &sources), fmt::format("SOURCES with room for {}", count));
        verdict(entries[HFTMON_SOURCE_COUNT].source == 0xa5a5a5a5, "SOURCES writes no more than there are");
    }
    sources = sized<hftmon_sources>();
    sources.count = HFTMON_SOURCE_COUNT;
    sources.entries = reinterpret_cast<__u64>(kKernelPointer);
    expect(EFAULT, device.call(HFTMON_IOC_SOURCES, &sources), "SOURCES into the kernel");

    std::vector<hftmon_thread_entry> room(4096);
    auto threads = sized<hftmon_threads>();
    expect(0, device.call(HFTMON_IOC_THREADS, &threads), "THREADS without room");
    verdict(threads.count > 10 && threads.tsc <= threads.tsc_end && threads.tsc != 0,
            "THREADS tells how many there are");
    for (const __u32 count : {5u, 4096u, 0x00400000u, 0xffffffffu}) {
        std::memset(room.data(), 0xa5, room.size() * sizeof(room[0]));
        threads = sized<hftmon_threads>();
        threads.count = count;
        threads.entries = reinterpret_cast<__u64>(room.data());
        const int result = device.call(HFTMON_IOC_THREADS, &threads);
        // An absurd room may be more memory than there is.
        verdict(result == 0 || (count > 4096 && errno == ENOMEM), fmt::format("THREADS with room for {}", count));
        const std::size_t filled = std::min<std::size_t>(count, threads.count);
        if (result == 0) {
            verdict(filled < room.size() && room[filled].id.tid == 0xa5a5a5a5, "THREADS stays inside the room");
            verdict(room[0].id.tid == 1 && room[0].comm[HFTMON_COMM_LEN - 1] == '\0', "the first is init");
        }
    }
    threads = sized<hftmon_threads>();
    threads.count = 16;
    threads.entries = 16;
    expect(EFAULT, device.call(HFTMON_IOC_THREADS, &threads), "THREADS to a bad pointer");
}

// ---- states ----------------------------------------------------------------

int poll_events(const Device& device) {
    pollfd fd{.fd = device.fd(), .events = POLLIN | POLLOUT, .revents = 0};
    return ::poll(&fd, 1, 0) < 0 ? -1 : fd.revents;
}

void states() {
    Device device;
    auto stats = sized<hftmon_cpu_stats>();
    expect(ENODEV, device.call(HFTMON_IOC_START), "START before SETUP");
    expect(ENODEV, device.call(HFTMON_IOC_STOP), "STOP before SETUP");
    expect(ENXIO, device.call(HFTMON_IOC_CPU_STATS, &stats), "CPU_STATS before SETUP");
    verdict(poll_events(device) == 0, "poll before SETUP: nothing");
    set_up(device);
    auto setup = good_setup();
    expect(EBUSY, device.call(HFTMON_IOC_SETUP, &setup), "SETUP twice");
    expect(ENODEV, device.call(HFTMON_IOC_STOP), "STOP before START");
    verdict(poll_events(device) == 0, "poll before START: nothing");
    expect(0, device.call(HFTMON_IOC_START), "START");
    expect(EBUSY, device.call(HFTMON_IOC_START), "START twice");
    expect(EBUSY, device.call(HFTMON_IOC_SETUP, &setup), "SETUP while it runs");
    expect(0, device.call(HFTMON_IOC_STOP), "STOP");
    expect(EBUSY, device.call(HFTMON_IOC_STOP), "STOP twice");
    expect(EBUSY, device.call(HFTMON_IOC_START), "START after STOP");
    expect(EBUSY, device.call(HFTMON_IOC_SETUP, &setup), "SETUP after STOP");
    verdict((poll_events(device) & POLLHUP) != 0, "poll after STOP: POLLHUP");
    stats = sized<hftmon_cpu_stats>();
    expect(0, device.call(HFTMON_IOC_CPU_STATS, &stats), "CPU_STATS after STOP");
    verdict(stats.head != 0, "and the counts are there");

    char byte = 0;
    expect(EINVAL, ::read(device.fd(), &byte, 1), "read(2)");
    expect(EINVAL, ::write(device.fd(), &byte, 1), "write(2)");
}

// ---- mappings --------------------------------------------------------------

class Map {
public:
    Map(int fd, std::uint64_t offset, std::size_t length, int protection, int flags = MAP_SHARED)
        : length_(length),
          address_(::mmap(nullptr, length, protection, flags, fd, static_cast<off_t>(offset))),
          error_(errno) {}
    ~Map() {
        if (address_ != MAP_FAILED) ::munmap(address_, length_);
    }
    Map(const Map&) = delete;
    Map& operator=(const Map&) = delete;
    [[nodiscard]] bool mapped() const { return address_ != MAP_FAILED; }
    [[nodiscard]] int error() const { return mapped() ? 0 : error_; }
    [[nodiscard]] void* get() const { return address_; }
    [[nodiscard]] std::size_t length() const { return length_; }
    void forget() { address_ = MAP_FAILED; }

private:
    std::size_t length_;
    void* address_;
    int error_;
};

void expect_map(int wanted, const Device& device, std::uint64_t offset, std::size_t length, int protection, int flags,
                const std::string& what) {
    const Map map(device.fd(), offset, length, protection, flags);
    verdict(map.error() == wanted, fmt::format("mmap of {}: {}", what, errno_name(wanted)));
    if (map.error() != wanted) fmt::print("  got {}\n", errno_name(map.error()));
}

/// The signal that `body` dies of in a child; 0 when it ends, 1000 + status otherwise.
int signal_of(const std::function<void()>& body) {
    std::fflush(stdout);
    const pid_t pid = ::fork();
    if (pid == 0) {
        body();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) == 0 ? 0 : 1000 + WEXITSTATUS(status);
}

volatile char sink;

void touch(const void* address) { sink = *static_cast<const volatile char*>(address); }

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
    for (const unsigned region : {3u, 7u, 15u}) {
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

/// Mappings that outlive what they belong to.
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
    if (::madvise(other.get(), kPage, MADV_DONTNEED) == 0) {
        ::madvise(other.get(), kPage, MADV_DOFORK);
        verdict(signal_of([&] { touch(other.get()); }) == SIGBUS, "MADV_DONTNEED: the page is gone, SIGBUS");
    } else {
        verdict(true, "MADV_DONTNEED is refused");
    }
    // Pages in a pipe outlive the session.
    int pipes[2];
    if (::pipe(pipes) != 0) std::abort();
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

/// A reader that lies about its position: the kernel must not care.
void lying_reader() {
    Device device;
    auto setup = good_setup();
    setup.ring_records = HFTMON_RING_MIN_RECORDS;
    setup.wakeup_records = HFTMON_MIN_WAKEUP_RECORDS;
    expect(0, device.call(HFTMON_IOC_SETUP, &setup), "SETUP of the smallest ring");
    constexpr std::size_t kSmall = std::size_t{HFTMON_RING_MIN_RECORDS} * HFTMON_RECORD_SIZE;
    std::vector<hftmon_ring_reader*> readers;
    std::vector<const hftmon_ring_control*> controls;
    std::vector<void*> pages;
    auto info = sized<hftmon_info>();
    device.call(HFTMON_IOC_INFO, &info);
    for (unsigned cpu = 0; cpu < info.nr_cpu_ids; ++cpu) {
        Map reader(device.fd(), HFTMON_MMAP_OFFSET(cpu, HFTMON_MMAP_READER), kPage, PROT_READ | PROT_WRITE);
        Map control(device.fd(), HFTMON_MMAP_OFFSET(cpu, HFTMON_MMAP_CONTROL), kPage, PROT_READ);
        Map data(device.fd(), HFTMON_MMAP_OFFSET(cpu, HFTMON_MMAP_DATA), 2 * kSmall, PROT_READ);
        if (!reader.mapped() || !control.mapped() || !data.mapped()) continue;
        readers.push_back(static_cast<hftmon_ring_reader*>(reader.get()));
        controls.push_back(static_cast<const hftmon_ring_control*>(control.get()));
        reader.forget();
        control.forget();
    }
    expect(0, device.call(HFTMON_IOC_START), "START with readers that will lie");
    std::mt19937_64 random(1);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (std::chrono::steady_clock::now() < deadline) {
        for (std::size_t i = 0; i < readers.size(); ++i) {
            const std::uint64_t head = std::atomic_ref(const_cast<__u64&>(controls[i]->head)).load();
            const std::uint64_t lies[] = {0,
                                          ~0ull,
                                          head + 1,
                                          head - HFTMON_RING_MIN_RECORDS - 1,
                                          random(),
                                          1ull << 63,
                                          head + (1ull << 32),
                                          head - 1,
                                          head};
            std::atomic_ref(readers[i]->tail).store(lies[random() % std::size(lies)]);
            for (auto& word : readers[i]->reserved) word = random();
        }
        poll_events(device);
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    expect(0, device.call(HFTMON_IOC_STOP), "STOP after two seconds of lies");
    bool sane = true;
    for (const auto* control : controls) {
        auto stats = sized<hftmon_cpu_stats>();
        stats.cpu = control->cpu;
        sane = sane && device.call(HFTMON_IOC_CPU_STATS, &stats) == 0 && control->head == stats.head &&
               stats.head > 1 && control->capacity == HFTMON_RING_MIN_RECORDS;
    }
    verdict(sane, "its own counts are still sane");
    for (auto* reader : readers) ::munmap(reader, kPage);
    for (const auto* control : controls) ::munmap(const_cast<hftmon_ring_control*>(control), kPage);
}

// ---- many at once ----------------------------------------------------------

/// Threads that call every command on shared descriptors without order.
void storm() {
    constexpr int kSessions = 12, kThreads = 4;
    for (int round = 0; round < 3; ++round) {
        std::vector<Device> devices(kSessions);
        std::atomic<bool> stop{false};
        std::atomic<std::uint64_t> calls{0}, strange{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < kThreads; ++t) {
            threads.emplace_back([&, t] {
                std::mt19937 random(static_cast<unsigned>(round * 100 + t));
                while (!stop) {
                    Device& device = devices[random() % devices.size()];
                    int result = 0;
                    errno = 0;
                    switch (random() % 8) {
                        case 0: {
                            auto setup = good_setup();
                            setup.mode = random() % 2;
                            setup.ring_records = HFTMON_RING_MIN_RECORDS << (random() % 3);
                            setup.wakeup_records = HFTMON_MIN_WAKEUP_RECORDS;
                            result = device.call(HFTMON_IOC_SETUP, &setup);
                            break;
                        }
                        case 1: result = device.call(HFTMON_IOC_START); break;
                        case 2:
                            if (random() % 16 == 0) result = device.call(HFTMON_IOC_STOP);
                            break;
                        case 3: {
                            auto stats = sized<hftmon_cpu_stats>();
                            stats.cpu = static_cast<__u32>(random() % 6);
                            result = device.call(HFTMON_IOC_CPU_STATS, &stats);
                            break;
                        }
                        case 4: {
                            auto info = sized<hftmon_info>();
                            result = device.call(HFTMON_IOC_INFO, &info);
                            break;
                        }
                        case 5: {
                            const std::size_t bytes = std::size_t{HFTMON_RING_MIN_RECORDS} * HFTMON_RECORD_SIZE * 2;
                            const Map map(device.fd(),
                                          HFTMON_MMAP_OFFSET(static_cast<unsigned>(random() % 5), HFTMON_MMAP_DATA),
                                          bytes, PROT_READ);
                            if (map.mapped()) touch(map.get());
                            break;
                        }
                        case 6: {
                            auto sync = sized<hftmon_clock_sync>();
                            result = device.call(HFTMON_IOC_CLOCK_SYNC, &sync);
                            break;
                        }
                        default: poll_events(device);
                    }
                    const int error = errno;
                    if (result != 0 && error != EBUSY && error != ENODEV && error != ENXIO && error != ENOMEM)
                        ++strange;
                    ++calls;
                }
            });
        }
        std::this_thread::sleep_for(std::chrono::seconds(1));
        stop = true;
        for (auto& thread : threads) thread.join();
        verdict(strange == 0, fmt::format("storm {}: every answer is a documented one", round));
        fmt::print("  {} calls\n", calls.load());
    }
}

/// Memory that there may not be: refused or given, never half.
void memory() {
    for (int i = 0; i < 3; ++i) {
        Device device;
        auto setup = good_setup();
        setup.ring_records = 1u << 23;  // 256 MiB per CPU; up to max_session_mb with 4 CPUs
        const int result = device.call(HFTMON_IOC_SETUP, &setup);
        const int error = errno;
        verdict(result == 0 || error == ENOMEM || error == ENOSPC,
                fmt::format("rings of 256 MiB, try {}: {}", i, errno_name(result == 0 ? 0 : error)));
        auto info = sized<hftmon_info>();
        device.call(HFTMON_IOC_INFO, &info);
        verdict(info.state == (result == 0 ? HFTMON_SESSION_READY : HFTMON_SESSION_NEW), "and INFO agrees");
        if (result != 0) {
            set_up(device);
            expect(0, device.call(HFTMON_IOC_START), "after that refusal, a small session starts");
        }
    }
}

/// SIGKILL at any moment of a session's life.
void killed() {
    bool good = true;
    for (int i = 0; i < 40; ++i) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            for (;;) {
                Device device;
                set_up(device);
                const Map map(device.fd(), HFTMON_MMAP_OFFSET(0, HFTMON_MMAP_DATA), 2 * kData, PROT_READ);
                device.call(HFTMON_IOC_START);
                touch(map.get());
                device.call(HFTMON_IOC_STOP);
            }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5 + 3 * i));
        ::kill(pid, SIGKILL);
        int status = 0;
        good = ::waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && good;
    }
    verdict(good, "40 processes killed at some moment of a session");
}

/// A 32-bit program's system call (int 0x80): the ABI says that there is none.
void compat() {
#if defined(__x86_64__)
    Device device;
    auto* info = static_cast<hftmon_info*>(
        ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
    if (info == MAP_FAILED) return;
    *info = sized<hftmon_info>();
    long result = 54;  // ioctl
    asm volatile("int $0x80"
                 : "+a"(result)
                 : "b"(static_cast<long>(device.fd())), "c"(HFTMON_IOC_INFO), "d"(info)
                 : "memory", "r8", "r9", "r10", "r11");
    if (result == -ENOSYS) {
        fmt::print("  this kernel has no 32-bit system calls\n");
    } else {
        verdict(result == -ENOTTY, "INFO by a 32-bit system call: ENOTTY");
    }
    ::munmap(info, kPage);
#endif
}

}  // namespace

int main() {
    arguments();
    setups();
    lists();
    states();
    mappings();
    afterlife();
    lying_reader();
    storm();
    memory();
    killed();
    compat();
    fmt::print("end\n");
    return all_good ? 0 : 1;
}
