// SPDX-License-Identifier: MIT
// Random streams whose bills are known: every one must come out to the tick.
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <set>

#include "random_trace.hpp"
#include "support.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

std::ostream& print(std::ostream& out, const LineKey& key, const LineTruth& line) {
    return out << "  cause " << static_cast<int>(std::get<0>(key)) << " subject " << std::get<1>(key) << " relation "
               << static_cast<int>(std::get<2>(key)) << " late " << std::get<3>(key) << ": " << line.ticks << " ticks "
               << line.stretches << "x " << line.page_faults << " faults\n";
}

std::map<LineKey, LineTruth> lines_of(const Bill& bill) {
    std::map<LineKey, LineTruth> lines;
    for (const BillLine& line : bill.lines) {
        lines[{line.cause, line.subject, line.relation, line.timer_late}] = {line.ticks.value, line.stretches,
                                                                             line.page_faults};
    }
    return lines;
}

/// Empty when the bill is what it should be.
std::string difference(const Bill& bill, const BillTruth& truth) {
    std::ostringstream out;
    const Delay& delay = bill.delay;
    if (delay.tid.value != truth.tid || delay.start.value != truth.start || delay.end.value != truth.end ||
        delay.cpu.value != truth.cpu || delay.reason != truth.reason) {
        out << "delay of " << delay.tid.value << " [" << delay.start.value << "," << delay.end.value << ") on "
            << delay.cpu.value << " reason " << static_cast<int>(delay.reason) << ", expected " << truth.tid << " ["
            << truth.start << "," << truth.end << ") on " << truth.cpu << " reason " << static_cast<int>(truth.reason)
            << "\n";
    }
    const auto lines = lines_of(bill);
    if (lines != truth.lines) {
        out << "delay of " << truth.tid << " [" << truth.start << "," << truth.end << ")\n lines\n";
        for (const auto& [key, line] : lines) print(out, key, line);
        out << " expected\n";
        for (const auto& [key, line] : truth.lines) print(out, key, line);
    }
    std::map<std::pair<CauseKind, std::uint32_t>, std::int64_t> after;
    for (const BillLine& line : bill.after_switch_in) after[{line.cause, line.subject}] = line.ticks.value;
    if (after != truth.after) out << "delay of " << truth.tid << " at " << truth.start << ": after_switch_in differs\n";
    if (bill.incomplete != 0) out << "incomplete\n";
    if (bill.unattributed.value != 0) out << "unattributed " << bill.unattributed.value << "\n";
    return out.str();
}

/// HFTMON_SEED=N runs that one only, and more of them: HFTMON_SEEDS=N.
std::uint64_t setting(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(attribution_property_test)

BOOST_AUTO_TEST_CASE(every_bill_is_exact) {
    const std::uint64_t first = setting("HFTMON_SEED", 1);
    const std::uint64_t last = std::getenv("HFTMON_SEED") ? first : setting("HFTMON_SEEDS", 1000);
    std::size_t bills = 0;
    std::size_t timers = 0;
    std::set<LineKey> kinds;
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        RandomTrace random(seed);
        AnalyzerOptions options = Analysis::all();
        options.after_limit = std::chrono::seconds(1);
        const Analysis analysis(random.trace, options);
        for (const std::string& wrong : analysis.analyzer.check_invariants())
            BOOST_ERROR("seed " << seed << ": " << wrong);
        BOOST_CHECK_MESSAGE(analysis.analyzer.anomalies().total() == 0, "seed " << seed << ": anomalies");

        auto actual = analysis.analyzer.longest();
        auto expected = random.bills;
        const auto by_end = [](const auto& a, const auto& b) { return a < b; };
        std::sort(actual.begin(), actual.end(),
                  [&](const Bill* a, const Bill* b) { return by_end(a->delay.end.value, b->delay.end.value); });
        BOOST_REQUIRE_MESSAGE(actual.size() == expected.size(),
                              "seed " << seed << ": " << actual.size() << " bills, not " << expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const std::string wrong = difference(*actual[i], expected[i]);
            BOOST_REQUIRE_MESSAGE(wrong.empty(), "seed " << seed << ", bill " << i << ":\n" << wrong);
            if (expected[i].reason == StartReason::kTimer) ++timers;
            for (const auto& [key, line] : expected[i].lines) {
                kinds.insert({std::get<0>(key), 0, std::get<2>(key), std::get<3>(key)});
            }
        }
        bills += expected.size();
    }
    BOOST_TEST_MESSAGE(bills << " bills, " << timers << " by timer, " << kinds.size() << " kinds of lines");
    if (last - first >= 999) {
        // The generator must not have become tame.
        BOOST_TEST(bills > 10'000u);
        BOOST_TEST(timers > 500u);
        BOOST_TEST(kinds.size() >= 18u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
