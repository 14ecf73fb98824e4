// SPDX-License-Identifier: MIT
// hftctl spikes: why threads were late, from a capture or live.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>

#include "hftmon/analyzer.hpp"
#include "hftmon/merge.hpp"
#include "hftmon/recorder.hpp"
#include "hftmon/report.hpp"
#include "tools/hftctl/capture_input.hpp"
#include "tools/hftctl/capture_summary.hpp"
#include "tools/hftctl/child.hpp"
#include "tools/hftctl/command.hpp"
#include "tools/hftctl/events.hpp"
#include "tools/hftctl/live_stacks.hpp"
#include "tools/hftctl/options.hpp"
#include "tools/hftctl/symbol_options.hpp"

namespace hftctl {

namespace {

using hftmon::Nanoseconds;
using hftmon::TscTime;

struct SpikesOptions {
    CaptureOptions capture;
    std::string input, over = "50us";
    std::size_t top = 10;
    bool json = false, check = false;
    SymbolOptions symbols;
};

/// A delay over the threshold makes the exit status kExitThreshold.
/// `about`: the capture; null when live, where the bills
/// have been shown as they came. `summary`: last lines of the text.
int finish_report(const SpikesOptions& options, const hftmon::Analyzer& analyzer, const hftmon::ReportContext& context,
                  const nlohmann::ordered_json& about, const std::string& summary) {
    if (options.json) {
        // The library's object, with two keys more before its last brace.
        std::string json = hftmon::to_json(analyzer, context);
        json.pop_back();
        fmt::print("{},\"threshold_ns\":{},\"capture\":{}}}\n", json, analyzer.over().count(), about.dump());
    } else {
        if (!about.is_null()) {
            for (const hftmon::Bill* bill : analyzer.longest()) fmt::print("{}\n", hftmon::to_text(*bill, context));
        }
        const bool all_were_shown = about.is_null();
        fmt::print(
            "{}", hftmon::summary_text(analyzer, all_were_shown ? analyzer.totals().bills : analyzer.longest().size()));
        fmt::print("{}", summary);
    }
    if (options.check) {
        const auto violations = analyzer.check_invariants();
        for (const std::string& violation : violations) tell("hftctl: invariant broken: {}\n", violation);
        if (!violations.empty()) return kExitError;
    }
    return analyzer.totals().over != 0 ? kExitThreshold : kExitOk;
}

hftmon::AnalyzerOptions analyzer_options(const SpikesOptions& options, Nanoseconds over,
                                         const std::vector<hftmon::Tid>& subjects) {
    hftmon::AnalyzerOptions result;
    result.threads = subjects;
    result.processes = subjects;  // a subject that is a process stands for all its threads
    result.over = over;
    result.keep = options.top;
    return result;
}

/// Whoever -p names must have been there: a mistyped number is not "no delay".
std::optional<hftmon::Error> find_missing(const hftmon::Analyzer& analyzer, const std::vector<hftmon::Tid>& tids,
                                          const std::string& path) {
    for (const hftmon::Tid tid : tids) {
        if (analyzer.names().lookup(tid, analyzer.timeline().now())) continue;
        return hftmon::Error{hftmon::ErrorCode::kNotFound, 0,
                             fmt::format("{} knows no process or thread {}", path, tid.value),
                             "hftctl dump shows who was there"};
    }
    return std::nullopt;
}

/// In a capture that watched some threads, the delays of others cannot be told.
std::optional<hftmon::Error> find_unwatched(const hftmon::Analyzer& analyzer, const hftmon::CaptureMeta& meta,
                                            const Subjects& asked) {
    const auto is_watched = [&](hftmon::Tid tid) {
        const auto process = analyzer.names().process_of(tid, analyzer.timeline().now());
        const auto is_same = [&](hftmon::Tid subject) { return subject == tid || subject == process; };
        return std::ranges::any_of(meta.subjects, is_same);
    };
    if (meta.partial_cpus.empty() || (!asked.everybody && std::ranges::all_of(asked.tids, is_watched)))
        return std::nullopt;
    return hftmon::Error{hftmon::ErrorCode::kInvalidArgument, 0,
                         fmt::format("the capture watched only {} (--watch)", list_text(meta.subjects)),
                         "name one of them, or a thread of theirs, with -p, or leave -p out"};
}

int run_offline(const SpikesOptions& options, Nanoseconds over) {
    if (const auto option = options.capture.live_only(); !option.empty()) {
        return report({hftmon::ErrorCode::kInvalidArgument, 0, fmt::format("{} is for live use", option),
                       "what is in a capture was chosen when it was recorded"});
    }
    auto asked = parse_subjects("--pid", options.capture.pids);
    if (!asked) return report(asked.error());
    const auto capture = open_capture(options.input);
    if (!capture) return report(capture.error());

    const bool as_recorded = options.capture.pids.empty() && !capture->meta().subjects.empty();
    const std::vector<hftmon::Tid> subjects = as_recorded        ? capture->meta().subjects
                                              : asked->everybody ? std::vector<hftmon::Tid>{}
                                                                 : asked->tids;
    hftmon::Analyzer analyzer(capture->clock(), analyzer_options(options, over, subjects));
    for (const auto& list : capture->threads()) analyzer.add_threads(list.entries, list.from, list.to);
    for (const auto& irq : capture->irqs()) analyzer.add_irq(irq.irq, irq.name);
    if (capture->stats()) {
        for (const auto& cpu : capture->stats()->cpus) {
            if (cpu.overwritten != 0 && cpu.ever_shed != 0) analyzer.assume_shed(cpu.cpu, cpu.ever_shed);
        }
    }

    auto streams = capture->streams();
    hftmon::Merger merger(streams);
    merger.run([&](hftmon::CpuId cpu, std::uint64_t position, std::span<const hftmon::Record> records) {
        analyzer.consume(cpu, position, records);
    });
    analyzer.finish();
    if (const auto missing = find_missing(analyzer, asked->tids, options.input)) return report(*missing);
    if (const auto unwatched = find_unwatched(analyzer, capture->meta(), *asked)) return report(*unwatched);
    if (!options.json) {
        fmt::print("{}\n", head_text(capture->meta(), capture->stats()));
        if (as_recorded && !capture->meta().partial_cpus.empty())
            fmt::print("threads: {}, which were watched\n", list_text(subjects));
        else if (as_recorded)
            fmt::print("threads: {}, as recorded (others: -p PID, everybody: -p all)\n", list_text(subjects));
        fmt::print("\n");
    }
    const auto missing_sources = missing_for_bills(capture->meta());
    tell("{}", missing_text(missing_sources, capture->meta()));
    auto about = about_json(capture->meta(), capture->stats());
    about["not_captured"] = missing_sources;
    for (const hftmon::Tid tid : subjects) about["subjects"].push_back(tid.value);
    hftmon::StackNamer stacks = options.symbols.namer();
    stacks.learn(*capture);
    const hftmon::ReportContext context{
        .clock = analyzer.clock(),
        .irqs = analyzer.irqs(),
        .origin = analyzer.timeline().first(),
        .has_wall_clock = !capture->clock_syncs().empty(),
        .stacks = &stacks,
        .event_ns = capture->stats() ? summarize(capture->meta(), *capture->stats()).probe_ns : 0};
    const int status = finish_report(options, analyzer, context, about,
                                     capture->stats() ? to_text(summarize(capture->meta(), *capture->stats())) : "");
    tell_missing(stacks);
    return status;
}

/// What time it is, in a session of any length: by the stated frequency alone,
/// which may be 20 ppm off, the time of day would be wrong by 2 s after a day.
struct LiveClock {
    std::uint64_t tsc_khz;
    hftmon::ClockSync first, latest;
    [[nodiscard]] hftmon::TscClock reading() const { return hftmon::TscClock::from_syncs(tsc_khz, first, latest); }
};

/// What one of hftmon's own events takes, on the mean; asked for once a second.
class OwnCost {
public:
    OwnCost(hftmon::Session& session, std::uint64_t tsc_khz) : session_(session), tsc_khz_(tsc_khz) {}

    [[nodiscard]] double event_ns() {
        const auto now = std::chrono::steady_clock::now();
        if (asked_ && now - *asked_ < std::chrono::seconds(1)) return event_ns_;
        asked_ = now;
        double samples = 0, ticks = 0;
        for (const auto& ring : session_.rings()) {
            const auto stats = session_.cpu_stats(ring.cpu());
            if (!stats) continue;
            samples += static_cast<double>(stats->self_samples);
            ticks += static_cast<double>(stats->self_ticks);
        }
        if (samples > 0) event_ns_ = ticks / samples * 1e6 / static_cast<double>(tsc_khz_);
        return event_ns_;
    }

private:
    hftmon::Session& session_;
    std::uint64_t tsc_khz_;
    std::optional<std::chrono::steady_clock::time_point> asked_;
    double event_ns_ = 0;
};

/// A session whose records are analysed as they come.
class LiveAnalysis {
public:
    /// Keeps `clock` up to date.
    LiveAnalysis(hftmon::Session& session, hftmon::Analyzer& analyzer, LiveClock& clock, LiveStacks& stacks)
        : session_(session),
          analyzer_(analyzer),
          stacks_(stacks),
          clock_(clock),
          merger_(session.rings()),
          lag_(analyzer.clock().to_ticks(std::chrono::milliseconds(100))) {}

    /// What was begun before the previous call, less a lag, is complete on every
    /// CPU by now: no interruption of a probe is as long, a virtual CPU that its
    /// host leaves standing included. Where one was, the merger counts a late record.
    hftmon::Status round(std::chrono::milliseconds timeout) {
        if (const auto ready = session_.wait(timeout); !ready) return ready.error();
        const auto now = session_.clock_sync();
        if (!now) return now.error();
        clock_.latest = *now;
        feed(horizon_);
        analyzer_.settle(horizon_);
        horizon_ = TscTime{now->tsc} - lag_;
        return hftmon::ok();
    }
    void finish() {
        feed(hftmon::Merger::kNoHorizon);
        analyzer_.finish();
    }
    [[nodiscard]] std::uint64_t late() const { return merger_.stats().late; }

private:
    void feed(TscTime horizon) {
        merger_.run(
            [this](hftmon::CpuId cpu, std::uint64_t position, std::span<const hftmon::Record> records) {
                stacks_.look(records);
                analyzer_.consume(cpu, position, records);
            },
            horizon);
    }

    hftmon::Session& session_;
    hftmon::Analyzer& analyzer_;
    LiveStacks& stacks_;
    LiveClock& clock_;
    hftmon::Merger merger_;
    hftmon::TscTicks lag_;
    TscTime horizon_{0};
};

hftmon::Status add_threads(const hftmon::Session& session, hftmon::Analyzer& analyzer) {
    const auto threads = session.threads();
    if (!threads) return threads.error();
    analyzer.add_threads(threads->entries, threads->from, threads->to);
    return hftmon::ok();
}

int run_live(const SpikesOptions& options, Nanoseconds over, const std::vector<std::string>& command) {
    auto parsed = options.capture.parse(!command.empty());
    if (!parsed) return report(parsed.error());
    if ((parsed->session.sources & HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_SWITCH)) == 0) {
        return report({hftmon::ErrorCode::kInvalidArgument, 0, "bills cannot be made without sched_switch",
                       "leave it in -e, and the kinds of threads out of --min: wakeup, on_cpu ..."});
    }
    auto session = hftmon::Session::open();
    if (!session) return report(session.error());
    if (auto status = session->setup(parsed->session); !status) return report(status.error());

    std::optional<Child> child;
    if (!command.empty()) {
        auto spawned = Child::spawn(command);
        if (!spawned) return report(spawned.error());
        child.emplace(*std::move(spawned));
        parsed->subjects.push_back(child->pid());
        if (options.capture.watch) {
            if (auto watched = session->watch(child->pid()); !watched) return report(watched.error());
        }
    }

    const auto info = session->info();
    const auto sync = session->clock_sync();
    if (!info) return report(info.error());
    if (!sync) return report(sync.error());

    auto analysis_options = analyzer_options(options, over, parsed->subjects);
    LiveClock clock{info->tsc_khz, *sync, *sync};
    // A download would keep us from the rings.
    ::unsetenv("DEBUGINFOD_URLS");  // NOLINT(concurrency-mt-unsafe): no other thread yet
    LiveStacks stacks(*session, parsed->session.sources, options.symbols.namer());
    const hftmon::Analyzer* shown = nullptr;
    OwnCost cost(*session, info->tsc_khz);
    const auto context = [&](TscTime origin) {
        return hftmon::ReportContext{.clock = clock.reading(),
                                     .irqs = shown->irqs(),
                                     .origin = origin,
                                     .has_wall_clock = true,
                                     .stacks = &stacks.namer(),
                                     .event_ns = cost.event_ns()};
    };
    analysis_options.on_bill = [&](const hftmon::Bill& bill) {
        stacks.learn(bill);
        if (options.json) return;
        fmt::print("{}\n", hftmon::to_text(bill, context(TscTime{clock.first.tsc})));
        std::fflush(stdout);
    };
    hftmon::Analyzer analyzer(clock.reading(), std::move(analysis_options));
    shown = &analyzer;
    for (const auto& irq : hftmon::read_irq_names()) analyzer.add_irq(irq.irq, irq.name);
    if (auto status = add_threads(*session, analyzer); !status) return report(status.error());

    install_stop_handlers();
    if (auto status = session->start(); !status) return report(status.error());
    const auto meta = session->describe();
    if (!meta) return report(meta.error());
    tell("{}", missing_text(missing_for_bills(*meta), *meta));
    // Once more: those that began between the first list and the hooks.
    if (auto status = add_threads(*session, analyzer); !status) return report(status.error());
    if (child) {
        if (auto status = child->release(); !status) return report(status.error());
    }
    LiveAnalysis live(*session, analyzer, clock, stacks);
    const auto start = std::chrono::steady_clock::now();
    hftmon::Status going_on = hftmon::ok();
    while (going_on && !stop_requested() && !(child && child->ended()) &&
           !(parsed->duration && std::chrono::steady_clock::now() - start >= *parsed->duration)) {
        going_on = live.round(std::chrono::milliseconds(50));
    }
    if (auto status = session->stop(); !status) return report(status.error());
    live.finish();
    std::uint64_t lost = 0;
    for (const auto& ring : session->rings()) lost += ring.counts().lost;
    if (lost != 0) tell("note: {} records were lost: take a larger --ring, or capture fewer CPUs\n", lost);
    if (live.late() != 0) tell("note: {} records came too late to be put in order\n", live.late());
    const int status = finish_report(options, analyzer, context(analyzer.timeline().first()), nullptr, "");
    tell_missing(stacks.namer());
    return going_on ? status : report(going_on.error());
}

int run_spikes(const SpikesOptions& options, const std::vector<std::string>& command) {
    const auto over = parse_duration("--over", options.over);
    if (!over) return report(over.error());
    if (options.input.empty()) return run_live(options, *over, command);
    if (command.empty()) return run_offline(options, *over);
    return report(
        {hftmon::ErrorCode::kInvalidArgument, 0, "a command is run live, or a capture is read, not both", ""});
}

}  // namespace

void add_spikes(CLI::App& app, Invocation& invocation) {
    auto* command =
        app.add_subcommand("spikes", "Delays over a threshold, each with its bill by cause: live, or of a capture");
    auto options = std::make_shared<SpikesOptions>();
    command->add_option("-i,--input,FILE", options->input, "Analyse this capture (default: live)")
        ->type_name("")
        ->check(not_empty());
    command->add_option("--over", options->over, "Threshold (default: 50us)")->type_name("TIME")->check(not_empty());
    command->add_option("--top", options->top, "Bills to show of a capture, the longest (default: 10)")->type_name("N");
    command->add_flag("--json", options->json, "Machine-readable output (docs/json.md); live: at the end");
    command->add_flag("--check", options->check, "Verify the analysis' invariants; broken ones are an error");
    options->symbols.add_to(*command);
    options->capture.add_to(*command);
    command->footer(
        "hftctl spikes FILE explains a capture; without FILE it captures and explains live, until Ctrl-C, or until\n"
        "COMMAND ends in hftctl spikes [OPTIONS] -- COMMAND...\nExit status 3: a delay over the threshold was found.");
    command->callback([options, &invocation] { invocation.exit_code = run_spikes(*options, invocation.child); });
}

}  // namespace hftctl
