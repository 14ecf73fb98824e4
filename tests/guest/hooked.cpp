// SPDX-License-Identifier: MIT
// Is any probe of the module still hooked that nobody asked for?
//
// A session that records only sched_process_exec counts how often any probe of
// the module ran on its CPUs (hftmon_cpu_stats.probes counts them all). With
// nothing left over from other sessions, that is as often as it recorded an
// exec; a forgotten hook would run with every context switch.
//
// Exit status: 0 nothing is hooked, 1 something is or the session failed.
#include <fmt/format.h>
#include <sched.h>

#include <chrono>
#include <thread>

#include "hftmon/session.hpp"

int main() {
    using namespace hftmon;
    auto session = Session::open();
    if (!session) {
        fmt::print("{}\n", session.error().message());
        return 1;
    }
    SessionOptions options;
    options.sources = HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_PROCESS_EXEC);
    options.ring_records = 4096;
    options.wakeup_records = 2048;
    auto status = session->setup(options);
    if (status) status = session->start();
    if (!status) {
        fmt::print("{}\n", status.error().message());
        return 1;
    }
    // Switches, wakeups and timers, that a forgotten hook would see.
    for (int i = 0; i < 50; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (status = session->stop(); !status) {
        fmt::print("{}\n", status.error().message());
        return 1;
    }
    std::uint64_t probes = 0, records = 0;
    for (const RingReader& ring : session->rings()) {
        const auto stats = session->cpu_stats(ring.cpu());
        if (!stats) {
            fmt::print("{}\n", stats.error().message());
            return 1;
        }
        probes += stats->probes;
        records += stats->head;
    }
    fmt::print("probes ran {} times, {} records were written\n", probes, records);
    return probes <= records ? 0 : 1;
}
