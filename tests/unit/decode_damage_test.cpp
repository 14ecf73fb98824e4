// SPDX-License-Identifier: MIT
// What decode() must refuse, or pass over: damage, and records of a newer module.
#include <random>

#include "tests/unit/decoded.hpp"

using namespace hftmon;
using namespace hftmon::test;

BOOST_AUTO_TEST_SUITE(decode_damage_test)

BOOST_AUTO_TEST_CASE(fields_out_of_range_one_at_a_time) {
    for (const unsigned type : kAllTypes) bad(type, [](Record& r) { r.tsc = 1ull << 63; });
    for (const auto prio : std::initializer_list<std::int16_t>{-2, 140, -32768, 32767}) {
        bad(HFTMON_REC_CPU_STATE, [prio](Record& r) { r.cpu_state.prio = prio; });
        bad(HFTMON_REC_SCHED_SWITCH, [prio](Record& r) { r.sched_switch.prev_prio = prio; });
        bad(HFTMON_REC_SCHED_SWITCH, [prio](Record& r) { r.sched_switch.next_prio = prio; });
        bad(HFTMON_REC_SCHED_WAKING, [prio](Record& r) { r.wake.prio = prio; });
        bad(HFTMON_REC_SCHED_WAKEUP, [prio](Record& r) { r.wake.prio = prio; });
        bad(HFTMON_REC_SCHED_WAKEUP_NEW, [prio](Record& r) { r.wake.prio = prio; });
        bad(HFTMON_REC_SCHED_MIGRATE, [prio](Record& r) { r.migrate.prio = prio; });
        bad(
            HFTMON_REC_THREAD, [prio](Record& r) { r.thread.prio = prio; }, 2);
    }
    for (const auto policy : std::initializer_list<std::uint8_t>{4, 8, 255}) {
        bad(HFTMON_REC_CPU_STATE, [policy](Record& r) { r.cpu_state.policy = policy; });
        bad(
            HFTMON_REC_EXIT, [policy](Record& r) { r.thread.policy = policy; }, 2);
    }
    bad(HFTMON_REC_SCHED_SWITCH, [](Record& r) { r.flags = 4u << HFTMON_SWITCH_PREV_POLICY_SHIFT; });
    bad(HFTMON_REC_SCHED_SWITCH, [](Record& r) { r.flags = 4u << HFTMON_SWITCH_NEXT_POLICY_SHIFT; });
    for (const unsigned type : {HFTMON_REC_SOFTIRQ_RAISE, HFTMON_REC_SOFTIRQ_ENTRY, HFTMON_REC_SOFTIRQ_EXIT})
        bad(type, [](Record& r) { r.softirq.vec = 32; });
    for (const unsigned type : {HFTMON_REC_VECTOR_ENTRY, HFTMON_REC_VECTOR_EXIT}) {
        bad(type, [](Record& r) { r.vector.vector = 256; });
        bad(type, [](Record& r) { r.vector.kind = HFTMON_VECTOR_KIND_END; });
    }
    bad(HFTMON_REC_NMI, [](Record& r) { r.nmi.duration_ns = 1ull << 63; });
    for (const auto prio : std::initializer_list<std::int16_t>{-2, 140}) {
        bad(HFTMON_REC_SCHED_PI_SETPRIO, [prio](Record& r) { r.pi_setprio.old_prio = prio; });
        bad(HFTMON_REC_SCHED_PI_SETPRIO, [prio](Record& r) { r.pi_setprio.new_prio = prio; });
    }
    bad(HFTMON_REC_SCHED_BLOCKED, [](Record& r) { r.blocked.ns = 1ull << 63; });
    bad(HFTMON_REC_IPI_SEND, [](Record& r) { r.ipi_send.cpus = 0; });
    bad(HFTMON_REC_IPI_SEND, [](Record& r) { r.ipi_send.cpus |= 1; });        // lower than the first
    bad(HFTMON_REC_IPI_SEND, [](Record& r) { r.ipi_send.cpus |= 1u << 9; });  // more than are counted
    bad(HFTMON_REC_TLB_FLUSH, [](Record& r) { r.tlb_flush.reason = HFTMON_TLB_REASON_END; });
    bad(HFTMON_REC_SIGNAL_GENERATE, [](Record& r) { r.signal.signal = 0; });
    bad(HFTMON_REC_SIGNAL_DELIVER, [](Record& r) { r.signal.signal = 65; });
    bad(HFTMON_REC_SIGNAL_GENERATE, [](Record& r) { r.signal.group = 2; });
}

BOOST_AUTO_TEST_CASE(runs_that_are_not_whole) {
    Event event;
    for (const unsigned type :
         {HFTMON_REC_THREAD, HFTMON_REC_FORK, HFTMON_REC_EXEC, HFTMON_REC_EXIT, HFTMON_REC_RENAME, HFTMON_REC_DEAD}) {
        auto run = sample_run(type);
        const Decoded cut = decode(std::span(run).first(1), kCpu, 0, event);
        BOOST_CHECK(cut.status == DecodeStatus::kTruncated);
        BOOST_TEST(cut.records == 0u);

        run[1].tsc += 1;  // the name of another run
        BOOST_CHECK(decode(run, kCpu, 0, event).status == DecodeStatus::kBadField);
        run[1] = record(1000, HFTMON_REC_NMI);
        const Decoded no_name = decode(run, kCpu, 0, event);
        BOOST_CHECK(no_name.status == DecodeStatus::kBadField);
        BOOST_TEST(no_name.records == 1u);  // the NMI is still to be read
    }
    BOOST_CHECK(decode(std::vector{comm(1, "stray")}, kCpu, 0, event).status == DecodeStatus::kBadField);
    BOOST_CHECK(decode(std::vector{record(1, HFTMON_REC_NONE)}, kCpu, 0, event).status == DecodeStatus::kBadField);
}

BOOST_AUTO_TEST_CASE(types_of_a_newer_module_are_told_from_damage) {
    Event event;
    for (const unsigned type : {unsigned{HFTMON_REC_TYPE_END}, 8u, 9u, 39u, 65535u}) {
        const Decoded decoded = decode(std::vector{record(1, type)}, kCpu, 0, event);
        BOOST_CHECK(decoded.status == DecodeStatus::kUnknownType);
        BOOST_TEST(decoded.records == 1u);
    }
}

BOOST_AUTO_TEST_CASE(reserved_fields_are_ignored) {
    auto run = sample_run(HFTMON_REC_SCHED_WAKING);
    run[0].flags = 0xfffc;
    run[0].wake.reserved = 0xffff'ffff;
    BOOST_CHECK(std::get<SchedWakeEvent>(good(run).body).context == Context::kTask);
}

BOOST_AUTO_TEST_CASE(random_bytes_never_do_harm) {
    std::mt19937_64 random(7);
    std::array<Record, 4> records{};
    std::size_t decoded_ok = 0;
    for (int i = 0; i < 200'000; ++i) {
        for (Record& r : records) {
            const std::uint64_t words[4] = {random() >> 1, random(), random(), random()};
            std::memcpy(&r, words, sizeof r);
            r.type = static_cast<std::uint16_t>(random() % (HFTMON_REC_TYPE_END + 2));
        }
        if (i % 2 == 0) records[1] = comm(records[0].tsc, "x");
        Event event;
        const Decoded decoded = decode(records, kCpu, 0, event);
        BOOST_REQUIRE(decoded.records >= 1 && decoded.records <= 2);
        decoded_ok += decoded.status == DecodeStatus::kOk;
    }
    BOOST_TEST(decoded_ok > 10'000u);
}

BOOST_AUTO_TEST_CASE(noexcept_follows_the_visitor) {
    const std::span<const Record> none;
    const auto quiet = [](const EventHeader&, const auto&) noexcept {};
    const auto loud = [](const EventHeader&, const auto&) {};
    static_assert(noexcept(visit_record(none, kCpu, 0, quiet)));
    static_assert(!noexcept(visit_record(none, kCpu, 0, loud)));
}

BOOST_AUTO_TEST_SUITE_END()
