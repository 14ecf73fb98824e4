// SPDX-License-Identifier: MIT
// Many at once, too much, and an end at any moment.
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
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
                    switch (random() % 9) {
                        case 0: {
                            auto setup = good_setup();
                            setup.mode = random() % 2;
                            setup.ring_records = HFTMON_RING_MIN_RECORDS << (random() % 3);
                            setup.wakeup_records = HFTMON_MIN_WAKEUP_RECORDS;
                            if (random() % 2 == 0) setup.flags = HFTMON_SETUP_WATCH | HFTMON_SETUP_INHERIT_THREADS;
                            if (random() % 2 == 0) setup.durations = HFTMON_DURATION_ALL;
                            if (setup.flags != 0 && setup.durations != 0 && random() % 2 == 0)
                                setup.flags |= HFTMON_SETUP_THREADS;
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
                        case 8: {
                            auto watch = sized<hftmon_watch>();
                            watch.op = random() % 2;
                            watch.tid =
                                random() % 2 ? static_cast<__u32>(::getpid()) : static_cast<__u32>(random() % 2000);
                            watch.flags = random() % 2;
                            result = device.call(HFTMON_IOC_WATCH, &watch);
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
                    if (result != 0 && error != EBUSY && error != ENODEV && error != ENXIO && error != ENOMEM &&
                        error != EINVAL && error != ESRCH)
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

}  // namespace abi_abuse
