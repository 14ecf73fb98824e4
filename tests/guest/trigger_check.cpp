// SPDX-License-Identifier: MIT
// Do triggers hit when they should, only then, and do what they say?
//
// usage: trigger_check frozen | holdoff | counts
//        trigger_check victim           is late every 750 ms, until it is killed
//
//   frozen   a thread that is kept from waking, and nobody else, freezes the rings,
//            which then hold what led to it, and a tail
//   holdoff  hits have their distance
//   counts   every duration over a threshold is a hit: as many as the histograms
//            say; each record stands behind what it tells of
//
// Exit status: 0 they do.
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <semaphore>
#include <thread>
#include <variant>
#include <vector>

#include "hftmon/merge.hpp"
#include "hftmon/session.hpp"
#include "tests/guest/must.hpp"
#include "tests/guest/rings.hpp"

namespace {

using namespace hftmon;
using guest::expect;
using guest::for_each_event;
using guest::good;
using guest::Heads;
using guest::heads;
using guest::must;
using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr int kCpu = 1;

/// SCHED_FIFO on kCpu.
void settle(int priority) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(kCpu, &cpus);
    const sched_param param{.sched_priority = priority};
    if (::sched_setaffinity(0, sizeof(cpus), &cpus) != 0 || ::sched_setscheduler(0, SCHED_FIFO, &param) != 0) {
        fmt::print("cannot be a real-time thread on CPU {}: {}\n", kCpu, std::strerror(errno));
        std::exit(1);
    }
}

/// A thread that wakes every few milliseconds, and one that can keep it from it.
class Pair {
public:
    Pair()
        : victim_([this] {
              settle(40);
              ::pthread_setname_np(::pthread_self(), "victim");
              victim_tid_ = Tid{static_cast<std::uint32_t>(::gettid())};
              ready_.release();
              while (!ends_) {
                  const auto due = SteadyClock::now() + 3ms;
                  std::this_thread::sleep_until(due);
                  latest_ = std::max(latest_.load(), SteadyClock::now() - due);
              }
          }),
          hog_([this] {
              settle(60);
              ::pthread_setname_np(::pthread_self(), "hog");
              hog_tid_ = Tid{static_cast<std::uint32_t>(::gettid())};
              ready_.release();
              while (true) {
                  go_.acquire();
                  if (ends_) return;
                  for (const auto end = SteadyClock::now() + length_; SteadyClock::now() < end;) {
                  }
                  done_.release();
              }
          }) {
        ready_.acquire();
        ready_.acquire();
    }
    ~Pair() {
        ends_ = true;
        go_.release();
        victim_.join();
        hog_.join();
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    void plant(std::chrono::milliseconds length) {
        length_ = length;
        go_.release();
        done_.acquire();
    }
    /// By how much the victim was late, by its own clock, at most since the last call.
    Nanoseconds latest() { return latest_.exchange({}); }
    [[nodiscard]] Tid victim() const { return victim_tid_; }
    [[nodiscard]] Tid hog() const { return hog_tid_; }

private:
    std::counting_semaphore<2> ready_{0};
    std::binary_semaphore go_{0}, done_{0};
    std::atomic<bool> ends_ = false;
    std::atomic<Nanoseconds> latest_ = Nanoseconds(0);
    std::chrono::milliseconds length_{0};
    Tid victim_tid_, hog_tid_;
    std::thread victim_, hog_;
};

bool same(const Event& a, const SpikeEvent& b) {
    const auto& spike = std::get<SpikeEvent>(a.body);
    return spike.kind == b.kind && spike.duration == b.duration && spike.tid == b.tid && spike.cause == b.cause;
}

void frozen() {
    constexpr Nanoseconds kTail = 5ms, kOver = 100ms;
    Pair pair;
    Session session = must(Session::open());
    SessionOptions options;
    options.mode = RingMode::kFlight;
    options.ring_records = 1u << 15;
    options.durations = HFTMON_DURATION_BIT(HFTMON_DURATION_WAKEUP);
    options.watched = {pair.victim()};
    must(session.setup(options));
    TriggerOptions trigger;
    trigger.thresholds = {{HFTMON_DURATION_WAKEUP, kOver}};
    trigger.watched = true;
    trigger.freeze = Freeze::kAll;
    trigger.tail = kTail;
    must(session.set_trigger(trigger));
    must(session.start());
    const TscClock clock = TscClock::from_khz(must(session.info()).tsc_khz);
    const auto now = [&] { return TscTime{must(session.clock_sync()).tsc}; };

    // The host may stand still: what nobody has planted is true if the victim saw it, too.
    const auto judge = [&](const Spikes& spikes) {
        const auto length = clock.to_ns(std::get<SpikeEvent>(spikes.last.body).duration);
        expect(pair.latest() + 1ms > length, "a hit of {} ms that the victim knows nothing of", length / 1ms);
    };
    (void)pair.latest();
    expect(!must(session.wait(500ms)), "a flight recorder was readable");
    std::uint64_t hits = 0;
    if (const Spikes spikes = must(session.spikes(Rearm::kYes)); spikes.hits != 0) {
        fmt::print("the machine stood still\n");
        judge(spikes);
        hits = spikes.hits;
    }

    constexpr std::chrono::milliseconds kPlanted(300);
    const auto planted = [&] {
        TscTime before;
        Spikes spikes;
        for (int attempt = 0; attempt < 8; ++attempt) {
            before = now();
            (void)pair.latest();
            std::thread planting([&] { pair.plant(kPlanted); });
            const auto start = SteadyClock::now();
            (void)must(session.wait(20s));
            const auto waited = SteadyClock::now() - start;
            expect(waited < 10s, "a wait that a hit should end took {} ms", waited / 1ms);
            spikes = must(session.spikes());
            planting.join();
            std::this_thread::sleep_for(20ms);
            judge(spikes);
            expect(spikes.hits == ++hits, "{} hits, not {}", spikes.hits, hits);
            // Shorter, or behind nobody, it was late without the hog. (Of a PREEMPT_RT kernel's
            // own threads one may run between the two.)
            const auto& late = std::get<SpikeEvent>(spikes.last.body);
            if (late.cause != 0 && clock.to_ns(late.duration) > kPlanted - 50ms) break;
            fmt::print("the machine stood still\n");
            (void)must(session.spikes(Rearm::kYes));
        }
        const TscTime after = now();
        const auto& spike = std::get<SpikeEvent>(spikes.last.body);
        fmt::print("hit {}: {} of {} (victim {}), {} us on CPU {}, cause {} (hog {}), {} held\n", spikes.hits,
                   static_cast<int>(spike.kind), spike.tid.value, pair.victim().value,
                   clock.to_ns(spike.duration).count() / 1000, spikes.last.header.cpu.value, spike.cause,
                   pair.hog().value, spikes.held);
        expect(spike.kind == HFTMON_DURATION_WAKEUP && spike.tid == pair.victim(), "not the victim's waking");
        expect(spikes.last.header.cpu == CpuId{kCpu}, "not on the victim's CPU");
        expect(clock.to_ns(spike.duration) > kOver && spike.duration < after - before, "it cannot have been so long");
        expect(spikes.last.header.time > before && spikes.last.header.time < after, "it was not then");
        return spikes;
    };
    planted();
    std::this_thread::sleep_for(50ms);
    const Heads still = heads(session);
    std::this_thread::sleep_for(100ms);
    const Heads later = heads(session);
    for (const auto& [cpu, stats] : still.cpus) {
        expect(later.cpus.at(cpu).head == stats.head, "CPU {} records on", cpu);
    }
    expect(later.cpus.at(kCpu).lost > still.cpus.at(kCpu).lost, "nothing was lost meanwhile");

    (void)must(session.spikes(Rearm::kYes));
    std::this_thread::sleep_for(100ms);
    expect(heads(session).cpus.at(kCpu).head > later.cpus.at(kCpu).head, "it does not go on");
    const Spikes last = planted();
    std::this_thread::sleep_for(50ms);
    const Heads end = heads(session);
    must(session.stop());

    std::uint64_t found = 0, gaps = 0;
    bool hog_ran = false;
    TscTime newest;
    for_each_event(session, [&](const Event& event) {
        newest = std::max(newest, event.header.time);
        if (const auto* spike = std::get_if<SpikeEvent>(&event.body)) {
            if (same(last.last, *spike)) ++found;
        }
        const auto* change = std::get_if<SchedSwitchEvent>(&event.body);
        const TscTime began = last.last.header.time - std::get<SpikeEvent>(last.last.body).duration;
        if (change && change->prev == pair.hog() && event.header.time > began &&
            event.header.time < last.last.header.time)
            hog_ran = true;
        if (const auto* gap = std::get_if<GapEvent>(&event.body)) {
            ++gaps;
            const CpuStats& stats = end.cpus.at(event.header.cpu.value);
            expect(gap->lost_total >= later.cpus.at(event.header.cpu.value).lost && gap->lost_total <= stats.lost,
                   "CPU {}: a GAP tells of {} records", event.header.cpu.value, gap->lost_total);
        }
    });
    expect(hog_ran, "the rings do not hold what led to it");
    expect(found == 1, "the last hit has {} records", found);
    expect(gaps > 0, "no GAP tells of what was lost");
    // A record that was on its way, and what interrupts it, may come a moment later.
    const auto tail = clock.to_ns(newest - last.last.header.time);
    fmt::print("newest record {} us after the hit\n", tail.count() / 1000);
    expect(tail > 0ms && tail < kTail + 10ms, "the tail is not {} ms", kTail / 1ms);
}

void holdoff() {
    constexpr Nanoseconds kHoldoff = 50ms;
    Session session = must(Session::open());
    SessionOptions options;
    options.ring_records = 1u << 18;
    options.durations = HFTMON_DURATION_BIT(HFTMON_DURATION_VECTOR);
    must(session.setup(options));
    TriggerOptions trigger;
    trigger.thresholds = {{HFTMON_DURATION_VECTOR, 0ns}};
    trigger.holdoff = kHoldoff;
    must(session.set_trigger(trigger));
    must(session.start());
    std::this_thread::sleep_for(1s);
    must(session.stop());
    const Spikes spikes = must(session.spikes());
    const TscClock clock = TscClock::from_khz(must(session.info()).tsc_khz);
    std::vector<TscTime> times;
    for_each_event(session, [&](const Event& event) {
        if (std::holds_alternative<SpikeEvent>(event.body)) times.push_back(event.header.time);
    });
    std::ranges::sort(times);
    fmt::print("{} hits, {} held\n", spikes.hits, spikes.held);
    expect(times.size() == spikes.hits && spikes.hits >= 5, "{} records", times.size());
    expect(spikes.held > 0, "nothing was held off");
    for (std::size_t i = 1; i < times.size(); ++i) {
        // A record is written a moment after its time was taken.
        const auto distance = clock.to_ns(times[i] - times[i - 1]);
        expect(distance > kHoldoff - 5ms, "{} us between two hits", distance.count() / 1000);
    }
}

using Counts = std::array<std::uint64_t, kDurationKinds>;

/// Of all CPUs together, how many were counted in buckets from `bucket` on.
Counts counted_above(Session& session, std::uint32_t bucket) {
    Counts counts{};
    auto histograms = std::make_unique<DurationHistograms>();
    for (const RingReader& ring : session.rings()) {
        must(session.durations(ring.cpu(), *histograms));
        for (std::size_t kind = 0; kind < kDurationKinds; ++kind) {
            for (const auto count : histograms->of[kind].counts().subspan(bucket)) counts[kind] += count;
        }
    }
    return counts;
}

void set_ticks(const Session& session, std::uint32_t kinds, std::uint64_t over) {
    ::hftmon_trigger trigger{};
    trigger.size = sizeof(trigger);
    trigger.kinds = kinds;
    trigger.holdoff_ticks = 1;
    for (auto& ticks : trigger.over) ticks = over;
    if (::ioctl(session.fd(), HFTMON_IOC_TRIGGER, &trigger) != 0) {
        std::perror("TRIGGER");
        std::exit(1);
    }
}

/// What one CPU's records said last, for a SPIKE to be about.
struct Before {
    SchedSwitchEvent change{};
    std::map<std::uint32_t, TscTime> irqs, softirqs, vectors;  ///< ended
};

void counts() {
    constexpr std::uint32_t kBucket = 10 << HFTMON_HISTOGRAM_SUB_BITS;  // 16384 ticks
    Session session = must(Session::open());
    SessionOptions options;
    options.ring_records = 1u << 19;
    options.durations = HFTMON_DURATION_ALL;
    must(session.setup(options));
    must(session.start());
    const Counts a = counted_above(session, kBucket);
    set_ticks(session, HFTMON_DURATION_ALL, ::hftmon_histogram_floor(kBucket) - 1);
    const Counts b = counted_above(session, kBucket);
    // Until there is one of each; a loaded host may have no interrupt for long.
    Counts c = b;
    const auto is_complete = [&] {
        for (std::size_t kind = 0; kind < kDurationKinds; ++kind) {
            if (c[kind] == b[kind] && kind != HFTMON_DURATION_NMI && kind != HFTMON_DURATION_PREEMPTED) return false;
        }
        return true;
    };
    for (int i = 0; i < 20 && !is_complete(); ++i) {
        std::this_thread::sleep_for(1s);
        c = counted_above(session, kBucket);
    }
    // A probe that has counted its duration, and lost its CPU to the host, comes to the trigger later.
    std::this_thread::sleep_for(1s);
    set_ticks(session, 0, 0);
    const Counts d = counted_above(session, kBucket);
    must(session.stop());

    const Spikes spikes = must(session.spikes());
    std::uint64_t low = 0, high = 0, all = 0;
    Counts found{};
    for (std::size_t kind = 0; kind < kDurationKinds; ++kind) {
        low += c[kind] - b[kind];
        high += d[kind] - a[kind];
    }
    std::map<std::uint32_t, Before> cpus;
    for_each_event(session, [&](const Event& event) {
        Before& before = cpus[event.header.cpu.value];
        const TscTime time = event.header.time;
        if (const auto* change = std::get_if<SchedSwitchEvent>(&event.body)) before.change = *change;
        if (const auto* irq = std::get_if<IrqEvent>(&event.body); irq && !irq->entry) before.irqs[irq->irq] = time;
        if (const auto* softirq = std::get_if<SoftirqEvent>(&event.body); softirq) before.softirqs[softirq->vec] = time;
        if (const auto* vector = std::get_if<VectorEvent>(&event.body); vector && !vector->entry)
            before.vectors[vector->kind] = time;
        const auto* spike = std::get_if<SpikeEvent>(&event.body);
        if (!spike) return;
        ++found[spike->kind];
        ++all;
        bool true_one = false;
        switch (spike->kind) {
            case HFTMON_DURATION_HARDIRQ: true_one = before.irqs.contains(spike->cause); break;
            case HFTMON_DURATION_SOFTIRQ: true_one = before.softirqs.contains(spike->cause); break;
            case HFTMON_DURATION_VECTOR: true_one = before.vectors.contains(spike->cause); break;
            case HFTMON_DURATION_ON_CPU: true_one = before.change.prev == spike->tid; break;
            case HFTMON_DURATION_NMI: true_one = true; break;
            default: true_one = before.change.next == spike->tid && before.change.prev.value == spike->cause;
        }
        expect(true_one, "CPU {}: a spike {} of {} by {} after a switch from {} to {}", event.header.cpu.value,
               duration_name(spike->kind), spike->tid.value, spike->cause, before.change.prev.value,
               before.change.next.value);
        expect(spike->duration.value >= static_cast<std::int64_t>(::hftmon_histogram_floor(kBucket)),
               "a spike of {} ticks", spike->duration.value);
    });
    for (const RingReader& ring : session.rings())
        expect(ring.counts().lost == 0, "CPU {} lost records: take less load", ring.cpu().value);
    fmt::print("{} hits, {} held, {} records; histograms: {} to {}\n", spikes.hits, spikes.held, all, low, high);
    for (std::size_t kind = 0; kind < kDurationKinds; ++kind) {
        fmt::print("{}={} ", duration_name(static_cast<DurationKind>(kind)), found[kind]);
        expect(found[kind] <= d[kind] - a[kind], "{} spikes of {}", found[kind],
               duration_name(static_cast<DurationKind>(kind)));
        expect(found[kind] != 0 || kind == HFTMON_DURATION_NMI || kind == HFTMON_DURATION_PREEMPTED, "none of {}",
               duration_name(static_cast<DurationKind>(kind)));
    }
    fmt::print("\n");
    expect(all == spikes.hits, "{} records of {} hits", all, spikes.hits);
    expect(spikes.hits + spikes.held >= low && spikes.hits + spikes.held <= high, "not every duration was a hit");
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc == 2 ? argv[1] : "";
    if (what == "frozen") {
        frozen();
    } else if (what == "holdoff") {
        holdoff();
    } else if (what == "counts") {
        counts();
    } else if (what == "victim") {
        Pair pair;
        fmt::print("victim={} hog={}\n", pair.victim().value, pair.hog().value);
        std::fflush(stdout);
        while (true) {
            std::this_thread::sleep_for(500ms);
            pair.plant(250ms);
        }
    } else {
        fmt::print(stderr, "usage: trigger_check frozen | holdoff | counts | victim\n");
        return 2;
    }
    return good ? 0 : 1;
}
