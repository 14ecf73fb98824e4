// SPDX-License-Identifier: MIT
// Captures in which the governor has left sources out for some time.
#include "attribution_support.hpp"
#include "hftmon/report.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

constexpr std::uint64_t kIrqs = HFTMON_SOURCE_BIT(HFTMON_SOURCE_IRQ_HANDLER);
constexpr std::uint64_t kSyscalls =
    HFTMON_SOURCE_BIT(HFTMON_SOURCE_SYS_ENTER) | HFTMON_SOURCE_BIT(HFTMON_SOURCE_SYS_EXIT);

/// kRt waits from 100 to 200 while kLow runs, and `sources` are shed and brought back when told.
Trace waiting(std::uint64_t sources, std::uint64_t shed, std::uint64_t restored) {
    struct Step {
        std::uint64_t at;
        enum { kShed, kRestored, kWoken, kIn } what;
    };
    std::vector<Step> steps = {{shed, Step::kShed}, {restored, Step::kRestored}, {100, Step::kWoken}, {200, Step::kIn}};
    std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.at < b.at; });
    Trace trace;
    trace.cpu(1).at(0).runs(kFairA).cpu(0).at(0).runs(kRt).at(50).to(kLow);
    for (const Step& step : steps) {
        trace.cpu(0).at(step.at);
        const Who now = step.at > 200 ? kRt : kLow;
        switch (step.what) {
            case Step::kShed: trace.shed(sources, now); break;
            case Step::kRestored: trace.shed(0, now); break;
            case Step::kWoken: woken(trace, step.at).cpu(0); break;
            case Step::kIn: trace.preempt(kRt); break;
        }
    }
    return trace;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(shed_test)

BOOST_AUTO_TEST_CASE(a_bill_whose_causes_were_left_out_is_no_verdict) {
    for (const auto& [shed, restored] :
         std::vector<std::pair<std::uint64_t, std::uint64_t>>{{60, 300}, {60, 150}, {150, 160}, {150, 300}}) {
        const One one(waiting(kIrqs, shed, restored));
        BOOST_TEST_CONTEXT(shed << " to " << restored) {
            BOOST_TEST(one.length() == 100);
            BOOST_TEST(one.bill->incomplete == kIncompleteShed);
            BOOST_TEST(!one.bill->is_upper_bound());
        }
    }
}

BOOST_AUTO_TEST_CASE(before_and_after_bills_are_whole) {
    BOOST_TEST(One(waiting(kIrqs, 60, 90)).bill->incomplete == 0);
    BOOST_TEST(One(waiting(kIrqs, 60, 100)).bill->incomplete == 0);
    BOOST_TEST(One(waiting(kIrqs, 210, 220)).bill->incomplete == 0);
}

BOOST_AUTO_TEST_CASE(what_no_bill_needs_may_be_left_out) {
    BOOST_TEST(One(waiting(kSyscalls, 60, 300)).bill->incomplete == 0);
}

BOOST_AUTO_TEST_CASE(an_interrupt_that_was_open_ends_there_and_who_runs_goes_on) {
    // Its exit is not recorded: without what SHED says the rest would be the interrupt's.
    Trace trace;
    trace.cpu(0)
        .at(0)
        .runs(kLow)
        .at(10)
        .irq(34, true)
        .at(20)
        .shed(kIrqs, kLow)
        .at(100)
        .shed(0, kLow)
        .at(120)
        .irq(34, true);
    trace.at(130).irq(34, false).at(200).to(kIdle);
    const Analysis analysis(trace);
    const CpuTimeline& cpu = *analysis.analyzer.timeline().cpu(CpuId{0});
    BOOST_TEST(cpu.time_of(kIrq) == TscTicks{20});
    BOOST_TEST(cpu.time_of(kThread) == TscTicks{180});
    BOOST_TEST(cpu.shed_in(TscTime{0}, TscTime{20}) == 0u);
    BOOST_TEST(cpu.shed_in(TscTime{0}, TscTime{21}) == kIrqs);
    BOOST_TEST(cpu.shed_in(TscTime{99}, TscTime{500}) == kIrqs);
    BOOST_TEST(cpu.shed_in(TscTime{100}, TscTime{500}) == 0u);
    BOOST_TEST(cpu.ever_shed() == kIrqs);
}

BOOST_AUTO_TEST_CASE(what_woke_it_may_not_be_known_on_the_wakers_cpu) {
    Trace trace;
    trace.cpu(1).at(0).runs(kFairA).at(20).shed(HFTMON_SOURCE_BIT(HFTMON_SOURCE_HRTIMER_EXPIRE), kFairA);
    trace.cpu(0).at(0).runs(kRt).at(50).to(kLow);
    woken(trace, 100).cpu(0).at(200).preempt(kRt);
    BOOST_TEST(One(trace).bill->incomplete == kIncompleteShed);
}

BOOST_AUTO_TEST_CASE(a_waking_whose_end_was_left_out_does_not_make_a_sleep_a_delay) {
    // Woken as it ran, and its wakeup, which says that it had not slept, is shed.
    Trace trace;
    trace.cpu(1).at(0).runs(kFairA).cpu(0).at(0).runs(kRt).cpu(1).at(30).waking(kRt, 0);
    trace.cpu(1).at(31).shed(
        HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKING) | HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKEUP), kFairA);
    trace.cpu(0).at(50).to(kLow).at(9000).preempt(kRt);
    const Analysis analysis(trace, Analysis::only(kRt));
    for (const Bill* bill : analysis.bills()) BOOST_TEST(bill->delay.length().value < 1000);
}

BOOST_AUTO_TEST_CASE(a_watched_thread_is_not_billed_as_the_interrupt_that_told) {
    Trace trace;
    trace.cpu(0).at(0).runs(kIdle).flag(HFTMON_CPU_STATE_PARTIAL).at(10).to(kRt).flag(HFTMON_SWITCH_PREV_PARTIAL);
    trace.at(20)
        .vector(HFTMON_VECTOR_CALL_FUNCTION_SINGLE, true)
        .at(30)
        .shed(kIrqs, kRt)
        .flag(HFTMON_CPU_STATE_PARTIAL);
    trace.at(100).to(kIdle).flag(HFTMON_SWITCH_NEXT_PARTIAL);
    const Analysis analysis(trace);
    BOOST_TEST(analysis.analyzer.timeline().cpu(CpuId{0})->time_of(kVector) == TscTicks{10});
}

BOOST_AUTO_TEST_CASE(interrupts_of_the_run_after_may_be_left_out) {
    BOOST_TEST(One(waiting(kIrqs, 210, 220)).bill->after_has_gap);
    BOOST_TEST(!One(waiting(kSyscalls, 210, 220)).bill->after_has_gap);
}

BOOST_AUTO_TEST_CASE(a_flight_recorder_that_lost_the_beginning) {
    CpuTimeline cpu(CpuId{0}, 256);
    cpu.shed(TscTime{0}, kIrqs);
    cpu.touch(TscTime{100});
    BOOST_TEST(cpu.shed_in(TscTime{100}, TscTime{200}) == kIrqs);
    cpu.shed(TscTime{300}, 0);
    BOOST_TEST(cpu.shed_in(TscTime{100}, TscTime{400}) == kIrqs);
    BOOST_TEST(cpu.shed_in(TscTime{300}, TscTime{400}) == 0u);
    for (std::uint64_t i = 0; i < 5000; ++i) cpu.shed(TscTime{1000 + i}, i % 2 != 0 ? kSyscalls : 0);
    BOOST_TEST(cpu.shed_in(TscTime{300}, TscTime{400}) == (kIrqs | kSyscalls));  // forgotten: any
    BOOST_TEST(cpu.shed_in(TscTime{5998}, TscTime{5999}) == 0u);
}

BOOST_AUTO_TEST_CASE(reports_say_so) {
    const One one(waiting(kIrqs | kSyscalls, 60, 300));
    const std::string summary = summary_text(one.analysis.analyzer, 10, 10);
    BOOST_TEST(
        summary.find("NOT recorded all the time on CPU 0, to keep to the budget: irq_handler,sys_enter,sys_exit\n") !=
        std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
