// SPDX-License-Identifier: MIT
#include "tools/hftctl/capture_summary.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <chrono>
#include <ctime>

#include "hftmon/clock.hpp"
#include "hftmon/event.hpp"

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
        summary.shed |= cpu.ever_shed;
        summary.shed_cpus += cpu.ever_shed != 0;
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

std::string shed_text(const CaptureSummary& s) {
    if (s.shed_cpus == 0) return "";
    return fmt::format("NOT recorded all the time on {} of {} CPUs, to keep to the budget (budget_ppm): {}\n",
                       s.shed_cpus, s.cpus, hftmon::sources_text(s.shed));
}

std::string head_text(const hftmon::CaptureMeta& meta, const std::optional<hftmon::CaptureStats>& stats) {
    std::string text = fmt::format("{}, kernel {}, {} CPUs", meta.hostname, meta.kernel_release, meta.cpus.size());
    if (!meta.partial_cpus.empty())
        text += fmt::format(" ({} of them for the watched threads only)", meta.partial_cpus.size());
    const std::time_t start = std::chrono::duration_cast<std::chrono::seconds>(meta.start_realtime).count();
    std::tm local{};
    std::array<char, 40> when{};
    if (start != 0 && ::localtime_r(&start, &local) != nullptr &&
        std::strftime(when.data(), when.size(), "%Y-%m-%d %H:%M:%S %z", &local) != 0) {
        text += fmt::format(", {}", when.data());
    }
    if (stats && stats->observed.count() > 0) {
        text += fmt::format(", {:.1f} s", std::chrono::duration<double>(stats->observed).count());
    }
    if (!meta.command_line.empty()) text += fmt::format(": {}", fmt::join(meta.command_line, " "));
    for (char& c : text) {
        if (c < ' ' || c > '~') c = '?';
    }
    return text;
}

nlohmann::ordered_json names_of(std::uint64_t sources) {
    auto names = nlohmann::ordered_json::array();
    for (std::uint32_t source = 0; source < HFTMON_SOURCE_COUNT; ++source) {
        if ((sources & HFTMON_SOURCE_BIT(source)) != 0) names.push_back(hftmon::source_name(source));
    }
    return names;
}

nlohmann::ordered_json about_json(const hftmon::CaptureMeta& meta, const std::optional<hftmon::CaptureStats>& stats) {
    using Json = nlohmann::ordered_json;
    Json json{{"host", meta.hostname},
              {"kernel", meta.kernel_release},
              {"machine", meta.machine},
              {"backend", meta.backend},
              {"command_line", meta.command_line},
              {"start_realtime_ns", meta.start_realtime.count() != 0 ? Json(meta.start_realtime.count()) : Json()},
              {"partial_cpus", Json::array()},
              {"subjects", Json::array()}};
    json["minimums"] = Json::object();
    for (const auto& minimum : meta.minimums)
        json["minimums"][std::string(hftmon::duration_name(minimum.kind))] = minimum.over.count();
    for (const hftmon::CpuId cpu : meta.partial_cpus) json["partial_cpus"].push_back(cpu.value);
    if (!stats) return json;
    const CaptureSummary s = summarize(meta, *stats);
    const auto if_timed = [&s](double value) { return s.seconds > 0 ? Json(value) : Json(); };
    json["produced"] = s.produced;
    json["read"] = s.read;
    json["lost"] = s.lost;
    json["overwritten"] = s.overwritten;
    json["cpus"] = s.cpus;
    json["seconds"] = if_timed(s.seconds);
    json["probe_share"] = if_timed(s.probe_share);
    json["probe_ns"] = s.probe_ns;
    json["collector_share"] = if_timed(s.collector_share);
    json["shed"] = names_of(s.shed);
    json["shed_cpus"] = s.shed_cpus;
    return json;
}

std::string list_text(const std::vector<hftmon::Tid>& tids) {
    std::string text;
    for (const hftmon::Tid tid : tids) text += fmt::format("{}{}", text.empty() ? "" : ", ", tid.value);
    return text;
}

}  // namespace hftctl
