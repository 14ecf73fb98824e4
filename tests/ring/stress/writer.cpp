// SPDX-License-Identifier: MIT
#include "tests/ring/stress/writer.hpp"

#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <system_error>

#include "tests/ring/core_words.h"

namespace ringtest {
namespace {
#ifdef HFTMON_TESTS_TSAN
// ThreadSanitizer runs a handler with all signals blocked: nothing nests in it.
// So there a call in the middle of a write plays the second level.
constexpr bool kCalled = true;
void between();
#define hftmon_tests_between() ::ringtest::between()
#else
constexpr bool kCalled = false;
#endif
}  // namespace
}  // namespace ringtest

#include "tests/ring/core_atomics.h"

namespace ringtest {

namespace {

// What the writing thread and its signal handlers share: one thread, like the
// contexts of one CPU. Each level counts only for itself.
hftmon_ring_core core;
std::array<std::uint64_t, kLevels> writes;
std::array<std::uint64_t, kLevels> records;
std::array<volatile sig_atomic_t, kLevels> inside;  // a write of this level
std::array<std::uint64_t, kLevels> interrupts;
std::array<std::uint64_t, kLevels> nested;
std::uint64_t twice_nested;
volatile sig_atomic_t accepting;  // a signal can still be pending when its timer is gone

void write_one(unsigned level) {
    const Content content = Content::of(level, ++writes[level]);
    records[level] += content.records();
    inside[level] = 1;
    hftmon_ring_write(&core, content.type, content.flags, content.payload[0], content.payload[1],
                      content.has_comm ? content.comm : nullptr);
    inside[level] = 0;
}

void interrupt(int signal) {
    if (accepting == 0) return;
    const int saved = errno;
    const unsigned level = signal == SIGUSR1 ? 1 : 2;
    ++interrupts[level];
    const int depth = inside[0] + (level == 2 ? inside[1] : 0);
    nested[level] += depth > 0;
    twice_nested += depth > 1;
    const auto count = 1 + interrupts[level] % (level == 1 ? 12 : 3);
    for (std::uint64_t i = 0; i < count; ++i) write_one(level);
    errno = saved;
}

#ifdef HFTMON_TESTS_TSAN
void between() {
    static std::uint64_t calls = 0;
    if (inside[2] == 0 && ++calls % 31 == 0) interrupt(SIGUSR2);
}
#endif

/// Signals of one level to the calling thread, every so often, while it lives.
class Interrupter {
public:
    Interrupter(int signal, long period_ns) {
        struct sigaction action = {};
        action.sa_handler = interrupt;
        action.sa_flags = SA_RESTART;
        // SIGUSR2 interrupts the handler of SIGUSR1, not the other way round.
        if (signal == SIGUSR2) ::sigaddset(&action.sa_mask, SIGUSR1);
        ::sigaction(signal, &action, nullptr);
        ::sigevent event = {};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event._sigev_un._tid = ::gettid();
        if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) {
            throw std::system_error(errno, std::generic_category(), "timer_create");
        }
        const ::itimerspec times = {.it_interval = {.tv_sec = 0, .tv_nsec = period_ns},
                                    .it_value = {.tv_sec = 0, .tv_nsec = period_ns}};
        ::timer_settime(timer_, 0, &times, nullptr);
    }
    ~Interrupter() { ::timer_delete(timer_); }
    Interrupter(const Interrupter&) = delete;
    Interrupter& operator=(const Interrupter&) = delete;

private:
    ::timer_t timer_ = {};
};

/// One CPU writes to a ring.
void stay_on_one_cpu() {
    ::cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(::sched_getcpu()), &one);
    ::sched_setaffinity(0, sizeof(one), &one);
}

}  // namespace

Content Content::of(unsigned level, std::uint64_t n) {
    Content content{};
    content.type = static_cast<std::uint16_t>(kFirstType + level);
    content.flags = static_cast<std::uint16_t>(n);
    content.payload[0] = n;
    content.payload[1] = (n + level) * 0x9e3779b97f4a7c15u;
    content.has_comm = n % 5 == 0;
    std::memset(content.comm, 'a' + static_cast<int>(n % 26), sizeof(content.comm) - 1);
    return content;
}

Writer::Writer(const HandMadeRing& ring) {
    core = {};
    hftmon_ring_core_init(&core, ring.control->mode == HFTMON_MODE_FLIGHT, ring.control->capacity);
    core.slots = ring.slots;
    core.control = ring.control;
    core.ureader = ring.reader;
    writes = {};
    records = {};
    interrupts = {};
    nested = {};
    twice_nested = 0;
}

Writer::~Writer() {
    if (thread_.joinable()) thread_.join();
}

void Writer::start(std::chrono::milliseconds length, std::chrono::microseconds pause) {
    thread_ = std::thread([this, length, pause] { run(length, pause); });
}

void Writer::run(std::chrono::milliseconds length, std::chrono::microseconds pause) {
    stay_on_one_cpu();
    const auto now = [] { return std::chrono::steady_clock::now(); };
    const auto end = now() + length;
    accepting = 1;
    {
        // Periods that share no factor, so that the phases drift.
        const Interrupter irqs(SIGUSR1, kCalled ? 290'003 : 29'003);
        std::optional<Interrupter> nmis;
        if (!kCalled) nmis.emplace(SIGUSR2, 13'007);
        while (now() < end) {
            for (unsigned i = 0; i < 200; ++i) write_one(0);
            const auto until = now() + pause;
            while (now() < until) {
            }
        }
    }
    accepting = 0;
    done_.store(true, std::memory_order_release);
}

Written Writer::finish() {
    thread_.join();
    Written result;
    result.writes = writes;
    for (const std::uint64_t count : records) result.records += count;
    result.head = core.head;
    result.lost = core.lost;
    for (const std::uint64_t count : interrupts) result.interrupts += count;
    for (const std::uint64_t count : nested) result.inside_a_write += count;
    result.twice_nested = twice_nested;
    return result;
}

}  // namespace ringtest
