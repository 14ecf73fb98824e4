// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include "hftmon/analyzer.hpp"
#include "support.hpp"
#include "trace_builder.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

constexpr Who kA = fair(30);
constexpr Who kB = fair(31);

struct Piece {
    std::uint64_t from, to;
    CauseKind kind;
    std::uint32_t subject;
    friend bool operator==(const Piece&, const Piece&) = default;
};
std::ostream& operator<<(std::ostream& out, const Piece& p) {
    return out << "[" << p.from << "," << p.to << ") kind " << static_cast<int>(p.kind) << " subject " << p.subject;
}

std::vector<Piece> pieces(const Analysis& analysis, std::uint32_t cpu = 0) {
    std::vector<Piece> all;
    const CpuTimeline& line = *analysis.analyzer.timeline().cpu(CpuId{cpu});
    BOOST_TEST(line.walk(line.first(), line.last(), [&](TscTime from, TscTime to, const Cause& cause) {
        all.push_back({from.value, to.value, cause.kind, cause.subject});
    }));
    return all;
}

void expect(const Analysis& analysis, const std::vector<Piece>& expected) {
    const auto all = pieces(analysis);
    BOOST_CHECK_EQUAL_COLLECTIONS(all.begin(), all.end(), expected.begin(), expected.end());
    for (const std::string& wrong : analysis.analyzer.check_invariants()) BOOST_ERROR(wrong);
}

const Anomalies& anomalies(const Analysis& analysis) { return analysis.analyzer.anomalies(); }

constexpr auto kThread = CauseKind::kThread;
constexpr auto kIrq = CauseKind::kIrq;
constexpr auto kSoftirq = CauseKind::kSoftirq;

}  // namespace

BOOST_AUTO_TEST_SUITE(timeline_test)

BOOST_AUTO_TEST_CASE(segments_partition_the_time_of_a_cpu) {
    const Analysis analysis(Trace()
                                .cpu(0)
                                .at(10)
                                .runs(kA)
                                .at(20)
                                .irq(1, true)
                                .at(25)
                                .irq(1, false)
                                .at(30)
                                .to(kIdle)
                                .at(40)
                                .idle(2)
                                .at(60)
                                .idle(HFTMON_IDLE_EXIT)
                                .at(70)
                                .to(kB)
                                .at(90)
                                .page_fault());
    expect(analysis, {{10, 20, kThread, 30},
                      {20, 25, kIrq, 1},
                      {25, 30, kThread, 30},
                      {30, 40, CauseKind::kIdle, kIdleStateUnknown},
                      {40, 70, CauseKind::kIdle, 2},
                      {70, 90, kThread, 31}});
    const CpuTimeline& cpu = *analysis.analyzer.timeline().cpu(CpuId{0});
    BOOST_TEST(cpu.time_of(kThread) == TscTicks{35});
    BOOST_TEST(cpu.time_of(CauseKind::kIdle) == TscTicks{40});
    BOOST_TEST(cpu.page_faults(TscTime{90}, TscTime{91}).count == 1u);
    BOOST_TEST(cpu.page_faults(TscTime{80}, TscTime{90}).count == 0u);
}

BOOST_AUTO_TEST_CASE(a_look_back_outside_what_was_seen_is_unknown_before_and_goes_on_after) {
    const Analysis analysis(Trace().cpu(0).at(10).runs(kA).at(20).to(kB));
    std::vector<Piece> all;
    (void)analysis.analyzer.timeline().cpu(CpuId{0})->walk(TscTime{5}, TscTime{30},
                                                           [&](TscTime f, TscTime t, const Cause& c) {
                                                               all.push_back({f.value, t.value, c.kind, c.subject});
                                                           });
    const std::vector<Piece> expected{{5, 10, CauseKind::kUnknown, 0}, {10, 20, kThread, 30}, {20, 30, kThread, 31}};
    BOOST_CHECK_EQUAL_COLLECTIONS(all.begin(), all.end(), expected.begin(), expected.end());
}

BOOST_AUTO_TEST_CASE(the_first_switch_tells_who_had_been_running) {
    // A flight recorder's window begins anywhere.
    const Analysis analysis(
        Trace().cpu(0).assume(kA).at(10).irq(1, true).at(15).irq(1, false).at(30).to(kB).at(40).to(kIdle));
    expect(analysis, {{10, 15, kIrq, 1}, {15, 30, kThread, 30}, {30, 40, kThread, 31}});
    BOOST_TEST(anomalies(analysis).total() == 0u);
}

BOOST_AUTO_TEST_CASE(the_first_idle_state_tells_that_the_cpu_was_idle) {
    const Analysis analysis(
        Trace().cpu(0).at(10).irq(1, true).at(15).irq(1, false).at(30).idle(1).at(40).to(kB).at(50).to(kIdle));
    expect(analysis, {{10, 15, kIrq, 1},
                      {15, 30, CauseKind::kIdle, kIdleStateUnknown},
                      {30, 40, CauseKind::kIdle, 1},
                      {40, 50, kThread, 31}});
}

BOOST_AUTO_TEST_CASE(an_exit_whose_entry_came_before_the_first_record_owns_the_time_since) {
    const Analysis analysis(Trace().cpu(0).at(10).runs(kA).at(30).irq(1, false).at(40).softirq(3, false).at(50).to(kB));
    expect(analysis, {{10, 30, kIrq, 1}, {30, 40, kSoftirq, 3}, {40, 50, kThread, 30}});
    BOOST_TEST(anomalies(analysis).total() == 0u);
}

BOOST_AUTO_TEST_CASE(an_exit_whose_entry_lies_in_a_gap_owns_the_time_since) {
    const Analysis analysis(
        Trace().cpu(0).at(10).runs(kA).at(20).page_fault().at(30).gap(4, kA).at(40).irq(1, false).at(50).to(kB));
    expect(analysis, {{10, 20, kThread, 30}, {20, 30, CauseKind::kGap, 0}, {30, 40, kIrq, 1}, {40, 50, kThread, 30}});
}

BOOST_AUTO_TEST_CASE(any_other_exit_without_an_entry_is_dropped_and_counted) {
    const Analysis analysis(
        Trace().cpu(0).at(10).runs(kA).at(20).irq(1, true).at(25).irq(1, false).at(30).irq(2, false).at(50).to(kB));
    expect(analysis, {{10, 20, kThread, 30}, {20, 25, kIrq, 1}, {25, 30, kThread, 30}, {30, 50, kThread, 30}});
    BOOST_TEST(anomalies(analysis).orphan_exits == 1u);
    BOOST_TEST(anomalies(analysis).total() == 1u);
}

BOOST_AUTO_TEST_CASE(lost_exits_are_closed_by_what_proves_them) {
    const Analysis by_switch(Trace().cpu(0).at(10).runs(kA).at(20).irq(1, true).at(30).to(kB).at(40).to(kIdle));
    expect(by_switch, {{10, 20, kThread, 30}, {20, 30, kIrq, 1}, {30, 40, kThread, 31}});
    BOOST_TEST(anomalies(by_switch).lost_exits == 1u);

    const Analysis by_softirq(
        Trace().cpu(0).at(10).runs(kA).at(20).irq(1, true).at(30).softirq(3, true).at(35).softirq(3, false).at(40).to(
            kB));
    expect(by_softirq, {{10, 20, kThread, 30}, {20, 30, kIrq, 1}, {30, 35, kSoftirq, 3}, {35, 40, kThread, 30}});
    BOOST_TEST(anomalies(by_softirq).lost_exits == 1u);

    const Analysis by_outer_exit(
        Trace().cpu(0).at(10).runs(kA).at(20).softirq(3, true).at(30).irq(1, true).at(35).softirq(3, false).at(40).to(
            kB));
    expect(by_outer_exit, {{10, 20, kThread, 30}, {20, 30, kSoftirq, 3}, {30, 35, kIrq, 1}, {35, 40, kThread, 30}});
    BOOST_TEST(anomalies(by_outer_exit).lost_exits == 1u);
}

BOOST_AUTO_TEST_CASE(interrupts_nest_only_so_deep) {
    Trace trace = Trace().cpu(0).at(10).runs(kA);
    for (std::uint32_t i = 0; i < 20; ++i) trace.at(20 + i).irq(i, true);
    for (std::uint32_t i = 20; i-- > 0;) trace.at(60 - i).irq(i, false);
    trace.at(100).to(kB);
    const Analysis analysis(trace);
    BOOST_TEST(anomalies(analysis).deep_nesting == 13u);
    BOOST_TEST(anomalies(analysis).orphan_exits == 13u);
    BOOST_TEST(analysis.analyzer.check_invariants().empty());
}

BOOST_AUTO_TEST_CASE(thread_states_partition_a_life) {
    const Analysis analysis(Trace()
                                .cpu(0)
                                .at(0)
                                .runs(kA)
                                .at(10)
                                .preempt(kB)
                                .at(30)
                                .to(kA)
                                .at(60)
                                .to(kIdle)
                                .at(100)
                                .waking(kA, 0)
                                .wakeup(kA, 0)
                                .at(105)
                                .to(kA)
                                .at(200)
                                .page_fault());
    const Thread* a = analysis.analyzer.timeline().thread(Tid{kA.tid});
    BOOST_REQUIRE(a);
    BOOST_TEST(a->spent[static_cast<std::size_t>(ThreadState::kRunning)] == TscTicks{10 + 30});
    BOOST_TEST(a->spent[static_cast<std::size_t>(ThreadState::kRunnable)] == TscTicks{20 + 5});
    BOOST_TEST(a->spent[static_cast<std::size_t>(ThreadState::kSleeping)] == TscTicks{40});
    BOOST_TEST((a->state == ThreadState::kRunning));
    BOOST_TEST(a->since == TscTime{105});
    BOOST_TEST(a->page_faults_this_run == 1u);
    BOOST_TEST(analysis.analyzer.check_invariants().empty());
}

BOOST_AUTO_TEST_CASE(a_dead_thread_is_forgotten_and_its_id_used_again) {
    Trace trace = Trace().cpu(0).at(0).runs(kA).at(10).identity(HFTMON_REC_EXIT, kA, "first", 30).at(12).to(kB, kDies);
    trace.at(20)
        .identity(HFTMON_REC_FORK, kA, "second", 31, 31)
        .at(21)
        .wakeup_new(kA, 0)
        .at(30)
        .preempt(kA)
        .at(40)
        .to(kIdle);
    const Analysis analysis(trace);
    BOOST_TEST(anomalies(analysis).total() == 0u);
    const auto bills = analysis.bills();
    BOOST_REQUIRE_EQUAL(bills.size(), 1u);
    BOOST_TEST(bills[0]->thread.comm.view() == "second");
    BOOST_TEST(bills[0]->thread.tgid == Tid{31});
    BOOST_TEST(analysis.analyzer.timeline().thread(Tid{kA.tid})->first == TscTime{21});
}

BOOST_AUTO_TEST_CASE(exec_by_another_thread_takes_over_the_leaders_id) {
    constexpr Who kLeader = fair(50);
    Trace trace = Trace().cpu(0).at(0).runs(kA).at(10).identity(HFTMON_REC_EXEC, kLeader, "new", 50, kA.tid);
    trace.assume(kLeader).at(20).preempt(kB).at(30).to(kLeader);
    const Analysis analysis(trace);
    BOOST_TEST(anomalies(analysis).total() == 0u);
    BOOST_TEST(analysis.analyzer.timeline().thread(Tid{kA.tid}) == nullptr);
    BOOST_REQUIRE_EQUAL(analysis.bills().size(), 1u);
    BOOST_TEST(analysis.bills()[0]->delay.tid == Tid{50});
}

BOOST_AUTO_TEST_CASE(contradictions_are_counted_and_do_no_harm) {
    // kB is switched away from where kA runs; kA is switched to while it runs.
    Trace trace = Trace().cpu(0).at(0).runs(kA).cpu(1).at(0).runs(kIdle).cpu(0).assume(kB).at(10).to(kIdle);
    trace.cpu(1).at(20).to(kA).cpu(0).at(30).to(kB);
    const Analysis analysis(trace);
    BOOST_TEST(anomalies(analysis).wrong_prev == 1u);
    BOOST_TEST(anomalies(analysis).wrong_next == 1u);
    BOOST_TEST(anomalies(analysis).unseen_wakings == 1u);
    BOOST_TEST(analysis.analyzer.check_invariants().empty());
}

BOOST_AUTO_TEST_CASE(time_never_goes_back) {
    Analyzer analyzer(TscClock::from_khz(1'000'000), Analysis::all());
    Record first = record(100, HFTMON_REC_IRQ_ENTRY);
    Record second = record(50, HFTMON_REC_IRQ_EXIT);
    analyzer.consume(CpuId{0}, 0, {&first, 1});
    analyzer.consume(CpuId{0}, 1, {&second, 1});
    BOOST_TEST(analyzer.anomalies().backwards == 1u);
    BOOST_TEST(analyzer.timeline().now() == TscTime{100});
    BOOST_TEST(analyzer.check_invariants().empty());
}

BOOST_AUTO_TEST_CASE(impossible_ids_are_dropped_and_counted) {
    const Analysis analysis(Trace()
                                .cpu(0)
                                .at(0)
                                .runs(kA)
                                .at(10)
                                .to(fair(4'194'304))
                                .at(20)
                                .waking(fair(1u << 31), 0)
                                .migrate(fair(1u << 30), 0, 1)
                                .gap(1, fair(1u << 29))
                                .at(30)
                                .runs(fair(1u << 28)));
    BOOST_TEST(anomalies(analysis).bad_ids == 5u);
    BOOST_TEST(analysis.analyzer.check_invariants().empty());
}

BOOST_AUTO_TEST_CASE(absurd_durations_stay_inside_the_stream) {
    Trace trace = Trace().cpu(0).at(10).runs(kA).at(20).nmi(~0ull >> 1).at(30).to(kB);
    trace.at(40)
        .timer(INT64_MAX)
        .waking(kA, 0, Context::kHardirq)
        .timer_end()
        .at(50)
        .timer(INT64_MIN)
        .waking(fair(60), 0);
    trace.timer_end().at(60).wakeup(kA, 0).wakeup(fair(60), 0).at(70).to(kA).at(80).to(fair(60));
    const Analysis analysis(trace);
    BOOST_TEST(analysis.analyzer.check_invariants().empty());
    const auto bills = analysis.bills();
    BOOST_REQUIRE_EQUAL(bills.size(), 2u);
    BOOST_TEST(bills[0]->delay.start == TscTime{30});  // not before it slept
    BOOST_TEST(bills[1]->delay.start == TscTime{50});  // not after it was woken
}

BOOST_AUTO_TEST_CASE(any_bytes_keep_the_invariants) {
    std::uint64_t state = 1;
    const auto random = [&](std::uint64_t below) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (state >> 33) % below;
    };
    for (int round = 0; round < 200; ++round) {
        AnalyzerOptions options = Analysis::all();
        options.history_segments = 256;
        Analyzer analyzer(TscClock::from_khz(2'600'000), options);
        std::uint64_t positions[4] = {};
        std::uint64_t time = 1000;
        for (int i = 0; i < 1000; ++i) {
            Record records[2]{};
            for (Record& r : records) {
                time += random(50);
                r.tsc = random(200) == 0 ? random(1u << 30) : time;
                r.type = static_cast<std::uint16_t>(random(HFTMON_REC_TYPE_END));
                r.flags = static_cast<std::uint16_t>(random(1u << 12));
                for (auto& word : r.payload) word = random(6) << 32 | random(6);
                if (random(4) == 0) r.payload[random(2)] = random(~0u) << 32 | random(~0u);
            }
            const std::uint64_t cpu = random(4);
            if (random(100) == 0) positions[cpu] += random(10);
            analyzer.consume(CpuId{static_cast<std::uint32_t>(cpu)}, positions[cpu], records);
            positions[cpu] += 2;
        }
        analyzer.finish();
        for (const std::string& wrong : analyzer.check_invariants()) BOOST_ERROR(wrong);
    }
}

BOOST_AUTO_TEST_SUITE_END()
