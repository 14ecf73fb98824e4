// SPDX-License-Identifier: MIT
#include "tests/fuzz/seeds.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "hftmon/capture.hpp"

namespace hftmon::fuzz {

namespace {

void need(bool ok, const char* what) {
    if (ok) return;
    std::perror(what);
    std::abort();
}

/// One record of every type, names behind identities.
std::vector<Record> all_types(std::uint64_t first, std::uint64_t tsc) {
    std::vector<Record> records;
    const auto add = [&](unsigned type) -> Record& {
        Record& record = records.emplace_back();
        record.tsc = tsc;
        record.seq = static_cast<std::uint32_t>(first + records.size());
        record.type = static_cast<std::uint16_t>(type);
        return record;
    };
    for (unsigned type = 1; type < HFTMON_REC_TYPE_END; ++type) {
        if (type == HFTMON_REC_COMM) continue;
        add(type);
        if (type >= HFTMON_REC_THREAD && type <= HFTMON_REC_DEAD) add(HFTMON_REC_COMM).comm[0] = 'x';
        tsc += 7;
    }
    return records;
}

CaptureMeta meta() {
    CaptureMeta meta;
    meta.hostname = "seed";
    meta.tsc_khz = 3'000'000;
    meta.cpus = {CpuId{0}, CpuId{1}};
    meta.sources = {{0, "sched_switch", 0, 0, true}};
    meta.subjects = {Tid{1}};
    meta.command_line = {"hftctl"};
    return meta;
}

ClockSync sync(std::uint64_t tsc, std::uint64_t ns) {
    ClockSync sync{};
    sync.size = sizeof sync;
    sync.tsc = tsc;
    sync.monotonic_ns = ns;
    sync.realtime_ns = ns;
    return sync;
}

/// What `fill` writes, by way of a file in memory.
template <class Fill>
Input capture(Fill&& fill) {
    const int fd = ::memfd_create("seed", MFD_CLOEXEC);
    need(fd >= 0, "memfd_create");
    {
        auto writer = CaptureWriter::create("/proc/self/fd/" + std::to_string(fd), meta());
        need(writer.has_value(), "create");
        fill(*writer);
    }
    const off_t size = ::lseek(fd, 0, SEEK_END);
    need(size > 0, "lseek");
    Input input(static_cast<std::size_t>(size));
    need(::pread(fd, input.data(), input.size(), 0) == size, "pread");
    ::close(fd);
    return input;
}

}  // namespace

std::vector<Input> make_seeds() {
    const auto everything = [](CaptureWriter& writer) {
        const auto records = all_types(0, 1000);
        CaptureThreads threads{TscTime{1}, TscTime{2}, {}};
        threads.entries.resize(2);
        need(writer.threads(threads).has_value(), "threads");
        need(writer.clock(sync(1000, 1)).has_value(), "clock");
        need(writer.irqs(std::vector<IrqName>{{9, "acpi"}, {34, "eth0"}}).has_value(), "irqs");
        need(writer.functions(std::vector<FunctionName>{{0xffffffff81000010, "tick"}}).has_value(), "functions");
        need(writer.stacks(std::vector<Stack>{{StackPart::kUser, 3, true, {0x401136, 0x401000}}}).has_value(),
             "stacks");
        const std::vector<Mapping> mappings{{0x401000, 0x402000, 0x1000, {"/opt/engine", "abcd", 1}}};
        need(writer.programs(std::vector<ProgramMap>{{Tid{7}, TscTime{8}, TscTime{9}, mappings}}).has_value(),
             "programs");
        need(writer.records(CpuId{0}, 0, records).has_value(), "records");
        need(writer.records(CpuId{1}, 500, all_types(500, 1003)).has_value(), "records");
        need(writer.records(CpuId{0}, records.size(), all_types(records.size(), 2000)).has_value(), "records");
        need(writer.clock(sync(31'000'000, 10'300'001)).has_value(), "clock");
        need(writer.stats({{{CpuId{0}}, {CpuId{1}}}, Nanoseconds(5)}).has_value(), "stats");
        need(writer.finish(Nanoseconds(7)).has_value(), "finish");
    };
    const auto no_end = [](CaptureWriter& writer) {
        for (std::uint32_t cpu = 0; cpu < 8; ++cpu)
            need(writer.records(CpuId{cpu}, 1u << 31, all_types(1u << 31, cpu)).has_value(), "records");
    };
    const auto holes = [](CaptureWriter& writer) {
        for (std::uint64_t first = UINT32_MAX - 60; first < UINT32_MAX + 200ull; first += 50)
            need(writer.records(CpuId{0}, first, all_types(first, first)).has_value(), "records");
        need(writer.finish(Nanoseconds(0)).has_value(), "finish");
    };
    return {capture(everything), capture(no_end), capture(holes), capture([](CaptureWriter&) {})};
}

}  // namespace hftmon::fuzz
