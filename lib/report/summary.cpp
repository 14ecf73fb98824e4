// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "hftmon/report.hpp"

namespace hftmon {
namespace {

std::string label_of(const Analyzer& analyzer, const ThreadDelays& thread) {
    std::string name = "?";
    if (const auto found = analyzer.names().lookup(thread.tid, thread.last); found && !found->comm.view().empty()) {
        name = found->comm.view();
    }
    for (char& c : name) {
        if (c < ' ' || c > '~') c = '?';
    }
    return fmt::format("{}/{}", name, thread.tid.value);
}

std::string columns(const DelayStats& stats, const TscClock& clock) {
    return fmt::format(" {:>8} {:>6} {:>10.1f}", stats.count, stats.over,
                       static_cast<double>(clock.to_ns(stats.max).count()) * 1e-3);
}

TscTicks worst(const ThreadDelays& thread) noexcept {
    return std::max(thread.of(DelayKind::kWakeup).max, thread.of(DelayKind::kPreemption).max);
}

/// "3 lost_exits, 1 wrong_prev", without what is zero.
std::string nonzero(std::initializer_list<std::pair<std::uint64_t, const char*>> counts) {
    std::string text;
    for (const auto& [count, name] : counts) {
        if (count != 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
    }
    return text;
}

/// What the governor left out, and where.
std::string shed_text(const Timeline& timeline) {
    std::uint64_t sources = 0;
    std::string cpus;
    for (std::size_t i = 0; i < timeline.cpu_limit(); ++i) {
        const CpuTimeline* cpu = timeline.cpu(CpuId{static_cast<std::uint32_t>(i)});
        if (!cpu || cpu->ever_shed() == 0) continue;
        sources |= cpu->ever_shed();
        cpus += fmt::format("{}{}", cpus.empty() ? "" : ",", i);
    }
    if (sources == 0) return "";
    return fmt::format("NOT recorded all the time on CPU {}, to keep to the budget: {}\n", cpus, sources_text(sources));
}

std::string completeness(const Analyzer& analyzer) {
    const AnalyzerTotals& t = analyzer.totals();
    const Anomalies& a = analyzer.anomalies();
    std::string out;
    const std::string missing = nonzero({{t.lost, "records missing"},
                                         {t.gaps, "places where records are missing"},
                                         {t.bad_records, "records damaged"},
                                         {t.repeated, "records told twice"},
                                         {t.unknown_types, "records of a type unknown to this version"}});
    if (missing.empty())
        out += fmt::format("{} records, none missing or damaged\n", t.records);
    else
        out += fmt::format("{} records, NOT complete: {}\n", t.records, missing);
    const std::string shed = shed_text(analyzer.timeline());
    out += shed;
    if (a.unseen_wakings != 0) {
        out += fmt::format("{} wakeups are not counted: who woke the thread, and when, was not recorded\n",
                           a.unseen_wakings);
    }
    if (a.unseen_starts != 0) {
        out += fmt::format("{} wakeups began earlier than shown: who woke the thread, and when, was not recorded\n",
                           a.unseen_starts);
    }
    const std::string odd = nonzero({{a.lost_exits, "lost exits"},
                                     {a.orphan_exits, "orphan exits"},
                                     {a.orphaned_entries, "orphaned entries"},
                                     {a.deep_nesting, "nested too deep"},
                                     {a.wrong_prev, "wrong prev"},
                                     {a.wrong_next, "wrong next"},
                                     {a.unseen_moves, "unseen moves"},
                                     {a.backwards, "times going back"},
                                     {a.bad_ids, "bad ids"}});
    if (!odd.empty()) {
        out += fmt::format(
            "{} (docs/json.md, anomalies): {}\n",
            t.gaps != 0 || !shed.empty() ? "unclear around what is missing" : "the records contradict each other", odd);
    }
    return out;
}

std::string threshold_text(Nanoseconds over) {
    const std::int64_t ns = over.count();
    if (ns % 1000 == 0) return fmt::format("{} us", ns / 1000);
    return fmt::format("{} ns", ns);
}

std::string delays_text(const Analyzer& analyzer, std::size_t shown) {
    const AnalyzerTotals& totals = analyzer.totals();
    std::string out = fmt::format("{} delays of {} or longer", totals.over, threshold_text(analyzer.over()));
    if (shown != 0 && shown < totals.over) out += fmt::format("; shown above: the {} longest", shown);
    out += '\n';
    if (totals.doubtful != 0)
        out +=
            fmt::format("{} more may have been shorter: records are missing inside them, or a CPU was not recorded\n",
                        totals.doubtful);
    return out;
}

}  // namespace

std::string summary_text(const Analyzer& analyzer, std::size_t bills_shown, std::size_t max_threads) {
    std::vector<const ThreadDelays*> threads = analyzer.threads();
    std::stable_sort(threads.begin(), threads.end(),
                     [](const ThreadDelays* a, const ThreadDelays* b) { return worst(*a) > worst(*b); });
    const std::size_t shown = std::min(max_threads, threads.size());

    std::string out;
    if (shown > 0) {
        out += fmt::format("{:<24} {:^26} {:^26}\n", "", "wakeups", "preemptions");
        out += fmt::format("{:<24} {:>8} {:>6} {:>10} {:>8} {:>6} {:>10}\n", "thread", "count", "over", "max us",
                           "count", "over", "max us");
    }
    for (std::size_t i = 0; i < shown; ++i) {
        out += fmt::format("{:<24}{}{}\n", label_of(analyzer, *threads[i]),
                           columns(threads[i]->of(DelayKind::kWakeup), analyzer.clock()),
                           columns(threads[i]->of(DelayKind::kPreemption), analyzer.clock()));
    }
    if (shown < threads.size()) out += fmt::format("... and {} more threads\n", threads.size() - shown);
    if (const ThreadDelays& exited = analyzer.exited();
        exited.of(DelayKind::kWakeup).count + exited.of(DelayKind::kPreemption).count > 0) {
        out += fmt::format("{:<24}{}{}\n", "exited long ago", columns(exited.of(DelayKind::kWakeup), analyzer.clock()),
                           columns(exited.of(DelayKind::kPreemption), analyzer.clock()));
    }
    out += completeness(analyzer);
    out += delays_text(analyzer, bills_shown);
    return out;
}

}  // namespace hftmon
