// SPDX-License-Identifier: MIT
#include "hftmon/histogram.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <random>
#include <vector>

#include "attribution_support.hpp"
#include "hftmon/durations.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

constexpr std::uint64_t kLimit = std::uint64_t{1} << HFTMON_HISTOGRAM_MAX_BITS;
static_assert(Histogram::kLongest.value == kLimit - 1);

/// A tick is half a nanosecond.
const TscClock kClock = TscClock::from_khz(2'000'000);

/// Feeds a trace to a counter of durations.
DurationCounter count(Trace& trace) {
    DurationCounter counter(kClock);
    trace.each_event([&](const Event& event) { counter.apply(event); });
    return counter;
}

/// How often, and the one value's bucket when it is one.
struct Seen {
    std::uint64_t count = 0;
    std::int64_t longest = 0;
    friend bool operator==(const Seen&, const Seen&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Seen& seen) {
        return out << seen.count << " up to " << seen.longest;
    }
};

Seen seen(const DurationCounter& counter, std::uint32_t cpu, DurationKind kind) {
    const DurationHistograms counted = counter.of(CpuId{cpu});
    return {counted.of[kind].count(), counted.of[kind].max().value};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(histogram_test)

BOOST_AUTO_TEST_CASE(buckets_follow_each_other_without_a_gap) {
    for (std::uint32_t bucket = 0; bucket < HFTMON_HISTOGRAM_BUCKETS; ++bucket) {
        const std::uint64_t floor = hftmon_histogram_floor(bucket), next = hftmon_histogram_floor(bucket + 1);
        BOOST_REQUIRE_LT(floor, next);
        BOOST_REQUIRE_EQUAL(hftmon_histogram_bucket(floor), bucket);
        BOOST_REQUIRE_EQUAL(hftmon_histogram_bucket(next - 1), bucket);
        // The stated error: a bucket is no wider than 1/32 of its smallest value.
        BOOST_REQUIRE_LE((next - floor - 1) * 32, floor);
    }
    BOOST_TEST(hftmon_histogram_floor(HFTMON_HISTOGRAM_BUCKETS) == kLimit);
    BOOST_TEST(hftmon_histogram_bucket(kLimit) == HFTMON_HISTOGRAM_BUCKETS - 1);
    BOOST_TEST(hftmon_histogram_bucket(~std::uint64_t{0}) == HFTMON_HISTOGRAM_BUCKETS - 1);
}

BOOST_AUTO_TEST_CASE(quantiles_against_a_sorted_list) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 200; ++round) {
        Histogram histogram;
        std::vector<std::int64_t> values(1 + random() % 2000);
        const auto bits = static_cast<unsigned>(1 + random() % HFTMON_HISTOGRAM_MAX_BITS);
        for (std::int64_t& value : values) {
            value = static_cast<std::int64_t>(random() >> (64 - bits));
            histogram.record({value});
        }
        std::sort(values.begin(), values.end());
        BOOST_TEST(histogram.count() == values.size());
        for (const double q : {1e-9, .01, .5, .9, .99, .999, 1.0}) {
            const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
            const std::int64_t exact = values[std::max<std::size_t>(rank, 1) - 1], got = histogram.quantile(q).value;
            BOOST_REQUIRE_GE(got, exact);
            BOOST_REQUIRE_LE(got, exact + exact / 32);
        }
    }
}

BOOST_AUTO_TEST_CASE(extremes) {
    Histogram histogram;
    BOOST_TEST(histogram.quantile(.5).value == 0);
    BOOST_TEST(histogram.max().value == 0);
    histogram.record({-5});
    BOOST_TEST(histogram.max().value == 0);
    histogram.record({std::numeric_limits<std::int64_t>::max()});
    BOOST_TEST(histogram.count() == 2u);
    BOOST_TEST(histogram.max().value == static_cast<std::int64_t>(kLimit - 1));
}

BOOST_AUTO_TEST_CASE(sums_and_differences) {
    Histogram a, b;
    for (const int value : {1, 100, 10000}) a.record({value});
    const Histogram before = a;
    b.record({5000});
    a.add(b);
    BOOST_TEST(a.count() == 4u);
    a.subtract(before);
    BOOST_TEST(a.count() == 1u);
    BOOST_TEST(a.max().value == b.max().value);
}

BOOST_AUTO_TEST_CASE(handlers_and_what_interrupts_them) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt);
    trace.at(10).softirq(1, true).at(12).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(13).irq(9, true);
    trace.at(17).irq(9, false).at(20).vector(HFTMON_VECTOR_LOCAL_TIMER, false).at(30).softirq(1, false);
    trace.at(31).softirq(1, false);  // entered unseen
    const DurationCounter counter = count(trace);
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_HARDIRQ) == (Seen{1, 4}));
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_VECTOR) == (Seen{1, 8}));
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_SOFTIRQ) == (Seen{1, 20}));
}

BOOST_AUTO_TEST_CASE(a_thread_sleeps_and_is_woken_on_another_cpu) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(10).to(kIdle).at(15).to(kLow).at(20).to(kIdle);
    trace.cpu(1).at(5).runs(kIdle).at(30).waking(kRt, 0).at(32).wakeup(kRt, 1).at(37).to(kRt, 0);
    const DurationCounter counter = count(trace);
    BOOST_TEST(seen(counter, 1, HFTMON_DURATION_OFF_CPU) == (Seen{1, 27}));
    BOOST_TEST(seen(counter, 1, HFTMON_DURATION_PREEMPTED) == (Seen{0, 0}));
    BOOST_TEST(seen(counter, 1, HFTMON_DURATION_WAKEUP) == (Seen{1, 7}));
    BOOST_TEST(seen(counter, 1, HFTMON_DURATION_RUN_QUEUE) == (Seen{1, 5}));
    // kRt had it since before it was seen, and kLow from 15 to 20.
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_ON_CPU) == (Seen{1, 5}));
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_WAKEUP) == (Seen{0, 0}));
}

BOOST_AUTO_TEST_CASE(threads_by_themselves_and_those_that_they_create) {
    constexpr Who kA = fair(11), kB = fair(12), kChild = fair(13);
    Trace trace = Trace().cpu(0).at(0).runs(kA).at(100).identity(HFTMON_REC_FORK, kChild, "child", 11, 11);
    trace.wakeup_new(kChild, 0).at(1000).to(kB).at(1500).to(kChild).at(1700).to(kA, kDies).at(1800).to(kB);
    // A stranger gets the id; then A starts another process, which is not followed.
    trace.at(1900).to(kChild).at(2000).to(kA, kDies).identity(HFTMON_REC_FORK, fair(14), "other", 14, 11);
    DurationCounter counter(kClock);
    counter.follow(Tid{kA.tid});
    trace.each_event([&](const Event& event) { counter.apply(event); });
    BOOST_REQUIRE(counter.threads().size() == 1u);
    BOOST_REQUIRE(counter.ended().size() == 1u);
    const ThreadHistograms &a = counter.threads().at(Tid{11}), &child = counter.ended().front();
    BOOST_CHECK(child.tid == Tid{13});
    BOOST_TEST(!a.ended);
    BOOST_TEST(a[HFTMON_DURATION_OFF_CPU].count() == 2u);
    BOOST_TEST(a[HFTMON_DURATION_ON_CPU].count() == 1u);  // the first began before it was seen
    BOOST_TEST(a[HFTMON_DURATION_WAKEUP].count() == 0u);
    BOOST_TEST(child.ended);
    BOOST_TEST(child[HFTMON_DURATION_WAKEUP].count() == 1u);
    BOOST_TEST(child[HFTMON_DURATION_RUN_QUEUE].count() == 1u);
    BOOST_TEST(child[HFTMON_DURATION_ON_CPU].max().value >= 200);
    BOOST_TEST(child[HFTMON_DURATION_OFF_CPU].count() == 0u);
    BOOST_TEST(!ThreadHistograms::counts(HFTMON_DURATION_PREEMPTED));
    BOOST_TEST(!ThreadHistograms::counts(HFTMON_DURATION_HARDIRQ));
    BOOST_TEST(ThreadHistograms::counts(HFTMON_DURATION_OFF_CPU));
}

BOOST_AUTO_TEST_CASE(ids_of_followed_threads_go_to_others) {
    constexpr Who kA = fair(11), kB = fair(12);
    // B, a thread of A's process, execs: its first thread dies, and B has its id from then on.
    Trace trace = Trace().cpu(0).at(0).runs(kB).at(50).to(kA).at(100).to(kB, kDies);
    trace.at(200).identity(HFTMON_REC_EXEC, kA, "new", 11, 12).runs(kA);
    trace.at(250).to(kIdle).at(300).to(kA).at(500).to(kIdle);
    DurationCounter counter(kClock);
    counter.follow(Tid{kA.tid});
    counter.follow(Tid{kB.tid});
    trace.each_event([&](const Event& event) { counter.apply(event); });
    BOOST_REQUIRE(counter.ended().size() == 1u);
    BOOST_CHECK(counter.ended().front().tid == Tid{11});
    BOOST_TEST(counter.ended().front()[HFTMON_DURATION_ON_CPU].max().value >= 50);
    BOOST_REQUIRE(counter.threads().size() == 1u);
    const ThreadHistograms& b = counter.threads().at(Tid{11});
    BOOST_CHECK(b.tid == Tid{11});
    BOOST_TEST(!b.ended);
    BOOST_TEST(b[HFTMON_DURATION_ON_CPU].max().value >= 200);

    // Another process begins with that id: the death was not seen.
    const auto begins = [&](std::uint32_t tid) {
        counter.apply({{}, ThreadEvent{IdentityChange::kFork, Tid{tid}, Tid{tid}, Tid{99}, 0, Policy::kNormal, {}}});
    };
    begins(11);
    BOOST_TEST(counter.threads().empty());
    BOOST_TEST(counter.ended().size() == 2u);
    for (std::uint32_t tid = 1000; counter.ended().size() < DurationCounter::kEndedKept; ++tid) {
        counter.follow(Tid{tid});
        begins(tid);
    }
    counter.follow(Tid{11});
    begins(11);
    BOOST_TEST(counter.threads().empty());
    BOOST_TEST(counter.ended().size() == DurationCounter::kEndedKept);
    BOOST_TEST(counter.not_kept() == 0u);  // it had no duration
}

BOOST_AUTO_TEST_CASE(the_loss_of_the_cpu_is_no_wakeup) {
    Trace trace = Trace().cpu(0).at(0).runs(kIdle).at(5).to(kRt, 0).at(10).preempt(kHigh);
    trace.at(12).waking(kRt, 0).wakeup(kRt, 0);  // it is awake: of no consequence
    trace.at(18).to(kRt);
    const DurationCounter counter = count(trace);
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_WAKEUP) == (Seen{0, 0}));
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_RUN_QUEUE) == (Seen{1, 8}));
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_OFF_CPU) == (Seen{1, 8}));
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_PREEMPTED) == (Seen{1, 8}));
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_ON_CPU) == (Seen{2, 8}));
}

BOOST_AUTO_TEST_CASE(a_waking_of_a_thread_that_runs) {
    Trace trace = Trace().cpu(0).at(0).runs(kIdle).at(5).to(kRt, 0);
    // It goes on: a waking that its wakeup confirms at once.
    trace.cpu(1).at(6).runs(kIdle).at(7).waking(kRt, 0).at(8).wakeup(kRt, 0);
    // It was on its way out: woken before it has left.
    trace.at(20).waking(kRt, 0).cpu(0).at(22).to(kIdle).at(23).wakeup(kRt, 0).at(26).to(kRt, 0);
    const DurationCounter counter = count(trace);
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_WAKEUP) == (Seen{1, 6}));
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_RUN_QUEUE) == (Seen{1, 3}));
}

BOOST_AUTO_TEST_CASE(what_was_begun_before_a_gap_is_forgotten) {
    Trace trace = Trace().cpu(0).at(0).runs(kIdle).at(5).to(kRt, 0).at(10).to(kIdle).at(12).irq(9, true);
    trace.at(50).gap(7, kIdle).at(51).irq(9, false).at(60).to(kRt, 0);
    const DurationCounter counter = count(trace);
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_HARDIRQ) == (Seen{0, 0}));
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_OFF_CPU) == (Seen{0, 0}));
}

BOOST_AUTO_TEST_CASE(a_handler_that_calls_another_includes_it) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(10).irq(9, true).at(12).irq(40, true).at(15).irq(40, false);
    trace.at(20).irq(9, false).at(30).irq(9, true).at(31).irq(9, false);
    const DurationCounter counter = count(trace);
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_HARDIRQ) == (Seen{3, 10}));
}

BOOST_AUTO_TEST_CASE(nmis_are_told_in_nanoseconds) {
    DurationCounter counter(kClock);
    counter.apply({{TscTime{1000}, CpuId{1}}, NmiEvent{Nanoseconds(15), 1}});
    BOOST_TEST(seen(counter, 1, HFTMON_DURATION_NMI) == (Seen{1, 30}));
}

BOOST_AUTO_TEST_CASE(records_that_are_missing) {
    DurationCounter counter(kClock);
    Trace before = Trace().cpu(0).at(0).runs(kIdle).at(5).to(kRt, 0).at(10).to(kIdle).at(12).irq(9, true);
    before.each_event([&](const Event& event) { counter.apply(event); });
    counter.missing(CpuId{0});
    Trace after = Trace().cpu(0).assume(kIdle).at(51).irq(9, false).at(60).to(kRt, 0);
    after.each_event([&](const Event& event) { counter.apply(event); });
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_HARDIRQ) == (Seen{0, 0}));
    BOOST_TEST(seen(counter, 0, HFTMON_DURATION_OFF_CPU) == (Seen{0, 0}));
}

BOOST_AUTO_TEST_CASE(what_can_be_counted_from_a_capture) {
    CaptureMeta meta;
    for (std::uint32_t source = 0; source < HFTMON_SOURCE_COUNT; ++source)
        meta.sources.push_back({.id = source, .name = "", .state = 0, .error = 0, .active = true});
    meta.cpus = {CpuId{0}, CpuId{1}};
    meta.online_cpus = 2;
    const std::uint32_t handlers =
        HFTMON_DURATION_BIT(HFTMON_DURATION_HARDIRQ) | HFTMON_DURATION_BIT(HFTMON_DURATION_SOFTIRQ) |
        HFTMON_DURATION_BIT(HFTMON_DURATION_VECTOR) | HFTMON_DURATION_BIT(HFTMON_DURATION_NMI);
    const std::uint32_t here = handlers | HFTMON_DURATION_BIT(HFTMON_DURATION_ON_CPU);
    BOOST_TEST(countable_durations(meta) == HFTMON_DURATION_ALL);
    // A thread may have run on the third CPU, or before this CPU's window began.
    meta.online_cpus = 3;
    BOOST_TEST(countable_durations(meta) == here);
    meta.online_cpus = 2;
    meta.ring_mode = HFTMON_MODE_FLIGHT;
    BOOST_TEST(countable_durations(meta) == here);
    meta.ring_mode = HFTMON_MODE_STREAM;
    meta.sources[HFTMON_SOURCE_SCHED_WAKING].active = false;
    BOOST_TEST(countable_durations(meta) == (HFTMON_DURATION_ALL & ~HFTMON_DURATION_BIT(HFTMON_DURATION_WAKEUP)));
    meta.sources[HFTMON_SOURCE_SCHED_SWITCH].active = false;
    BOOST_TEST(countable_durations(meta) == handlers);
    // One of the vectors may be missing, but not all.
    meta.sources[HFTMON_SOURCE_THERMAL_APIC].active = false;
    BOOST_TEST(countable_durations(meta) == handlers);
    meta.partial_cpus = {CpuId{1}};
    BOOST_TEST(countable_durations(meta) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
