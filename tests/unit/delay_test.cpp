// SPDX-License-Identifier: MIT
// When a delay starts: timers, wakings that cross other things, gaps.
#include "attribution_support.hpp"

using namespace hftmon;
using namespace hftmon::test;

BOOST_AUTO_TEST_SUITE(delay_test)

BOOST_AUTO_TEST_CASE(a_timer_delay_starts_at_the_expiry_and_the_late_interrupt_is_named) {
    Trace trace = asleep(kLow);
    trace.cpu(0).at(150).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(155).timer(55);
    trace.at(157).waking(kRt, 0, Context::kHardirq).at(158).wakeup(kRt, 0, Context::kHardirq).timer_end();
    trace.at(160).vector(HFTMON_VECTOR_LOCAL_TIMER, false).at(165).preempt(kRt);
    const One one(trace);
    BOOST_TEST((one.bill->delay.reason == StartReason::kTimer));
    BOOST_TEST(one.bill->delay.start == TscTime{100});
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kNone, true) == 50);
    BOOST_TEST(one.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 10);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kLower) == 5);
    BOOST_TEST(one.bill->lines.size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_late_timer_interrupt_behind_idle_or_another_interrupt) {
    Trace trace = asleep(kIdle);
    trace.cpu(0).at(20).idle(6).at(120).idle(HFTMON_IDLE_EXIT).irq(34, true).at(130).irq(34, false);
    trace.at(131).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(133).timer(33).waking(kRt, 0, Context::kHardirq);
    trace.wakeup(kRt, 0, Context::kHardirq)
        .timer_end()
        .at(135)
        .vector(HFTMON_VECTOR_LOCAL_TIMER, false)
        .at(140)
        .to(kRt);
    const One one(trace);
    BOOST_TEST(one.length() == 40);
    BOOST_TEST(one.ticks(CauseKind::kIdle, 6, Relation::kNone, true) == 21);
    BOOST_TEST(one.ticks(kIrq, 34, Relation::kNone, true) == 10);
    BOOST_TEST(one.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 4);
    BOOST_TEST(one.ticks(CauseKind::kIdle, 6) == 5);
}

BOOST_AUTO_TEST_CASE(slack_that_a_timer_was_allowed_is_no_lateness) {
    // Due at 100, may come until 130, comes at 150 behind kLow.
    Trace trace = asleep(kLow);
    trace.cpu(0).at(150).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(155).timer(55, 30);
    trace.at(157).waking(kRt, 0, Context::kHardirq).at(158).wakeup(kRt, 0, Context::kHardirq).timer_end();
    trace.at(160).vector(HFTMON_VECTOR_LOCAL_TIMER, false).at(165).preempt(kRt);
    const One late(trace);
    BOOST_TEST(late.bill->delay.start == TscTime{100});
    BOOST_TEST(late.ticks(CauseKind::kTimerSlack, 0) == 30);
    BOOST_TEST(late.ticks(kThread, kLow.tid, Relation::kNone, true) == 20);
    BOOST_TEST(late.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 10);

    // The same, but another timer's interrupt at 110 runs it: it is not waited for.
    Trace early = asleep(kLow);
    early.cpu(0).at(110).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(115).timer(15, 30);
    early.waking(kRt, 0, Context::kHardirq).wakeup(kRt, 0, Context::kHardirq).timer_end();
    early.at(120).vector(HFTMON_VECTOR_LOCAL_TIMER, false).at(125).preempt(kRt);
    const One one(early);
    BOOST_TEST(one.ticks(CauseKind::kTimerSlack, 0) == 10);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kNone, true) == 0);
    BOOST_TEST(one.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 10);
}

BOOST_AUTO_TEST_CASE(interrupts_inside_the_slack_need_not_run_the_timer) {
    // Due at 100, may come until 200; ticks at 110 and 150 do not run it, the one at 190 does.
    Trace trace = asleep(kLow);
    for (const std::uint64_t tick : {110u, 150u}) {
        trace.cpu(0).at(tick).vector(HFTMON_VECTOR_LOCAL_TIMER, true);
        trace.at(tick + 4).vector(HFTMON_VECTOR_LOCAL_TIMER, false);
    }
    Trace late = trace;
    trace.at(190).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(195).timer(95, 100);
    trace.waking(kRt, 0, Context::kHardirq).wakeup(kRt, 0, Context::kHardirq).timer_end();
    trace.at(200).vector(HFTMON_VECTOR_LOCAL_TIMER, false).at(205).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.ticks(CauseKind::kTimerSlack, 0) == 90);
    BOOST_TEST(one.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 10);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kLower) == 5);
    BOOST_TEST(one.bill->lines.size() == 3u);

    // Its own interrupt is due at 200 and comes at 230, behind kLow.
    late.at(230).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(235).timer(135, 100);
    late.waking(kRt, 0, Context::kHardirq).wakeup(kRt, 0, Context::kHardirq).timer_end();
    late.at(240).vector(HFTMON_VECTOR_LOCAL_TIMER, false).at(245).preempt(kRt);
    const One two(late);
    BOOST_TEST(two.ticks(CauseKind::kTimerSlack, 0) == 100);
    BOOST_TEST(two.ticks(kThread, kLow.tid, Relation::kNone, true) == 30);
    BOOST_TEST(two.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 10);
}

BOOST_AUTO_TEST_CASE(slack_of_a_timer_in_a_softirq_thread) {
    // PREEMPT_RT: the tick at 110 lies inside the slack and raises nothing; the
    // interrupt at 150 does, and the callback runs in the softirq's thread.
    constexpr Who kTimers = fifo(16, 1);
    Trace trace = asleep(kFairA);
    trace.cpu(0).at(110).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(112).vector(HFTMON_VECTOR_LOCAL_TIMER, false);
    trace.at(153).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(155).vector(HFTMON_VECTOR_LOCAL_TIMER, false);
    trace.at(156).to(kTimers).at(160).softirq(8, true).at(162).timer(62, 50);
    trace.waking(kRt, 0, Context::kSoftirq).wakeup(kRt, 0, Context::kSoftirq).timer_end().at(170).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.ticks(CauseKind::kTimerSlack, 0) == 50);
    BOOST_TEST(one.ticks(kThread, kFairA.tid, Relation::kNone, true) == 3);
    BOOST_TEST(one.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 2);
    BOOST_TEST(one.ticks(kThread, kFairA.tid, Relation::kTimerCallback) == 1);
    BOOST_TEST(one.ticks(kThread, kTimers.tid, Relation::kTimerCallback) == 4);
}

BOOST_AUTO_TEST_CASE(a_timer_that_expires_while_its_interrupt_runs_is_not_late) {
    Trace trace = asleep(kLow);
    trace.cpu(0).at(100).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(130).timer(5).waking(kRt, 0, Context::kHardirq);
    trace.wakeup(kRt, 0, Context::kHardirq)
        .timer_end()
        .at(140)
        .vector(HFTMON_VECTOR_LOCAL_TIMER, false)
        .at(141)
        .preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.length() == 16);
    BOOST_TEST(one.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 15);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kLower) == 1);
}

BOOST_AUTO_TEST_CASE(a_timer_that_expired_before_the_thread_slept_starts_at_its_switch_out) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(110).to(kLow);
    trace.at(150).vector(HFTMON_VECTOR_LOCAL_TIMER, true).timer(50).waking(kRt, 0, Context::kHardirq);
    trace.wakeup(kRt, 0, Context::kHardirq)
        .timer_end()
        .at(155)
        .vector(HFTMON_VECTOR_LOCAL_TIMER, false)
        .at(160)
        .preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->delay.start == TscTime{110});
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kNone, true) == 40);
}

BOOST_AUTO_TEST_CASE(a_timer_on_another_cpu_is_late_there) {
    Trace trace = asleep(kIdle);
    trace.cpu(0).at(20).idle(2).cpu(1).at(0).runs(kFairA);
    trace.cpu(1)
        .at(120)
        .vector(HFTMON_VECTOR_LOCAL_TIMER, true)
        .timer(20)
        .waking(kRt, 0, Context::kHardirq)
        .timer_end();
    trace.at(122).vector(HFTMON_VECTOR_LOCAL_TIMER, false).cpu(0).at(125).wakeup(kRt, 0).at(130).to(kRt);
    const One one(trace);
    BOOST_TEST(one.length() == 30);
    BOOST_TEST(one.ticks(kThread, kFairA.tid, Relation::kNone, true) == 20);
    BOOST_TEST(one.ticks(CauseKind::kIdle, 2) == 10);
}

BOOST_AUTO_TEST_CASE(a_timer_callback_in_a_softirq_thread_can_wait_behind_threads) {
    // PREEMPT_RT: the interrupt only wakes ktimers/0, and kSame runs first.
    constexpr Who kTimers = fifo(16, 1);
    Trace trace = asleep(kFairA);
    trace.cpu(0).at(100).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(102).vector(HFTMON_VECTOR_LOCAL_TIMER, false);
    trace.at(103).preempt(kSame).at(130).to(kTimers).at(132).softirq(8, true).at(133).timer(38);
    trace.at(134).waking(kRt, 0, Context::kSoftirq).at(135).wakeup(kRt, 0, Context::kSoftirq).timer_end();
    trace.at(140).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->delay.start == TscTime{95});
    BOOST_TEST(one.ticks(kThread, kFairA.tid, Relation::kNone, true) == 5);
    BOOST_TEST(one.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 2);
    BOOST_TEST(one.ticks(kThread, kFairA.tid, Relation::kTimerCallback) == 1);
    BOOST_TEST(one.ticks(kThread, kSame.tid, Relation::kTimerCallback) == 27);
    BOOST_TEST(one.ticks(kThread, kTimers.tid, Relation::kTimerCallback) == 2);
    BOOST_TEST(one.ticks(kSoftirq, 8) == 8);
}

BOOST_AUTO_TEST_CASE(an_interrupt_inside_a_timer_callback_does_not_wake_by_timer) {
    Trace trace = asleep(kLow);
    trace.cpu(0).at(90).softirq(8, true).at(95).timer(40).at(100).irq(34, true).waking(kRt, 0, Context::kHardirq);
    trace.wakeup(kRt, 0, Context::kHardirq)
        .at(105)
        .irq(34, false)
        .at(106)
        .timer_end()
        .softirq(8, false)
        .at(110)
        .preempt(kRt);
    const One one(trace);
    BOOST_TEST((one.bill->delay.reason == StartReason::kWaking));
    BOOST_TEST(one.bill->delay.start == TscTime{100});
    BOOST_TEST((one.bill->delay.waking.source.kind == kIrq));
}

BOOST_AUTO_TEST_CASE(a_softirq_that_is_switched_out_goes_with_its_thread) {
    // PREEMPT_RT: kLow is preempted in NET_RX, and later goes on with it.
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(10).to(kLow).at(20).softirq(3, true).at(30).preempt(kHigh);
    trace.at(50).to(kLow).at(60);
    woken(trace, 60).cpu(0).at(70).softirq(3, false).at(80).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.ticks(kSoftirq, 3) == 10);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kLower) == 10);
    BOOST_TEST(one.analysis.analyzer.anomalies().total() == 0u);
    const CpuTimeline* cpu = one.analysis.analyzer.timeline().cpu(CpuId{0});
    BOOST_TEST(cpu->time_of(kSoftirq) == TscTicks{10 + 20});
}

BOOST_AUTO_TEST_CASE(a_waking_before_the_switch_out_starts_at_the_switch_out) {
    // On its way out: dequeued, but still on the CPU.
    Trace trace = Trace().cpu(1).at(90).waking(kRt, 0).cpu(0).at(0).runs(kRt).at(100).to(kLow).at(104).wakeup(kRt, 0);
    trace.at(110).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->delay.start == TscTime{100});
    BOOST_TEST(one.length() == 10);
    BOOST_TEST(one.analysis.analyzer.anomalies().total() == 0u);
}

BOOST_AUTO_TEST_CASE(a_wakeup_of_a_running_thread_is_no_delay) {
    // It had not given the CPU away: the wakeup makes it stay. Later it sleeps.
    Trace trace = Trace().cpu(1).at(90).waking(kRt, 0).at(91).wakeup(kRt, 0).cpu(0).at(0).runs(kRt).at(100).to(kLow);
    woken(trace, 200).cpu(0).at(205).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->delay.start == TscTime{200});
}

BOOST_AUTO_TEST_CASE(a_preempted_thread_that_is_woken_stays_preempted) {
    // Preempted while its state said asleep: still in the run queue.
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(100).to(kHigh, kSleeps, true).at(110).waking(kRt, 0).wakeup(kRt, 0);
    trace.at(120).to(kRt);
    const One one(trace);
    BOOST_TEST((one.bill->delay.kind == DelayKind::kPreemption));
    BOOST_TEST(one.length() == 20);
}

BOOST_AUTO_TEST_CASE(a_new_thread_waits_from_its_creation) {
    Trace trace = Trace().cpu(0).at(0).runs(kHigh).at(50).identity(HFTMON_REC_FORK, kRt, "child", 10, kHigh.tid);
    trace.at(52).wakeup_new(kRt, 0).at(60).to(kRt);
    const One one(trace);
    BOOST_TEST((one.bill->delay.reason == StartReason::kNewThread));
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kHigher) == 8);
    BOOST_TEST(one.bill->thread.comm.view() == "child");
}

BOOST_AUTO_TEST_CASE(a_gap_in_the_delay_is_a_line_and_no_verdict) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(120).irq(34, true).at(140).gap(7, kHigh).at(160).to(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->incomplete == kIncompleteGap);
    BOOST_TEST(one.ticks(CauseKind::kGap, 0) == 20);
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kHigher) == 40);
    BOOST_TEST(one.analysis.analyzer.totals().lost == 7u);
    BOOST_TEST(one.analysis.analyzer.totals().incomplete == 1u);
    BOOST_TEST(one.analysis.analyzer.anomalies().orphaned_entries == 1u);
}

BOOST_AUTO_TEST_CASE(a_jump_of_positions_is_a_gap) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(120).irq(34, true).at(125).irq(34, false).skip(5).at(140).irq(34, true);
    trace.at(141).irq(34, false).at(160).to(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->incomplete == kIncompleteGap);
    BOOST_TEST(one.ticks(CauseKind::kGap, 0) == 15);
    // The switch names who ran since the gap.
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kHigher) == 20 + 19);
    BOOST_TEST(one.analysis.analyzer.totals().lost == 5u);
    BOOST_TEST(one.analysis.analyzer.totals().gaps == 1u);
}

BOOST_AUTO_TEST_CASE(a_gap_outside_the_delay_does_not_matter) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(10).to(kIdle).at(50).gap(3, kHigh);
    woken(trace, 100).cpu(0).at(120).to(kRt).at(130).to(kIdle).at(150).gap(9, kIdle);
    const One one(trace);
    BOOST_TEST(one.bill->incomplete == 0);
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kHigher) == 0);  // a gap does not tell priorities
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kNone) == 20);
    BOOST_TEST(one.analysis.analyzer.totals().lost == 9u);
}

BOOST_AUTO_TEST_CASE(a_gap_told_twice_is_one) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(10).to(kIdle).at(20).gap(7, kHigh);
    woken(trace, 100).cpu(0).at(150).gap(7, kHigh).at(200).to(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->incomplete == 0);
    BOOST_TEST(one.ticks(CauseKind::kGap, 0) == 0);
    BOOST_TEST(one.analysis.analyzer.totals().gaps == 1u);
    BOOST_TEST(one.analysis.analyzer.totals().over == 1u);
}

BOOST_AUTO_TEST_CASE(a_gap_on_the_cpu_that_it_was_pulled_to_makes_the_delay_doubtful) {
    // It may have run on CPU 2 inside that gap: nobody saw it move there.
    Trace trace = Trace().cpu(0).at(0).runs(kRt).cpu(2).at(0).runs(kFairA);
    trace.cpu(0).at(100).preempt(kHigh).cpu(2).at(250).gap(7, kFairA).at(300).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->incomplete == (kIncompleteCpu | kIncompleteGap));
    BOOST_TEST(one.analysis.analyzer.totals().over == 0u);
    BOOST_TEST(one.analysis.analyzer.totals().doubtful == 1u);
}

BOOST_AUTO_TEST_CASE(a_gap_on_the_timers_cpu_after_the_waking_does_not_matter) {
    Trace trace = asleep(kIdle);
    trace.cpu(0).at(20).idle(2).cpu(1).at(0).runs(kFairA);
    trace.at(110).vector(HFTMON_VECTOR_LOCAL_TIMER, true).timer(10).waking(kRt, 0, Context::kHardirq).timer_end();
    trace.at(112).vector(HFTMON_VECTOR_LOCAL_TIMER, false).cpu(0).at(115).wakeup(kRt, 0);
    trace.cpu(1).at(120).gap(5, kFairA).cpu(0).at(130).to(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->incomplete == 0);
    BOOST_TEST(one.analysis.analyzer.totals().over == 1u);
}

BOOST_AUTO_TEST_CASE(a_gap_that_is_told_after_the_delay_counts_as_well) {
    // It waits on CPU 0, whose records are missing from 101 on, and is pulled to
    // CPU 1 at 180. CPU 0 tells of the loss only at 300.
    Trace trace = Trace().cpu(0).at(0).runs(kRt).cpu(1).at(0).runs(kLow);
    trace.cpu(0).at(100).preempt(kHigh).at(101).irq(9, true);
    trace.cpu(1).at(180).migrate(kRt, 0, 1).at(200).preempt(kRt).at(210).to(kLow);
    Trace silent = trace;
    trace.cpu(0).at(300).gap(7, kHigh);
    const One one(trace);
    BOOST_TEST(one.bill->incomplete == kIncompleteGap);
    BOOST_TEST(one.bill->after_end == TscTime{210});
    BOOST_TEST(one.ticks(CauseKind::kGap, 0) == 79);
    BOOST_TEST(one.analysis.analyzer.totals().over == 0u);
    BOOST_TEST(one.analysis.analyzer.totals().doubtful == 1u);

    // A CPU that tells nothing more has nothing to tell; nor one that goes on.
    const One two(silent);
    BOOST_TEST(two.bill->incomplete == 0);
    BOOST_TEST(two.analysis.analyzer.totals().over == 1u);
    silent.cpu(0).at(300).irq(9, false);
    const One three(silent);
    BOOST_TEST(three.bill->incomplete == 0);
    BOOST_TEST(three.ticks(kIrq, 9) == 79);
    BOOST_TEST(three.bill->after_end == TscTime{210});
}

BOOST_AUTO_TEST_CASE(nobody_is_said_to_be_chosen_after_a_gap) {
    // kLow holds the CPU; it may have been switched in inside the gap, or before.
    Trace trace = asleep(kLow);
    woken(trace, 100).cpu(0).at(140).gap(7, kLow).at(150).to(kLow, 0).at(160).to(kIdle).at(180).to(kRt);
    const One one(trace);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kLower) == 0);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kChosen) == 0);
    BOOST_TEST(one.ticks(CauseKind::kIdle, kIdleStateUnknown, Relation::kThrottled) == 0);
}

BOOST_AUTO_TEST_CASE(waiting_on_a_cpu_that_is_not_recorded_is_no_verdict) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(10).to(kHigh).at(100).waking(kRt, 5);
    trace.at(190).migrate(kRt, 5, 0).at(200).to(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->incomplete == kIncompleteUnrecorded);
    BOOST_TEST(one.bill->is_upper_bound());
    BOOST_TEST(one.analysis.analyzer.totals().doubtful == 1u);
    BOOST_TEST(one.analysis.analyzer.totals().over == 0u);
}

BOOST_AUTO_TEST_CASE(page_faults_beyond_those_kept_are_at_least) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0);
    for (std::uint64_t i = 0; i < 70'000; ++i) trace.at(200 + i).page_fault();
    trace.at(100'000).to(kRt);
    const One one(trace);
    BOOST_REQUIRE_EQUAL(one.bill->lines.size(), 1u);
    BOOST_TEST(one.bill->lines[0].page_faults == 65'536u);
    BOOST_TEST(one.bill->lines[0].more_page_faults);
}

BOOST_AUTO_TEST_CASE(a_thread_that_ran_inside_the_gap_has_no_delay_across_it) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(140).gap(7, kRt).at(150).to(kIdle);
    Analysis analysis(trace, Analysis::only(kRt));
    BOOST_TEST(analysis.bills().empty());
    BOOST_TEST(analysis.analyzer.check_invariants().empty());
}

BOOST_AUTO_TEST_CASE(a_thread_that_slept_inside_the_gap_can_be_woken_again) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(140).gap(7, kHigh);
    woken(trace, 200).cpu(0).at(210).to(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->delay.start == TscTime{200});
    BOOST_TEST(one.bill->incomplete == 0);
}

BOOST_AUTO_TEST_CASE(a_wakeup_without_a_waking_is_no_verdict) {
    Trace trace = asleep(kHigh).cpu(0).at(100).wakeup(kRt, 0).at(110).to(kRt);
    const One one(trace);
    BOOST_TEST((one.bill->delay.reason == StartReason::kUnseen));
    BOOST_TEST(one.bill->incomplete == kIncompleteStart);
    BOOST_TEST(one.analysis.analyzer.anomalies().unseen_starts == 1u);
    BOOST_TEST(one.analysis.analyzer.anomalies().unseen_wakings == 0u);
}

BOOST_AUTO_TEST_CASE(a_delay_beyond_the_history_is_no_verdict) {
    Trace trace = asleep(kHigh);
    woken(trace, 100);
    for (std::uint64_t t = 1000; t < 3000; t += 4) trace.cpu(0).at(t).irq(9, true).at(t + 1).irq(9, false);
    trace.at(5000).to(kRt);
    AnalyzerOptions options = Analysis::only(kRt);
    options.history_segments = 256;
    Analysis analysis(trace, options);
    const auto bills = analysis.bills();
    BOOST_REQUIRE_EQUAL(bills.size(), 1u);
    BOOST_TEST(bills[0]->incomplete == kIncompleteHistory);
    BOOST_TEST(ticks_of(*bills[0], kIrq, 9) == 128);
    BOOST_TEST(bills[0]->total() == bills[0]->delay.length());
    BOOST_TEST(analysis.analyzer.check_invariants().empty());
}

BOOST_AUTO_TEST_SUITE_END()
