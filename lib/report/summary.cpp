// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

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

}  // namespace

std::string summary_text(const Analyzer& analyzer, std::size_t max_threads) {
    const AnalyzerTotals& totals = analyzer.totals();
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
    out += fmt::format("{} events, {} lost in {} gaps, {} damaged, {} unknown, {} anomalies\n", totals.events,
                       totals.lost, totals.gaps, totals.bad_records + totals.repeated, totals.unknown_types,
                       analyzer.anomalies().total());
    if (analyzer.anomalies().unseen_wakings > 0) {
        out += fmt::format("{} wakeups are not counted: who woke the thread, and when, was not recorded\n",
                           analyzer.anomalies().unseen_wakings);
    }
    out += fmt::format("{} delays over the threshold, {} itemised, {} of these incomplete\n", totals.over, totals.bills,
                       totals.incomplete);
    return out;
}

}  // namespace hftmon
