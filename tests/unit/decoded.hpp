// SPDX-License-Identifier: MIT
/// Runs of records that must decode, or must not, for tests of decode().
#pragma once

#include <boost/test/unit_test.hpp>
#include <functional>
#include <vector>

#include "hftmon/decode.hpp"
#include "tests/unit/support.hpp"

namespace hftmon::test {

inline constexpr CpuId kCpu{3};

/// Decodes a run that must be good.
inline Event good(const std::vector<Record>& run) {
    Event event;
    const Decoded decoded = decode(run, kCpu, 42, event);
    BOOST_REQUIRE(decoded.status == DecodeStatus::kOk);
    BOOST_TEST(decoded.records == run.size());
    BOOST_TEST(event.header.time == TscTime{run.front().tsc});
    BOOST_TEST(event.header.cpu == kCpu);
    BOOST_TEST(event.header.position == 42u);
    return event;
}

/// A sane run of `type`, spoilt by `spoil`, must give kBadField and touch nothing.
inline void bad(unsigned type, const std::function<void(Record&)>& spoil, std::size_t length = 1) {
    std::vector<Record> run = sample_run(type);
    good(run);
    spoil(run.front());
    Event event{{TscTime{77}, CpuId{9}, 5}, GapEvent{99, Tid{9}}};
    const Decoded decoded = decode(run, kCpu, 42, event);
    BOOST_CHECK(decoded.status == DecodeStatus::kBadField);
    BOOST_TEST(decoded.records == length);
    BOOST_TEST(event.header.time == TscTime{77});
    BOOST_REQUIRE(std::holds_alternative<GapEvent>(event.body));
    BOOST_TEST(std::get<GapEvent>(event.body).lost_total == 99u);
}

}  // namespace hftmon::test
