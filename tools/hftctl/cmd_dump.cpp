// SPDX-License-Identifier: MIT
// hftctl dump: the records of a capture as text, one a line, in time order.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <optional>

#include "hftmon/capture.hpp"
#include "hftmon/event_text.hpp"
#include "hftmon/merge.hpp"
#include "hftmon/names.hpp"
#include "hftmon/runs.hpp"
#include "tools/hftctl/capture_input.hpp"
#include "tools/hftctl/command.hpp"
#include "tools/hftctl/options.hpp"
#include "tools/hftctl/symbol_options.hpp"

namespace hftctl {

namespace {

using hftmon::DecodeStatus;
using hftmon::TscTime;

struct DumpOptions {
    std::string path = "hftmon.capture";
    std::string cpus;
    SymbolOptions symbols;
};

/// All runs of the capture, in order of time.
template <class Fn>
void for_each_run(const hftmon::CaptureReader& capture, Fn&& fn) {
    auto streams = capture.streams();
    hftmon::Merger(streams).run(
        [&](hftmon::CpuId cpu, std::uint64_t position, std::span<const hftmon::Record> records) {
            hftmon::for_each_run(records, cpu, position, fn);
        });
}

/// A record that this hftctl cannot read is told as it is.
void append_undecoded(const hftmon::Record& record, hftmon::CpuId cpu, DecodeStatus status, std::string& out) {
    out += fmt::format("{} ? [{:03}] {} type={} flags={:#x} payload={:#018x},{:#018x}\n", record.tsc, cpu.value,
                       status == DecodeStatus::kUnknownType ? "unknown" : "damaged", record.type, record.flags,
                       record.payload[0], record.payload[1]);
}

int run_dump(const DumpOptions& options) {
    const auto capture = open_capture(options.path);
    if (!capture) return report(capture.error());
    std::vector<hftmon::CpuId> cpus;
    if (!options.cpus.empty()) {
        auto list = parse_cpu_list("--cpu", options.cpus);
        if (!list) return report(list.error());
        cpus = *std::move(list);
        const auto& have = capture->meta().cpus;
        for (const hftmon::CpuId cpu : cpus) {
            if (std::find(have.begin(), have.end(), cpu) == have.end())
                return report(
                    {hftmon::ErrorCode::kNotFound, 0, fmt::format("no CPU {} in {}", cpu.value, options.path), ""});
        }
    }

    // Names first: a thread may be named only after it has been seen.
    hftmon::NameTable names;
    hftmon::StackNamer stacks = options.symbols.namer();
    stacks.learn(*capture);
    for (const auto& list : capture->threads()) names.learn(list.entries, list.from, list.to);
    std::optional<hftmon::TscTime> start;
    for_each_run(*capture, [&](const hftmon::Run& run) {
        if (run.status != DecodeStatus::kOk) return;
        const TscTime time = run.event.header.time;
        if (!start) start = time;
        if (const auto* thread = std::get_if<hftmon::ThreadEvent>(&run.event.body)) names.learn(time, *thread);
    });

    for (const auto& stats : capture->stats() ? capture->stats()->cpus : std::vector<hftmon::CaptureCpuStats>{}) {
        if (stats.lost != 0) fmt::print(stderr, "note: CPU {} lost {} records\n", stats.cpu.value, stats.lost);
    }

    const auto clock = capture->clock();
    std::map<hftmon::CpuId, std::uint64_t> next;  // position
    std::string text;
    bool failed = false;
    const auto begin_line = [&](hftmon::CpuId cpu, TscTime time) {
        const double seconds = start ? static_cast<double>(clock.to_ns(time - *start).count()) / 1e9 : 0;
        fmt::format_to(std::back_inserter(text), "{} {:.9f} [{:03}] ", time.value, seconds, cpu.value);
    };
    for_each_run(*capture, [&](const hftmon::Run& run) {
        if (failed || (!cpus.empty() && !std::binary_search(cpus.begin(), cpus.end(), run.cpu))) return;
        text.clear();
        const auto [expected, is_first] = next.try_emplace(run.cpu, run.position);
        if (run.position > expected->second) {
            begin_line(run.cpu, {run.records.front().tsc});
            text += fmt::format("missing records={}\n", run.position - expected->second);
        }
        expected->second = run.position + run.records.size();
        if (run.status == DecodeStatus::kOk) {
            begin_line(run.cpu, run.event.header.time);
            append_event_text(run.event, {names, stacks}, text);
            text += '\n';
        } else {
            for (const hftmon::Record& record : run.records) append_undecoded(record, run.cpu, run.status, text);
        }
        failed = std::fwrite(text.data(), 1, text.size(), stdout) != text.size();
    });
    tell_missing(stacks);
    if (failed) return report({hftmon::ErrorCode::kSystem, errno, "cannot write the output", ""});
    return kExitOk;
}

}  // namespace

void add_dump(CLI::App& app, Invocation& invocation) {
    auto* command = app.add_subcommand("dump", "Records of a capture as text: TSC, seconds, [CPU], event");
    auto options = std::make_shared<DumpOptions>();
    command->add_option("-i,--input,FILE", options->path, "Capture file (default: hftmon.capture)")
        ->type_name("")
        ->check(not_empty());
    command->add_option("-C,--cpu", options->cpus, "These CPUs only, e.g. 0-3,7")
        ->type_name("CPUS")
        ->check(not_empty());
    options->symbols.add_to(*command);
    command->callback([options, &invocation] { invocation.exit_code = run_dump(*options); });
}

}  // namespace hftctl
