// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include <nlohmann/json.hpp>

#include "hftmon/report.hpp"
#include "support.hpp"
#include "trace_builder.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

constexpr Who kRt = fifo(1234, 80);
constexpr Who kHog = fifo(991, 90);
constexpr Who kLow = fair(300, 5);

/// Late by 63 us: a late timer interrupt, a hog, an interrupt, the idle thread.
Trace story() {
    Trace t = Trace().cpu(2).at(1000).runs(kRt).at(2000).to(kLow);
    t.at(10'000).vector(HFTMON_VECTOR_LOCAL_TIMER, true).at(10'100).timer(2100);
    t.at(10'200).waking(kRt, 2, Context::kHardirq).wakeup(kRt, 2, Context::kHardirq).timer_end();
    t.at(11'000).vector(HFTMON_VECTOR_LOCAL_TIMER, false).at(11'500).preempt(kHog);
    t.at(20'000).irq(34, true).at(29'100).irq(34, false).at(30'000).page_fault().at(71'000).to(kRt);
    return t.at(72'000).softirq(3, true).at(75'100).softirq(3, false).at(90'000).to(kIdle);
}

std::vector<ThreadEntry> names() { return Trace::list({{kRt, "cyclictest"}, {kHog, "hog"}, {kLow, "ls\n\x1b[m"}}); }

struct Told {
    Analysis analysis;
    ReportContext context;
    explicit Told(const Trace& trace, const std::vector<ThreadEntry>& threads = names())
        : analysis(trace, Analysis::only(kRt), threads),
          context{analysis.analyzer.clock(), analysis.analyzer.irqs(), analysis.analyzer.timeline().first()} {
        analysis.analyzer.add_irq(34, "ens1f0-rx-3");
    }
    [[nodiscard]] const Bill& bill() const { return *analysis.bills().at(0); }
    [[nodiscard]] std::string text() const { return to_text(bill(), context); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(report_test)

/// It slept in one place, was woken in another, and another thread in a third.
Trace story_with_stacks() {
    Trace t = Trace().cpu(2).at(1000).runs(kRt).at(2000).to(kLow).stack(HFTMON_STACK_OF_SWITCH, kRt, 1, 1);
    t.at(5000).waking(kHog, 2).stack(HFTMON_STACK_OF_WAKING, kLow, 3).wakeup(kHog, 2);
    t.at(10'000).waking(kRt, 2).stack(HFTMON_STACK_OF_WAKING, kLow, 2, 2).wakeup(kRt, 2);
    return t.at(71'000).to(kRt).stack(HFTMON_STACK_OF_SWITCH, kLow, 3).at(90'000).to(kIdle);
}

BOOST_AUTO_TEST_CASE(where_it_slept_and_was_woken) {
    Told told(story_with_stacks());
    StackNamer stacks;
    stacks.learn(std::vector<Stack>{{StackPart::kKernel, 1, false, {0x1001, 0x2001, 0x3001}},
                                    {StackPart::kKernel, 2, false, {0x9001, 0x4001, 0x5001}},
                                    {StackPart::kKernel, 3, false, {0x6001}},
                                    {StackPart::kUser, 1, true, {0x401000, 0x402000, 0x402000}}});
    stacks.learn(std::vector<ProgramMap>{
        {Tid{kRt.tid}, TscTime{900}, TscTime{901}, {{0x400000, 0x402000, 0x1000, {"/not/there", "", 0}}}}});
    stacks.learn(std::vector<FunctionName>{{0x1000, "__schedule+0x10"},
                                           {0x2000, "do_sleep+0x20"},
                                           {0x3000, "entry [mod]"},
                                           {0x4000, "wake"},
                                           {0x9000, "__traceiter_sched_waking+0x2"}});
    BOOST_TEST(told.text().find("slept in") == std::string::npos);
    told.context.stacks = &stacks;
    const std::string text = told.text();
    BOOST_TEST(text.find("\n  slept in do_sleep < entry[mod] < there+0x2000 < there+0x3000 < there+0x3000\n"
                         "  woken in wake < 0x5001\n") != std::string::npos,
               text);
    const auto json = nlohmann::json::parse(to_json(told.bill(), told.context));
    BOOST_TEST(json["left_in"]["kernel"].dump() ==
               R"([{"name":"__schedule"},{"name":"do_sleep"},{"name":"entry[mod]"}])");
    const char* frame = R"({{"address":"{:#x}","file":null,"inlined":false,"line":null,"name":"{}","object":"there"}})";
    BOOST_TEST(json["left_in"]["user"].dump() ==
               fmt::format("[{},{},{}]", fmt::format(fmt::runtime(frame), 0x401000, "there+0x2000"),
                           fmt::format(fmt::runtime(frame), 0x402000, "there+0x3000"),
                           fmt::format(fmt::runtime(frame), 0x402000, "there+0x3000")));
    BOOST_TEST(json["waking"]["stack"].dump() == R"({"kernel":[{"name":"wake"},{"name":"0x5001"}],"user":null})");
}

/// A stack whose own event was lost, or that came when another waking lay between, is nobody's.
BOOST_AUTO_TEST_CASE(stacks_of_events_that_are_not_the_last) {
    Trace t = Trace().cpu(2).at(1000).runs(kRt).at(2000).to(kLow).stack(HFTMON_STACK_OF_SWITCH, kRt, 1);
    t.at(3000).to(kRt).at(4000).to(kLow);  // it slept again, and that stack is missing
    t.at(9000).waking(kRt, 2).wakeup(kRt, 2).waking(kHog, 2).stack(HFTMON_STACK_OF_WAKING, kLow, 2);
    t.stack(HFTMON_STACK_OF_WAKING, kLow, 1).wakeup(kHog, 2).at(71'000).to(kRt);
    Told told(t.at(90'000).to(kIdle));
    StackNamer stacks;
    stacks.learn(std::vector<Stack>{{StackPart::kKernel, 1, false, {0x1001}}, {StackPart::kKernel, 2, false, {0x2}}});
    told.context.stacks = &stacks;
    const auto json = nlohmann::json::parse(to_json(told.bill(), told.context));
    BOOST_TEST(json["left_in"].is_null());
    BOOST_TEST(json["waking"]["stack"].is_null());
}

BOOST_AUTO_TEST_CASE(a_bill_reads_like_a_bill) {
    const std::string expected =
        "cyclictest/1234 (FIFO 80) woke 63.000 us late on CPU 2, due +0.000007 s\n"
        "  from timer expiry on CPU 2 to switch-in\n"
        "  behind higher-priority hog/991 (FIFO 90)              50.400 us  80.0%    2x, 1 page fault\n"
        "  irq 34 ens1f0-rx-3                                     9.100 us  14.4%    1x\n"
        "  timer interrupt late, while ls??[m/300 (nice 5) ran    2.000 us   3.2%    1x\n"
        "  vector local_timer                                     1.000 us   1.6%    1x\n"
        "  not yet preempted: ls??[m/300 (nice 5)                 0.500 us   0.8%    1x\n"
        "  unattributed                                           0.000 us   0.0%\n"
        "                                                        63.000 us 100.0%\n"
        "  of this, hftmon: about 1.5 us, 10 events\n"
        "  after switch-in: softirq NET_RX 3.100 us\n";
    Told told(story());
    told.context.event_ns = 150;
    BOOST_TEST(told.text() == expected);
    BOOST_TEST(nlohmann::json::parse(to_json(told.bill(), told.context))["hftmon"].dump() ==
               R"({"events":10,"ns":1500})");
    told.context.event_ns = 0;
    BOOST_TEST(told.text().find("\n  of this, hftmon: 10 events\n") != std::string::npos);
    BOOST_TEST(nlohmann::json::parse(to_json(told.bill(), told.context))["hftmon"].dump() ==
               R"({"events":10,"ns":null})");
}

BOOST_AUTO_TEST_CASE(shown_times_and_shares_sum_to_what_is_shown) {
    // Three equal parts: 33.3 + 33.3 + 33.4.
    Trace t =
        Trace().cpu(0).at(0).runs(kRt).at(1000).preempt(kHog).at(1100).irq(1, true).at(1200).irq(1, false).irq(2, true);
    t.at(1300).irq(2, false).to(kRt);
    const std::string text = Told(t).text();
    BOOST_TEST(text.find("33.4%") != std::string::npos);
    BOOST_TEST(text.find("33.3%") != std::string::npos);
    BOOST_TEST(text.find("100.0%") != std::string::npos);
    BOOST_TEST(text.find("lost 0.300 us of CPU 0") != std::string::npos);
    BOOST_TEST(text.find("from switch-out to hog/991 to switch-in") != std::string::npos);
    BOOST_TEST(text.find("preempted by hog/991") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(long_delays_are_in_microseconds_too) {
    Trace t = Trace().cpu(0).at(0).runs(kRt).at(1000).preempt(kLow).at(50'001'000).to(kRt);
    const std::string text = Told(t).text();
    BOOST_TEST(text.find("lost 50000.0 us of CPU 0") != std::string::npos);
    BOOST_TEST(text.find("throttled in favour of ls??[m/300 (nice 5)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_incomplete_bill_says_why) {
    Trace t = Trace().cpu(0).at(0).runs(kRt).at(1000).preempt(kHog).at(1500).gap(3, kHog).at(2000).to(kRt);
    const std::string text = Told(t).text();
    BOOST_TEST(text.find("records missing") != std::string::npos);
    BOOST_TEST(text.find("incomplete: records are missing inside this delay, it may have run meanwhile\n") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_unknown_thread_is_a_question_mark) {
    Trace t = Trace().cpu(0).at(0).runs(kRt).at(1000).preempt(kHog).at(2000).to(kRt);
    BOOST_TEST(Told(t, {}).text().find("preempted by ?/991 (FIFO 90)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_interrupt_that_woke_is_named_rather_than_its_victim) {
    Trace t = Trace().cpu(0).at(0).runs(kRt).at(10).to(kLow).at(1000).irq(34, true).waking(kRt, 0, Context::kHardirq);
    t.wakeup(kRt, 0, Context::kHardirq).at(1100).irq(34, false).at(1200).preempt(kRt);
    BOOST_TEST(Told(t).text().find("from waking by irq 34 ens1f0-rx-3 on CPU 0 to switch-in") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(priorities_are_those_that_users_know) {
    BOOST_TEST(priority_text(9, Policy::kFifo) == "FIFO 90");
    BOOST_TEST(priority_text(98, Policy::kRoundRobin) == "RR 1");
    BOOST_TEST(priority_text(-1, Policy::kDeadline) == "deadline");
    BOOST_TEST(priority_text(115, Policy::kNormal) == "nice -5");
    BOOST_TEST(priority_text(139, Policy::kBatch) == "batch, nice 19");
    BOOST_TEST(priority_text(120, Policy::kIdle) == "idle class");
    BOOST_TEST(priority_text(120, Policy::kExt) == "ext, nice 0");
    BOOST_TEST(priority_text(49, Policy::kNormal) == "boosted to 50");
    BOOST_TEST(priority_text(kPrioUnknown, Policy::kNormal).empty());
}

BOOST_AUTO_TEST_CASE(json_has_ticks_and_ns_and_all_names) {
    const Told told(story());
    const auto json = nlohmann::json::parse(to_json(told.bill(), told.context));
    BOOST_TEST(json["kind"] == "wakeup");
    BOOST_TEST(json["reason"] == "timer");
    BOOST_TEST(json["thread"]["tid"] == 1234);
    BOOST_TEST(json["thread"]["comm"] == "cyclictest");
    BOOST_TEST(json["thread"]["prio"] == 19);
    BOOST_TEST(json["thread"]["policy"] == policy_name(Policy::kFifo));
    BOOST_TEST(json["length"]["ticks"] == 63'000);
    BOOST_TEST(json["length"]["ns"] == 63'000);
    BOOST_TEST(json["start"]["tsc"] == 8'000);
    BOOST_TEST(json["start"]["offset_ns"] == 7'000);
    BOOST_TEST(json["waking"]["context"] == "hardirq");
    BOOST_TEST(json["waking"]["source"]["name"] == vector_name(HFTMON_VECTOR_LOCAL_TIMER));
    BOOST_TEST(json["waking"]["timer_expiry"]["tsc"] == 8'000);
    BOOST_TEST(json["preempted_by"].is_null());
    BOOST_TEST(json["lines"][0]["relation"] == "higher");
    BOOST_TEST(json["lines"][0]["comm"] == "hog");
    BOOST_TEST(json["lines"][0]["page_faults"] == 1);
    BOOST_TEST(json["lines"][1]["name"] == "ens1f0-rx-3");
    BOOST_TEST(json["lines"][2]["timer_late"] == true);
    BOOST_TEST(json["after_switch_in"]["lines"][0]["ticks"] == 3'100);
    BOOST_TEST(json["incomplete"].empty());
    std::int64_t sum = json["unattributed"]["ticks"].get<std::int64_t>();
    for (const auto& line : json["lines"]) sum += line["ticks"].get<std::int64_t>();
    BOOST_TEST(sum == 63'000);
    BOOST_TEST(!json["start"].contains("realtime_ns"));
}

BOOST_AUTO_TEST_CASE(json_of_everything_is_valid_whatever_the_names_are) {
    const Told told(story(), Trace::list({{kRt, "\xff\xfe"}, {kHog, "hog"}}));
    const auto json = nlohmann::json::parse(to_json(told.analysis.analyzer, told.context));
    BOOST_TEST(json["schema"] == 1);
    BOOST_TEST(json["bills"].size() == 1u);
    BOOST_TEST(json["threads"][0]["tid"] == 1234);
    BOOST_TEST(json["threads"][0]["wakeup"]["count"] == 1);
    BOOST_TEST(json["totals"]["lost"] == 0);
    BOOST_TEST(json["anomalies"]["backwards"] == 0);
    BOOST_TEST(json["observed"]["ticks"] == 89'000);
}

BOOST_AUTO_TEST_CASE(a_summary_says_loss_even_when_there_is_none) {
    const std::string text = summary_text(Told(story()).analysis.analyzer, 1);
    BOOST_TEST(text.find("cyclictest/1234") != std::string::npos);
    BOOST_TEST(text.find("none missing or damaged") != std::string::npos);
    BOOST_TEST(text.find("63.0") != std::string::npos);
    std::size_t widest = 0;
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
        widest = std::max(widest, end - at);
    }
    BOOST_TEST(widest < 80u);
}

BOOST_AUTO_TEST_CASE(a_delay_with_missing_records_is_an_upper_bound_and_in_no_figure) {
    // The longest by far, but kRt may have run in the gap; a shorter one is sure.
    Trace t = Trace().cpu(0).at(0).runs(kRt).at(1000).preempt(kHog).at(1500).gap(3, kHog).at(90'000).to(kRt);
    t.at(91'000).preempt(kHog).at(93'000).to(kRt);
    const Told told(t);
    const auto bills = told.analysis.analyzer.longest();
    BOOST_REQUIRE_EQUAL(bills.size(), 2u);
    BOOST_TEST(bills[0]->delay.length().value == 2000);
    BOOST_TEST(to_text(*bills[1], told.context).find("lost at most 89.000 us of CPU 0") != std::string::npos);
    const DelayStats& stats = told.analysis.analyzer.threads().at(0)->of(DelayKind::kPreemption);
    BOOST_TEST(stats.count == 1u);
    BOOST_TEST(stats.doubtful == 1u);
    BOOST_TEST(stats.max.value == 2000);
    BOOST_TEST(told.analysis.analyzer.totals().over == 1u);
    const std::string text = summary_text(told.analysis.analyzer, 1);
    BOOST_TEST(text.find("NOT complete: 3 records missing") != std::string::npos);
    BOOST_TEST(text.find("1 more may have been shorter") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
