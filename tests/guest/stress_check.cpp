// SPDX-License-Identifier: MIT
// Do counts stay exact for long, while two flight recorders run, triggers fire and
// rings freeze and thaw?
//
// usage: stress_check SECONDS
//
// One session records everything, counts durations, and is frozen by a trigger that
// arms itself again; the other records switches and wakings. The kernel's own
// counters of these tracepoints (perf_event_open) are what its counts are held against,
// once a second, CPU by CPU: what happened while both were read may be in either.
// Says "recording" once both do. Exit status: 0 all of it held.
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "hftmon/runs.hpp"
#include "hftmon/session.hpp"
#include "tests/guest/must.hpp"

namespace {

using namespace hftmon;
using guest::expect;
using guest::good;
using guest::must;
using namespace std::chrono_literals;

/// The kernel's count of a tracepoint on one CPU.
class Counter {
public:
    Counter(const char* event, std::uint32_t cpu) {
        std::ifstream file(fmt::format("/sys/kernel/tracing/events/sched/{}/id", event));
        ::perf_event_attr attr{};
        attr.type = PERF_TYPE_TRACEPOINT;
        attr.size = sizeof(attr);
        if (file >> attr.config)
            fd_ = static_cast<int>(
                ::syscall(SYS_perf_event_open, &attr, -1, static_cast<int>(cpu), -1, PERF_FLAG_FD_CLOEXEC));
        if (fd_ < 0) {
            fmt::print("cannot count {} on CPU {}: {}\n", event, cpu, std::strerror(errno));
            std::exit(1);
        }
    }
    Counter(Counter&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    ~Counter() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] std::uint64_t read() const {
        std::uint64_t count = 0;
        if (::read(fd_, &count, sizeof(count)) != sizeof(count)) std::exit(1);
        return count;
    }

private:
    int fd_ = -1;
};

/// What one CPU has counted: between two readings of the kernel's own counts, one of ours.
struct Look {
    std::uint64_t before = 0, ours = 0, after = 0;
};

struct Counted {
    std::map<std::uint32_t, std::vector<Counter>> counters;
    std::vector<Counter> exits;

    explicit Counted(Session& session) {
        for (const RingReader& ring : session.rings()) {
            for (const char* event : {"sched_switch", "sched_waking"})
                counters[ring.cpu().value].emplace_back(event, ring.cpu().value);
            exits.emplace_back("sched_process_exit", ring.cpu().value);
        }
    }
    [[nodiscard]] std::uint64_t kernel(std::uint32_t cpu) const {
        std::uint64_t sum = 0;
        for (const Counter& counter : counters.at(cpu)) sum += counter.read();
        return sum;
    }
    /// Threads that have ended: their last switches are told by two records more.
    [[nodiscard]] std::uint64_t ended() const {
        std::uint64_t sum = 0;
        for (const Counter& counter : exits) sum += counter.read();
        return sum;
    }
    [[nodiscard]] std::map<std::uint32_t, Look> look(const Session& session) const {
        std::map<std::uint32_t, Look> looks;
        for (const auto& [cpu, unused] : counters) {
            Look& look = looks[cpu];
            look.before = kernel(cpu);
            const CpuStats stats = must(session.cpu_stats(CpuId{cpu}));
            look.ours = stats.head + stats.lost;
            look.after = kernel(cpu);
        }
        return looks;
    }
};

/// Every position of a stopped ring, and each record once.
std::uint64_t check_ring(RingReader& ring, const CpuStats& stats) {
    const auto records = ring.peek();
    const RingCounts counts = ring.counts();
    expect(stats.lost == counts.lost, "CPU {}: {} and {} lost", ring.cpu().value, stats.lost, counts.lost);
    expect(counts.overwritten + records.size() == stats.head, "CPU {}: {} overwritten, {} there, of {}",
           ring.cpu().value, counts.overwritten, records.size(), stats.head);
    std::uint64_t spikes = 0, last = 0, position = ring.position();
    for (const Record& record : records) {
        expect(record.seq == static_cast<std::uint32_t>(++position), "CPU {}: a record of another position",
               ring.cpu().value);
        expect(record.tsc >= last, "CPU {}: time goes backwards", ring.cpu().value);
        last = record.tsc;
        spikes += record.type == HFTMON_REC_SPIKE;
    }
    return spikes;
}

}  // namespace

int main(int argc, char** argv) {
    const int seconds = argc == 2 ? std::atoi(argv[1]) : 0;
    if (seconds <= 0) {
        fmt::print(stderr, "usage: stress_check SECONDS\n");
        return 2;
    }
    Session frozen = must(Session::open());
    SessionOptions all;
    all.mode = RingMode::kFlight;
    all.ring_records = 1u << 14;
    all.durations = HFTMON_DURATION_ALL;
    must(frozen.setup(all));
    TriggerOptions trigger;
    trigger.thresholds = {
        {HFTMON_DURATION_WAKEUP, 2ms}, {HFTMON_DURATION_VECTOR, 200us}, {HFTMON_DURATION_SOFTIRQ, 1ms}};
    trigger.freeze = Freeze::kAll;
    trigger.tail = 1ms;
    trigger.holdoff = 20ms;
    must(frozen.set_trigger(trigger));
    must(frozen.start());

    Session plain = must(Session::open());
    SessionOptions some;
    some.mode = RingMode::kFlight;
    some.ring_records = 1u << 14;
    some.sources = HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_SWITCH) | HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKING);
    must(plain.setup(some));
    const Counted counted(plain);
    must(plain.start());
    fmt::print("recording\n");
    std::fflush(stdout);

    const auto first = counted.look(plain);
    std::uint64_t looks = 0, widest = 0;
    for (int second = 0; second < seconds; ++second) {
        std::this_thread::sleep_for(1s);
        if (second % 7 == 3) (void)must(frozen.spikes(Rearm::kYes));
        const auto now = counted.look(plain);
        const std::uint64_t more = 2 * counted.ended();
        for (const auto& [cpu, look] : now) {
            const Look& start = first.at(cpu);
            const std::uint64_t ours = look.ours - start.ours;
            const std::uint64_t low = look.before - start.after, high = look.after - start.before;
            // A probe of theirs may have run, and ours not yet.
            expect(ours + 2 >= low && ours <= high + more + 2,
                   "second {}, CPU {}: {} records, the kernel counts {} to {}, {} of dead threads", second, cpu, ours,
                   low, high, more);
            widest = std::max(widest, high - low);
            ++looks;
        }
    }
    const Spikes spikes = must(frozen.spikes());
    must(plain.stop());
    must(frozen.stop());
    std::uint64_t produced = 0, lost = 0, found = 0;
    for (Session* session : {&plain, &frozen}) {
        for (RingReader& ring : session->rings()) {
            const CpuStats stats = must(session->cpu_stats(ring.cpu()));
            produced += stats.head + stats.lost;
            lost += stats.lost;
            found += check_ring(ring, stats);
        }
    }
    fmt::print(
        "{} s: {} records produced, {} kept out of frozen rings, {} hits, {} held, {} SPIKE records there; {} counts "
        "equal to the kernel's (bounds up to {} apart, {} threads ended)\n",
        seconds, produced, lost, spikes.hits, spikes.held, found, looks, widest, counted.ended());
    expect(spikes.hits > static_cast<std::uint64_t>(seconds), "only {} hits", spikes.hits);
    expect(lost > 0, "no ring was ever frozen");
    return good ? 0 : 1;
}
