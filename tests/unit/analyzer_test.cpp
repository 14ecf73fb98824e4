// SPDX-License-Identifier: MIT
// What the Analyzer does around the bills.
#include "attribution_support.hpp"

using namespace hftmon;
using namespace hftmon::test;

BOOST_AUTO_TEST_SUITE(analyzer_test)

BOOST_AUTO_TEST_CASE(interrupts_after_the_switch_in_are_beside_the_bill) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(150).to(kRt).at(151).softirq(3, true).at(160).irq(34, true).at(162).irq(34, false);
    trace.at(165).softirq(3, false).at(180).to(kIdle).at(200).irq(34, true).at(210).irq(34, false);
    const One one(trace);
    BOOST_REQUIRE_EQUAL(one.bill->after_switch_in.size(), 2u);
    BOOST_TEST((one.bill->after_switch_in[0].cause == kSoftirq));
    BOOST_TEST(one.bill->after_switch_in[0].ticks.value == 12);
    BOOST_TEST(one.bill->after_switch_in[1].ticks.value == 2);
    BOOST_TEST(one.bill->after_end == TscTime{180});
    BOOST_TEST(!one.bill->after_has_gap);
}

BOOST_AUTO_TEST_CASE(what_comes_after_is_observed_to_a_limit) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(150).to(kRt).at(190).irq(34, true).at(230).irq(34, false).at(900).to(kIdle);
    AnalyzerOptions options = Analysis::only(kRt);
    options.after_limit = Nanoseconds(50);
    int calls = 0;
    options.on_bill = [&](const Bill& bill) {
        ++calls;
        BOOST_TEST(bill.after_end == TscTime{200});
        BOOST_REQUIRE_EQUAL(bill.after_switch_in.size(), 1u);
        BOOST_TEST(bill.after_switch_in[0].ticks.value == 10);
    };
    const Analysis analysis(trace, options);
    BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(settling_hands_over_bills_of_quiet_cpus) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(150).to(kRt);
    AnalyzerOptions options = Analysis::only(kRt);
    options.after_limit = Nanoseconds(50);
    int calls = 0;
    options.on_bill = [&](const Bill&) { ++calls; };
    Analyzer analyzer(TscClock::from_khz(1'000'000), options);
    trace.feed(analyzer);
    analyzer.settle(TscTime{199});
    BOOST_TEST(calls == 0);
    analyzer.settle(TscTime{200});
    analyzer.finish();
    BOOST_TEST(calls == 1);
    BOOST_TEST(analyzer.longest()[0]->after_end == TscTime{200});
}

BOOST_AUTO_TEST_CASE(names_that_come_after_the_fact_are_found) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(150).to(kRt).at(200).to(kHigh).at(220).identity(HFTMON_REC_EXIT, kHigh, "hog", 20);
    const One one(trace);
    BOOST_TEST(one.bill->lines[0].comm.view() == "hog");
    BOOST_TEST(one.bill->lines[0].is_named);
}

BOOST_AUTO_TEST_CASE(only_wanted_threads_and_processes_get_bills) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(10).preempt(kHigh).at(20).to(kSame).at(30).to(kRt).at(40).to(kIdle);
    trace.identity(HFTMON_REC_EXIT, kSame, "same", 77);
    AnalyzerOptions options = Analysis::all();
    options.processes = {Tid{77}};
    BOOST_TEST(Analysis(trace, options).bills().empty());
    Trace second = trace;
    second.cpu(0).at(50).to(kSame).at(60).preempt(kHigh).at(70).to(kSame);
    const Analysis analysis(second, options);
    BOOST_REQUIRE_EQUAL(analysis.bills().size(), 1u);
    BOOST_TEST(analysis.bills()[0]->delay.tid == Tid{kSame.tid});
    BOOST_TEST(analysis.bills()[0]->thread.tgid == Tid{77});
    BOOST_TEST(Analysis(trace).bills().size() == 1u);  // everybody: kRt alone waited
}

BOOST_AUTO_TEST_CASE(children_of_wanted_processes_are_wanted) {
    const auto bills = [](std::uint32_t parent) {
        Trace trace = Trace().cpu(0).at(0).runs(kRt);
        trace.identity(HFTMON_REC_THREAD, kRt, "parent", kRt.tid);
        trace.at(5).identity(HFTMON_REC_FORK, kSame, "child", kSame.tid, parent);
        trace.at(10).to(kSame).at(20).preempt(kHigh).at(30).to(kSame);
        AnalyzerOptions options = Analysis::all();
        options.processes = {Tid{kRt.tid}};
        return Analysis(trace, options).bills().size();
    };
    BOOST_TEST(bills(kRt.tid) == 1u);
    BOOST_TEST(bills(kHigh.tid) == 0u);
}

BOOST_AUTO_TEST_CASE(statistics_count_all_and_bills_only_those_over) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt);
    std::uint64_t t = 100;
    for (const std::uint64_t length : {5u, 50u, 20u, 70u}) {
        trace.at(t).preempt(kHigh).at(t + length).to(kRt);
        t += 100;
    }
    AnalyzerOptions options = Analysis::only(kRt);
    options.over = Nanoseconds(50);
    options.keep = 1;
    const Analysis analysis(trace, options);
    BOOST_REQUIRE_EQUAL(analysis.analyzer.longest().size(), 1u);
    BOOST_TEST(analysis.analyzer.longest()[0]->delay.length().value == 70);
    const auto rows = analysis.analyzer.threads();
    BOOST_REQUIRE_EQUAL(rows.size(), 1u);
    const DelayStats& stats = rows[0]->of(DelayKind::kPreemption);
    BOOST_TEST(stats.count == 4u);
    BOOST_TEST(stats.over == 2u);
    BOOST_TEST(stats.max.value == 70);
    BOOST_TEST(stats.sum.value == 145);
}

BOOST_AUTO_TEST_CASE(the_longest_are_kept_longest_first) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt);
    for (std::uint64_t i = 0; i < 50; ++i)
        trace.at(100 + i * 100).preempt(kHigh).at(100 + i * 100 + (i * 37) % 50 + 1).to(kRt);
    AnalyzerOptions options = Analysis::only(kRt);
    options.keep = 5;
    const Analysis analysis(trace, options);
    std::int64_t expected = 50;
    for (const Bill* bill : analysis.analyzer.longest()) BOOST_TEST(bill->delay.length().value == expected--);
    BOOST_TEST(expected == 45);
}

BOOST_AUTO_TEST_CASE(repeated_and_damaged_records_are_counted) {
    Analyzer analyzer(TscClock::from_khz(1'000'000), Analysis::all());
    const std::vector<Record> records{record(1, HFTMON_REC_IRQ_ENTRY), record(2, HFTMON_REC_COMM), record(3, 999),
                                      record(4, HFTMON_REC_FORK)};
    analyzer.consume(CpuId{0}, 0, records);
    analyzer.consume(CpuId{0}, 0, records);
    analyzer.consume(CpuId{100'000}, 0, records);
    BOOST_TEST(analyzer.totals().records == 12u);
    BOOST_TEST(analyzer.totals().events == 1u);
    BOOST_TEST(analyzer.totals().unknown_types == 1u);
    BOOST_TEST(analyzer.totals().bad_records == 2u + 4u);
    BOOST_TEST(analyzer.totals().repeated == 4u);
}

BOOST_AUTO_TEST_CASE(an_episode_lasts_until_the_thread_sleeps_again) {
    const auto episode = [](Trace trace) {
        const Analysis analysis(std::move(trace), Analysis::only(kRt));
        return analysis.analyzer.threads().at(0)->longest_episode.value;
    };
    Trace trace = asleep(kIdle);
    woken(trace, 100).cpu(0).at(120).to(kRt, 0).at(125).preempt(kHigh).at(160).to(kRt);
    BOOST_TEST(episode(trace) == 0);  // not over yet
    trace.at(170).to(kIdle);
    BOOST_TEST(episode(trace) == 70);
    // A longer delay in which it ran at once and slept: 30 + 5.
    BOOST_TEST(episode(Trace(woken(trace, 200)).cpu(0).at(230).to(kRt, 0).at(235).to(kIdle)) == 70);

    Trace lossy = asleep(kIdle);
    woken(lossy, 100).cpu(0).at(120).to(kRt, 0).at(130).gap(1, kRt).at(170).to(kIdle);
    BOOST_TEST(episode(lossy) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
