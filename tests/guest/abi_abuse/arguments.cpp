// SPDX-License-Identifier: MIT
// Commands with wrong arguments, and with lists of any length.
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "checks.hpp"
#include "device.hpp"
#include "verdict.hpp"

namespace abi_abuse {

namespace {

void* const kBadPointer = reinterpret_cast<void*>(16);
void* const kKernelPointer = reinterpret_cast<void*>(0xffffffff81000000);

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

}  // namespace

void arguments() {
    check_argument<hftmon_info>(HFTMON_IOC_INFO, "INFO");
    check_argument<hftmon_setup>(HFTMON_IOC_SETUP, "SETUP", [](hftmon_setup& setup) { setup = good_setup(); });
    check_argument<hftmon_sources>(HFTMON_IOC_SOURCES, "SOURCES");
    check_argument<hftmon_cpu_stats>(HFTMON_IOC_CPU_STATS, "CPU_STATS");
    check_argument<hftmon_clock_sync>(HFTMON_IOC_CLOCK_SYNC, "CLOCK_SYNC");
    check_argument<hftmon_threads>(HFTMON_IOC_THREADS, "THREADS");
    check_argument<hftmon_watch>(HFTMON_IOC_WATCH, "WATCH", [](hftmon_watch& watch) { watch.tid = 1; });

    check_argument<hftmon_minimum>(HFTMON_IOC_MINIMUM, "MINIMUM");
    check_argument<hftmon_trigger>(HFTMON_IOC_TRIGGER, "TRIGGER");
    check_argument<hftmon_spikes>(HFTMON_IOC_SPIKES, "SPIKES");
    check_argument<hftmon_costs>(HFTMON_IOC_COSTS, "COSTS");
    check_argument<hftmon_stacks>(HFTMON_IOC_STACKS, "STACKS");

    Device device;
    for (const unsigned nr : {12u, 14u, 100u, 255u}) {
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
    static const __u64 none[2] = {}, far[16] = {0, 0, 1}, beyond[1] = {1ull << 63}, one[2] = {1}, two[1] = {2};
    const auto mask = [](hftmon_setup& s, const __u64* words, __u32 bytes) {
        s.cpu_mask = reinterpret_cast<__u64>(words);
        s.cpu_mask_bytes = bytes;
    };
    const auto whole = [](hftmon_setup& s, const __u64* words, __u32 bytes, __u32 flags) {
        s.flags = flags;
        s.whole_mask = reinterpret_cast<__u64>(words);
        s.whole_mask_bytes = bytes;
    };
    const std::vector<Case> cases = {
        {"an unknown mode", EINVAL, [](auto& s) { s.mode = 2; }},
        {"an absurd mode", EINVAL, [](auto& s) { s.mode = ~0u; }},
        {"an unknown flag", EINVAL, [](auto& s) { s.flags = 32; }},
        {"whole CPUs, and all of them", EINVAL,
         [&](auto& s) { whole(s, one, 8, HFTMON_SETUP_WATCH | HFTMON_SETUP_WHOLE); }},
        {"inheritance of nobody", EINVAL, [](auto& s) { s.flags = HFTMON_SETUP_INHERIT_THREADS; }},
        {"a duration beyond the last", EINVAL,
         [](auto& s) { s.durations = HFTMON_DURATION_BIT(HFTMON_DURATION_COUNT); }},
        {"absurd durations", EINVAL, [](auto& s) { s.durations = ~0u; }},
        {"whole CPUs, but no WATCH", EINVAL, [&](auto& s) { whole(s, one, 8, 0); }},
        {"a whole CPU that has no ring", EINVAL,
         [&](auto& s) {
             mask(s, two, 8);
             whole(s, one, 8, HFTMON_SETUP_WATCH);
         }},
        {"histograms of threads, and watches none", EINVAL,
         [&](auto& s) { s.flags = HFTMON_SETUP_THREADS, s.durations = HFTMON_DURATION_ALL; }},
        {"histograms of threads, and counts none", EINVAL,
         [&](auto& s) {
             s.flags = HFTMON_SETUP_WATCH | HFTMON_SETUP_THREADS;
             s.durations = HFTMON_DURATION_BIT(HFTMON_DURATION_PREEMPTED);
         }},
        {"whole CPUs in 12 bytes", EINVAL, [&](auto& s) { whole(s, one, 12, HFTMON_SETUP_WATCH); }},
        {"whole CPUs at a null pointer", EFAULT, [&](auto& s) { whole(s, nullptr, 8, HFTMON_SETUP_WATCH); }},
        {"whole CPU 63", ENXIO, [&](auto& s) { whole(s, beyond, 8, HFTMON_SETUP_WATCH); }},
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

    std::vector<hftmon_source_cost> costs_of(HFTMON_COST_COUNT + 4);
    for (const __u32 count : {0u, 3u, HFTMON_COST_COUNT, 0xffffffffu}) {
        std::memset(costs_of.data(), 0xa5, costs_of.size() * sizeof(costs_of[0]));
        auto costs = sized<hftmon_costs>();
        costs.count = count;
        costs.entries = reinterpret_cast<__u64>(costs_of.data());
        expect(0, device.call(HFTMON_IOC_COSTS, &costs), fmt::format("COSTS with room for {}", count));
        verdict(costs.count == HFTMON_COST_COUNT &&
                    costs_of[std::min(count, HFTMON_COST_COUNT)].samples == 0xa5a5a5a5a5a5a5a5,
                "COSTS tells how many there are, and stays inside the room");
    }
    for (const __u32 cpu : {8191u, 0x7fffffffu, 0xffffffffu}) {
        auto costs = sized<hftmon_costs>();
        costs.cpu = cpu;
        expect(ENXIO, device.call(HFTMON_IOC_COSTS, &costs), fmt::format("COSTS of CPU {}", cpu));
    }
    auto costs = sized<hftmon_costs>();
    costs.reserved0 = 1;
    expect(EINVAL, device.call(HFTMON_IOC_COSTS, &costs), "COSTS with reserved0 set");
    costs = sized<hftmon_costs>();
    costs.count = 1;
    costs.entries = reinterpret_cast<__u64>(kKernelPointer);
    expect(EFAULT, device.call(HFTMON_IOC_COSTS, &costs), "COSTS into the kernel");

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

}  // namespace abi_abuse
