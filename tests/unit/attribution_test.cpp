// SPDX-License-Identifier: MIT
// Every row of the bill table of docs/design.md, on streams written by hand.
#include <boost/test/unit_test.hpp>

#include "hftmon/analyzer.hpp"
#include "support.hpp"
#include "trace_builder.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

constexpr Who kRt = fifo(10, 80);
constexpr Who kHigh = fifo(20, 90);
constexpr Who kSame = fifo(21, 80);
constexpr Who kLow = fifo(22, 10);
constexpr Who kFairA = fair(30);
constexpr Who kFairB = fair(31, -5);
constexpr Who kDeadline{40, -1, Policy::kDeadline};
constexpr Who kStop{15, 0, Policy::kFifo};

constexpr auto kThread = CauseKind::kThread;
constexpr auto kIrq = CauseKind::kIrq;
constexpr auto kSoftirq = CauseKind::kSoftirq;
constexpr auto kVector = CauseKind::kVector;

/// The only bill of kRt; the invariants hold.
struct One {
    Analysis analysis;
    const Bill* bill = nullptr;

    explicit One(const Trace& trace, Who who = kRt, const std::vector<ThreadEntry>& threads = {})
        : analysis(trace, Analysis::only(who), threads) {
        const auto bills = analysis.bills();
        BOOST_REQUIRE_EQUAL(bills.size(), 1u);
        bill = bills[0];
        check();
    }
    void check() const {
        for (const std::string& wrong : analysis.analyzer.check_invariants()) BOOST_ERROR(wrong);
        BOOST_TEST(bill->total().value == bill->delay.length().value);
    }
    [[nodiscard]] std::int64_t length() const { return bill->delay.length().value; }
    [[nodiscard]] std::int64_t ticks(CauseKind cause, std::uint32_t subject, Relation relation = Relation::kNone,
                                     bool late = false) const {
        return ticks_of(*bill, cause, subject, relation, late);
    }
};

/// kRt ran and went to sleep on CPU 0 at 10, then `owner` ran there.
Trace asleep(Who owner) { return Trace().cpu(0).at(0).runs(kRt).at(10).to(owner); }

/// Woken from CPU 1 at `time`.
Trace& woken(Trace& trace, std::uint64_t time, Who who = kRt) {
    return trace.cpu(1).at(time).waking(who, 0).cpu(0).at(time).wakeup(who, 0);
}

}  // namespace

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
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kLower) == 7);
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
    trace.wakeup(kRt, 0, Context::kHardirq).timer_end().at(135).vector(HFTMON_VECTOR_LOCAL_TIMER, false).at(140).to(kRt);
    const One one(trace);
    BOOST_TEST(one.length() == 40);
    BOOST_TEST(one.ticks(CauseKind::kIdle, 6, Relation::kNone, true) == 21);
    BOOST_TEST(one.ticks(kIrq, 34, Relation::kNone, true) == 10);
    BOOST_TEST(one.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 4);
    BOOST_TEST(one.ticks(CauseKind::kIdle, 6) == 5);
}

BOOST_AUTO_TEST_CASE(a_timer_that_expires_while_its_interrupt_runs_is_not_late) {
    Trace trace = asleep(kLow);
    trace.cpu(0).at(100).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(130).timer(5).waking(kRt, 0, Context::kHardirq);
    trace.wakeup(kRt, 0, Context::kHardirq).timer_end().at(140).vector(HFTMON_VECTOR_LOCAL_TIMER, false).at(141).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.length() == 16);
    BOOST_TEST(one.ticks(kVector, HFTMON_VECTOR_LOCAL_TIMER) == 15);
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kLower) == 1);
}

BOOST_AUTO_TEST_CASE(a_timer_that_expired_before_the_thread_slept_starts_at_its_switch_out) {
    Trace trace = Trace().cpu(0).at(0).runs(kRt).at(110).to(kLow);
    trace.at(150).vector(HFTMON_VECTOR_LOCAL_TIMER, true).timer(50).waking(kRt, 0, Context::kHardirq);
    trace.wakeup(kRt, 0, Context::kHardirq).timer_end().at(155).vector(HFTMON_VECTOR_LOCAL_TIMER, false).at(160).preempt(kRt);
    const One one(trace);
    BOOST_TEST(one.bill->delay.start == TscTime{110});
    BOOST_TEST(one.ticks(kThread, kLow.tid, Relation::kNone, true) == 40);
}

BOOST_AUTO_TEST_CASE(a_timer_on_another_cpu_is_late_there) {
    Trace trace = asleep(kIdle);
    trace.cpu(0).at(20).idle(2).cpu(1).at(0).runs(kFairA);
    trace.cpu(1).at(120).vector(HFTMON_VECTOR_LOCAL_TIMER, true).timer(20).waking(kRt, 0, Context::kHardirq).timer_end();
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
    trace.wakeup(kRt, 0, Context::kHardirq).at(105).irq(34, false).at(106).timer_end().softirq(8, false).at(110).preempt(kRt);
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
    BOOST_TEST(one.analysis.analyzer.anomalies().unseen_wakings == 1u);
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
    for (std::uint64_t i = 0; i < 50; ++i) trace.at(100 + i * 100).preempt(kHigh).at(100 + i * 100 + (i * 37) % 50 + 1).to(kRt);
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

BOOST_AUTO_TEST_SUITE_END()
