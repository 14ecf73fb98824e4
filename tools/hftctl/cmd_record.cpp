// SPDX-License-Identifier: MIT
// hftctl record: capture to a file.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <optional>

#include "hftmon/event_text.hpp"
#include "hftmon/histogram.hpp"
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
    std::vector<std::string> triggers;
    std::string tail = "10ms";
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

void print_summary(const RecordOptions& options, hftmon::Recorder& recorder, const hftmon::CaptureStats& stats,
                   const hftmon::StacksInfo& stacks_before, bool was_frozen) {
    const CaptureSummary summary = summarize(recorder.meta(), stats);
    tell("{}: {}{}", options.path, to_text(summary), shed_text(summary));
    const auto lost = [](const auto& cpu) { return cpu.lost != 0; };
    if (was_frozen) {
        tell("the rings were frozen by the trigger: what came then counts as lost\n");
    } else if (std::any_of(stats.cpus.begin(), stats.cpus.end(), lost)) {
        tell("records were lost: take a larger --ring, or capture fewer CPUs\n");
    }
    const auto stacks = recorder.session().stacks_info();
    if (stacks && stacks->missed > stacks_before.missed) {
        tell("{} stacks are missing: their tables of {} are full (stack_entries of the module)\n",
             stacks->missed - stacks_before.missed, stacks->slots);
    }
}

/// What --trigger and --tail ask for; nothing without --trigger.
hftmon::Result<std::optional<hftmon::TriggerOptions>> trigger_options(const RecordOptions& options) {
    if (options.triggers.empty()) return std::optional<hftmon::TriggerOptions>();
    auto thresholds = parse_thresholds("--trigger", options.triggers);
    if (!thresholds) return thresholds.error();
    const auto tail = parse_duration("--tail", options.tail);
    if (!tail) return tail.error();
    hftmon::TriggerOptions trigger;
    trigger.thresholds = *std::move(thresholds);
    // All CPUs hold the same time then.
    if (options.capture.flight) trigger.freeze = hftmon::Freeze::kAll;
    trigger.tail = *tail;
    return std::optional(trigger);
}

/// "wakeup of 812 "feed" took 51.2 us on CPU 3".
std::string spike_text(const hftmon::Spikes& spikes, const hftmon::TscClock& clock) {
    const auto& spike = std::get<hftmon::SpikeEvent>(spikes.last.body);
    const auto name = [](hftmon::Tid tid) {
        if (tid == hftmon::kIdleTid) return std::string("idle");
        std::ifstream file(fmt::format("/proc/{}/comm", tid.value));
        std::string comm;
        return std::getline(file, comm) ? fmt::format("{} {}", tid.value, hftmon::quote_comm(comm))
                                        : fmt::format("{}", tid.value);
    };
    const double us = static_cast<double>(clock.to_ns(spike.duration).count()) / 1e3;
    if (spike.of_handler()) {
        std::string what{hftmon::duration_name(spike.kind)};
        if (spike.kind == HFTMON_DURATION_HARDIRQ) what += fmt::format(" {}", spike.cause);
        if (spike.kind == HFTMON_DURATION_SOFTIRQ) what += fmt::format(" {}", hftmon::softirq_name(spike.cause));
        if (spike.kind == HFTMON_DURATION_VECTOR)
            what += fmt::format(" {}", hftmon::vector_name(static_cast<hftmon::VectorKind>(spike.cause)));
        return fmt::format("{} took {:.1f} us on CPU {}, where {} ran", what, us, spikes.last.header.cpu.value,
                           name(spike.tid));
    }
    if (spike.kind == HFTMON_DURATION_ON_CPU)
        return fmt::format("on_cpu of {} took {:.1f} us on CPU {}", name(spike.tid), us, spikes.last.header.cpu.value);
    return fmt::format("{} of {} took {:.1f} us on CPU {}, where {} ran before", hftmon::duration_name(spike.kind),
                       name(spike.tid), us, spikes.last.header.cpu.value, name(hftmon::Tid{spike.cause}));
}

/// Until when to record on: the hit's tail is in the rings then. Nothing without a hit.
class SpikeWait {
public:
    hftmon::Status look(hftmon::Recorder& recorder, const hftmon::TriggerOptions& trigger) {
        if (spikes_) return hftmon::ok();
        const auto spikes = recorder.session().spikes();
        if (!spikes) return spikes.error();
        if (spikes->hits == 0) return hftmon::ok();
        spikes_ = *spikes;
        end_ = Clock::now() + trigger.tail.value_or(hftmon::Nanoseconds(0));
        return hftmon::ok();
    }
    [[nodiscard]] bool over() const { return spikes_ && Clock::now() >= end_; }
    [[nodiscard]] const std::optional<hftmon::Spikes>& spikes() const { return spikes_; }
    /// How long to wait for records.
    [[nodiscard]] std::chrono::milliseconds timeout() const {
        if (!spikes_) return kPumpInterval;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now());
        return std::clamp(left, std::chrono::milliseconds(0), kPumpInterval);
    }

private:
    std::optional<hftmon::Spikes> spikes_;
    Clock::time_point end_;
};

int run_record(const RecordOptions& options, const std::vector<std::string>& command) {
    auto parsed = options.capture.parse(!command.empty());
    if (!parsed) return report(parsed.error());
    auto trigger = trigger_options(options);
    if (!trigger) return report(trigger.error());

    std::optional<Child> child;
    hftmon::Recorder::Options recorder_options{parsed->session, *std::move(trigger), options.path, parsed->subjects,
                                               command};
    const bool watch_child = options.capture.watch || recorder_options.trigger;
    if (recorder_options.trigger) {
        for (const auto& threshold : recorder_options.trigger->thresholds)
            recorder_options.session.durations |= HFTMON_DURATION_BIT(threshold.kind);
        recorder_options.session.watched = parsed->subjects;
        recorder_options.trigger->watched = !parsed->subjects.empty() || !command.empty();
    }
    if (!command.empty()) {
        auto spawned = Child::spawn(command);
        if (!spawned) return report(spawned.error());
        child.emplace(*std::move(spawned));
        recorder_options.subjects.push_back(child->pid());
        if (watch_child) recorder_options.session.watched.push_back(child->pid());
    }

    install_stop_handlers();
    auto recorder = hftmon::Recorder::start(recorder_options);
    if (!recorder) return report(recorder.error());
    const auto stacks_before = recorder->session().stacks_info();  // the tables may be others', and full
    if (!stacks_before) return report(stacks_before.error());
    if (child) {
        if (auto status = child->release(); !status) return report(status.error());
    }

    const auto start = Clock::now();
    Progress progress;
    SpikeWait spike;
    while (!stop_requested() && !spike.over() && !(child && child->ended()) &&
           !(parsed->duration && Clock::now() - start >= *parsed->duration)) {
        if (auto status = recorder->pump(spike.timeout()); !status) {
            (void)recorder->finish();  // what there is
            return report(status.error());
        }
        if (recorder_options.trigger) {
            if (auto status = spike.look(*recorder, *recorder_options.trigger); !status) return report(status.error());
        }
        progress.show(*recorder);
    }
    const auto stats = recorder->finish();
    progress.end();
    if (!stats) return report(stats.error());
    if (spike.spikes())
        tell("spike: {}\n", spike_text(*spike.spikes(), hftmon::TscClock::from_khz(recorder->meta().tsc_khz)));
    print_summary(options, *recorder, *stats, *stacks_before, options.capture.flight && spike.spikes());
    if (child && !child->ended()) {
        tell("note: the command runs on, as process {}\n", child->pid().value);
    } else if (child && child->exit_code() > 0) {
        tell("note: the command ended with status {}\n", child->exit_code());
    }
    return spike.spikes() ? kExitThreshold : kExitOk;
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
    add_list(*command, "--trigger", options->triggers,
             fmt::format("Stop when a duration is over its threshold, e.g. wakeup:50us; of the threads of\n"
                         "interest, if there are. With --flight the rings are frozen at once.\nKinds: {}",
                         durations_help()),
             "KIND:TIME[,...]");
    command->add_option("--tail", options->tail, "Record so long after the trigger (default: 10ms)")
        ->type_name("TIME")
        ->check(not_empty());
    options->capture.add_to(*command);
    command->footer(
        "hftctl record [OPTIONS] -- COMMAND... runs COMMAND and stops when it ends; it is never killed.\n"
        "Its threads are then those of interest.\nExit status 3: the trigger was hit.");
    command->callback([options, &invocation] { invocation.exit_code = run_record(*options, invocation.child); });
}

}  // namespace hftctl
