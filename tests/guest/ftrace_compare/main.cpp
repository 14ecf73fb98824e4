// SPDX-License-Identifier: MIT
// Records one interval with hftmon and with the kernel's own ftrace at once,
// and compares the two CPU by CPU, event by event, field by field.
//
// usage: ftrace_compare [--events N] [--seconds S] [--median-ns N] [--need NAME]... [--during COMMAND] [--recorded
// PATH] FILE
//
// hftmon's capture goes to FILE. At least N events (default 100000) and S
// seconds (default 5) are recorded, under whatever load the caller has started.
// ftrace's events are read in binary from an instance of its own, with the TSC
// as its clock. An event that is needed must have been seen at least once; COMMAND,
// for the shell, begins and ends inside the interval. PATH is created when the
// recording is over: the load may end then.
//
// The same tracepoint calls ftrace's probe first and hftmon's second. Where
// interrupts are enabled (softirq_entry and _exit, fork, exec, exit, rename),
// an interrupt may come between the two: then all of its events stand before
// that one event in hftmon's stream and behind it in ftrace's. Exactly this
// transposition is recognised and counted, also where the interval begins or
// ends inside the interrupt. (Where probes can be preempted, see preempted.hpp.)
// Everything else is a difference.
//
// The kernel tells a new name just before it is in place: until the thread has
// run again, ftrace may still show the old one.
//
// Exit status: 0 all equal, 1 a difference or a loss, 2 wrong use.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <future>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compare.hpp"
#include "fail.hpp"
#include "ftrace.hpp"
#include "hftmon/capture.hpp"
#include "hftmon/clock.hpp"
#include "hftmon/recorder.hpp"
#include "item.hpp"
#include "ours.hpp"
#include "preempted.hpp"

namespace ftrace_compare {

using namespace hftmon;

namespace {

struct Options {
    std::uint64_t events = 100000;
    double seconds = 5;
    std::int64_t median_ns = 20000;
    std::vector<std::string_view> needed;
    std::string during;
    std::string recorded;
    std::string path;
};

std::vector<unsigned> online_cpus() {
    std::vector<unsigned> cpus;
    for (unsigned cpu = 0; cpu < 8192; ++cpu) {
        if (::access(fmt::format("/sys/kernel/tracing/per_cpu/cpu{}", cpu).c_str(), F_OK) == 0) cpus.push_back(cpu);
    }
    return cpus;
}

/// Both at once; what ftrace saw, per CPU.
std::map<unsigned, std::vector<Item>> record(const Options& options, const std::vector<unsigned>& cpus, bool& good) {
    using Clock = std::chrono::steady_clock;
    Ftrace ftrace(49152);
    for (const std::string& path : ftrace.absent()) fmt::print("this kernel's ftrace has no {}\n", path);

    Recorder::Options recording;
    recording.path = options.path;
    recording.session.ring_records = 1u << 19;
    recording.session.wakeup_records = 1u << 13;
    auto recorder = Recorder::start(recording);
    if (!recorder) fail(recorder.error().message());
    const auto pump = [&](int ms) {
        if (auto status = recorder->pump(std::chrono::milliseconds(ms)); !status) fail(status.error().message());
    };
    pump(50);
    ftrace.on(true);
    const auto start = Clock::now();
    const std::uint64_t wanted = recorder->bytes() + options.events * 5 / 4 * HFTMON_RECORD_SIZE;
    const auto limit = std::chrono::duration<double>(std::max(240.0, options.seconds));
    // Threads of this process are seen as any others.
    auto during = std::async(std::launch::async,
                             [&] { return options.during.empty() || std::system(options.during.c_str()) == 0; });
    const auto is_busy = [&] { return during.wait_for(std::chrono::seconds(0)) != std::future_status::ready; };
    while (Clock::now() - start < limit &&
           (recorder->bytes() < wanted || Clock::now() - start < std::chrono::duration<double>(options.seconds) ||
            is_busy())) {
        pump(20);
    }
    const std::chrono::duration<double> lasted = Clock::now() - start;
    fmt::print("recorded for {:.1f} s\n", lasted.count());
    const bool has_ended = !is_busy();
    if (!has_ended || !during.get()) {
        fmt::print("WRONG: the command {}\n", has_ended ? "failed" : "has not ended");
        good = false;
    }
    ftrace.on(false);
    pump(50);
    const auto stats = recorder->finish();
    if (!stats) fail(stats.error().message());

    std::map<unsigned, std::vector<Item>> theirs;
    for (const unsigned cpu : cpus) {
        if (const auto lost = ftrace.lost(cpu); lost != 0) {
            fmt::print("WRONG: CPU {}: ftrace lost {} events\n", cpu, lost);
            good = false;
        }
        theirs[cpu] = ftrace.read(cpu);
    }
    if (!options.recorded.empty()) std::ofstream(options.recorded).flush();
    for (const CaptureCpuStats& cpu : stats->cpus) {
        if (cpu.lost != 0) {
            fmt::print("WRONG: CPU {}: hftmon lost {} records\n", cpu.cpu.value, cpu.lost);
            good = false;
        }
    }
    return theirs;
}

bool report(Result& result, const TscClock& clock, const Options& options) {
    bool good = true;
    for (const auto& [type, count] : result.by_type) fmt::print("  {:<22} {:>9}\n", kind_of(type)->name, count);
    for (const auto& [type, count] : result.transposed_by_type) {
        fmt::print("  {:<22} {:>9} transposed with an interrupt\n", kind_of(type)->name, count);
    }
    fmt::print("events compared: {}\ndifferences: {}\ntranspositions: {} (interrupt blocks of {} events)\n",
               result.compared, result.differences, result.transpositions, result.transposed_events);
    if (result.differences != 0) good = false;
    for (const std::string_view name : options.needed) {
        const auto has_name = [name](const auto& entry) { return kind_of(entry.first)->name == name; };
        if (std::any_of(result.by_type.begin(), result.by_type.end(), has_name)) continue;
        fmt::print("WRONG: no {} was seen\n", name);
        good = false;
    }
    if (result.compared < options.events) {
        fmt::print("WRONG: too few: {} events were wanted\n", options.events);
        good = false;
    }
    if (result.deltas.empty()) return false;
    std::sort(result.deltas.begin(), result.deltas.end());
    const auto quantile = [&](double q) {
        const auto index = static_cast<std::size_t>(q * static_cast<double>(result.deltas.size() - 1));
        return clock.to_ns({result.deltas[index]}).count();
    };
    fmt::print("time stamps, hftmon - ftrace, ns: min {} p50 {} p90 {} p99 {} p99.9 {} max {}\n", quantile(0),
               quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999), quantile(1));
    if (result.deltas.front() < 0) {
        fmt::print("WRONG: a record of hftmon is older than ftrace's, whose probe ran first\n");
        good = false;
    }
    if (quantile(0.5) > options.median_ns) {
        fmt::print("WRONG: the median is above {} ns\n", options.median_ns);
        good = false;
    }
    return good;
}

bool run(const Options& options) {
    bool good = true;
    const auto cpus = online_cpus();
    auto theirs = record(options, cpus, good);
    const auto capture = CaptureReader::open(options.path);
    if (!capture) fail(capture.error().message());
    Ours ours(*capture);
    Result result;
    for (const auto& [type, count] : take_preempted(theirs, ours)) {
        fmt::print("{} {}: preempted between the two probes\n", count, kind_of(type)->name);
        result.by_type[type] += count;
        result.compared += count;
    }
    for (const unsigned cpu : cpus) {
        const auto& items = theirs.at(cpu);
        fmt::print("CPU {}: {} events of ftrace, {} of hftmon\n", cpu, items.size(), ours.cpu(cpu).size());
        if (items.empty()) {
            fmt::print("WRONG: CPU {}: ftrace saw nothing\n", cpu);
            good = false;
        }
        compare_cpu(cpu, items, ours, result);
    }
    return report(result, capture->clock(), options) && good;
}

}  // namespace

}  // namespace ftrace_compare

int main(int argc, char** argv) {
    using namespace ftrace_compare;
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--events" && i + 1 < argc) {
            options.events = std::strtoull(argv[++i], nullptr, 10);
        } else if (word == "--seconds" && i + 1 < argc) {
            options.seconds = std::atof(argv[++i]);
        } else if (word == "--median-ns" && i + 1 < argc) {
            options.median_ns = std::atoll(argv[++i]);
        } else if (word == "--need" && i + 1 < argc) {
            options.needed.emplace_back(argv[++i]);
        } else if (word == "--during" && i + 1 < argc) {
            options.during = argv[++i];
        } else if (word == "--recorded" && i + 1 < argc) {
            options.recorded = argv[++i];
        } else if (!word.starts_with("-") && options.path.empty()) {
            options.path = word;
        } else {
            fmt::print(stderr,
                       "usage: ftrace_compare [--events N] [--seconds S] [--median-ns N] [--need NAME]... [--during "
                       "COMMAND] [--recorded PATH] "
                       "FILE\n");
            return 2;
        }
    }
    if (options.path.empty()) {
        fmt::print(stderr, "ftrace_compare: which file?\n");
        return 2;
    }
    try {
        return run(options) ? 0 : 1;
    } catch (const std::exception& error) {
        fmt::print("ftrace_compare: {}\n", error.what());
        return 1;
    }
}
