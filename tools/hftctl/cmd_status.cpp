// SPDX-License-Identifier: MIT
// hftctl status: the module, its clock, what it costs, and every source with its
// reason when it is missing.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "hftmon/clock.hpp"
#include "hftmon/histogram.hpp"
#include "hftmon/session.hpp"
#include "tools/hftctl/capture_summary.hpp"
#include "tools/hftctl/command.hpp"

namespace hftctl {

namespace {

using hftmon::Session;

std::string_view clock_name(const hftmon::SessionInfo& info) {
    return info.clock == HFTMON_CLOCK_TSC ? "tsc" : "monotonic";
}

std::string_view state_name(const hftmon::SourceStatus& status) {
    switch (status.state) {
        case HFTMON_SOURCE_AVAILABLE: return "available";
        case HFTMON_SOURCE_MISSING: return "missing";
        case HFTMON_SOURCE_MISMATCH: return "mismatch";
        case HFTMON_SOURCE_FAILED: return "failed";
        default: return "unknown";
    }
}

/// Kinds that the kernel can count here.
std::vector<std::string_view> durations(const hftmon::SessionInfo& info) {
    std::vector<std::string_view> names;
    for (std::uint32_t kind = 0; kind < hftmon::kDurationKinds; ++kind) {
        if ((info.durations_available & HFTMON_DURATION_BIT(kind)) != 0)
            names.push_back(hftmon::duration_name(static_cast<hftmon::DurationKind>(kind)));
    }
    return names;
}

/// What the CPUs say of the module's cost.
class Costs {
public:
    hftmon::Status read(const Session& session, const hftmon::SessionInfo& info) {
        clock_ = hftmon::TscClock::from_khz(info.tsc_khz);
        time_ = std::chrono::steady_clock::now();
        for (std::uint32_t cpu = 0; cpu < info.nr_cpu_ids; ++cpu) {
            auto costs = session.costs(hftmon::CpuId{cpu});
            if (costs)
                cpus_.push_back(*std::move(costs));
            else if (costs.error().code == hftmon::ErrorCode::kVersionMismatch)
                return hftmon::ok();  // an older module: not known
            else if (costs.error().code != hftmon::ErrorCode::kNotFound)
                return costs.error();
        }
        return hftmon::ok();
    }

    [[nodiscard]] const std::vector<hftmon::CpuCosts>& cpus() const { return cpus_; }
    [[nodiscard]] std::uint32_t budget_ppm() const { return cpus_.empty() ? 0 : cpus_.front().budget_ppm; }
    /// CLOCK_MONOTONIC, when they were asked.
    [[nodiscard]] std::int64_t time_ns() const {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(time_.time_since_epoch()).count();
    }
    [[nodiscard]] std::int64_t ns(const hftmon::SourceCost& cost) const {
        return clock_.to_ns({static_cast<std::int64_t>(cost.ticks)}).count();
    }
    [[nodiscard]] hftmon::SourceCost of(std::uint32_t source) const {
        hftmon::SourceCost sum{};
        for (const auto& cpu : cpus_) {
            sum.samples += cpu.by_source[source].samples;
            sum.ticks += cpu.by_source[source].ticks;
        }
        return sum;
    }
    /// "52 ns", the mean; "-" where none was timed.
    [[nodiscard]] std::string mean(std::uint32_t source) const {
        const auto cost = of(source);
        if (cost.samples == 0) return "-";
        return fmt::format("{} ns", ns(cost) / static_cast<std::int64_t>(cost.samples));
    }

private:
    hftmon::TscClock clock_ = hftmon::TscClock::from_khz(1);
    std::chrono::steady_clock::time_point time_;
    std::vector<hftmon::CpuCosts> cpus_;
};

std::string percent(std::uint32_t ppm) { return fmt::format("{:.2f}%", ppm / 1e4); }

void print_budget(const Costs& costs) {
    const auto top = std::ranges::max_element(costs.cpus(), {}, &hftmon::CpuCosts::spent_ppm);
    std::string now;
    if (top != costs.cpus().end() && top->spent_ppm != 0)
        now = fmt::format("; the most just now: {}, on CPU {}", percent(top->spent_ppm), top->cpu.value);
    const std::uint32_t budget = costs.budget_ppm();
    if (costs.cpus().empty()) {
        fmt::print("budget         not known: the loaded module is older\n");
        return;
    }
    fmt::print("budget         {}{}\n", budget != 0 ? percent(budget) + " of each CPU's time" : "none", now);
    for (const auto& cpu : costs.cpus()) {
        if (cpu.shed != 0)
            fmt::print("               not recorded on CPU {}: {}\n", cpu.cpu.value, hftmon::sources_text(cpu.shed));
    }
}

std::string_view clock_note(const hftmon::SessionInfo& info, bool usable) {
    if (!usable) return ", no longer good: reload the module";
    if (info.clock != HFTMON_CLOCK_TSC) return ": the kernel holds the TSC unusable";
    return (info.flags & HFTMON_INFO_TSC_INVARIANT) != 0 ? ", invariant" : ", not declared invariant by the CPU";
}

void print_text(const hftmon::SessionInfo& info, bool usable, const std::vector<hftmon::SourceStatus>& sources,
                const Costs& costs) {
    fmt::print("backend        module, {}\n", HFTMON_DEVICE);
    fmt::print("ABI, schema    {}, {}\n", info.abi_version, info.schema_version);
    fmt::print("clock          {}, {:.3f} MHz{}\n", clock_name(info), static_cast<double>(info.tsc_khz) / 1e3,
               clock_note(info, usable));
    fmt::print("CPUs           up to {}\n", info.nr_cpu_ids);
    fmt::print("histograms     {}; {} each\n", fmt::join(durations(info), " "), costs.mean(HFTMON_COST_HISTOGRAMS));
    print_budget(costs);
    fmt::print("\n{:<27}{:<12}{:<10}{}\n", "SOURCE", "STATE", "COST", "REASON");
    for (const auto& status : sources) {
        fmt::print(
            "{:<27}{:<12}{:<10}{}\n", hftmon::source_name(status.source), state_name(status), costs.mean(status.source),
            status.missed != 0 ? fmt::format("{} events were missed", status.missed) : hftmon::source_reason(status));
    }
}

nlohmann::ordered_json to_json(const Costs& costs, const hftmon::SourceCost& cost) {
    return {{"timed_events", cost.samples}, {"timed_ns", costs.ns(cost)}};
}

void print_json(const hftmon::SessionInfo& info, bool usable, const std::vector<hftmon::SourceStatus>& sources,
                const Costs& costs) {
    using Json = nlohmann::ordered_json;
    Json json = {{"backend", "module"},
                 {"abi_version", info.abi_version},
                 {"schema_version", info.schema_version},
                 {"clock", clock_name(info)},
                 {"clock_usable", usable},
                 {"tsc_khz", info.tsc_khz},
                 {"tsc_invariant", (info.flags & HFTMON_INFO_TSC_INVARIANT) != 0},
                 {"nr_cpu_ids", info.nr_cpu_ids},
                 {"histograms", durations(info)},
                 {"histograms_cost", to_json(costs, costs.of(HFTMON_COST_HISTOGRAMS))},
                 {"monotonic_ns", costs.time_ns()},
                 {"budget_ppm", costs.budget_ppm()},
                 {"cpus", Json::array()},
                 {"sources", Json::array()}};
    for (const auto& cpu : costs.cpus()) {
        Json entry = {{"cpu", cpu.cpu.value}, {"spent_ppm", cpu.spent_ppm}, {"events", cpu.events}};
        entry.update(to_json(costs, cpu.timed));
        entry["shed"] = names_of(cpu.shed);
        json["cpus"].push_back(std::move(entry));
    }
    for (const auto& status : sources) {
        Json entry = {{"name", hftmon::source_name(status.source)},
                      {"state", state_name(status)},
                      {"reason", hftmon::source_reason(status)},
                      {"missed", status.missed}};
        entry.update(to_json(costs, costs.of(status.source)));
        json["sources"].push_back(std::move(entry));
    }
    fmt::print("{}\n", json.dump(2));
}

int run_status(bool as_json) {
    const auto session = Session::open();
    if (!session) return report(session.error());
    const auto info = session->info();
    if (!info) return report(info.error());
    const auto sources = session->sources();
    if (!sources) return report(sources.error());
    Costs costs;
    if (auto status = costs.read(*session, *info); !status) return report(status.error());
    const bool usable = static_cast<bool>(session->clock_sync());
    as_json ? print_json(*info, usable, *sources, costs) : print_text(*info, usable, *sources, costs);
    return kExitOk;
}

}  // namespace

void add_status(CLI::App& app, Invocation& invocation) {
    auto* command = app.add_subcommand("status", "What can be captured here, and what cannot and why");
    auto as_json = std::make_shared<bool>(false);
    command->add_flag("--json", *as_json, "Machine-readable output");
    command->callback([as_json, &invocation] { invocation.exit_code = run_status(*as_json); });
}

}  // namespace hftctl
