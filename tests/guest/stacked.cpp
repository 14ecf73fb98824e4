// SPDX-License-Identifier: MIT
// A thread that blocks, or wakes another, in a place that it tells: the ground truth
// of stacks. Functions with frame pointers call each other down to one system call.
//
// usage: stacked nanosleep|futex|pipe|poll|wake|then PROGRAM HOW
//
// Prints its thread id and, in hexadecimal, where the system call returns to, where
// that function returns to, and so on, innermost first, as a stack of it must begin;
// then stays in the system call. "wake": wakes a thread that waits, and ends 3 s
// later. "then": sleeps for a second, then executes that program with that argument.
#include <fmt/format.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string_view>
#include <thread>

// restacked.cpp is this program by another name.
#ifndef STACKED_AS
#define STACKED_AS stacked
#endif

namespace STACKED_AS {

struct Call {
    long number;
    std::array<long, 6> arguments;
};

#define FRAMED __attribute__((noinline, noclone, optimize("no-omit-frame-pointer", "no-optimize-sibling-calls")))

/// Tells the stack, then calls.
FRAMED long innermost(const Call& call, const void* middle_returns, const void* outer_returns) {
    const auto& a = call.arguments;
    const void* after = nullptr;
    asm("lea 1f(%%rip), %0" : "=r"(after));
    fmt::print("{} {} {} {} {}\n", ::gettid(), fmt::ptr(after), fmt::ptr(__builtin_return_address(0)),
               fmt::ptr(middle_returns), fmt::ptr(outer_returns));
    std::fflush(stdout);
    long result = call.number;
    register long r10 asm("r10") = a[3];
    asm volatile(
        "syscall\n"
        "1:"
        : "+a"(result)
        : "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10)
        : "rcx", "r11", "memory");
    return result;
}

FRAMED long middle(const Call& call, const void* outer_returns) {
    const long result = innermost(call, __builtin_return_address(0), outer_returns);
    asm volatile("" ::: "memory");  // no tail call
    return result;
}

FRAMED long outer(const Call& call) {
    const long result = middle(call, __builtin_return_address(0));
    asm volatile("" ::: "memory");
    return result;
}

template <class T>
long argument(T* pointer) {
    return reinterpret_cast<long>(pointer);
}

}  // namespace STACKED_AS

int main(int argc, char** argv) {
    using namespace STACKED_AS;
    const std::string_view how = argc == 2 || argc == 4 ? argv[1] : "";
    std::uint32_t word = 0;
    std::array<int, 2> ends{};
    char byte = 0;
    if (::pipe(ends.data()) != 0) return 1;
    pollfd waited{ends[0], POLLIN, 0};
    const timespec long_time{1000, 0};

    if (how == "nanosleep") {
        outer({SYS_nanosleep, {argument(&long_time), 0}});
    } else if (how == "futex") {
        outer({SYS_futex, {argument(&word), FUTEX_WAIT, 0, 0}});
    } else if (how == "pipe") {
        outer({SYS_read, {ends[0], argument(&byte), 1}});
    } else if (how == "poll") {
        outer({SYS_poll, {argument(&waited), 1, -1}});
    } else if (how == "wake") {
        std::thread waiter([&] { ::syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr, nullptr, 0); });
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        const long woken = outer({SYS_futex, {argument(&word), FUTEX_WAKE, 1, 0}});
        waiter.join();
        // Who looks live sees the waking a moment after it, and needs this process for its names.
        std::this_thread::sleep_for(std::chrono::seconds(3));
        return woken == 1 ? 0 : 1;
    } else if (how == "then" && argc == 4) {
        const timespec second{1, 0};
        outer({SYS_nanosleep, {argument(&second), 0}});
        ::execl(argv[2], argv[2], argv[3], nullptr);
        return 1;
    } else {
        fmt::print(stderr, "usage: stacked nanosleep|futex|pipe|poll|wake|then PROGRAM HOW\n");
        return 2;
    }
    return 0;
}
