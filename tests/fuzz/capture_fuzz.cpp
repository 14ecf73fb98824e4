// SPDX-License-Identifier: MIT
/// Any bytes as a capture: open, read everything, merge, decode, convert times.
/// Beyond not crashing, what the interfaces promise is checked.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "hftmon/capture.hpp"
#include "hftmon/decode.hpp"
#include "hftmon/merge.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace hftmon;

void check(bool promise, const char* what) {
    if (promise) return;
    std::fprintf(stderr, "broken promise: %s\n", what);
    std::abort();
}

/// A sum that the compiler must compute.
std::uint64_t sink = 0;

void decode_all(const TscClock& clock, CpuId cpu, std::uint64_t position, std::span<const Record> records) {
    while (!records.empty()) {
        const Decoded decoded =
            visit_record(records, cpu, position, [&clock](const EventHeader& header, const auto& body) noexcept {
                check(header.time.value <= INT64_MAX, "times are below 2^63");
                sink += static_cast<std::uint64_t>(clock.realtime(header.time).count()) + sizeof body;
            });
        check(decoded.records <= records.size(), "the length of a run lies in the span");
        // An identity that is followed by something else than its name may end a batch.
        check(decoded.records > 0 || records.size() == 1, "only the last record can lack its other half");
        const std::size_t step = decoded.records > 0 ? decoded.records : 1;
        position += step;
        records = records.subspan(step);
    }
}

void read_everything(const CaptureReader& reader) {
    check(reader.meta().tsc_khz > 0, "the frequency is known");
    const TscClock clock = reader.clock();
    for (const CaptureThreads& list : reader.threads()) sink += list.entries.size() + list.from.value;
    for (const FunctionName& function : reader.functions()) sink += function.address + function.name.size();
    for (const Stack& stack : reader.stacks()) sink += stack.id + stack.frames.size();
    ProgramMaps programs;
    programs.learn(reader.programs());
    for (const ProgramMap& program : reader.programs()) {
        for (const Mapping& mapping : program.mappings) {
            const auto place = programs.lookup(program.process, program.from, mapping.end - 1);
            if (place) sink += place->address + place->file->path.size() + place->file->build_id.size();
        }
    }
    for (const IrqName& irq : reader.irqs()) sink += irq.irq + irq.name.size();
    if (reader.stats()) sink += reader.stats()->cpus.size();

    std::vector<CaptureStream> streams = reader.streams();
    Merger merger(streams);
    std::map<CpuId, std::uint64_t> next;
    const std::uint64_t delivered = merger.run([&](CpuId cpu, std::uint64_t position, std::span<const Record> records) {
        check(position >= next[cpu], "positions grow");
        next[cpu] = position + records.size();
        for (const Record& record : records)
            check(record.seq == static_cast<std::uint32_t>(++position), "every record is at its position");
        decode_all(clock, cpu, position - records.size(), records);
    });
    std::uint64_t left_out = 0;
    for (const CaptureStream& stream : streams) left_out += stream.damaged() + stream.orphaned();
    check(delivered + left_out == reader.slots(), "every slot is delivered or counted");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Its own allocation: aligned, and a sanitizer sees every byte too far.
    const auto copy = std::make_unique<std::byte[]>(size);
    if (size > 0) std::memcpy(copy.get(), data, size);
    const auto reader = hftmon::CaptureReader::from_memory({copy.get(), size});
    if (reader) {
        read_everything(*reader);
    } else {
        sink += reader.error().message().size();
    }
    return 0;
}
