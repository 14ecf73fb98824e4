// SPDX-License-Identifier: MIT
// All interleavings of the writer's nesting levels and one reader, and proof
// that they find planted bugs.
#define BOOST_TEST_MODULE ring explorer
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iomanip>
#include <sstream>

#include "tests/ring/explore/codes.hpp"
#include "tests/ring/explore/scenario.hpp"

using namespace ringtest;

namespace {

/// RING_EXPLORE: quick, normal or full.
Effort effort() {
    const char* word = std::getenv("RING_EXPLORE");
    const std::string_view wanted = word == nullptr ? "normal" : word;
    if (wanted == "quick") return Effort::kQuick;
    return wanted == "full" ? Effort::kFull : Effort::kNormal;
}

/// Rules that the code under test is known not to keep everywhere.
std::vector<Rule> open_rules() {
    std::vector<Rule> rules;
    for (const Finding& finding : findings()) {
        if (finding.open) rules.push_back(finding.rule);
    }
    return rules;
}

const WriterCode& real_writer() { return find_code(writer_codes(), "real"); }
const ReaderCode& real_reader() { return find_code(reader_codes(), "real"); }

std::string line(const std::string& name, const Outcome& outcome) {
    std::ostringstream out;
    out << std::left << std::setw(52) << name << std::right << std::setw(10) << outcome.schedules << " schedules"
        << std::fixed << std::setprecision(2) << std::setw(8) << outcome.seconds << " s";
    return out.str();
}

/// The first scenario that a mutant fails in.
template <class Explore>
void expect_caught(const std::string& name, const Explore& explore_one) {
    std::uint64_t schedules = 0;
    std::vector<Scenario> all;
    for (const Finding& finding : findings()) all.push_back(finding.scenario);
    for (Scenario& scenario : scenarios(Effort::kQuick)) all.push_back(std::move(scenario));
    for (const Scenario& scenario : all) {
        const Outcome outcome = explore_one(scenario);
        schedules += outcome.schedules;
        if (outcome.violated == Rule::kNone) continue;
        BOOST_TEST_MESSAGE(std::left << std::setw(30) << name << std::setw(11) << describe(outcome.violated)
                                     << std::right << std::setw(8) << schedules << " schedules: " << outcome.what
                                     << " (" << scenario.name << ")");
        return;
    }
    if (!open_rules().empty()) {
        BOOST_TEST_MESSAGE(name << " survives, maybe for a rule with an open finding");
        return;
    }
    BOOST_ERROR(name << " survives " << schedules << " schedules");
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_schedule_keeps_every_rule) {
    std::uint64_t schedules = 0;
    std::uint64_t steps = 0;
    double seconds = 0;
    for (const Scenario& scenario : scenarios(effort())) {
        const Outcome outcome = explore(scenario, real_writer(), real_reader(), open_rules());
        BOOST_TEST_MESSAGE(line(scenario.name, outcome));
        BOOST_TEST((outcome.violated == Rule::kNone), scenario.name << ": " << outcome.what << "\n"
                                                                    << outcome.schedule);
        schedules += outcome.schedules;
        steps += outcome.steps;
        seconds += outcome.seconds;
    }
    BOOST_TEST_MESSAGE(schedules << " schedules, " << steps << " steps of the writer, " << seconds << " s");
}

BOOST_AUTO_TEST_CASE(findings_stay_mended) {
    for (const Finding& finding : findings()) {
        const Outcome outcome = explore(finding.scenario, real_writer(), real_reader());
        if (finding.open) {
            BOOST_TEST_MESSAGE("OPEN: " << finding.scenario.name << ": " << outcome.what);
            BOOST_TEST((outcome.violated == finding.rule), finding.scenario.name << ": mended, no longer kOpen");
            continue;
        }
        BOOST_TEST((outcome.violated == Rule::kNone), finding.scenario.name << ": " << outcome.what << "\n"
                                                                            << outcome.schedule);
    }
}

BOOST_AUTO_TEST_CASE(planted_bugs_are_caught) {
    if (writer_codes().size() == 1) {
        BOOST_TEST_MESSAGE("no mutants in a sanitized build");
        return;
    }
    BOOST_REQUIRE(reader_codes().size() > 1u);
    for (const WriterCode* mutant : writer_codes()) {
        if (mutant == &real_writer()) continue;
        const auto explore_one = [&](const Scenario& scenario) {
            return explore(scenario, *mutant, real_reader(), open_rules());
        };
        expect_caught(std::string("writer ") + mutant->name, explore_one);
    }
    for (const ReaderCode* mutant : reader_codes()) {
        if (mutant == &real_reader()) continue;
        const auto explore_one = [&](const Scenario& scenario) {
            return explore(scenario, real_writer(), *mutant, open_rules());
        };
        expect_caught(std::string("reader ") + mutant->name, explore_one);
    }
}
