// SPDX-License-Identifier: MIT
// hftctl status: the module, its clock, and every source with its reason when
// it is missing.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "hftmon/session.hpp"
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

void print_text(const hftmon::SessionInfo& info, const std::vector<hftmon::SourceStatus>& sources) {
    const bool invariant = (info.flags & HFTMON_INFO_TSC_INVARIANT) != 0;
    fmt::print("backend        module, {}\n", HFTMON_DEVICE);
    fmt::print("ABI, schema    {}, {}\n", info.abi_version, info.schema_version);
    fmt::print("clock          {}, {:.3f} MHz{}\n", clock_name(info), static_cast<double>(info.tsc_khz) / 1e3,
               info.clock != HFTMON_CLOCK_TSC ? ": the kernel holds the TSC unusable"
               : invariant                    ? ", invariant"
                                              : ", not declared invariant by the CPU");
    fmt::print("CPUs           up to {}\n\n", info.nr_cpu_ids);
    fmt::print("{:<22}{:<12}{}\n", "SOURCE", "STATE", "REASON");
    for (const auto& status : sources) {
        fmt::print("{:<22}{:<12}{}\n", hftmon::source_name(status.source), state_name(status),
                   hftmon::source_reason(status));
    }
}

void print_json(const hftmon::SessionInfo& info, const std::vector<hftmon::SourceStatus>& sources) {
    nlohmann::ordered_json json = {{"backend", "module"},
                                   {"abi_version", info.abi_version},
                                   {"schema_version", info.schema_version},
                                   {"clock", clock_name(info)},
                                   {"tsc_khz", info.tsc_khz},
                                   {"tsc_invariant", (info.flags & HFTMON_INFO_TSC_INVARIANT) != 0},
                                   {"nr_cpu_ids", info.nr_cpu_ids},
                                   {"sources", nlohmann::ordered_json::array()}};
    for (const auto& status : sources) {
        json["sources"].push_back({{"name", hftmon::source_name(status.source)},
                                   {"state", state_name(status)},
                                   {"reason", hftmon::source_reason(status)}});
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
    as_json ? print_json(*info, *sources) : print_text(*info, *sources);
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
