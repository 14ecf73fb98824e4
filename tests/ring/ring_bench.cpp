// SPDX-License-Identifier: MIT
// What a record costs: written by kmod/ring_core.h, read by RingReader. With
// `--count WHAT N` it only writes N records, for tests/ring/bench to count the
// instructions.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "hftmon/ring_reader.hpp"
#include "tests/ring/core_atomics.h"

namespace {

constexpr std::uint32_t kCapacity = 1 << 16;  // 2 MiB, the kernel's pages are no larger

struct BenchRing {
    explicit BenchRing(bool flight) : slots(2 * kCapacity) {
        control.mode = flight ? HFTMON_MODE_FLIGHT : HFTMON_MODE_STREAM;
        control.capacity = kCapacity;
        hftmon_ring_core_init(&core, flight, kCapacity);
        core.slots = slots.data();
        core.control = &control;
        core.ureader = &page;
    }
    /// Everything is read: a stream never runs full.
    void release_all() { page.tail = core.head; }

    hftmon_ring_core core = {};
    std::vector<::hftmon_record> slots;
    ::hftmon_ring_control control = {};
    ::hftmon_ring_reader page = {};
};

constexpr char kComm[HFTMON_COMM_LEN] = "a thread's name";

/// One record as a probe writes it; not inlined, so that it can be counted.
noinline bool write_record(hftmon_ring_core* core, u64 n) {
    return hftmon_ring_write(core, HFTMON_REC_SCHED_SWITCH, 0, n, ~n, nullptr);
}
noinline bool write_named(hftmon_ring_core* core, u64 n) {
    return hftmon_ring_write(core, HFTMON_REC_FORK, 0, n, ~n, kComm);
}
noinline u64 read_clock() { return hftmon_clock(); }

void rdtsc_plain(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(__builtin_ia32_rdtsc());
}
void rdtsc_ordered(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(read_clock());
}

template <bool (*kWrite)(hftmon_ring_core*, u64), bool kFlight>
void write(benchmark::State& state) {
    BenchRing ring(kFlight);
    u64 n = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(kWrite(&ring.core, n++));
        if (n % (kCapacity / 4) == 0) ring.release_all();
    }
    state.SetItemsProcessed(state.iterations());
    if (ring.core.lost != 0) state.SkipWithError("records were lost");
}

void write_to_a_full_ring(benchmark::State& state) {
    BenchRing ring(false);
    for (u64 n = 0; n < kCapacity; ++n) write_record(&ring.core, n);
    for (auto _ : state) benchmark::DoNotOptimize(write_record(&ring.core, 0));
}

/// Peek, touch every word of every record, release; batches of so many records.
void scan(benchmark::State& state) {
    const auto batch = static_cast<u64>(state.range(0));
    BenchRing ring(false);
    hftmon::RingReader reader({.cpu = {}, .control = &ring.control, .slots = ring.slots.data(), .reader = &ring.page});
    for (u64 n = 0; n < kCapacity; ++n) write_record(&ring.core, n);
    reader.release(reader.peek().size());
    std::memcpy(ring.slots.data() + kCapacity, ring.slots.data(), kCapacity * sizeof(::hftmon_record));
    for (auto _ : state) {
        // Publish the next batch without the cost of writing it: the slots hold records.
        ring.control.head += batch;
        u64 sum = 0;
        const auto records = reader.peek();
        for (const auto& record : records) sum += record.tsc + record.type + record.payload[0] + record.payload[1];
        benchmark::DoNotOptimize(sum);
        reader.release(records.size());
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(rdtsc_plain);
BENCHMARK(rdtsc_ordered);
BENCHMARK(write<write_record, false>)->Name("write, stream");
BENCHMARK(write<write_record, true>)->Name("write, flight");
BENCHMARK(write<write_named, false>)->Name("write with COMM, stream");
BENCHMARK(write_to_a_full_ring)->Name("write, lost");
BENCHMARK(scan)->Name("scan")->Arg(64)->Arg(4096)->Arg(kCapacity / 2);

int count(std::string_view what, u64 times) {
    BenchRing ring(what == "flight");
    for (u64 n = 0; n < times; ++n) {
        if (what == "clock") {
            read_clock();
        } else if (what == "named") {
            write_named(&ring.core, n);
        } else {
            write_record(&ring.core, n);
        }
        ring.release_all();
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::string_view(argv[1]) == "--count") return count(argv[2], std::strtoull(argv[3], nullptr, 10));
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
