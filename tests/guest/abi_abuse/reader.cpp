// SPDX-License-Identifier: MIT
// The reader page, the one that a program may write to.
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "checks.hpp"
#include "device.hpp"
#include "map.hpp"
#include "verdict.hpp"

namespace abi_abuse {

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

}  // namespace abi_abuse
