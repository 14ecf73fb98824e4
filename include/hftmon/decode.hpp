// SPDX-License-Identifier: MIT
/// Record -> event. Records are untrusted: a module or file of another age, or
/// a damaged one, gives an error value and never undefined behaviour.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hftmon/event.hpp"

namespace hftmon {

enum class DecodeStatus : std::uint8_t {
    kOk,
    kTruncated,    ///< a run goes on beyond the end of the span
    kUnknownType,  ///< a type that this library does not know: skip it
    kBadField,     ///< a field is out of its range
};

/// What became of one run.
struct Decoded {
    DecodeStatus status = DecodeStatus::kOk;
    std::size_t records = 1;  ///< length of the run; 0 only for kTruncated
};

/// Decodes the run that starts at records.front() and calls
/// visitor(EventHeader, const XxxEvent&) when the status is kOk.
/// `records` must not be empty. Does not look at seq: the ring or capture
/// reader has done so. noexcept when the visitor is; no allocation. O(1).
template <class Visitor>
Decoded visit_record(std::span<const Record> records, CpuId cpu, std::uint64_t position, Visitor&& visitor);

/// The same, into an owning Event; `out` is unchanged unless kOk.
Decoded decode(std::span<const Record> records, CpuId cpu, std::uint64_t position, Event& out);

}  // namespace hftmon

#include "hftmon/detail/decode.ipp"
