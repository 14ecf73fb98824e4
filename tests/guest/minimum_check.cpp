// SPDX-License-Identifier: MIT
// Does a session with minimum durations record each that is longer, and no other?
//
// usage: minimum_check all       against the histograms of the same time, and against
//                                a session that records every duration
//        minimum_check watched   only what happens to a watched thread
//        minimum_check threads   histograms of threads against records of all their durations
//
// Exit status: 0 it does.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "hftmon/clock.hpp"
#include "hftmon/session.hpp"
#include "tests/guest/must.hpp"
#include "tests/guest/rings.hpp"

namespace {

using namespace hftmon;
using namespace std::chrono_literals;
using guest::expect;
using guest::for_each_event;
using guest::good;
using guest::must;

/// Records nothing but durations, of every kind.
Session session_over(Nanoseconds over, SessionOptions options = {}) {
    Session session = must(Session::open());
    options.sources = 0;
    options.ring_records = 1u << 19;
    const auto available = must(session.info()).durations_available;
    for (std::uint32_t kind = 0; kind < kDurationKinds; ++kind) {
        if ((available & HFTMON_DURATION_BIT(kind)) != 0)
            options.minimums.push_back({static_cast<DurationKind>(kind), over});
    }
    must(session.setup(options));
    return session;
}

std::uint64_t now(const Session& session) { return must(session.clock_sync()).tsc; }

struct Found {
    std::uint32_t cpu;
    std::uint64_t tsc;
    DurationEvent what;
    [[nodiscard]] auto key() const {
        return std::tuple(cpu, static_cast<std::uint32_t>(what.kind), what.duration.value, what.tid.value, what.cause);
    }
};

std::vector<Found> durations_in(Session& session) {
    std::vector<Found> all;
    for_each_event(session, [&](const Event& event) {
        if (const auto* what = std::get_if<DurationEvent>(&event.body))
            all.push_back({event.header.cpu.value, event.header.time.value, *what});
    });
    for (const RingReader& ring : session.rings())
        expect(ring.counts().lost == 0, "CPU {} lost records: take less load", ring.cpu().value);
    return all;
}

/// Every one of `part` between two times is in `whole`, as often.
void expect_in(const std::vector<Found>& part, std::vector<Found> whole, std::uint64_t from, std::uint64_t to,
               std::string_view what) {
    std::vector<Found> wanted;
    std::ranges::copy_if(part, std::back_inserter(wanted),
                         [&](const Found& one) { return one.tsc >= from && one.tsc <= to; });
    std::ranges::sort(wanted, {}, &Found::key);
    std::ranges::sort(whole, {}, &Found::key);
    std::size_t at = 0, missing = 0;
    for (const Found& one : wanted) {
        while (at < whole.size() && whole[at].key() < one.key()) ++at;
        if (at < whole.size() && whole[at].key() == one.key())
            ++at;
        else if (++missing <= 5)
            fmt::print("CPU {}: {} of {} ticks, tid {}\n", one.cpu, duration_name(one.what.kind),
                       one.what.duration.value, one.what.tid.value);
    }
    expect(missing == 0, "{}: {} of {}", what, missing, wanted.size());
}

struct Look {
    std::uint64_t begin = 0, end = 0;
    std::map<std::uint32_t, std::unique_ptr<DurationHistograms>> cpus;
};

Look look(Session& session) {
    Look result;
    result.begin = now(session);
    for (const RingReader& ring : session.rings()) {
        auto& counted = result.cpus[ring.cpu().value] = std::make_unique<DurationHistograms>();
        must(session.durations(ring.cpu(), *counted));
    }
    result.end = now(session);
    return result;
}

/// Has every kind been counted between them, but those that need not be there?
bool is_complete(const Look& first, const Look& last) {
    std::array<bool, kDurationKinds> seen{};
    seen[HFTMON_DURATION_NMI] = seen[HFTMON_DURATION_PREEMPTED] = true;
    for (const auto& [cpu, counted] : last.cpus) {
        for (std::size_t kind = 0; kind < kDurationKinds; ++kind)
            seen[kind] |= counted->of[kind].count() != first.cpus.at(cpu)->of[kind].count();
    }
    return std::ranges::all_of(seen, std::identity{});
}

/// A duration is counted just before it is recorded. What was recorded between two
/// looks was counted between them; but one, of each CPU and kind, may have been
/// counted before the first, or not recorded yet at the second.
void compare_with_counts(const std::vector<Found>& all, const Look& first, const Look& last) {
    using Buckets = std::array<std::uint64_t, HFTMON_HISTOGRAM_BUCKETS>;
    struct Bounds {
        Buckets sure{}, maybe{};
    };
    std::map<std::pair<std::uint32_t, std::uint32_t>, Bounds> bounds;
    for (const Found& one : all) {
        Bounds& of = bounds[{one.cpu, one.what.kind}];
        const auto bucket = ::hftmon_histogram_bucket(static_cast<std::uint64_t>(one.what.duration.value));
        of.sure[bucket] += one.tsc >= first.end && one.tsc <= last.begin;
        of.maybe[bucket] += one.tsc >= first.begin && one.tsc <= last.end;
    }
    std::array<std::uint64_t, kDurationKinds> counted{};
    for (const auto& [cpu, before] : first.cpus) {
        for (std::uint32_t kind = 0; kind < kDurationKinds; ++kind) {
            const Bounds& of = bounds[{cpu, kind}];
            const auto from = before->of[kind].counts(), to = last.cpus.at(cpu)->of[kind].counts();
            std::uint64_t too_few = 0, too_many = 0;
            for (std::size_t bucket = 0; bucket < from.size(); ++bucket) {
                const std::uint64_t count = to[bucket] - from[bucket];
                counted[kind] += count;
                if (count < of.sure[bucket]) too_few += of.sure[bucket] - count;
                if (count > of.maybe[bucket]) too_many += count - of.maybe[bucket];
            }
            expect(too_few <= 1 && too_many <= 1, "CPU {}, {}: {} recorded that were not counted, {} the other way",
                   cpu, duration_name(static_cast<DurationKind>(kind)), too_few, too_many);
        }
    }
    for (std::uint32_t kind = 0; kind < kDurationKinds; ++kind) {
        fmt::print("{}={} ", duration_name(static_cast<DurationKind>(kind)), counted[kind]);
        expect(counted[kind] != 0 || kind == HFTMON_DURATION_NMI || kind == HFTMON_DURATION_PREEMPTED, "none of {}",
               duration_name(static_cast<DurationKind>(kind)));
    }
    fmt::print("\n");
}

void all() {
    constexpr Nanoseconds kOver = 50us;
    Session every = session_over(0ns), longer = session_over(kOver);
    must(every.start());
    must(longer.start());
    const Look first = look(every);
    Look last;
    // Until there is one of each; a loaded host may have no interrupt for long.
    for (int i = 0; i < 20 && !is_complete(first, last); ++i) {
        std::this_thread::sleep_for(700ms);
        last = look(every);
    }
    must(longer.stop());
    must(every.stop());
    const auto records = durations_in(every), long_records = durations_in(longer);
    compare_with_counts(records, first, last);

    const auto ticks = TscClock::from_khz(must(every.info()).tsc_khz).to_ticks(kOver);
    std::vector<Found> above;
    std::ranges::copy_if(records, std::back_inserter(above),
                         [&](const Found& one) { return one.what.duration > ticks; });
    fmt::print("{} durations, {} longer than {} ns\n", records.size(), long_records.size(), kOver.count());
    expect(!long_records.empty() && long_records.size() < records.size(), "nothing is proved");
    expect_in(above, long_records, first.end, last.begin, "not recorded as longer");
    expect_in(long_records, above, first.end, last.begin, "recorded as longer, and is not");
}

void watched() {
    std::atomic<bool> ends = false;
    std::atomic<std::uint32_t> tid = 0;
    std::thread sleeper([&] {
        tid = static_cast<std::uint32_t>(::gettid());
        while (!ends) std::this_thread::sleep_for(1ms);
    });
    while (tid == 0) std::this_thread::sleep_for(1ms);
    SessionOptions options;
    options.whole_cpus.emplace();
    options.watched = {Tid{tid}};
    Session session = session_over(0ns, options);
    must(session.start());
    std::this_thread::sleep_for(500ms);
    must(session.stop());
    ends = true;
    sleeper.join();
    const auto records = durations_in(session);
    std::array<std::uint64_t, kDurationKinds> counts{};
    for (const Found& one : records) {
        ++counts[one.what.kind];
        expect(one.what.tid == Tid{tid}, "{} of {}", duration_name(one.what.kind), one.what.tid.value);
    }
    fmt::print("{} durations of {}\n", records.size(), tid.load());
    for (const DurationKind kind :
         {HFTMON_DURATION_WAKEUP, HFTMON_DURATION_RUN_QUEUE, HFTMON_DURATION_ON_CPU, HFTMON_DURATION_OFF_CPU})
        expect(counts[kind] >= 10, "{} of {}", counts[kind], duration_name(kind));
}

struct ThreadLook {
    std::uint64_t begin = 0, end = 0;
    std::map<std::uint32_t, std::array<Histogram, HFTMON_THREAD_DURATIONS>> threads;
    std::size_t ended = 0;
};

ThreadLook look_at_threads(const Session& session) {
    ThreadLook result;
    result.begin = now(session);
    for (const ThreadHistograms& thread : must(session.thread_durations())) {
        for (std::size_t i = 0; i < thread.of.size(); ++i) result.threads[thread.tid.value][i].add(thread.of[i]);
        result.ended += thread.ended;
    }
    result.end = now(session);
    return result;
}

void threads() {
    SessionOptions options;
    options.watched = {Tid{static_cast<std::uint32_t>(::getpid())}};
    options.thread_histograms = true;
    Session session = session_over(0ns, options);
    must(session.start());
    std::atomic<bool> ends = false;
    std::array<std::atomic<std::uint32_t>, 6> tids{};
    std::vector<std::thread> workers;
    for (std::size_t i = 0; i < tids.size(); ++i) {
        workers.emplace_back([&, i] {
            tids[i] = static_cast<std::uint32_t>(::gettid());
            // The first two end meanwhile.
            for (int n = 0; !ends && (i > 1 || n < 100); ++n) std::this_thread::sleep_for(i % 2 == 0 ? 1ms : 3ms);
        });
    }
    while (std::ranges::any_of(tids, [](const auto& tid) { return tid == 0; })) std::this_thread::sleep_for(1ms);
    const ThreadLook first = look_at_threads(session);
    std::this_thread::sleep_for(1s);
    ThreadLook last = look_at_threads(session);
    // The two that end, on a slow machine later.
    for (int i = 0; i < 300 && last.ended != 2; ++i) {
        std::this_thread::sleep_for(100ms);
        last = look_at_threads(session);
    }
    must(session.stop());
    ends = true;
    for (std::thread& worker : workers) worker.join();

    using Buckets = std::array<std::uint64_t, HFTMON_HISTOGRAM_BUCKETS>;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<Buckets, Buckets>> bounds;
    for (const Found& one : durations_in(session)) {
        if (!ThreadHistograms::counts(one.what.kind)) continue;
        auto& [sure, maybe] = bounds[{one.what.tid.value, one.what.kind}];
        const auto bucket = ::hftmon_histogram_bucket(static_cast<std::uint64_t>(one.what.duration.value));
        sure[bucket] += one.tsc >= first.end && one.tsc <= last.begin;
        maybe[bucket] += one.tsc >= first.begin && one.tsc <= last.end;
    }
    std::uint64_t total = 0;
    for (const auto& [tid, histograms] : last.threads) {
        const auto is_this = [tid = tid](const auto& one) { return one.load() == tid; };
        const bool is_ours = tid == static_cast<std::uint32_t>(::getpid()) || std::ranges::any_of(tids, is_this);
        expect(is_ours, "of {}, which nobody watches", tid);
        for (std::uint32_t i = 0; i < histograms.size(); ++i) {
            const std::uint32_t kind = HFTMON_THREAD_DURATION_FIRST + i;
            const auto& [sure, maybe] = bounds[{tid, kind}];
            const auto before = first.threads.find(tid);
            std::uint64_t too_few = 0, too_many = 0;
            for (std::size_t bucket = 0; bucket < sure.size(); ++bucket) {
                std::uint64_t count = histograms[i].counts()[bucket];
                if (before != first.threads.end()) count -= before->second[i].counts()[bucket];
                total += count;
                if (count < sure[bucket]) too_few += sure[bucket] - count;
                if (count > maybe[bucket]) too_many += count - maybe[bucket];
            }
            expect(too_few <= 1 && too_many <= 1, "{} of {}: {} recorded that were not counted, {} the other way",
                   duration_name(static_cast<DurationKind>(kind)), tid, too_few, too_many);
            expect(histograms[i].count() >= 10 || tid == static_cast<std::uint32_t>(::getpid()), "{} of {}: {}",
                   duration_name(static_cast<DurationKind>(kind)), tid, histograms[i].count());
        }
    }
    fmt::print("{} threads, {} ended, {} durations\n", last.threads.size(), last.ended, total);
    for (const auto& tid : tids) expect(last.threads.contains(tid), "{} is missing", tid.load());
    expect(last.ended == 2, "{} have ended, not 2", last.ended);
    expect(total >= 400, "nothing is proved");
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc == 2 ? argv[1] : "";
    if (what == "all") {
        all();
    } else if (what == "watched") {
        watched();
    } else if (what == "threads") {
        threads();
    } else {
        fmt::print(stderr, "usage: minimum_check all|watched|threads\n");
        return 2;
    }
    return good ? 0 : 1;
}
