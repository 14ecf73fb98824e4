// SPDX-License-Identifier: MIT
// Every row of the bill table of docs/design.md, on streams written by hand.
#include "attribution_support.hpp"

using namespace hftmon;
using namespace hftmon::test;

BOOST_AUTO_TEST_SUITE(attribution_test)

BOOST_AUTO_TEST_CASE(behind_a_higher_priority_thread) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(163).to(kRt);
    const One one(trace);
    BOOST_TEST((one.bill->delay.kind == DelayKind::kWakeup));
    BOOST_TEST(one.bill->delay.start == TscTime{100});
    BOOST_TEST(one.length() == 63);
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kHigher) == 63);
    BOOST_TEST(one.bill->lines.size() == 1u);
    BOOST_TEST(one.bill->incomplete == 0);
    BOOST_TEST(one.analysis.analyzer.anomalies().total() == 0u);
}

BOOST_AUTO_TEST_CASE(behind_an_equal_priority_thread) {
    Trace trace = asleep(kSame);
    woken(trace, 100).cpu(0).at(150).to(kRt);
    BOOST_TEST(One(trace).ticks(kThread, kSame.tid, Relation::kEqual) == 50);
}

BOOST_AUTO_TEST_CASE(a_lower_priority_thread_that_ran_already_was_not_preemptible_and_its_faults_count) {
    Trace trace = asleep(kLow);
    trace.cpu(0).at(50).page_fault();
    woken(trace, 100).cpu(0).at(110).page_fault().at(120).page_fault().at(150).to(kRt, 0, true).at(160).page_fault();
    const One one(trace);
    const BillLine* line = line_of(*one.bill, kThread, kLow.tid, Relation::kLower);
    BOOST_REQUIRE(line);
    BOOST_TEST(line->ticks.value == 50);
    BOOST_TEST(line->page_faults == 2u);
    BOOST_TEST(one.analysis.analyzer.timeline().thread(Tid{kLow.tid})->page_faults == 3u);
}

BOOST_AUTO_TEST_CASE(a_lower_priority_thread_that_was_switched_in_was_chosen_over_it) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(120).to(kFairA).at(150).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kHigher) == 20);
    BOOST_TEST(one.ticks(kThread, kFairA.tid, Relation::kChosen) == 30);
}

BOOST_AUTO_TEST_CASE(preempted_for_a_lower_priority_thread_is_throttling) {
    const One one(Trace().cpu(0).at(0).runs(kRt).at(100).preempt(kFairA).at(150).preempt(kRt));
    BOOST_TEST((one.bill->delay.kind == DelayKind::kPreemption));
    BOOST_TEST(one.ticks(kThread, kFairA.tid, Relation::kChosen) == 50);
}

BOOST_AUTO_TEST_CASE(preempted_by_a_higher_priority_thread) {
    const One one(Trace().cpu(0).at(0).runs(kRt).at(100).preempt(kHigh).at(141).to(kRt));
    BOOST_TEST((one.bill->delay.kind == DelayKind::kPreemption));
    BOOST_TEST((one.bill->delay.reason == StartReason::kPreempted));
    BOOST_TEST(one.bill->delay.preempted_by == Tid{kHigh.tid});
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kHigher) == 41);
}

BOOST_AUTO_TEST_CASE(a_thread_that_inherits_a_priority_is_waited_for_at_that) {
    // kLow is behind the late thread until 120, where it inherits 5 (told by CPU 1), and again from 180 on.
    Trace trace = asleep(kLow);
    woken(trace, 100);
    trace.cpu(1).at(120).inherits(kLow, 5, kHigh.tid).at(180).inherits({kLow.tid, 5, kLow.policy}, kLow.prio);
    trace.cpu(0).at(150).irq(9, true).at(155).irq(9, false).at(190).to(kRt);
    const One one(trace);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kLower) == 20 + 10);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kHigher) == 60 - 5);
    BOOST_TEST(one.ticks(kIrq, 9) == 5);
}

BOOST_AUTO_TEST_CASE(fair_threads_compete_whatever_their_nice) {
    Trace trace = Trace().cpu(0).at(0).runs(kFairA).at(10).to(kFairB);
    woken(trace, 100, kFairA).cpu(0).at(190).to(kFairA);
    BOOST_TEST(One(trace, kFairA).ticks(kThread, kFairB.tid, Relation::kCompeting) == 90);
}

BOOST_AUTO_TEST_CASE(deadline_beats_real_time) {
    Trace trace = asleep(kDeadline);
    woken(trace, 100).cpu(0).at(130).to(kRt);
    BOOST_TEST(One(trace).ticks(kThread, kDeadline.tid, Relation::kHigher) == 30);
}

BOOST_AUTO_TEST_CASE(the_stop_task_is_known_by_its_name) {
    Trace trace = asleep(kStop);
    woken(trace, 100).cpu(0).at(130).to(kHigh).at(140).preempt(kStop).at(145).to(kRt);
    const One one(trace, kRt, Trace::list({{kStop, "migration/0"}, {kHigh, "hog"}}));
    BOOST_TEST(one.ticks(kThread, kStop.tid, Relation::kStopper) == 35);
    BOOST_TEST(line_of(*one.bill, kThread, kStop.tid, Relation::kStopper)->stretches == 2u);
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kHigher) == 10);
    // A user's FIFO 99 is not.
    BOOST_TEST(One(trace, kRt, Trace::list({{kStop, "mine"}})).ticks(kThread, kStop.tid, Relation::kHigher) == 35);
}

BOOST_AUTO_TEST_CASE(the_stop_task_beats_deadline_and_its_lines_become_one) {
    // To a deadline thread prio 0 looks lower: first not preemptible, then chosen.
    Trace trace = Trace().cpu(0).at(0).runs(kDeadline).at(10).to(kStop);
    woken(trace, 100, kDeadline).cpu(0).at(120).to(kHigh).at(125).preempt(kStop).at(135).to(kDeadline);
    const One one(trace, kDeadline, Trace::list({{kStop, "migration/0"}}));
    BOOST_TEST(one.ticks(kThread, kStop.tid, Relation::kStopper) == 30);
    BOOST_TEST(one.bill->lines.size() == 2u);
}

BOOST_AUTO_TEST_CASE(the_waker_between_waking_and_wakeup_is_the_wakeup_path) {
    Trace trace = asleep(kLow);
    trace.cpu(0).at(100).waking(kRt, 0).at(103).wakeup(kRt, 0).at(110).to(kRt, 0, true);
    const One one(trace);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kWaker) == 3);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kLower) == 7);
    BOOST_TEST(one.bill->delay.waking.waker == Tid{kLow.tid});
}

BOOST_AUTO_TEST_CASE(a_remote_waker_does_not_own_the_waiting_cpu) {
    Trace trace = asleep(kLow);
    trace.cpu(1).at(0).runs(kSame).at(100).waking(kRt, 0);
    trace.cpu(0).at(104).vector(HFTMON_VECTOR_RESCHEDULE, true).at(106).wakeup(kRt, 0, Context::kHardirq);
    trace.at(107).vector(HFTMON_VECTOR_RESCHEDULE, false).at(110).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kInFlight) == 4);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kLower) == 3);
    BOOST_TEST(one.ticks(kVector, HFTMON_VECTOR_RESCHEDULE) == 3);
    BOOST_TEST(one.bill->delay.waking.cpu == CpuId{1});
}

BOOST_AUTO_TEST_CASE(idle_exit_names_the_idle_state) {
    Trace trace = asleep(kIdle);
    trace.cpu(0).at(20).idle(3);
    woken(trace, 100).cpu(0).at(140).idle(HFTMON_IDLE_EXIT).at(150).to(kRt);
    const One one(trace);
    BOOST_TEST(one.ticks(CauseKind::kIdle, 3) == 50);
    BOOST_TEST(line_of(*one.bill, CauseKind::kIdle, 3)->stretches == 1u);
}

BOOST_AUTO_TEST_CASE(idle_that_is_chosen_over_a_runnable_thread_is_throttling) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(100).preempt(kIdle).at(150).to(kRt).at(160).to(kIdle);
    const One one(trace);
    BOOST_TEST((line_of(*one.bill, CauseKind::kIdle, kIdleStateUnknown, Relation::kThrottled) != nullptr));
    BOOST_TEST(one.ticks(CauseKind::kIdle, kIdleStateUnknown, Relation::kThrottled) == 50);
    // Woken behind another, and then the CPU goes idle.
    Trace second = asleep(kHigh);
    woken(second, 100).cpu(0).at(120).to(kIdle).at(150).to(kRt);
    const One two(second);
    BOOST_TEST(two.ticks(kThread, kHigh.tid, Relation::kHigher) == 20);
    BOOST_TEST(two.ticks(CauseKind::kIdle, kIdleStateUnknown, Relation::kThrottled) == 30);
}

BOOST_AUTO_TEST_CASE(interrupts_are_net_of_what_nests_in_them) {
    Trace trace = asleep(kHigh);
    woken(trace, 100);
    trace.cpu(0).at(110).softirq(3, true).at(120).irq(34, true).at(127).irq(34, false);
    trace.at(130).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(134).vector(HFTMON_VECTOR_LOCAL_TIMER, false);
    trace.at(140).softirq(3, false).at(142).irq(34, true).at(143).irq(34, false).at(160).to(kRt);
    const One one(trace);
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kHigher) == 10 + 2 + 17);
    BOOST_TEST(one.ticks(kSoftirq, 3) == 30 - 7 - 4);
    BOOST_TEST(one.ticks(kIrq, 34) == 8);
    BOOST_TEST(one.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 4);
    BOOST_TEST(line_of(*one.bill, kIrq, 34)->stretches == 2u);
    BOOST_TEST(line_of(*one.bill, kSoftirq, 3)->stretches == 3u);
    BOOST_TEST(line_of(*one.bill, kThread, kHigh.tid, Relation::kHigher)->stretches == 3u);
    BOOST_TEST((one.bill->lines[0].cause == kThread));  // largest first
}

BOOST_AUTO_TEST_CASE(an_nmi_cuts_back_what_it_interrupted) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(110).irq(34, true).at(130).nmi(12).at(135).irq(34, false).at(150).to(kRt);
    const One one(trace);
    BOOST_TEST(one.ticks(CauseKind::kNmi, 0) == 12);
    BOOST_TEST(one.ticks(kIrq, 34) == 13);
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kHigher) == 25);
}

BOOST_AUTO_TEST_CASE(an_nmi_longer_than_what_it_interrupted_is_cut) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(120).irq(34, true).at(130).nmi(1000).at(135).irq(34, false).at(150).to(kRt);
    const One one(trace);
    BOOST_TEST(one.ticks(CauseKind::kNmi, 0) == 10);
    BOOST_TEST(one.ticks(kIrq, 34) == 5);
}

BOOST_AUTO_TEST_CASE(migration_while_waiting_moves_the_waiting_cpu) {
    Trace trace = asleep(kHigh);
    trace.cpu(1).at(0).runs(kIdle).at(5).idle(1);
    woken(trace, 100).cpu(1).at(130).migrate(kRt, 0, 1).at(142).to(kRt);
    trace.cpu(0).at(200).to(kIdle);
    const One one(trace);
    BOOST_TEST(one.length() == 42);
    BOOST_TEST(one.ticks(kThread, kHigh.tid, Relation::kHigher) == 30);
    BOOST_TEST(one.ticks(CauseKind::kIdle, 1) == 12);
    BOOST_TEST(one.bill->delay.cpu == CpuId{1});
    BOOST_TEST(one.bill->delay.hops.size() == 2u);
    BOOST_TEST(one.bill->incomplete == 0);
}

BOOST_AUTO_TEST_CASE(a_switch_in_elsewhere_without_a_move_is_no_verdict) {
    Trace trace = asleep(kHigh);
    trace.cpu(1).at(0).runs(kIdle);
    woken(trace, 100).cpu(1).at(142).to(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->incomplete == kIncompleteCpu);
    BOOST_TEST(one.analysis.analyzer.anomalies().unseen_moves == 1u);
}

BOOST_AUTO_TEST_CASE(a_cpu_without_records_is_unattributed) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(10).to(kIdle).at(100).waking(kRt, 5).wakeup(kRt, 5);
    trace.at(150).migrate(kRt, 5, 0).at(160).to(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->unattributed == TscTicks{50});
    BOOST_TEST(one.ticks(CauseKind::kIdle, kIdleStateUnknown) == 10);
}

BOOST_AUTO_TEST_CASE(time_elsewhere_splits_a_stretch) {
    Trace trace = asleep(kHigh);
    woken(trace, 100).cpu(0).at(110).migrate(kRt, 0, 5).at(120).migrate(kRt, 5, 0).at(130).to(kRt);
    const One one(trace);
    BOOST_TEST(line_of(*one.bill, kThread, kHigh.tid, Relation::kHigher)->stretches == 2u);
    BOOST_TEST(one.bill->unattributed == TscTicks{10});
}

BOOST_AUTO_TEST_SUITE_END()
