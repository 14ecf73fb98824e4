// SPDX-License-Identifier: MIT
/// Record -> event. Records are untrusted: a module or file of another age, or
/// a damaged one, gives an error value and never undefined behaviour.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <variant>

#include "hftmon/event.hpp"

namespace hftmon {

enum class DecodeStatus : std::uint8_t {
    kOk,
    kTruncated,    ///< a run goes on beyond the end of the span
    kUnknownType,  ///< a type that this library does not know: skip it
    kBadField,     ///< a field is out of its range
};

namespace detail {

template <class Visitor, class Body>
inline constexpr bool kNothrowVisitor = false;

template <class Visitor, class... Bodies>
inline constexpr bool kNothrowVisitor<Visitor, std::variant<Bodies...>> =
    (std::is_nothrow_invocable_v<Visitor&, const EventHeader&, const Bodies&> && ...);

}  // namespace detail

/// What became of one run.
struct Decoded {
    DecodeStatus status = DecodeStatus::kOk;
    std::size_t records = 1;  ///< length of the run; 0 only for kTruncated
};

/// Decodes the run that starts at records.front() and calls
/// visitor(EventHeader, const XxxEvent&) when the status is kOk.
/// `records` must not be empty. Does not look at seq: the ring or capture
/// reader has done so. noexcept when the visitor is; no allocation. O(1).
///
/// What kOk promises: the time is below 2^63 (so the difference of two times
/// cannot overflow), priorities are -1..139, policies, contexts and vector
/// kinds are enumerators, softirq numbers are below 32, vectors below 256. Ids,
/// CPU numbers, interrupt numbers and task states may be anything.
///
/// Skip `records` records and go on with the next. kTruncated: records.size() was
/// 1. Streams and Mergers never cut a run, so skip that one too: it is damaged.
template <class Visitor>
Decoded visit_record(std::span<const Record> records, CpuId cpu, std::uint64_t position,
                     Visitor&& visitor) noexcept(detail::kNothrowVisitor<Visitor, EventBody>);

/// The same, into an owning Event; `out` is unchanged unless kOk.
Decoded decode(std::span<const Record> records, CpuId cpu, std::uint64_t position, Event& out) noexcept;

}  // namespace hftmon

#include "hftmon/detail/decode.ipp"
