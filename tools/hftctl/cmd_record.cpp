// SPDX-License-Identifier: MIT
// hftctl record: capture to a file.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "hftmon/recorder.hpp"
#include "tools/hftctl/capture_summary.hpp"
#include "tools/hftctl/child.hpp"
#include "tools/hftctl/command.hpp"
#include "tools/hftctl/options.hpp"

namespace hftctl {

namespace {

using Clock = std::chrono::steady_clock;

/// Full batches wake us at once; this is for the rest, and for the stop conditions.
constexpr std::chrono::milliseconds kPumpInterval(100);

struct RecordOptions {
    CaptureOptions capture;
    std::string path = "hftmon.capture";
};

/// One line that is rewritten every second, on a terminal only.
class Progress {
public:
    void show(const hftmon::Recorder& recorder) {
        if (!on_terminal_ || Clock::now() - last_ < std::chrono::seconds(1)) return;
        last_ = Clock::now();
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(last_ - start_).count();
        tell("\rrecording: {} s, {:.1f} MiB ", seconds, static_cast<double>(recorder.bytes()) / (1 << 20));
    }
    void end() const {
        if (on_terminal_) tell("\r\033[K");
    }

private:
    bool on_terminal_ = ::isatty(STDERR_FILENO) == 1;
    Clock::time_point start_ = Clock::now(), last_ = start_;
};

void print_summary(const RecordOptions& options, hftmon::Recorder& recorder, const hftmon::CaptureStats& stats) {
    tell("{}: {}", options.path, to_text(summarize(recorder.meta(), stats)));
    const auto lost = [](const auto& cpu) { return cpu.lost != 0; };
    if (std::any_of(stats.cpus.begin(), stats.cpus.end(), lost)) {
        tell("records were lost: take a larger --ring, or capture fewer CPUs\n");
    }
}

int run_record(const RecordOptions& options, const std::vector<std::string>& command) {
    auto parsed = options.capture.parse(!command.empty());
    if (!parsed) return report(parsed.error());

    std::optional<Child> child;
    hftmon::Recorder::Options recorder_options{parsed->session, options.path, parsed->subjects, command};
    if (!command.empty()) {
        auto spawned = Child::spawn(command);
        if (!spawned) return report(spawned.error());
        child.emplace(*std::move(spawned));
        recorder_options.subjects.push_back(child->pid());
        if (options.capture.watch) recorder_options.session.watched.push_back(child->pid());
    }

    install_stop_handlers();
    auto recorder = hftmon::Recorder::start(recorder_options);
    if (!recorder) return report(recorder.error());
    if (child) {
        if (auto status = child->release(); !status) return report(status.error());
    }

    const auto start = Clock::now();
    Progress progress;
    while (!stop_requested() && !(child && child->ended()) &&
           !(parsed->duration && Clock::now() - start >= *parsed->duration)) {
        if (auto status = recorder->pump(kPumpInterval); !status) return report(status.error());
        progress.show(*recorder);
    }
    const auto stats = recorder->finish();
    progress.end();
    if (!stats) return report(stats.error());
    print_summary(options, *recorder, *stats);
    if (child && !child->ended()) {
        tell("note: the command runs on, as process {}\n", child->pid().value);
    } else if (child && child->exit_code() > 0) {
        tell("note: the command ended with status {}\n", child->exit_code());
    }
    return kExitOk;
}

}  // namespace

void add_record(CLI::App& app, Invocation& invocation) {
    auto* command = app.add_subcommand("record", "Capture to a file; hftctl spikes FILE explains it");
    auto options = std::make_shared<RecordOptions>();
    command->add_option("-o,--output", options->path, "Capture file, overwritten (default: hftmon.capture)")
        ->type_name("FILE")
        ->check(not_empty());
    command->add_flag("--flight", options->capture.flight,
                      "Flight recorder: keep only what the rings hold, write it at the end");
    options->capture.add_to(*command);
    command->footer(
        "hftctl record [OPTIONS] -- COMMAND... runs COMMAND and stops when it ends; it is never killed.\n"
        "Its threads are then those of interest.");
    command->callback([options, &invocation] { invocation.exit_code = run_record(*options, invocation.child); });
}

}  // namespace hftctl
