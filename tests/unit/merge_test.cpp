// SPDX-License-Identifier: MIT
#include "hftmon/merge.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <random>

#include "tests/unit/support.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

/// One delivered record, and what identifies it.
struct Item {
    CpuId cpu;
    std::uint64_t position;
    std::uint64_t tsc;
    friend bool operator==(const Item&, const Item&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Item& item) {
        return out << item.cpu << " position " << item.position << " tsc " << item.tsc;
    }
};

struct Collector {
    std::vector<Item> items;
    void operator()(CpuId cpu, std::uint64_t position, std::span<const Record> records) {
        BOOST_REQUIRE(!records.empty());
        for (const Record& r : records) items.push_back({cpu, position++, r.tsc});
    }
};

std::vector<CpuStream*> pointers(std::vector<VectorStream>& streams) {
    std::vector<CpuStream*> all;
    for (VectorStream& stream : streams) all.push_back(&stream);
    return all;
}

std::vector<Record> at_times(std::initializer_list<std::uint64_t> times) {
    std::vector<Record> records;
    for (const std::uint64_t time : times) records.push_back(record(time, HFTMON_REC_NMI));
    return records;
}

/// The order as merge.hpp defines it, the slow way.
std::vector<Item> reference(const std::vector<std::vector<Record>>& cpus) {
    struct Keyed {
        std::uint64_t time;
        Item item;
    };
    std::vector<Keyed> all;
    for (std::size_t cpu = 0; cpu < cpus.size(); ++cpu) {
        std::uint64_t floor = 0;
        for (std::size_t i = 0; i < cpus[cpu].size(); ++i) {
            const Record& r = cpus[cpu][i];
            if (i == 0 || r.type != HFTMON_REC_COMM) floor = std::max<std::uint64_t>(floor, r.tsc);
            all.push_back({floor, {CpuId{static_cast<std::uint32_t>(cpu)}, i, r.tsc}});
        }
    }
    std::stable_sort(all.begin(), all.end(), [](const Keyed& a, const Keyed& b) { return a.time < b.time; });
    std::vector<Item> items;
    for (const Keyed& keyed : all) items.push_back(keyed.item);
    return items;
}

std::vector<Record> random_cpu(std::mt19937_64& random, bool sane) {
    std::vector<Record> records;
    std::uint64_t now = random() % 50;
    for (std::size_t n = random() % 60; n > 0; --n) {
        if (sane) {
            now += random() % 4 == 0 ? random() % 40 : random() % 2;
        } else {
            now = random() % 200;
        }
        const auto run = sample_run(kAllTypes[random() % std::size(kAllTypes)], now);
        records.insert(records.end(), run.begin(), run.end());
        if (!sane && random() % 8 == 0) records.push_back(comm(random() % 200, "stray"));
    }
    return records;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(merge_test)

BOOST_AUTO_TEST_CASE(nothing_to_merge) {
    Collector got;
    Merger none(std::span<CpuStream* const>{});
    BOOST_TEST(none.run(got) == 0u);
    std::vector<VectorStream> streams{{CpuId{0}, {}}, {CpuId{1}, {}}};
    Merger empty(pointers(streams));
    BOOST_TEST(empty.run(got) == 0u);
    BOOST_TEST(got.items.empty());
}

BOOST_AUTO_TEST_CASE(takes_the_longest_stretch_of_one_cpu) {
    std::vector<VectorStream> streams{{CpuId{0}, at_times({1, 2, 3, 10, 11})}, {CpuId{1}, at_times({5, 6, 12})}};
    Merger merger(pointers(streams));
    std::vector<std::size_t> lengths;
    merger.run([&](CpuId, std::uint64_t, std::span<const Record> records) { lengths.push_back(records.size()); });
    const std::vector<std::size_t> expected{3, 2, 2, 1};
    BOOST_TEST(lengths == expected, boost::test_tools::per_element());
    BOOST_TEST(merger.stats().batches == 4u);
    BOOST_TEST(merger.stats().records == 8u);
}

BOOST_AUTO_TEST_CASE(equal_times_go_by_cpu_number_in_whatever_order_the_streams_come) {
    std::vector<VectorStream> streams{
        {CpuId{7}, at_times({5, 5})}, {CpuId{2}, at_times({5, 5})}, {CpuId{4}, at_times({5})}};
    Merger merger(pointers(streams));
    Collector got;
    merger.run(got);
    const std::vector<Item> expected{
        {CpuId{2}, 0, 5}, {CpuId{2}, 1, 5}, {CpuId{4}, 0, 5}, {CpuId{7}, 0, 5}, {CpuId{7}, 1, 5}};
    BOOST_TEST(got.items == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(matches_a_stable_sort) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 4000; ++round) {
        const bool sane = round % 2 == 0;
        std::vector<std::vector<Record>> cpus(random() % 9);
        for (auto& cpu : cpus) cpu = random_cpu(random, sane);
        std::vector<VectorStream> streams;
        for (std::size_t i = 0; i < cpus.size(); ++i)
            streams.emplace_back(CpuId{static_cast<std::uint32_t>(i)}, cpus[i], sane ? 1 + random() % 70 : SIZE_MAX);
        std::vector<CpuStream*> order = pointers(streams);
        std::shuffle(order.begin(), order.end(), random);

        Merger merger(order);
        Collector got;
        merger.run(got);
        BOOST_REQUIRE_MESSAGE(got.items == reference(cpus), "round " << round);
        if (sane) BOOST_REQUIRE_EQUAL(merger.stats().backwards, 0u);
        BOOST_REQUIRE_EQUAL(merger.stats().late, 0u);
        for (std::size_t i = 0; i < cpus.size(); ++i) BOOST_REQUIRE_EQUAL(streams[i].released(), cpus[i].size());
    }
}

BOOST_AUTO_TEST_CASE(a_run_is_never_split) {
    // Between the two halves, if it could be, another CPU would come in.
    std::vector<Record> run = sample_run(HFTMON_REC_FORK, 100);
    run[1].tsc = 500;  // hostile
    std::vector<VectorStream> streams{{CpuId{0}, run}, {CpuId{1}, at_times({100, 200, 600})}};
    Merger merger(pointers(streams));
    bool whole = false;
    merger.run([&](CpuId cpu, std::uint64_t, std::span<const Record> records) {
        if (cpu == CpuId{0}) whole = records.size() == 2;
    });
    BOOST_TEST(whole);
}

BOOST_AUTO_TEST_CASE(backwards_time_is_counted_and_passes) {
    std::vector<VectorStream> streams{{CpuId{0}, at_times({10, 5, 7, 20})}, {CpuId{1}, at_times({6, 15})}};
    Merger merger(pointers(streams));
    Collector got;
    merger.run(got);
    const std::vector<Item> expected{{CpuId{1}, 0, 6}, {CpuId{0}, 0, 10}, {CpuId{0}, 1, 5},
                                     {CpuId{0}, 2, 7}, {CpuId{1}, 1, 15}, {CpuId{0}, 3, 20}};
    BOOST_TEST(got.items == expected, boost::test_tools::per_element());
    BOOST_TEST(merger.stats().backwards == 2u);
}

BOOST_AUTO_TEST_CASE(horizon_holds_back_and_the_next_run_goes_on) {
    std::vector<VectorStream> streams{{CpuId{0}, at_times({1, 4, 9})}, {CpuId{1}, at_times({2, 5, 8})}};
    Merger merger(pointers(streams));
    Collector got;
    BOOST_TEST(merger.run(got, TscTime{0}) == 0u);
    BOOST_TEST(merger.run(got, TscTime{5}) == 3u);  // 5 itself is not below
    BOOST_TEST(streams[0].released() == 2u);
    BOOST_TEST(streams[1].released() == 1u);
    BOOST_TEST(merger.run(got, TscTime{5}) == 0u);
    streams[0].add(record(10, HFTMON_REC_NMI));
    BOOST_TEST(merger.run(got) == 4u);
    std::vector<std::uint64_t> times;
    for (const Item& item : got.items) times.push_back(item.tsc);
    BOOST_TEST(times == (std::vector<std::uint64_t>{1, 2, 4, 5, 8, 9, 10}), boost::test_tools::per_element());
    BOOST_TEST(merger.stats().late == 0u);
}

BOOST_AUTO_TEST_CASE(a_horizon_that_was_too_high_shows) {
    std::vector<VectorStream> streams{{CpuId{0}, at_times({100})}, {CpuId{1}, {}}};
    Merger merger(pointers(streams));
    Collector got;
    merger.run(got);
    streams[1].add(record(50, HFTMON_REC_NMI));
    merger.run(got);
    BOOST_TEST(got.items.size() == 2u);
    BOOST_TEST(merger.stats().late == 1u);
    BOOST_TEST(merger.stats().backwards == 0u);
}

BOOST_AUTO_TEST_CASE(the_largest_time_is_delivered_without_a_horizon) {
    std::vector<VectorStream> streams{{CpuId{0}, at_times({UINT64_MAX, UINT64_MAX})},
                                      {CpuId{1}, at_times({UINT64_MAX})}};
    Merger merger(pointers(streams));
    Collector got;
    BOOST_TEST(merger.run(got) == 3u);
}

BOOST_AUTO_TEST_CASE(the_consumer_can_stop) {
    std::vector<VectorStream> streams{{CpuId{0}, at_times({1, 3})}, {CpuId{1}, at_times({2})}};
    Merger merger(pointers(streams));
    int calls = 0;
    BOOST_TEST(merger.run([&](CpuId, std::uint64_t, std::span<const Record>) { return ++calls < 2; }) == 2u);
    BOOST_TEST(streams[0].released() == 1u);
    Collector rest;
    BOOST_TEST(merger.run(rest) == 1u);
    BOOST_TEST(rest.items.front().position == 1u);
}

BOOST_AUTO_TEST_CASE(long_stretches_are_released_on_the_way) {
    std::vector<Record> many(20'000, record(1, HFTMON_REC_NMI));
    std::vector<VectorStream> streams{{CpuId{0}, many}};
    Merger merger(pointers(streams));
    std::size_t most_held = 0;
    std::size_t delivered = 0;
    merger.run([&](CpuId, std::uint64_t position, std::span<const Record> records) {
        BOOST_REQUIRE_EQUAL(position, delivered);
        BOOST_REQUIRE_LE(streams[0].released(), delivered);  // never what the consumer holds
        delivered += records.size();
        most_held = std::max(most_held, delivered - streams[0].released());
    });
    BOOST_TEST(delivered == many.size());
    BOOST_TEST(most_held < 8192u);
}

BOOST_AUTO_TEST_CASE(a_consumer_that_throws_leaves_the_streams_consistent) {
    std::vector<VectorStream> streams{{CpuId{0}, at_times({1, 3})}, {CpuId{1}, at_times({2})}};
    Merger merger(pointers(streams));
    const auto throws = [](CpuId, std::uint64_t, std::span<const Record>) { throw std::runtime_error("stop"); };
    BOOST_CHECK_THROW(merger.run(throws), std::runtime_error);
    Collector rest;
    BOOST_TEST(merger.run(rest) == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
