// SPDX-License-Identifier: MIT
// hftctl dump: the records of a capture as text, one a line, in time order.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "hftmon/capture.hpp"
#include "hftmon/decode.hpp"
#include "hftmon/event_text.hpp"
#include "hftmon/merge.hpp"
#include "hftmon/names.hpp"
#include "tools/hftctl/capture_input.hpp"
#include "tools/hftctl/command.hpp"
#include "tools/hftctl/options.hpp"

namespace hftctl {

namespace {

struct DumpOptions {
    std::string path = "hftmon.capture";
    std::string cpus;
};

/// Calls fn(event) for every event of the capture, in order of time.
template <class Fn>
void for_each_event(const hftmon::CaptureReader& capture, Fn&& fn) {
    auto streams = capture.streams();
    std::vector<hftmon::CpuStream*> inputs;
    inputs.reserve(streams.size());
    for (auto& stream : streams) inputs.push_back(&stream);
    hftmon::Merger merger(inputs);
    merger.run([&](hftmon::CpuId cpu, std::uint64_t position, std::span<const hftmon::Record> records) {
        while (!records.empty()) {
            hftmon::Event event;
            const auto decoded = hftmon::decode(records, cpu, position, event);
            if (decoded.status == hftmon::DecodeStatus::kOk) fn(event);
            const std::size_t length = decoded.records != 0 ? decoded.records : records.size();
            records = records.subspan(length);
            position += length;
        }
    });
}

int run_dump(const DumpOptions& options) {
    const auto capture = open_capture(options.path);
    if (!capture) return report(capture.error());
    std::vector<hftmon::CpuId> cpus;
    if (!options.cpus.empty()) {
        auto list = parse_cpu_list(options.cpus);
        if (!list) return report(list.error());
        cpus = *std::move(list);
    }

    // Names first: a thread may be named only after it has been seen.
    hftmon::NameTable names;
    for (const auto& list : capture->threads()) names.learn(list.entries, list.from, list.to);
    std::optional<hftmon::TscTime> start;
    for_each_event(*capture, [&](const hftmon::Event& event) {
        if (!start) start = event.header.time;
        if (const auto* thread = std::get_if<hftmon::ThreadEvent>(&event.body)) names.learn(event.header.time, *thread);
    });

    for (const auto& stats : capture->stats() ? capture->stats()->cpus : std::vector<hftmon::CaptureCpuStats>{}) {
        if (stats.lost != 0) fmt::print(stderr, "note: CPU {} lost {} records\n", stats.cpu.value, stats.lost);
    }

    const auto clock = capture->clock();
    std::string line;
    bool failed = false;
    for_each_event(*capture, [&](const hftmon::Event& event) {
        if (failed || (!cpus.empty() && !std::binary_search(cpus.begin(), cpus.end(), event.header.cpu))) return;
        const double seconds = static_cast<double>(clock.to_ns(event.header.time - *start).count()) / 1e9;
        line = fmt::format("{} {:.9f} [{:03}] ", event.header.time.value, seconds, event.header.cpu.value);
        append_event_text(event, names, line);
        line += '\n';
        failed = std::fwrite(line.data(), 1, line.size(), stdout) != line.size();
    });
    if (failed) return report({hftmon::ErrorCode::kSystem, errno, "cannot write the output", ""});
    return kExitOk;
}

}  // namespace

void add_dump(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("dump", "Records of a capture as text: TSC, seconds, [CPU], event");
    auto options = std::make_shared<DumpOptions>();
    command->add_option("-i,--input", options->path, "Capture file (default: hftmon.capture)")->type_name("FILE");
    command->add_option("-C,--cpu", options->cpus, "These CPUs only, e.g. 0-3,7")->type_name("CPUS");
    command->callback([options, &exit_code] { exit_code = run_dump(*options); });
}

}  // namespace hftctl
