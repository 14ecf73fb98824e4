// SPDX-License-Identifier: MIT
// A thread that signals keep from sleeping, beside one that wants its CPU: a
// signal that comes on the way into a sleep makes the kernel take the sleep
// back, and the thread waits for the CPU without anybody waking it.
//
// usage: signalled CPU SECONDS
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <thread>

namespace {

std::atomic<bool> over = false;

void pin(const char* cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(std::strtoul(cpu, nullptr, 10)), &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0) {
        fmt::print(stderr, "signalled: there is no CPU {}\n", cpu);
        std::exit(1);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: signalled CPU SECONDS\n");
        return 2;
    }
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);

    std::thread hog([&] {
        pin(argv[1]);
        while (!over) {
        }
    });
    // Its own timer signals it: the interrupt comes on its CPU, anywhere on its
    // way. Nice, so that the CPU goes to the other when it wants to sleep.
    std::atomic<std::uint64_t> sleeps = 0;
    std::thread sleeper([&] {
        pin(argv[1]);
        [[maybe_unused]] const int priority = ::nice(10);
        sigevent event{};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = SIGUSR1;
        event._sigev_un._tid = ::gettid();
        timer_t timer{};
        const itimerspec often{{0, 150'000}, {0, 150'000}};
        if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) std::abort();
        ::timer_settime(timer, 0, &often, nullptr);
        const timespec moment{0, 20'000};
        for (; !over; ++sleeps) ::nanosleep(&moment, nullptr);
        ::timer_delete(timer);
    });
    std::this_thread::sleep_for(std::chrono::seconds(std::strtoul(argv[2], nullptr, 10)));
    over = true;
    sleeper.join();
    hog.join();
    fmt::print("{} sleeps\n", sleeps.load());
    return 0;
}
