// SPDX-License-Identifier: MIT
// hftctl hist: how long handlers ran and threads waited, as quantiles. Live they
// are counted in the kernel and nothing is recorded.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "hftmon/durations.hpp"
#include "hftmon/event_text.hpp"
#include "hftmon/merge.hpp"
#include "hftmon/names.hpp"
#include "hftmon/runs.hpp"
#include "hftmon/session.hpp"
#include "tools/hftctl/capture_input.hpp"
#include "tools/hftctl/capture_summary.hpp"
#include "tools/hftctl/command.hpp"
#include "tools/hftctl/followed.hpp"
#include "tools/hftctl/options.hpp"

namespace hftctl {

namespace {

using hftmon::CpuId;
using hftmon::duration_name;
using hftmon::DurationHistograms;
using hftmon::DurationKind;
using hftmon::Error;
using hftmon::ErrorCode;
using hftmon::Histogram;
using hftmon::Result;
using hftmon::ThreadHistograms;
using Clock = std::chrono::steady_clock;

struct HistOptions {
    std::string path, cpus, duration;
    std::vector<std::string> kinds, pids;
    bool per_cpu = false, as_json = false;
};

/// Histograms of each CPU, and how ticks become time.
struct Counted {
    std::vector<std::pair<CpuId, std::unique_ptr<DurationHistograms>>> cpus;
    std::vector<ThreadHistograms> threads;           ///< of those that were asked for
    std::vector<std::optional<hftmon::Comm>> names;  ///< of each of them
    hftmon::TscClock clock;
    double seconds = 0;
    std::uint32_t kinds = 0;        ///< bits of DurationKind
    std::uint32_t unavailable = 0;  ///< of those asked for
    const char* why = "";           ///< they are
};

struct Quantile {
    const char* name;
    double share;
};
constexpr Quantile kQuantiles[] = {{"p50", .5},     {"p90", .9},       {"p95", .95}, {"p99", .99},
                                   {"p99.9", .999}, {"p99.99", .9999}, {"max", 1}};

template <class Fn>
void for_each_kind(std::uint32_t kinds, Fn&& fn) {
    for (std::uint32_t kind = 0; kind < hftmon::kDurationKinds; ++kind) {
        if ((kinds & HFTMON_DURATION_BIT(kind)) != 0) fn(static_cast<DurationKind>(kind));
    }
}

Result<std::uint32_t> parse_kinds(const std::vector<std::string>& words) {
    if (words.empty()) return std::uint32_t{HFTMON_DURATION_ALL};
    std::uint32_t kinds = 0;
    std::string names;
    for (const std::string& word : words) {
        std::uint32_t found = 0;
        names.clear();
        for_each_kind(HFTMON_DURATION_ALL, [&](DurationKind kind) {
            names += (names.empty() ? "" : ", ") + std::string(duration_name(kind));
            if (duration_name(kind) == word) found = HFTMON_DURATION_BIT(kind);
        });
        if (found == 0) {
            return Error{ErrorCode::kInvalidArgument, 0, fmt::format("--kind: there is no kind '{}'", word), names};
        }
        kinds |= found;
    }
    return kinds;
}

Result<std::vector<hftmon::Tid>> parse_threads(const HistOptions& options) {
    auto subjects = parse_subjects("--pid", options.pids);
    if (!subjects) return subjects.error();
    if (subjects->everybody)
        return Error{ErrorCode::kInvalidArgument, 0, "--pid: not all threads can have histograms of their own",
                     "name processes or threads"};
    return std::move(subjects->tids);
}

Result<Counted> count_live(const HistOptions& options, std::uint32_t kinds) {
    hftmon::SessionOptions setup;
    setup.sources = 0;
    setup.durations = kinds;
    setup.ring_records = HFTMON_RING_MIN_RECORDS;
    setup.wakeup_records = HFTMON_RING_MIN_RECORDS / 2;
    auto tids = parse_threads(options);
    if (!tids) return tids.error();
    setup.watched = *std::move(tids);
    setup.thread_histograms = !setup.watched.empty();
    setup.inherit_processes = false;  // each may take room, and be gone
    std::optional<hftmon::Nanoseconds> limit;
    if (!options.cpus.empty()) {
        auto list = parse_cpu_list("--cpu", options.cpus);
        if (!list) return list.error();
        setup.cpus = *std::move(list);
    }
    if (!options.duration.empty()) {
        const auto time = parse_duration("--duration", options.duration);
        if (!time) return time.error();
        limit = *time;
    }

    install_stop_handlers();
    auto session = hftmon::Session::open();
    if (!session) return session.error();
    if (auto status = session->setup(setup); !status) return status.error();
    if (auto status = session->start(); !status) return status.error();
    Counted counted;
    hftmon::NameTable names;
    hftmon::TscTime last{};
    const auto learn = [&]() -> hftmon::Status {
        const auto list = session->threads();
        if (!list) return list.error();
        names.learn(list->entries, list->from, list->to);
        last = list->to;
        return hftmon::ok();
    };
    if (setup.thread_histograms) {
        if (auto status = learn(); !status) return status.error();
    }
    const auto start = Clock::now();
    while (!stop_requested() && !(limit && Clock::now() - start >= *limit)) {
        const auto left = limit ? *limit - (Clock::now() - start) : hftmon::Nanoseconds(100'000'000);
        std::this_thread::sleep_for(
            std::clamp<hftmon::Nanoseconds>(left, hftmon::Nanoseconds(0), hftmon::Nanoseconds(100'000'000)));
        // Is the clock with which all this is measured still good?
        if (const auto sync = session->clock_sync(); !sync) return sync.error();
    }
    counted.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    for (const auto& ring : session->rings()) {
        auto& [cpu, histograms] = counted.cpus.emplace_back(ring.cpu(), std::make_unique<DurationHistograms>());
        if (auto status = session->durations(cpu, *histograms); !status) return status.error();
    }
    if (setup.thread_histograms) {
        auto threads = session->thread_durations();
        if (!threads) return threads.error();
        counted.threads = *std::move(threads);
        (void)learn();  // of those that are new; without it they have no names
        for (const ThreadHistograms& thread : counted.threads)
            counted.names.push_back(name_of(names, thread.tid, last));
    }
    const auto info = session->info();
    if (!info) return info.error();
    counted.clock = hftmon::TscClock::from_khz(info->tsc_khz);
    counted.kinds = kinds & info->durations_active;
    counted.unavailable = kinds & ~info->durations_active;
    counted.why = "its events are missing here, see hftctl status";
    return counted;
}

Result<Counted> count_capture(const HistOptions& options, std::uint32_t kinds) {
    const auto capture = open_capture(options.path);
    if (!capture) return capture.error();
    if (capture->stats()) {
        if (const auto shed = shed_text(summarize(capture->meta(), *capture->stats())); !shed.empty())
            tell("note: {}", shed);
    }
    auto tids = parse_threads(options);
    if (!tids) return tids.error();
    Counted counted;
    hftmon::DurationCounter counter(capture->clock());
    Followed followed(*capture, *std::move(tids));
    std::map<CpuId, std::uint64_t> next;  // position
    std::optional<hftmon::TscTime> first;
    hftmon::TscTime last{};
    auto streams = capture->streams();
    hftmon::Merger(streams).run([&](CpuId cpu, std::uint64_t position, std::span<const hftmon::Record> records) {
        const auto [expected, is_first] = next.try_emplace(cpu, position);
        if (position != expected->second) counter.missing(cpu);
        expected->second = position + records.size();
        hftmon::for_each_run(records, cpu, position, [&](const hftmon::Run& run) {
            if (run.status != hftmon::DecodeStatus::kOk) return counter.missing(cpu);
            last = run.event.header.time;
            if (!first) {
                first = last;
                followed.begin(last, counter);
            }
            counter.apply(run.event);
            followed.look(run.event, counter);
        });
    });
    if (followed.none())
        return Error{ErrorCode::kNotFound, 0, fmt::format("{} knows no such process or thread", options.path),
                     "hftctl dump shows who was there"};
    for (const CpuId cpu : capture->meta().cpus)
        counted.cpus.emplace_back(cpu, std::make_unique<DurationHistograms>(counter.of(cpu)));
    followed.finish(counter, last, counted.threads, counted.names);
    if (!counted.cpus.empty()) counted.cpus.front().second->no_slot += counter.not_kept();
    counted.clock = capture->clock();
    if (first) counted.seconds = static_cast<double>(counted.clock.to_ns(last - *first).count()) / 1e9;
    counted.kinds = kinds & countable_durations(capture->meta());
    counted.unavailable = kinds & ~counted.kinds;
    counted.why = "the capture lacks its events, or CPUs or times in which threads may have run";
    return counted;
}

std::string microseconds(hftmon::TscTicks ticks, const hftmon::TscClock& clock) {
    const double us = static_cast<double>(clock.to_ns(ticks).count()) / 1e3;
    return fmt::format("{}{:.{}f}", ticks == Histogram::kLongest ? ">" : "", us, us < 100 ? 1 : 0);
}

void print_head() {
    fmt::print("{:<10}{:>12}", "us", "count");
    for (const Quantile& quantile : kQuantiles) fmt::print("{:>11}", quantile.name);
    fmt::print("\n");
}

void print_row(DurationKind kind, const Histogram& histogram, const hftmon::TscClock& clock) {
    fmt::print("{:<10}{:>12}", duration_name(kind), histogram.count());
    for (const Quantile& quantile : kQuantiles)
        fmt::print("{:>11}", histogram.count() == 0 ? "-" : microseconds(histogram.quantile(quantile.share), clock));
    fmt::print("\n");
}

void print_threads(const Counted& counted) {
    for (std::size_t i = 0; i < counted.threads.size(); ++i) {
        const ThreadHistograms& thread = counted.threads[i];
        const auto& name = counted.names[i];
        fmt::print("\nthread {}{}{}\n", thread.tid.value, name ? " " + hftmon::quote_comm(name->view()) : "",
                   thread.ended ? ", which has ended" : "");
        print_head();
        for_each_kind(counted.kinds, [&](DurationKind kind) {
            if (ThreadHistograms::counts(kind)) print_row(kind, thread[kind], counted.clock);
        });
    }
    if (counted.threads.empty()) fmt::print("\nnone of their durations has ended meanwhile\n");
    std::uint64_t no_slot = 0;
    for (const auto& [cpu, histograms] : counted.cpus) no_slot += histograms->no_slot;
    if (no_slot != 0)
        fmt::print(
            "\n{} durations were of threads that found no room for histograms of their own (live: thread_slots "
            "of the module, for all sessions)\n",
            no_slot);
}

void print_table(const DurationHistograms& histograms, const Counted& counted) {
    print_head();
    for_each_kind(counted.kinds, [&](DurationKind kind) { print_row(kind, histograms.of[kind], counted.clock); });
    if (histograms.missed != 0) fmt::print("at least {} durations of threads were missed\n", histograms.missed);
}

nlohmann::ordered_json to_json(const Histogram& histogram, const hftmon::TscClock& clock) {
    nlohmann::ordered_json json{{"count", histogram.count()}};
    for (const Quantile& quantile : kQuantiles)
        json[std::string(quantile.name) + "_ns"] =
            histogram.count() == 0 ? nlohmann::ordered_json()
                                   : nlohmann::ordered_json(clock.to_ns(histogram.quantile(quantile.share)).count());
    return json;
}

nlohmann::ordered_json to_json(const DurationHistograms& histograms, const Counted& counted) {
    nlohmann::ordered_json json;
    for_each_kind(counted.kinds, [&](DurationKind kind) {
        json[std::string(duration_name(kind))] = to_json(histograms.of[kind], counted.clock);
    });
    json["missed"] = histograms.missed;
    json["no_slot"] = histograms.no_slot;
    return json;
}

nlohmann::ordered_json to_json(std::size_t index, const Counted& counted) {
    const ThreadHistograms& thread = counted.threads[index];
    nlohmann::ordered_json json{{"tid", thread.tid.value}, {"comm", nullptr}, {"ended", thread.ended}};
    if (const auto& name = counted.names[index]) json["comm"] = name->view();
    for_each_kind(counted.kinds, [&](DurationKind kind) {
        if (ThreadHistograms::counts(kind))
            json[std::string(duration_name(kind))] = to_json(thread[kind], counted.clock);
    });
    return json;
}

void print(const Counted& counted, const HistOptions& options) {
    DurationHistograms all;
    for (const auto& [cpu, histograms] : counted.cpus) all.add(*histograms);
    if (options.as_json) {
        nlohmann::ordered_json json = {{"seconds", counted.seconds}, {"unavailable", nlohmann::ordered_json::array()}};
        for_each_kind(counted.unavailable,
                      [&](DurationKind kind) { json["unavailable"].push_back(duration_name(kind)); });
        json["all"] = to_json(all, counted);
        if (options.per_cpu) {
            for (const auto& [cpu, histograms] : counted.cpus) {
                auto entry = to_json(*histograms, counted);
                entry["cpu"] = cpu.value;
                json["cpus"].push_back(std::move(entry));
            }
        }
        if (!options.pids.empty()) json["threads"] = nlohmann::ordered_json::array();
        for (std::size_t i = 0; i < counted.threads.size(); ++i) json["threads"].push_back(to_json(i, counted));
        fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
        return;
    }
    fmt::print("{} CPU{}, {:.1f} s; a value is at most 1/32 too large\n", counted.cpus.size(),
               counted.cpus.size() == 1 ? "" : "s", counted.seconds);
    for_each_kind(counted.unavailable,
                  [&](DurationKind kind) { fmt::print("{}: not available, {}\n", duration_name(kind), counted.why); });
    print_table(all, counted);
    if (!options.pids.empty()) print_threads(counted);
    if (!options.per_cpu) return;
    for (const auto& [cpu, histograms] : counted.cpus) {
        fmt::print("\nCPU {}\n", cpu.value);
        print_table(*histograms, counted);
    }
}

int run_hist(const HistOptions& options) {
    const auto kinds = parse_kinds(options.kinds);
    if (!kinds) return report(kinds.error());
    const bool has_kind = (*kinds >> HFTMON_THREAD_DURATION_FIRST & ((1u << HFTMON_THREAD_DURATIONS) - 1)) != 0;
    if (!options.pids.empty() && !has_kind) {
        return report({ErrorCode::kInvalidArgument, 0, "--pid: none of these kinds is counted by thread",
                       "wakeup, run_queue, on_cpu, off_cpu are"});
    }
    if (!options.pids.empty() && !options.cpus.empty()) {
        return report({ErrorCode::kInvalidArgument, 0, "--pid is not for some CPUs: a thread runs where it likes", ""});
    }
    if (!options.path.empty() && (!options.cpus.empty() || !options.duration.empty())) {
        return report(
            {ErrorCode::kInvalidArgument, 0,
             fmt::format("{} is for live histograms, not for a capture", options.cpus.empty() ? "--duration" : "--cpu"),
             ""});
    }
    const auto counted = options.path.empty() ? count_live(options, *kinds) : count_capture(options, *kinds);
    if (!counted) return report(counted.error());
    print(*counted, options);
    return kExitOk;
}

}  // namespace

void add_hist(CLI::App& app, Invocation& invocation) {
    auto* command = app.add_subcommand("hist", "How long handlers ran and threads waited, as quantiles");
    auto options = std::make_shared<HistOptions>();
    const auto text = [&](const char* names, std::string& value, const char* help, const char* type) {
        command->add_option(names, value, help)->type_name(type)->check(not_empty());
    };
    text("-i,--input,FILE", options->path, "Of a capture file (default: live, counted in the kernel)", "");
    add_list(*command, "-p,--pid", options->pids,
             "Each of these threads, or of the threads of these processes and those that they\n"
             "start meanwhile, too, but not of other processes: wakeup, run_queue, on_cpu, off_cpu",
             "PID[,PID]");
    text("-C,--cpu", options->cpus, "These CPUs only, e.g. 0-3,7 (default: all)", "CPUS");
    text("-d,--duration", options->duration, "Stop after this time, e.g. 10s (default: Ctrl-C)", "TIME");
    add_list(*command, "-k,--kind", options->kinds,
             "hardirq, softirq, vector, wakeup, run_queue, on_cpu, off_cpu (default: all)", "KIND[,KIND]");
    command->add_flag("--per-cpu", options->per_cpu, "Each CPU, too");
    command->add_flag("--json", options->as_json, "Machine-readable output");
    command->callback([options, &invocation] { invocation.exit_code = run_hist(*options); });
}

}  // namespace hftctl
