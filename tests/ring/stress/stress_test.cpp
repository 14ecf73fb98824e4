// SPDX-License-Identifier: MIT
// A writer that is interrupted twice over, and RingReader on another thread.
#if defined(__GNUC__) && !defined(__clang__)
// ThreadSanitizer does not model fences; what ours orders is atomic throughout.
#pragma GCC diagnostic ignored "-Wtsan"
#endif
#define BOOST_TEST_MODULE ring stress
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <optional>
#include <random>
#include <thread>

#include "tests/ring/stress/checker.hpp"

using namespace hftmon;
using namespace ringtest;
using namespace std::chrono_literals;

namespace {

/// To be set when RingReader takes up where the last reader of a ring released.
constexpr bool kReaderResumes = true;

/// To be set when no finding of kLateGap is open (findings() of the explorer).
constexpr bool kLossesAreTold = true;

constexpr auto kLength = 700ms;
constexpr std::uint32_t kCapacity = 1024;

void report(const Written& written, std::uint64_t read) {
    BOOST_TEST_MESSAGE(written.records << " records, " << written.head / kCapacity << " laps, " << written.lost
                                       << " lost, " << read << " read; " << written.interrupts << " signals, "
                                       << written.inside_a_write << " inside a write, " << written.twice_nested
                                       << " inside two");
    BOOST_TEST(written.head > kCapacity);
    BOOST_TEST(written.inside_a_write > 0u);
    BOOST_TEST(written.twice_nested > 0u);
}

/// Reads and checks what is there; false when there is nothing.
bool drain(RingReader& reader, Checker& checker, std::size_t most = ~std::size_t{0}) {
    const auto records = reader.peek();
    const auto taken = records.first(std::min(most, records.size()));
    checker.take(reader.position(), taken);
    reader.release(taken.size());
    return !taken.empty();
}

void expect_exact(const Written& written, const Checker& checker, std::uint64_t read) {
    BOOST_TEST(checker.mistake() == "");
    BOOST_TEST(read == written.head);
    BOOST_TEST(checker.events() + checker.gaps() == read);
    BOOST_TEST(checker.missing() == written.lost);
    BOOST_TEST(checker.events() + written.lost == written.records);
    BOOST_TEST(checker.told() <= written.lost);
    if (kLossesAreTold) {
        BOOST_TEST(checker.late() == 0u);
    } else if (checker.late() != 0) {
        BOOST_TEST_MESSAGE("OPEN: " << checker.late() << " records stand before the GAP of an earlier loss");
    }
}

/// A stream with a reader that does `between` after each batch.
template <class Between>
void stream(std::chrono::microseconds pause, const Between& between) {
    HandMadeRing ring(false, kCapacity);
    Writer writer(ring);
    Checker checker(true);
    RingReader reader(ring.mapping());
    writer.start(kLength, pause);
    while (writer.running() && checker.mistake().empty()) {
        drain(reader, checker);
        between();
    }
    const Written written = writer.finish();
    while (drain(reader, checker)) {
    }
    checker.end(written);
    report(written, reader.counts().read);
    expect_exact(written, checker, reader.counts().read);
    BOOST_TEST(reader.counts().lost == written.lost);
}

}  // namespace

BOOST_AUTO_TEST_CASE(stream_at_full_speed) {
    stream(0us, [] {});
}

BOOST_AUTO_TEST_CASE(stream_with_a_reader_that_keeps_up) {
    stream(50us, [] {});
}

BOOST_AUTO_TEST_CASE(stream_with_a_reader_that_stalls) {
    std::mt19937 random(1);
    stream(5us, [&] {
        if (random() % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    });
}

BOOST_AUTO_TEST_CASE(stream_whose_reader_dies_and_is_replaced) {
    HandMadeRing ring(false, kCapacity);
    Writer writer(ring);
    Checker checker(true);
    std::mt19937 random(2);
    std::optional<RingReader> reader(ring.mapping());
    unsigned readers = 1;
    writer.start(kLength, 20us);
    while (writer.running() && checker.mistake().empty()) {
        // It dies with records that it has looked at and not released.
        drain(*reader, checker, random() % 300);
        if (random() % 16 != 0) continue;
        reader.reset();
        if (random() % 4 == 0) std::this_thread::sleep_for(200us);
        reader.emplace(resume(ring));
        ++readers;
    }
    const Written written = writer.finish();
    while (drain(*reader, checker)) {
    }
    checker.end(written);
    report(written, checker.events() + checker.gaps());
    BOOST_TEST_MESSAGE(readers << " readers, one after the other");
    expect_exact(written, checker, checker.events() + checker.gaps());
    BOOST_TEST(ring.reader->tail == written.head);
}

BOOST_AUTO_TEST_CASE(a_new_reader_resumes) {
    HandMadeRing ring(false, kCapacity);
    ring.control->head = 5000;
    ring.reader->tail = 4990;
    RingReader reader(ring.mapping());
    if (!kReaderResumes) {
        BOOST_TEST_MESSAGE("OPEN: RingReader starts at 0 and peeks " << reader.peek().size() << " of 10 records");
        BOOST_TEST(reader.peek().size() == 5000u, "mended: set kReaderResumes");
        return;
    }
    BOOST_TEST(reader.peek().size() == 10u);
    BOOST_TEST(reader.position() == 4990u);
    BOOST_TEST(reader.counts().read == 0u);
}

namespace {

/// A record of a running flight recorder, by the rules of abi/ring.h.
std::optional<::hftmon_record> read_running(const HandMadeRing& ring, std::uint64_t position) {
    ::hftmon_record& slot = ring.slots[position & (kCapacity - 1)];
    const auto load = [](auto& word, std::memory_order order) { return std::atomic_ref(word).load(order); };
    const auto whole = static_cast<std::uint32_t>(position + 1);
    if (load(slot.seq, std::memory_order_acquire) != whole) return std::nullopt;
    ::hftmon_record copy{};
    copy.tsc = load(slot.tsc, std::memory_order_relaxed);
    copy.seq = whole;
    copy.type = load(slot.type, std::memory_order_relaxed);
    copy.flags = load(slot.flags, std::memory_order_relaxed);
    copy.payload[0] = load(slot.payload[0], std::memory_order_relaxed);
    copy.payload[1] = load(slot.payload[1], std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (load(slot.seq, std::memory_order_relaxed) != whole) return std::nullopt;
    return copy;
}

}  // namespace

BOOST_AUTO_TEST_CASE(flight_read_while_it_runs_and_when_frozen) {
    HandMadeRing ring(true, kCapacity);
    Writer writer(ring);
    std::mt19937 random(3);
    std::uint64_t taken = 0;
    std::uint64_t overtaken = 0;
    std::uint64_t wrong = 0;
    writer.start(2 * kLength, 0us);
    while (writer.running()) {
        const std::uint64_t head = std::atomic_ref(ring.control->head).load(std::memory_order_acquire);
        // The writer is about to reuse the oldest slots: look there most.
        const std::uint64_t back = random() % 2 == 0 ? kCapacity - random() % 8 : 1 + random() % kCapacity;
        if (head < back) continue;
        const auto record = read_running(ring, head - back);
        ++(record ? taken : overtaken);
        Identity identity{};
        const bool is_own = record && record->type != HFTMON_REC_COMM && record->type != HFTMON_REC_GAP;
        if (is_own && !identify(*record, identity)) ++wrong;
    }
    const Written written = writer.finish();
    BOOST_TEST(wrong == 0u);
    BOOST_TEST(taken > 0u);
    BOOST_TEST_MESSAGE(taken << " records taken from the running ring, " << overtaken << " overtaken");

    RingReader reader(ring.mapping());
    BOOST_TEST(reader.peek().empty());
    reader.freeze();
    Checker checker(false);
    while (drain(reader, checker)) {
    }
    checker.end(written);
    const RingCounts counts = reader.counts();
    report(written, counts.read);
    BOOST_TEST(checker.mistake() == "");
    BOOST_TEST(counts.read + counts.overwritten == written.head);
    BOOST_TEST(counts.read + 1 >= kCapacity);
    // A flight recorder loses only where handlers fill the whole ring inside one
    // record: on a starved machine, and then rarely. A GAP stands for one loss or
    // more, so the positions taken are those of the records kept and of as many
    // GAPs as there were losses, at most; without a loss all of this is exact.
    const std::uint64_t kept = written.records - written.lost;
    BOOST_TEST(written.head >= kept);
    BOOST_TEST(written.head - kept <= written.lost);
    BOOST_TEST(checker.missing() <= written.lost);
    BOOST_TEST(checker.told() <= written.lost);
    BOOST_TEST(checker.late() == 0u);
    BOOST_TEST(written.lost < written.records / 100);
}
