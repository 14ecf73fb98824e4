// SPDX-License-Identifier: MIT
#include "tools/hftctl/capture_summary.hpp"

#include <fmt/format.h>

#include <chrono>

#include "hftmon/clock.hpp"

namespace hftctl {

CaptureSummary summarize(const hftmon::CaptureMeta& meta, const hftmon::CaptureStats& stats) {
    using Seconds = std::chrono::duration<double>;
    CaptureSummary summary;
    summary.cpus = stats.cpus.size();
    summary.seconds = Seconds(stats.observed).count();
    const auto clock = hftmon::TscClock::from_khz(meta.tsc_khz);

    std::uint64_t samples = 0, ticks = 0;
    double probe_seconds = 0;
    for (const auto& cpu : stats.cpus) {
        summary.produced += cpu.head + cpu.lost;
        summary.read += cpu.read;
        summary.lost += cpu.lost;
        summary.overwritten += cpu.overwritten;
        samples += cpu.self_samples;
        ticks += cpu.self_ticks;
        if (cpu.self_samples == 0) continue;
        const auto timed = clock.to_ns({static_cast<std::int64_t>(cpu.self_ticks)});
        probe_seconds +=
            Seconds(timed).count() * static_cast<double>(cpu.probes) / static_cast<double>(cpu.self_samples);
    }
    if (samples != 0) {
        const auto timed = clock.to_ns({static_cast<std::int64_t>(ticks)});
        summary.probe_ns = static_cast<double>(timed.count()) / static_cast<double>(samples);
    }
    if (summary.seconds > 0 && summary.cpus != 0) {
        summary.probe_share = probe_seconds / summary.seconds / static_cast<double>(summary.cpus);
        summary.collector_share = Seconds(stats.collector_cpu).count() / summary.seconds;
    }
    return summary;
}

std::string to_text(const CaptureSummary& s) {
    const std::string when = s.seconds > 0 ? fmt::format(" in {:.1f} s", s.seconds) : "";
    std::string text = fmt::format("{} records produced on {} CPUs{}: {} read, {} lost, {} overwritten\n", s.produced,
                                   s.cpus, when, s.read, s.lost, s.overwritten);
    if (s.seconds > 0) {
        text +=
            fmt::format("hftmon itself: probes {:.3f}% of each CPU ({:.0f} ns each), collector {:.3f}% of one CPU\n",
                        100 * s.probe_share, s.probe_ns, 100 * s.collector_share);
    }
    return text;
}

nlohmann::ordered_json to_json(const CaptureSummary& s) {
    const auto if_timed = [&s](double value) { return s.seconds > 0 ? nlohmann::ordered_json(value) : nullptr; };
    return {{"produced", s.produced},
            {"read", s.read},
            {"lost", s.lost},
            {"overwritten", s.overwritten},
            {"cpus", s.cpus},
            {"seconds", if_timed(s.seconds)},
            {"probe_share", if_timed(s.probe_share)},
            {"probe_ns", s.probe_ns},
            {"collector_share", if_timed(s.collector_share)}};
}

}  // namespace hftctl
