// SPDX-License-Identifier: MIT
/// Records run by run, for whoever looks at the records themselves (dumps,
/// converters, checks). An Analyzer takes them as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "hftmon/decode.hpp"
#include "hftmon/event.hpp"
#include "hftmon/stream.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// The records of one event, and what they say. Valid during the call that
/// hands it over.
struct Run {
    CpuId cpu;
    std::uint64_t position = 0;       ///< of records.front()
    std::span<const Record> records;  ///< at least one, also when it does not decode
    DecodeStatus status = DecodeStatus::kOk;
    Event event;  ///< when the status is kOk
};

/// Calls fn(const Run&) for each run of these neighbouring records of one CPU.
template <class Fn>
void for_each_run(std::span<const Record> records, CpuId cpu, std::uint64_t position, Fn&& fn) {
    while (!records.empty()) {
        Run run{.cpu = cpu, .position = position, .records = {}, .event = {}};
        const Decoded decoded = decode(records, cpu, position, run.event);
        const std::size_t length = decoded.records != 0 ? decoded.records : 1;
        run.records = records.first(length);
        run.status = decoded.status;
        fn(std::as_const(run));
        position += length;
        records = records.subspan(length);
    }
}

/// The same for all that the stream can give now, in order of position.
/// Releases what it has handed over.
template <class Fn>
void for_each_run(CpuStream& stream, Fn&& fn) {
    for (auto records = stream.peek(); !records.empty(); records = stream.peek()) {
        for_each_run(records, stream.cpu(), stream.position(), fn);
        stream.release(records.size());
    }
}

}  // namespace hftmon
