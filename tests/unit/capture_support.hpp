// SPDX-License-Identifier: MIT
/// A small capture with one chunk of every type, for the tests of the reader.
#pragma once

#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "hftmon/capture.hpp"
#include "lib/capture/format.hpp"
#include "tests/unit/support.hpp"

namespace hftmon::test {

inline CaptureMeta sample_meta() {
    CaptureMeta meta;
    meta.hostname = "box";
    meta.kernel_release = "6.1.0-test";
    meta.machine = "a \"quoted\" CPU";
    meta.tsc_khz = 2'994'374;
    meta.tsc_invariant = true;
    meta.ring_records = 4096;
    meta.online_cpus = 8;
    meta.cpus = {CpuId{0}, CpuId{3}};
    meta.sources = {{0, "sched_switch", HFTMON_SOURCE_AVAILABLE, 0, true},
                    {9, "irq_handler", HFTMON_SOURCE_FAILED, 12, false}};
    meta.partial_cpus = {CpuId{1}};
    meta.minimums = {{HFTMON_DURATION_SOFTIRQ, Nanoseconds(50'000)}, {HFTMON_DURATION_NMI, Nanoseconds(0)}};
    meta.subjects = {Tid{101}, Tid{102}};
    meta.command_line = {"hftctl", "record", "-o", "x y"};
    meta.start_realtime = Nanoseconds(1'700'000'000'000'000'000);
    return meta;
}

/// A run of each type, twice over, with the right seq for `first`.
inline std::vector<Record> sample_records(std::uint64_t first, std::uint64_t tsc) {
    std::vector<Record> records;
    for (int round = 0; round < 2; ++round) {
        for (const unsigned type : kAllTypes) {
            const auto run = sample_run(type, tsc += 10, first + records.size());
            records.insert(records.end(), run.begin(), run.end());
        }
    }
    return records;
}

inline ::hftmon_thread_entry thread_entry(std::uint32_t tid, const char* name) {
    ::hftmon_thread_entry entry{};
    entry.id.tid = tid;
    entry.id.tgid = tid;
    entry.id.prio = 120;
    std::strncpy(entry.comm, name, sizeof entry.comm - 1);
    return entry;
}

inline ClockSync clock_sync(std::uint64_t tsc, std::uint64_t ns) {
    ClockSync sync{};
    sync.size = sizeof sync;
    sync.tsc = tsc;
    sync.monotonic_ns = ns;
    sync.realtime_ns = ns + 1'700'000'000'000'000'000;
    return sync;
}

inline CaptureStats sample_stats() {
    return {{{CpuId{0}, 60, 1, 2, 57, 100, 3, 999}, {CpuId{3}, 60, 0, 0, 60, 90, 2, 500}}, Nanoseconds(123'456)};
}

inline std::vector<ProgramMap> sample_programs() {
    const ProgramFile program{"/opt/engine two", "abcd", 1'700'000'000'000'000'001}, vdso{"[vdso]", "", 0};
    return {{Tid{7},
             TscTime{1000},
             TscTime{1009},
             {{0x401000, 0x402000, 0x1000, program}, {0x7fff00001000, 0x7fff00002000, 0, vdso}}},
            {Tid{8}, TscTime{1000}, TscTime{1000}, {}}};
}

/// Everything once; two chunks of records on CPU 0, one on CPU 3.
inline void write_sample(const std::string& path) {
    auto writer = CaptureWriter::create(path, sample_meta());
    BOOST_REQUIRE(writer.has_value());
    const auto first = sample_records(0, 1'000);
    const auto second = sample_records(first.size(), 3'000);
    const auto other = sample_records(1000, 1'005);
    BOOST_REQUIRE(writer->threads({TscTime{900}, TscTime{950}, {thread_entry(7, "seven"), thread_entry(8, "eight")}}));
    BOOST_REQUIRE(writer->clock(clock_sync(1'000, 10)));
    BOOST_REQUIRE(writer->irqs(std::vector<IrqName>{{34, "eth0-rx-3"}, {9, "acpi"}}));
    BOOST_REQUIRE(writer->records(CpuId{0}, 0, first));
    BOOST_REQUIRE(writer->records(CpuId{3}, 1000, other));
    BOOST_REQUIRE(writer->records(CpuId{0}, first.size(), second));
    BOOST_REQUIRE(writer->clock(clock_sync(5'000, 1'400)));
    BOOST_REQUIRE(writer->irqs(std::vector<IrqName>{{34, "eth0-rx-3, hftmon"}}));
    BOOST_REQUIRE(writer->functions(std::vector<FunctionName>{{0xffffffff81000010, "second"}, {0x10, "first [mod]"}}));
    BOOST_REQUIRE(writer->stacks(std::vector<Stack>{{StackPart::kKernel, 7, true, {0xffffffff81000011, 0x12}},
                                                    {StackPart::kUser, 7, false, {0x401136}}}));
    BOOST_REQUIRE(writer->programs(sample_programs()));
    BOOST_REQUIRE(writer->stats(sample_stats()));
    BOOST_REQUIRE(writer->finish(Nanoseconds(1'700'000'001'000'000'000)));
}

/// A file's bytes, aligned as a mapping is.
class FileBytes {
public:
    explicit FileBytes(std::size_t size) : words_((size + 7) / 8), size_(size) {}
    static FileBytes read(const std::string& path) {
        std::ifstream in(path, std::ios::binary);
        const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        FileBytes bytes(text.size());
        if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
        return bytes;
    }
    [[nodiscard]] std::byte* data() { return reinterpret_cast<std::byte*>(words_.data()); }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::span<const std::byte> view() { return {data(), size_}; }
    /// A T at `offset`, to look at or to damage.
    template <class T>
    [[nodiscard]] T& at(std::size_t offset) {
        BOOST_REQUIRE(offset + sizeof(T) <= size_);
        return *reinterpret_cast<T*>(data() + offset);
    }

private:
    std::vector<std::uint64_t> words_;
    std::size_t size_;
};

/// Offsets of the chunk headers of an undamaged file.
inline std::vector<std::size_t> chunk_offsets(FileBytes& bytes) {
    std::vector<std::size_t> offsets;
    for (std::size_t at = sizeof(format::FileHeader); at < bytes.size();) {
        const auto& header = bytes.at<format::ChunkHeader>(at);
        BOOST_REQUIRE(header.magic == format::kChunkMagic);
        offsets.push_back(at);
        at += sizeof header + header.bytes + format::padding(header.bytes);
    }
    return offsets;
}

inline std::size_t find_chunk(FileBytes& bytes, format::ChunkType type) {
    for (const std::size_t at : chunk_offsets(bytes))
        if (bytes.at<format::ChunkHeader>(at).type == static_cast<std::uint32_t>(type)) return at;
    BOOST_FAIL("no such chunk");
    return 0;
}

/// All records of a stream.
inline std::vector<Record> drain(CpuStream& stream) {
    std::vector<Record> all;
    for (auto span = stream.peek(); !span.empty(); span = stream.peek()) {
        all.insert(all.end(), span.begin(), span.end());
        stream.release(span.size());
    }
    return all;
}

}  // namespace hftmon::test
