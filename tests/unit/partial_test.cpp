// SPDX-License-Identifier: MIT
// Captures that hold, on some CPUs, only what concerns the threads they watch.
#include "attribution_support.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

constexpr unsigned kPrev = HFTMON_SWITCH_PREV_PARTIAL, kNext = HFTMON_SWITCH_NEXT_PARTIAL;
/// Of CPU_STATE: threads may not be watched any longer.
constexpr unsigned kFewer = HFTMON_CPU_STATE_PARTIAL | HFTMON_CPU_STATE_UNWATCHED;

/// CPU 0 is partial, kRt alone is watched; it runs from 10 on.
Trace watched() { return Trace().cpu(0).at(0).runs(kIdle).flag(HFTMON_CPU_STATE_PARTIAL).at(10).to(kRt).flag(kPrev); }

}  // namespace

BOOST_AUTO_TEST_SUITE(partial_test)

BOOST_AUTO_TEST_CASE(whoever_ran_unseen_is_said_to_be_not_recorded) {
    // kHigh took the CPU at 50; that it was kLow who had it last is all that is told.
    Trace trace = watched();
    trace.at(50).preempt(kHigh).flag(kNext).assume(kLow).at(80).to(kRt).flag(kPrev);
    const One one(trace);
    BOOST_TEST((one.bill->delay.kind == DelayKind::kPreemption));
    BOOST_TEST(one.length() == 30);
    BOOST_TEST(one.ticks(CauseKind::kNotWatched, 0) == 30);
    BOOST_TEST(one.bill->incomplete == 0);
    BOOST_TEST(!one.bill->is_upper_bound());
    BOOST_TEST(one.analysis.analyzer.anomalies().total() == 0u);
}

BOOST_AUTO_TEST_CASE(a_wakeup_from_a_cpu_that_is_recorded_whole) {
    Trace trace = watched();
    trace.cpu(1).at(0).runs(kFairA).cpu(0).at(50).to(kIdle).flag(kNext);
    woken(trace, 100).cpu(0).assume(kFairB).at(120).to(kRt).flag(kPrev);
    const One one(trace);
    BOOST_TEST((one.bill->delay.reason == StartReason::kWaking));
    BOOST_TEST(one.length() == 20);
    BOOST_TEST(one.ticks(CauseKind::kNotWatched, 0) == 20);
    BOOST_TEST(one.bill->incomplete == 0);
    BOOST_TEST(one.analysis.analyzer.anomalies().total() == 0u);
}

BOOST_AUTO_TEST_CASE(interrupts_of_a_watched_thread_are_known_and_what_names_it) {
    Trace trace = watched();
    trace.at(20).irq(34, true).at(30).irq(34, false).at(50).preempt(kHigh).flag(kNext);
    trace.at(60).migrate(kRt, 0, 1).cpu(1).at(0).runs(kLow).at(90).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.length() == 40);
    BOOST_TEST(one.ticks(CauseKind::kNotWatched, 0) == 10);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kLower) == 30);
    BOOST_TEST(one.analysis.analyzer.timeline().cpu(CpuId{0})->time_of(kIrq) == TscTicks{10});
}

BOOST_AUTO_TEST_CASE(threads_that_are_not_watched_have_no_delays) {
    // kLow is seen to lose the CPU and to get it back; what it did in between is not known.
    Trace trace = watched();
    trace.at(50).preempt(kLow).flag(kNext).at(60).preempt(kRt).flag(kPrev).at(200).to(kLow, kSleeps).flag(kNext);
    trace.cpu(1).at(0).runs(kFairA).at(100).waking(kLow, 0).at(300).cpu(0).to(kFairB, 0).flag(kPrev | kNext);
    const Analysis analysis(trace, Analysis::only(kLow));
    BOOST_TEST(analysis.bills().empty());
    BOOST_TEST(analysis.analyzer.anomalies().total() == 0u);
}

BOOST_AUTO_TEST_CASE(after_lost_records_a_watched_thread_is_not_assumed_to_run) {
    Trace trace = watched();
    trace.at(20).to(kIdle).flag(kNext).at(50).gap(5, kRt).at(70).preempt(kHigh).flag(kNext);
    trace.assume(kLow).at(90).to(kRt).flag(kPrev);
    const One one(trace);
    BOOST_TEST(one.length() == 20);
    BOOST_TEST(one.ticks(CauseKind::kNotWatched, 0) == 20);
    // The switch at 70 tells that kRt had the CPU since the gap.
    BOOST_TEST(one.analysis.analyzer.timeline().cpu(CpuId{0})->time_of(kThread) == TscTicks{30});
    BOOST_TEST(one.analysis.analyzer.anomalies().total() == 0u);
}

BOOST_AUTO_TEST_CASE(a_cpu_on_which_nobody_watched_has_run) {
    Trace trace = Trace().cpu(0).at(0).runs(kFairA).flag(HFTMON_CPU_STATE_PARTIAL);
    trace.at(100).waking(kRt, 0).wakeup(kRt, 0).assume(kFairB).at(130).to(kRt).flag(kPrev);
    const One one(trace);
    BOOST_TEST(one.length() == 30);
    BOOST_TEST(one.ticks(CauseKind::kNotWatched, 0) == 30);
}

BOOST_AUTO_TEST_CASE(who_is_watched_may_change) {
    // kRt is no longer watched from 20 on, and again from 60 on.
    const auto change = [](Trace& trace, std::uint64_t time, Who now) -> Trace& {
        return trace.at(time).runs(now).flag(HFTMON_CPU_STATE_PARTIAL);
    };
    Trace trace = watched();
    trace.at(15).vector(HFTMON_VECTOR_CALL_FUNCTION, true);
    change(trace, 20, kRt).at(22).vector(HFTMON_VECTOR_CALL_FUNCTION, false);
    change(trace, 60, kRt).at(70).preempt(kHigh).flag(kNext).at(90).to(kRt).flag(kPrev);
    const One one(trace);
    BOOST_TEST(one.length() == 20);
    BOOST_TEST(one.ticks(CauseKind::kNotWatched, 0) == 20);
    const CpuTimeline& cpu = *one.analysis.analyzer.timeline().cpu(CpuId{0});
    BOOST_TEST(cpu.time_of(kThread) == TscTicks{15});  // 10..15, 60..70
    BOOST_TEST(cpu.time_of(kVector) == TscTicks{7});   // 15..22
    BOOST_TEST(cpu.time_of(CauseKind::kNotWatched) == TscTicks{68});
    BOOST_TEST(one.analysis.analyzer.anomalies().total() == 0u);
}

BOOST_AUTO_TEST_CASE(who_is_no_longer_watched_does_not_wait_for_ever) {
    // It loses the CPU at 50, is not watched from 60 to 500, runs meanwhile, and gets the CPU back at 520.
    Trace trace = watched();
    trace.at(50).preempt(kHigh).flag(kNext).at(60).runs(kHigh).flag(kFewer);
    trace.at(500).runs(kLow).flag(HFTMON_CPU_STATE_PARTIAL).at(520).to(kRt).flag(kPrev);
    trace.at(550).preempt(kHigh).flag(kNext).at(560).to(kRt).flag(kPrev);
    const One one(trace);
    BOOST_TEST(one.length() == 10);
    BOOST_TEST(one.analysis.analyzer.anomalies().total() == 0u);
}

BOOST_AUTO_TEST_CASE(watched_again_a_moment_before_the_cpu_says_so) {
    Trace trace = watched();
    trace.at(50).to(kIdle).flag(kNext).at(60).runs(kIdle).flag(kFewer);
    // In between kRt has got the CPU. Its mark is set, then each CPU is told.
    trace.assume(kRt).at(500).preempt(kHigh).flag(kNext).at(501).runs(kHigh).flag(HFTMON_CPU_STATE_PARTIAL);
    trace.at(520).to(kRt).flag(kPrev);
    const One one(trace);
    BOOST_TEST(one.length() == 20);
    BOOST_TEST(one.analysis.analyzer.anomalies().total() == 0u);
}

BOOST_AUTO_TEST_CASE(on_a_cpu_that_is_recorded_whole_a_thread_is_not_lost_sight_of) {
    Trace trace = watched();
    trace.cpu(1).at(0).runs(kFairA).at(60).cpu(0).runs(kRt).flag(kFewer).cpu(1).at(100).to(kIdle);
    const Analysis analysis(trace, Analysis::only(kFairA));
    const Thread& thread = *analysis.analyzer.timeline().thread(Tid{kFairA.tid});
    BOOST_TEST(thread.spent[static_cast<std::size_t>(ThreadState::kRunning)] == TscTicks{100});
    BOOST_TEST(analysis.analyzer.timeline().cpu(CpuId{1})->time_of(kThread) == TscTicks{100});
    BOOST_TEST(analysis.analyzer.anomalies().total() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
