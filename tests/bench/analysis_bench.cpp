// SPDX-License-Identifier: MIT
// Records per second through the whole analysis, on one core.
//
//     make lib && g++ -std=c++20 -O2 -Iinclude tests/bench/analysis_bench.cpp build/user/release/libhftmon.a
//     -lbenchmark -lfmt -pthread -o build/analysis_bench && build/analysis_bench
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <vector>

#include "hftmon/analyzer.hpp"
#include "hftmon/merge.hpp"

using namespace hftmon;

namespace {

constexpr std::uint32_t kCpus = 4;

/// A busy trading machine: timer ticks, network interrupts with their softirqs,
/// and threads that wake each other, some across CPUs. About 11 records per
/// wakeup; 700 ticks between records of one CPU.
class Machine {
public:
    explicit Machine(std::size_t records) {
        for (std::uint32_t cpu = 0; cpu < kCpus; ++cpu) {
            streams_[cpu].reserve(records / kCpus + 32);
            Record& r = add(cpu, HFTMON_REC_CPU_STATE);
            r.cpu_state = {0, 120, 0, 0, 0};
        }
        while (streams_[0].size() < records / kCpus) {
            for (std::uint32_t cpu = 0; cpu < kCpus; ++cpu) round(cpu);
        }
    }
    std::vector<Record> streams_[kCpus];

private:
    Record& add(std::uint32_t cpu, hftmon_record_type type) {
        time_[cpu] += 200 + random_() % 1000;
        Record& r = streams_[cpu].emplace_back();
        r = {};
        r.tsc = time_[cpu];
        r.type = static_cast<std::uint16_t>(type);
        r.seq = static_cast<std::uint32_t>(streams_[cpu].size());
        return r;
    }
    void wake(std::uint32_t cpu, hftmon_record_type type, std::uint32_t tid, std::uint32_t target) {
        Record& r = add(cpu, type);
        r.wake = {tid, running_[cpu], 19, static_cast<std::uint16_t>(target), 0};
        r.flags = HFTMON_CONTEXT_SOFTIRQ;
    }
    void switch_to(std::uint32_t cpu, std::uint32_t tid, bool preempt) {
        Record& r = add(cpu, HFTMON_REC_SCHED_SWITCH);
        const auto prio = [](std::uint32_t t) { return static_cast<std::int16_t>(t == 0 ? 120 : t < 2000 ? 19 : 120); };
        r.sched_switch = {running_[cpu], tid, prio(running_[cpu]), prio(tid), preempt ? 0u : 1u};
        r.flags = preempt ? HFTMON_SWITCH_PREEMPT : 0;
        running_[cpu] = tid;
    }
    void round(std::uint32_t cpu) {
        const std::uint32_t hog = 2000 + cpu;
        const std::uint32_t thread = 1000 + cpu * 50 + static_cast<std::uint32_t>(random_() % 50);
        if (running_[cpu] == 0) {
            wake(cpu, HFTMON_REC_SCHED_WAKING, hog, cpu);
            wake(cpu, HFTMON_REC_SCHED_WAKEUP, hog, cpu);
            switch_to(cpu, hog, false);
        }
        if (random_() % 4 == 0) {
            add(cpu, HFTMON_REC_VECTOR_ENTRY).vector = {236, HFTMON_VECTOR_LOCAL_TIMER, 0};
            add(cpu, HFTMON_REC_HRTIMER_EXPIRE_ENTRY).hrtimer = {500, 0};
            add(cpu, HFTMON_REC_HRTIMER_EXPIRE_EXIT).hrtimer = {0, 0};
            add(cpu, HFTMON_REC_VECTOR_EXIT).vector = {236, HFTMON_VECTOR_LOCAL_TIMER, 0};
        }
        add(cpu, HFTMON_REC_IRQ_ENTRY).irq = {34, 0, 0};
        add(cpu, HFTMON_REC_SOFTIRQ_RAISE).softirq = {3, 0, 0};
        add(cpu, HFTMON_REC_IRQ_EXIT).irq = {34, 1, 0};
        add(cpu, HFTMON_REC_SOFTIRQ_ENTRY).softirq = {3, 0, 0};
        wake(cpu, HFTMON_REC_SCHED_WAKING, thread, cpu);
        wake(cpu, HFTMON_REC_SCHED_WAKEUP, thread, cpu);
        add(cpu, HFTMON_REC_SOFTIRQ_EXIT).softirq = {3, 0, 0};
        switch_to(cpu, thread, true);
        switch_to(cpu, hog, false);
        if (random_() % 8 == 0) switch_to(cpu, 0, false);
    }

    std::mt19937_64 random_{1};
    std::uint64_t time_[kCpus] = {1'000'000, 1'000'000, 1'000'000, 1'000'000};
    std::uint32_t running_[kCpus] = {};
};

class MemoryStream final : public CpuStream {
public:
    MemoryStream(CpuId cpu, std::span<const Record> records) : cpu_(cpu), left_(records) {}
    [[nodiscard]] CpuId cpu() const noexcept override { return cpu_; }
    [[nodiscard]] std::span<const Record> peek() noexcept override { return left_; }
    [[nodiscard]] std::uint64_t position() const noexcept override { return position_; }
    void release(std::size_t count) noexcept override {
        left_ = left_.subspan(count);
        position_ += count;
    }

private:
    CpuId cpu_;
    std::span<const Record> left_;
    std::uint64_t position_ = 0;
};

const Machine& machine() {
    static const Machine kMachine(1u << 20);
    return kMachine;
}

template <class Fn>
std::uint64_t merge(Fn&& fn) {
    std::vector<MemoryStream> streams;
    for (std::uint32_t cpu = 0; cpu < kCpus; ++cpu) streams.emplace_back(CpuId{cpu}, machine().streams_[cpu]);
    std::vector<CpuStream*> pointers;
    for (MemoryStream& stream : streams) pointers.push_back(&stream);
    Merger merger(pointers);
    return merger.run(std::forward<Fn>(fn));
}

struct Batch {
    CpuId cpu;
    std::uint64_t position;
    std::span<const Record> records;
};

AnalyzerOptions options_for(benchmark::State& state) {
    AnalyzerOptions options;
    options.over = std::chrono::microseconds(state.range(0));
    return options;
}

void report(benchmark::State& state, std::uint64_t records, const Analyzer& analyzer) {
    state.SetItemsProcessed(static_cast<std::int64_t>(records));
    state.counters["anomalies"] = static_cast<double>(analyzer.anomalies().total());
    state.counters["bills"] = static_cast<double>(analyzer.totals().bills);
}

/// The argument is `over` in us; 0 makes a bill for every delay that may be kept.
void analysis(benchmark::State& state) {
    std::vector<Batch> batches;
    merge([&](CpuId cpu, std::uint64_t at, std::span<const Record> records) { batches.push_back({cpu, at, records}); });
    AnalyzerOptions options = options_for(state);
    std::uint64_t records = 0;
    std::unique_ptr<Analyzer> analyzer;
    for (auto _ : state) {
        analyzer = std::make_unique<Analyzer>(TscClock::from_khz(2'600'000), options);
        for (const Batch& batch : batches) analyzer->consume(batch.cpu, batch.position, batch.records);
        records += analyzer->totals().records;
    }
    report(state, records, *analyzer);
}
BENCHMARK(analysis)->Arg(50)->Arg(0)->Unit(benchmark::kMillisecond);

/// A callback for every delay: each one is billed.
void bill_for_everything(benchmark::State& state) {
    std::vector<Batch> batches;
    merge([&](CpuId cpu, std::uint64_t at, std::span<const Record> records) { batches.push_back({cpu, at, records}); });
    std::uint64_t records = 0;
    std::uint64_t lines = 0;
    std::unique_ptr<Analyzer> analyzer;
    for (auto _ : state) {
        AnalyzerOptions options;
        options.on_bill = [&](const Bill& bill) { lines += bill.lines.size(); };
        analyzer = std::make_unique<Analyzer>(TscClock::from_khz(2'600'000), options);
        for (const Batch& batch : batches) analyzer->consume(batch.cpu, batch.position, batch.records);
        records += analyzer->totals().records;
    }
    benchmark::DoNotOptimize(lines);
    report(state, records, *analyzer);
}
BENCHMARK(bill_for_everything)->Unit(benchmark::kMillisecond);

void merge_and_analysis(benchmark::State& state) {
    AnalyzerOptions options = options_for(state);
    std::uint64_t records = 0;
    std::unique_ptr<Analyzer> analyzer;
    for (auto _ : state) {
        analyzer = std::make_unique<Analyzer>(TscClock::from_khz(2'600'000), options);
        records +=
            merge([&](CpuId cpu, std::uint64_t at, std::span<const Record> r) { analyzer->consume(cpu, at, r); });
    }
    report(state, records, *analyzer);
}
BENCHMARK(merge_and_analysis)->Arg(50)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
