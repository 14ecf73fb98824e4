// SPDX-License-Identifier: MIT
// Is a CPU that interrupts another, to call a function, frozen with it, and nobody with
// one whose own timer does?
//
// usage: sender_check
//
// Exit status: 0 it is so.
#include <fmt/format.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <thread>
#include <variant>
#include <vector>

#include "hftmon/session.hpp"
#include "tests/guest/must.hpp"
#include "tests/guest/rings.hpp"

namespace {

using namespace hftmon;
using guest::expect;
using guest::good;
using guest::Heads;
using guest::heads;
using guest::must;
using namespace std::chrono_literals;

constexpr int kCpu = 1;

/// CPUs of which nothing is recorded any more, once there are `wanted`; a CPU that the
/// host leaves standing looks like it, but loses nothing.
std::vector<std::uint32_t> standing_still(Session& session, std::size_t wanted) {
    std::vector<std::uint32_t> still;
    for (int attempt = 0; attempt < 20 && still.size() != wanted; ++attempt) {
        const Heads before = heads(session);
        std::this_thread::sleep_for(200ms);
        const Heads after = heads(session);
        still.clear();
        for (const auto& [cpu, stats] : before.cpus) {
            if (after.cpus.at(cpu).head == stats.head && after.cpus.at(cpu).lost != stats.lost) still.push_back(cpu);
        }
    }
    return still;
}

void pin(int cpu) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    expect(::sched_setaffinity(0, sizeof(cpus), &cpus) == 0, "CPU {}: cannot run there", cpu);
}

}  // namespace

int main() {
    constexpr std::uint32_t kSender = 3;
    std::atomic<bool> ends = false;
    std::atomic<std::uint32_t> victim = 0;
    // Both of one process: a barrier of memory makes every CPU that runs it call a function.
    std::thread runs([&] {
        pin(kCpu);
        victim = static_cast<std::uint32_t>(::gettid());
        while (!ends) {
        }
    });
    std::thread interrupts([&] {
        pin(kSender);
        ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
        while (!ends) {
            expect(::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0, "membarrier");
            std::this_thread::sleep_for(1ms);
        }
    });
    while (victim == 0) std::this_thread::sleep_for(1ms);

    Session session = must(Session::open());
    SessionOptions options;
    options.mode = RingMode::kFlight;
    options.ring_records = 1u << 14;
    options.durations = HFTMON_DURATION_BIT(HFTMON_DURATION_VECTOR);
    options.watched = {Tid{victim}};
    must(session.setup(options));
    TriggerOptions trigger;
    trigger.thresholds = {{HFTMON_DURATION_VECTOR, 0ns}};
    trigger.watched = true;
    trigger.freeze = Freeze::kSender;
    must(session.set_trigger(trigger));
    must(session.start());
    std::map<std::uint32_t, int> from;  ///< by CPU that was frozen, too
    int timers = 0, calls = 0;
    std::uint64_t hits = 0;
    for (int i = 0; i < 300 && (calls < 5 || timers < 3); ++i) {
        (void)must(session.wait(1s));
        const Spikes spikes = must(session.spikes());
        if (spikes.hits == hits) continue;
        hits = spikes.hits;
        const auto& spike = std::get<SpikeEvent>(spikes.last.body);
        const bool is_call =
            spike.cause == HFTMON_VECTOR_CALL_FUNCTION || spike.cause == HFTMON_VECTOR_CALL_FUNCTION_SINGLE;
        const bool is_timer = spike.cause == HFTMON_VECTOR_LOCAL_TIMER;
        if ((is_call && calls < 5) || (is_timer && timers < 3)) {
            const auto still = standing_still(session, is_call ? 2 : 1);
            expect(std::ranges::count(still, kCpu) == 1, "the CPU of the hit records on");
            // Of a sender that has sent too much since, nobody knows.
            expect(still.size() <= (is_call ? 2u : 1u), "{} of {}: {} CPUs are frozen", i,
                   vector_name(static_cast<VectorKind>(spike.cause)), still.size());
            for (const std::uint32_t cpu : still) from[cpu] += is_call && cpu != kCpu;
            ++(is_call ? calls : timers);
        }
        (void)must(session.spikes(Rearm::kYes));
    }
    must(session.stop());
    ends = true;
    runs.join();
    interrupts.join();
    fmt::print("{} calls, {} of them by CPU {}, {} timers\n", calls, from[kSender], kSender, timers);
    expect(calls == 5 && timers == 3, "not enough is proved");
    // Others call functions there, too, but rarely.
    expect(from[kSender] >= 3, "another CPU was taken for the sender");
    return good ? 0 : 1;
}
