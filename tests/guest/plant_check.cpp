// SPDX-License-Identifier: MIT
// Does the bill name the planted cause? Holds hftmon's bills of a capture
// against what tests/plant says that it did (tests/plant/README.md).
//
// usage: plant_check TRUTH.json CAPTURE
//
// For each planted delay, the bill of the victim that ends inside it must
//  - be of the same kind, and not longer than the delay that the victim saw;
//  - have the planted cause as its largest line (idle: beside the interrupt that
//    ends the CPU's sleep), or be "disturbed": the machine itself took longer than
//    the cause had, by the truth too, and half of the bills at least are not;
//  - give the cause's line at least what the offender measured of itself inside the
//    delay, less what nested in it, and at most the whole delay;
//  - sum exactly, with less than 2% unattributed.
// Status 1: a bill is wrong. Status 3: none is, but too many are disturbed.
// Tolerance: 50 us, the ways in and out of a context under emulation, plus what
// the truth itself does not know (start_error_ticks, gap_ticks).
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hftmon/analyzer.hpp"
#include "hftmon/capture.hpp"
#include "hftmon/merge.hpp"
#include "hftmon/report.hpp"

namespace {

using namespace hftmon;
using nlohmann::json;

constexpr Nanoseconds kTolerance = std::chrono::microseconds(50);
constexpr Nanoseconds kQuietThread = std::chrono::microseconds(500);

struct Evidence {
    std::vector<Bill> bills;  // of the victim
    TscClock clock;
    IrqNames irqs;
};

Evidence analyse(const CaptureReader& capture, Tid victim) {
    Evidence evidence{{}, capture.clock(), {}};
    AnalyzerOptions options;
    options.threads = {victim};
    options.keep = 0;
    options.on_bill = [&](const Bill& bill) { evidence.bills.push_back(bill); };
    Analyzer analyzer(capture.clock(), options);
    for (const auto& list : capture.threads()) analyzer.add_threads(list.entries, list.from, list.to);
    for (const auto& irq : capture.irqs()) analyzer.add_irq(irq.irq, irq.name);
    auto streams = capture.streams();
    Merger(streams).run([&](CpuId cpu, std::uint64_t position, std::span<const Record> records) {
        analyzer.consume(cpu, position, records);
    });
    analyzer.finish();
    evidence.irqs = analyzer.irqs();
    return evidence;
}

/// Is the owner of this line the planted cause?
bool matches(const BillLine& line, const json& cause) {
    const std::string kind = cause["kind"];
    const auto is = [&](CauseKind wanted, const char* key) {
        return line.cause == wanted && line.subject == cause[key].get<std::uint32_t>();
    };
    if (kind == "stopper") return is(CauseKind::kThread, "tid") && line.comm.view().starts_with("migration/");
    if (kind == "thread" || kind == "irq-thread" || kind == "page-fault") return is(CauseKind::kThread, "tid");
    if (kind == "irq") return is(CauseKind::kIrq, "number");
    if (kind == "softirq") return is(CauseKind::kSoftirq, "number");
    if (kind == "vector") return is(CauseKind::kVector, "number");
    if (kind == "idle") return line.cause == CauseKind::kIdle;
    return false;
}

/// The interrupt that ends the sleep of an idle CPU is part of waking it: in an
/// emulated machine either may be the longer.
const BillLine* largest(const Bill& bill, const json& cause) {
    const auto is_way_out_of_idle = [&](const BillLine& line) {
        return cause["kind"] == "idle" && line.cause == CauseKind::kVector &&
               (line.subject == HFTMON_VECTOR_RESCHEDULE || line.subject == HFTMON_VECTOR_CALL_FUNCTION_SINGLE);
    };
    const auto first = std::find_if_not(bill.lines.begin(), bill.lines.end(), is_way_out_of_idle);
    return first == bill.lines.end() ? nullptr : &*first;
}

bool is_interrupt(const BillLine& line) {
    return line.cause == CauseKind::kIrq || line.cause == CauseKind::kVector || line.cause == CauseKind::kSoftirq ||
           line.cause == CauseKind::kNmi;
}

class Checker {
public:
    Checker(const Evidence& evidence) : evidence_(evidence), tolerance_(evidence.clock.to_ticks(kTolerance).value) {}

    void check(const json& delay) {
        const Bill* bill = find(delay);
        if (bill == nullptr) return fail(delay, nullptr, "no bill of the victim ends inside the delay");
        const std::int64_t length = bill->delay.length().value;
        const std::int64_t seen = delay["delay_ticks"];
        const std::int64_t slack = tolerance_ + delay["start_error_ticks"].get<std::int64_t>();
        if (bill->total() != bill->delay.length()) return fail(delay, bill, "the lines do not sum to the delay");
        if (bill->incomplete != 0) return fail(delay, bill, "the bill is incomplete");
        if (50 * bill->unattributed.value >= length) return fail(delay, bill, "2% or more are unattributed");
        if (length > seen + slack) return fail(delay, bill, "the bill is longer than the delay that the victim saw");

        // Two causes (remote-migrate) are one thread after another: both must be there.
        const bool first_is_planted =
            std::any_of(delay["causes"].begin(), delay["causes"].end(), [&](const json& cause) {
                const BillLine* first = largest(*bill, cause);
                return first != nullptr && matches(*first, cause);
            });
        if (!first_is_planted && !is_disturbed(delay, *bill, slack))
            return fail(delay, bill, "the largest line is not the planted cause");
        for (const json& cause : delay["causes"]) {
            if (!check_time(delay, *bill, cause, slack)) return;
        }
        ++(first_is_planted ? judged_ : disturbed_);
    }

    /// A run without interference: nobody may be blamed for the victim's delays.
    void check_quiet(const std::vector<json>& wakeups) {
        const TscTime start{wakeups.front()["start_tsc"].get<std::uint64_t>()};
        const TscTime end{wakeups.back()["end_tsc"].get<std::uint64_t>()};
        for (const Bill& bill : evidence_.bills) {
            if (bill.delay.start < start || bill.delay.end > end) continue;
            ++judged_;
            for (const BillLine& line : bill.lines) {
                const bool blames = line.cause == CauseKind::kIrq ||
                                    (line.cause == CauseKind::kThread && line.relation != Relation::kLower &&
                                     line.relation != Relation::kWaker && line.relation != Relation::kTimerCallback);
                if (blames && evidence_.clock.to_ns(line.ticks) > kQuietThread) {
                    fail({{"index", judged_}, {"causes", json::array()}}, &bill, "somebody is blamed in a quiet run");
                    break;
                }
            }
        }
    }

    /// The exit status.
    [[nodiscard]] int verdict(const std::string& scenario, std::size_t planted) const {
        fmt::print("{}: {} planted, {} judged, {} disturbed, {} wrong; line minus truth {:+.1f} .. {:+.1f} us\n",
                   scenario, planted, judged_, disturbed_, wrong_, us(least_), us(most_));
        if (wrong_ != 0 || judged_ + disturbed_ < planted) return 1;
        return judged_ != 0 && 2 * judged_ >= planted ? 0 : 3;
    }

private:
    [[nodiscard]] double us(std::int64_t ticks) const {
        return static_cast<double>(evidence_.clock.to_ns({ticks}).count()) / 1e3;
    }

    /// A host that takes the CPU makes whatever the guest does there long: an interrupt, or,
    /// before a cause has the CPU, the idle thread whose timer does not come. By the truth,
    /// others than the causes had at most `rest`, outside of the causes at most `outside`.
    [[nodiscard]] static bool is_disturbed(const json& delay, const Bill& bill, std::int64_t slack) {
        std::int64_t outside = delay["delay_ticks"].get<std::int64_t>() + slack, rest = outside;
        for (const json& cause : delay["causes"]) {
            if (cause["bound"] == "at_most") return false;
            outside -= cause["expected_ticks"].get<std::int64_t>();
            rest -= cause["expected_ticks"].get<std::int64_t>() - cause["gap_ticks"].get<std::int64_t>();
        }
        std::int64_t others = 0, idle = 0;
        for (const BillLine& line : bill.lines) {
            const bool planted = std::any_of(delay["causes"].begin(), delay["causes"].end(),
                                             [&](const json& cause) { return matches(line, cause); });
            if (!planted) others += line.ticks.value;
            if (line.cause == CauseKind::kIdle) idle += line.ticks.value;
        }
        if (bill.lines.empty() || others > rest) return false;
        const BillLine& first = bill.lines.front();
        return is_interrupt(first) || (first.cause == CauseKind::kIdle && delay["kind"] == "wakeup" && idle <= outside);
    }

    [[nodiscard]] const Bill* find(const json& delay) const {
        const TscTime start{delay["start_tsc"].get<std::uint64_t>()}, end{delay["end_tsc"].get<std::uint64_t>()};
        const auto kind = delay["kind"] == "wakeup" ? DelayKind::kWakeup : DelayKind::kPreemption;
        const Bill* longest = nullptr;
        for (const Bill& bill : evidence_.bills) {
            if (bill.delay.kind != kind || bill.delay.end <= start || bill.delay.end > end) continue;
            if (longest == nullptr || bill.delay.length() > longest->delay.length()) longest = &bill;
        }
        return longest;
    }

    bool check_time(const json& delay, const Bill& bill, const json& cause, std::int64_t slack) {
        const std::int64_t expected = cause["expected_ticks"];
        // A thread that faults cannot see what interrupts it: then the bill's own
        // interrupt lines are what nested in it.
        const bool knows_gaps = cause["kind"] != "page-fault";
        std::int64_t nested = knows_gaps ? cause["gap_ticks"].get<std::int64_t>() : 0;
        std::int64_t line_ticks = 0;
        std::uint32_t faults = 0;
        for (const BillLine& line : bill.lines) {
            if (!knows_gaps && is_interrupt(line)) nested += line.ticks.value;
            if (!matches(line, cause)) continue;
            line_ticks += line.ticks.value;
            faults += line.page_faults;
        }
        const bool at_most = cause["bound"] == "at_most";
        least_ = std::min(least_, line_ticks - expected);
        most_ = std::max(most_, line_ticks - expected);
        if (!at_most && line_ticks < expected - nested - slack) {
            fail(delay, &bill, "the line of the cause is shorter than the offender measured");
            return false;
        }
        if (cause.contains("faults") && !check_faults(delay, bill, cause, faults)) return false;
        if (at_most && (line_ticks == 0 || line_ticks > expected + slack)) {
            fail(delay, &bill, "the line of the cause is missing, or longer than can be");
            return false;
        }
        return true;
    }

    /// Each fault that began inside the bill's delay must be counted. The kernel's
    /// own start of the delay may be later than the planned one.
    bool check_faults(const json& delay, const Bill& bill, const json& cause, std::uint32_t counted) {
        const auto times = cause["faults_tsc"].get<std::vector<std::uint64_t>>();
        const auto inside = std::lower_bound(times.begin(), times.end(), bill.delay.start.value);
        const auto before = static_cast<std::uint64_t>(inside - times.begin());
        const auto planted = cause["faults"].get<std::uint64_t>() - before;
        if (inside != times.end() && counted >= planted) return true;
        fail(delay, &bill,
             fmt::format("{} page faults are billed, {} were planted inside (of {})", counted, planted,
                         cause["faults"].dump())
                 .c_str());
        return false;
    }

    void fail(const json& delay, const Bill* bill, const char* why) {
        ++wrong_;
        if (wrong_ > 5) return;
        fmt::print("WRONG, delay {}: {}\n", delay["index"].dump(), why);
        for (const json& cause : delay["causes"]) {
            fmt::print("  planted: {} {} tid {}: {:.1f} us of {:.1f} us, gaps {:.1f} us\n", cause["kind"].dump(),
                       cause["name"].dump(), cause["tid"].dump(), us(cause["expected_ticks"]), us(delay["delay_ticks"]),
                       us(cause["gap_ticks"]));
        }
        if (bill != nullptr)
            fmt::print("{}", to_text(*bill, {evidence_.clock, evidence_.irqs, bill->delay.start, false}));
    }

    const Evidence& evidence_;
    std::int64_t tolerance_;
    std::size_t judged_ = 0, disturbed_ = 0, wrong_ = 0;
    std::int64_t least_ = 0, most_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: plant_check TRUTH.json CAPTURE\n");
        return 2;
    }
    std::ifstream truth(argv[1]);
    std::vector<json> delays;
    json summary;
    for (std::string line; std::getline(truth, line);) {
        json object = json::parse(line, nullptr, false);
        if (object.is_discarded()) continue;
        object.contains("summary") ? void(summary = object) : delays.push_back(object);
    }
    const auto capture = CaptureReader::open(argv[2]);
    if (!capture || summary.is_null() || delays.empty()) {
        fmt::print(stderr, "plant_check: {}\n",
                   capture ? std::string("the truth is empty or was cut") : capture.error().message());
        return 2;
    }
    const Evidence evidence = analyse(*capture, Tid{delays.front()["victim_tid"].get<std::uint32_t>()});
    Checker checker(evidence);
    const std::string scenario = summary["scenario"];
    if (scenario == "quiet") {
        checker.check_quiet(delays);
        return checker.verdict(scenario, delays.size());
    }
    for (const json& delay : delays) checker.check(delay);
    return checker.verdict(scenario, delays.size());
}
