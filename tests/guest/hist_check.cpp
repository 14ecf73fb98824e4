// SPDX-License-Identifier: MIT
// Are the kernel's histograms true? Records everything while durations are
// counted, and compares the counts, CPU by CPU and kind by kind, with the records
// of the same time and with /proc/interrupts and /proc/softirqs.
//
// usage: hist_check SECONDS FILE
//
// A look at the histograms takes time: what happened while it was taken may be in
// it or not, and nothing else may differ, but one duration whose record was being
// written. Exit status: 0 they are true; 3 records were lost, and nothing can be said.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include "hftmon/durations.hpp"
#include "hftmon/merge.hpp"
#include "hftmon/recorder.hpp"
#include "hftmon/runs.hpp"
#include "tests/guest/must.hpp"

namespace {

using namespace hftmon;
using guest::must;

/// Counts by CPU, of the kinds that /proc knows.
using ProcCounts = std::map<std::uint32_t, std::array<std::uint64_t, HFTMON_DURATION_VECTOR + 1>>;

/// Adds the lines of a table of /proc that has a column for each CPU.
template <class Kind>
void add_table(const char* path, Kind&& kind_of, ProcCounts& counts) {
    std::ifstream file(path);
    std::string line, word;
    std::getline(file, line);
    std::vector<std::uint32_t> cpus;
    for (std::istringstream head(line); head >> word;)
        cpus.push_back(static_cast<std::uint32_t>(std::stoul(word.substr(3))));
    while (std::getline(file, line)) {
        std::istringstream row(line);
        row >> word;
        const int kind = kind_of(word.substr(0, word.size() - 1));
        if (kind < 0) continue;
        for (const std::uint32_t cpu : cpus) {
            std::uint64_t count = 0;
            if (!(row >> count)) break;
            counts[cpu][static_cast<std::size_t>(kind)] += count;
        }
    }
}

ProcCounts proc_counts() {
    ProcCounts counts;
    add_table(
        "/proc/interrupts",
        [](const std::string& name) -> int {
            if (std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }))
                return HFTMON_DURATION_HARDIRQ;
            static constexpr std::string_view kVectors[] = {"LOC", "SPU", "IWI", "RES", "CAL",
                                                            "TRM", "THR", "DFR", "PLT"};
            return std::ranges::count(kVectors, name) != 0 ? HFTMON_DURATION_VECTOR : -1;
        },
        counts);
    add_table(
        "/proc/softirqs", [](const std::string&) { return HFTMON_DURATION_SOFTIRQ; }, counts);
    return counts;
}

/// The histograms at some time between `before` and `after`.
struct Look {
    TscTime before, after;
    ProcCounts proc_before, proc_after;
    std::map<std::uint32_t, DurationHistograms> cpus;
};

Look look(Recorder& recorder) {
    Look result;
    result.proc_before = proc_counts();
    result.before = TscTime{must(recorder.session().clock_sync()).tsc};
    for (const auto& ring : recorder.session().rings()) {
        if (auto status = recorder.session().durations(ring.cpu(), result.cpus[ring.cpu().value]); !status)
            std::exit(1);
    }
    result.after = TscTime{must(recorder.session().clock_sync()).tsc};
    result.proc_after = proc_counts();
    return result;
}

/// What the records since `since` had counted from one of two times to the other.
std::map<std::uint32_t, DurationHistograms> counted_between(const CaptureReader& capture, TscTime since, TscTime from,
                                                            TscTime to) {
    DurationCounter counter(capture.clock());
    std::map<std::uint32_t, DurationHistograms> before, counted;
    const auto look = [&](auto& cpus) {
        for (const CpuId cpu : capture.meta().cpus) cpus[cpu.value] = counter.of(cpu);
    };
    auto streams = capture.streams();
    Merger(streams).run([&](CpuId cpu, std::uint64_t position, std::span<const Record> records) {
        for_each_run(records, cpu, position, [&](const Run& run) {
            const TscTime time = run.event.header.time;
            if (run.status != DecodeStatus::kOk || time < since) return;
            if (before.empty() && time > from) look(before);
            if (counted.empty() && time > to) look(counted);
            counter.apply(run.event);
        });
    });
    for (auto& [cpu, histograms] : counted) histograms.subtract(before[cpu]);
    return counted;
}

/// Emulated probes take microseconds.
constexpr Nanoseconds kSlack{50'000};

/// How many of a histogram are shorter than a value, to within its bucket.
class Below {
public:
    explicit Below(const Histogram& histogram) : sums_(1) {
        for (const std::uint64_t count : histogram.counts()) sums_.push_back(sums_.back() + count);
    }
    std::uint64_t operator()(TscTicks value) const {
        return sums_[hftmon_histogram_bucket(static_cast<std::uint64_t>(value.value))];
    }
    std::uint64_t above(TscTicks value) const { return sums_.back() - (*this)(value); }

private:
    std::vector<std::uint64_t> sums_;
};

struct Checker {
    const TscClock& clock;
    bool good = true;

    template <class... Args>
    void wrong(fmt::format_string<Args...> format, Args&&... args) {
        good = false;
        fmt::print("WRONG: {}\n", fmt::format(format, std::forward<Args>(args)...));
    }

    void bounds(std::uint32_t cpu, DurationKind kind, const char* by, std::uint64_t low, std::uint64_t got,
                std::uint64_t high) {
        if (got + 1 >= low && got <= high + 1) return;
        wrong("CPU {}, {}: {} counted, by {} it is {} to {}", cpu, duration_name(kind), got, by, low, high);
    }

    /// Are the durations where they belong? All of `least` have been counted, and none but those of `most`.
    void values(std::uint32_t cpu, DurationKind kind, const Histogram& least, const Histogram& got,
                const Histogram& most) {
        const Below below_least(least), below_got(got), below_most(most);
        // A probe may be held up between its record and its count.
        const TscTicks slack = clock.to_ticks(kSlack);
        const std::uint64_t astray = 1 + least.count() * 3 / 100;
        for (std::uint32_t bucket = 0; bucket < HFTMON_HISTOGRAM_BUCKETS; ++bucket) {
            const TscTicks value{static_cast<std::int64_t>(hftmon_histogram_floor(bucket))};
            const TscTicks longer{value.value + value.value / 16 + slack.value};
            const TscTicks shorter{std::max<std::int64_t>(0, (value.value - slack.value) * 16 / 17)};
            const char* fault = nullptr;
            if (below_got(longer) + astray < below_least(value)) fault = "too few shorter";
            if (below_got(shorter) > below_most(value) + astray) fault = "too many shorter";
            if (below_got.above(shorter) + astray < below_least.above(value)) fault = "too few longer";
            if (below_got.above(longer) > below_most.above(value) + astray) fault = "too many longer";
            if (fault == nullptr) continue;
            wrong("CPU {}, {}: {} than {} ns; below it, by the records, {} to {}, above {} to {}; counted {} and {}",
                  cpu, duration_name(kind), fault, clock.to_ns(value).count(), below_least(value), below_most(value),
                  below_least.above(value), below_most.above(value), below_got(value), below_got.above(value));
            return;
        }
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: hist_check SECONDS FILE\n");
        return 2;
    }
    Recorder::Options options;
    options.path = argv[2];
    options.session.ring_records = 1u << 18;
    options.session.durations = HFTMON_DURATION_ALL;
    auto recorder = must(Recorder::start(options));
    const auto pump = [&](std::chrono::milliseconds time) {
        const auto end = std::chrono::steady_clock::now() + time;
        while (std::chrono::steady_clock::now() < end) {
            if (auto status = recorder.pump(std::chrono::milliseconds(20)); !status) std::exit(1);
        }
    };
    const auto info = must(recorder.session().info());
    if (info.durations_active != HFTMON_DURATION_ALL) {
        fmt::print("only {:#x} of {:#x} are counted\n", info.durations_active, HFTMON_DURATION_ALL);
        return 1;
    }
    // Records are written a moment before durations are counted.
    const TscTime started{must(recorder.session().clock_sync()).tsc};
    pump(std::chrono::milliseconds(300));
    const Look first = look(recorder);
    pump(std::chrono::milliseconds(static_cast<std::int64_t>(std::atof(argv[1]) * 1000)));
    const Look last = look(recorder);
    pump(std::chrono::milliseconds(100));
    must(recorder.finish());

    const auto capture = must(CaptureReader::open(options.path));
    for (const CaptureCpuStats& cpu : capture.stats().value().cpus) {
        if (cpu.lost == 0) continue;
        fmt::print("CPU {}: {} records lost\n", cpu.cpu.value, cpu.lost);
        return 3;
    }
    const auto least = counted_between(capture, started, first.after, last.before);
    const auto most = counted_between(capture, TscTime{}, first.before, last.after);
    if (least.empty() || most.empty()) {
        fmt::print("nothing was recorded after the last look\n");
        return 1;
    }
    const TscClock clock = capture.clock();
    Checker checker{clock};
    std::array<std::uint64_t, kDurationKinds> totals{};
    for (const auto& [cpu, at_end] : last.cpus) {
        const DurationHistograms &low = least.at(cpu), &high = most.at(cpu);
        DurationHistograms got = at_end;
        got.subtract(first.cpus.at(cpu));
        for (std::uint32_t i = 0; i < kDurationKinds; ++i) {
            const auto kind = static_cast<DurationKind>(i);
            totals[i] += got.of[i].count();
            checker.bounds(cpu, kind, "records", low.of[i].count(), got.of[i].count(), high.of[i].count());
            checker.values(cpu, kind, low.of[i], got.of[i], high.of[i]);
            if (i > HFTMON_DURATION_VECTOR) continue;
            const auto proc = [&](const ProcCounts& counts) { return counts.at(cpu)[i]; };
            checker.bounds(cpu, kind, "/proc", proc(last.proc_before) - proc(first.proc_after), got.of[i].count(),
                           proc(last.proc_after) - proc(first.proc_before));
        }
        if (got.missed != 0) checker.wrong("CPU {}: {} missed", cpu, got.missed);
    }
    for (std::uint32_t i = 0; i < kDurationKinds; ++i) {
        fmt::print("{}={} ", duration_name(static_cast<DurationKind>(i)), totals[i]);
        // A guest has none unless somebody sends one.
        if (totals[i] == 0 && i != HFTMON_DURATION_NMI)
            checker.wrong("no {} at all", duration_name(static_cast<DurationKind>(i)));
    }
    fmt::print("\n");
    return checker.good ? 0 : 1;
}
