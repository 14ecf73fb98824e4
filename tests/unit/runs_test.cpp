// SPDX-License-Identifier: MIT
#include "hftmon/runs.hpp"

#include <boost/test/unit_test.hpp>
#include <type_traits>

#include "hftmon/merge.hpp"
#include "tests/unit/support.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

/// One run of each known type, and what does not decode between them.
std::vector<Record> mixed_records() {
    std::vector<Record> records{comm(1, "stray"), record(2, 60'000)};
    for (const unsigned type : kAllTypes) {
        const auto run = sample_run(type, 10);
        records.insert(records.end(), run.begin(), run.end());
    }
    records.push_back(sample_run(HFTMON_REC_FORK, 20).front());  // its name is cut off
    return records;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runs_test)

BOOST_AUTO_TEST_CASE(runs_cover_all_records_and_say_what_decode_says) {
    const auto records = mixed_records();
    std::vector<DecodeStatus> statuses;
    std::uint64_t next = 100;
    for_each_run(records, CpuId{7}, 100, [&](const Run& run) {
        BOOST_TEST(run.cpu == CpuId{7});
        BOOST_TEST(run.position == next);
        BOOST_REQUIRE(!run.records.empty());
        BOOST_TEST(run.records.data() == records.data() + (run.position - 100));
        Event event;
        const Decoded decoded = decode(std::span(records).subspan(run.position - 100), run.cpu, run.position, event);
        BOOST_CHECK(run.status == decoded.status);
        if (decoded.status == DecodeStatus::kOk) {
            BOOST_TEST(run.records.size() == decoded.records);
            BOOST_TEST(run.event.header.position == run.position);
            BOOST_TEST(run.event.body.index() == event.body.index());
        }
        statuses.push_back(run.status);
        next += run.records.size();
    });
    BOOST_TEST(next == 100 + records.size());
    BOOST_REQUIRE(statuses.size() == std::size(kAllTypes) + 3);
    BOOST_CHECK(statuses[0] == DecodeStatus::kBadField);
    BOOST_CHECK(statuses[1] == DecodeStatus::kUnknownType);
    BOOST_CHECK(statuses.back() == DecodeStatus::kTruncated);
}

BOOST_AUTO_TEST_CASE(a_stream_is_read_to_its_end_and_released) {
    const auto records = mixed_records();
    VectorStream stream{CpuId{2}, records};
    std::size_t seen = 0;
    for_each_run(stream, [&](const Run& run) {
        BOOST_TEST(run.position == seen);
        seen += run.records.size();
    });
    BOOST_TEST(seen == records.size());
    BOOST_TEST(stream.peek().empty());
}

BOOST_AUTO_TEST_CASE(a_merger_takes_a_container_of_streams) {
    std::vector<VectorStream> streams{{CpuId{0}, mixed_records()}, {CpuId{1}, mixed_records()}};
    BOOST_TEST(Merger(streams).run([](CpuId, std::uint64_t, std::span<const Record>) {}) == 2 * mixed_records().size());
    static_assert(!std::is_constructible_v<Merger, std::vector<VectorStream>>, "it would outlive its streams");
    static_assert(std::is_constructible_v<Merger, std::span<VectorStream>>);
    static_assert(!std::is_constructible_v<Merger, const std::vector<VectorStream>&>, "it could not release");
    static_assert(!std::is_constructible_v<Merger, std::span<const VectorStream>>);
    static_assert(!std::is_constructible_v<Merger, std::vector<int>&>);
}

BOOST_AUTO_TEST_SUITE_END()
