// SPDX-License-Identifier: MIT
// The reader's side of a schedule.
#include <cstring>

#include "tests/ring/explore/world.hpp"

namespace ringtest {

std::uint64_t World::reader_load(const volatile void* where, std::memory_order order) noexcept {
    const unsigned location = location_of(where);
    if (where == &page_.tail) return page_.tail;  // its own
    if (location == kNowhere) {
        reader_failed_ = Rule::kOutside;
        return 0;
    }
    const History& history = histories_[location];
    const unsigned first = reader_sees_all_ ? history.size() - 1 : reader_view_.first(location, history);
    const unsigned index = first + choices_->pick(history.size() - first);
    const bool acquire = order != std::memory_order_relaxed;
    reader_view_.load(location, index, history[index], acquire);
    return history[index].value;
}

void World::reader_store(std::uint64_t value, std::memory_order order) noexcept {
    ++reader_clock_;
    const Stamp released = order == std::memory_order_relaxed ? 0 : reader_clock_;
    if (!tails_.add({value, reader_clock_, released})) reader_failed_ = Rule::kBlocked;
    page_.tail = value;
}

/// Stream: RingReader takes what it sees and gives all or one of it back.
/// False when it sees nothing.
bool World::read_batch(bool all) {
    const ::hftmon_record* first = nullptr;
    const std::size_t count = reader_.peek(&first);
    if (reader_failed_ != Rule::kNone) fail(reader_failed_, "an access of the reader outside of the ring");
    check(count <= scenario_.capacity, Rule::kReader, "the reader returns more than the ring holds");
    check(count == 0 || reader_.position() == released_, Rule::kReader, "the reader skips records");
    if (trace_ != nullptr) say("  reader sees " + std::to_string(count) + " from " + std::to_string(released_));
    if (count == 0) return false;
    check(first == &slots_[slot_of(released_)], Rule::kReader, "the reader returns another slot");
    for (std::size_t i = 0; i < count; ++i) read_record(released_ + i, slot_of(released_ + i));

    const std::size_t done = all || choices_->pick(count > 1 ? 2 : 1) == 0 ? count : 1;
    reader_.release(done);
    if (reader_failed_ != Rule::kNone) fail(reader_failed_, "too many batches for the explorer");
    released_ += done;
    read_ += done;
    if (trace_ != nullptr) say("  reader releases " + std::to_string(done));
    return true;
}

void World::read_record(std::uint64_t position, unsigned slot) {
    check(position < end_ && place(position).committed, Rule::kReader, "the reader returns an incomplete record");
    std::array<std::uint64_t, kWords> words;
    for (unsigned word = 0; word < kWords; ++word) {
        const unsigned location = slot * kWords + word;
        const History& history = histories_[location];
        const unsigned first = reader_sees_all_ ? history.size() - 1 : reader_view_.first(location, history);
        // Payload is no atomic: there must be only one value that it can have.
        check(first + 1 == history.size(), Rule::kRace, "a record is read while it can change");
        reader_view_.load(location, first, history[first], false);
        words[word] = history[first].value;
    }
    const ::hftmon_record& wanted = place(position).record;
    check(words[kTsc] == wanted.tsc && words[kSeq] == wanted.seq &&
              words[kKind] == (wanted.type | std::uint64_t{wanted.flags} << 16) &&
              words[kPayload0] == wanted.payload[0] && words[kPayload1] == wanted.payload[1],
          Rule::kReader, "the reader returns what nobody wrote");
    last_read_[slot] = reader_clock_ + 1;  // known to whoever acquires the next release
}

/// The session was stopped: its system call orders everything.
void World::synchronize() { reader_sees_all_ = true; }

/// Flight: a reader of the running ring, as abi/ring.h tells it to do, of one
/// position. The writer does not look at the reader, so this may come last:
/// each load chooses from all values that the word had.
void World::read_running() {
    if (end_ == scenario_.base) return;
    const std::uint64_t position = scenario_.base + choices_->pick(static_cast<unsigned>(end_ - scenario_.base));
    const unsigned slot = slot_of(position);
    const auto whole = static_cast<std::uint32_t>(position + 1);
    View<kLocations> view;
    const auto load = [&](unsigned word, bool acquire) {
        const History& history = histories_[slot * kWords + word];
        const unsigned first = view.first(slot * kWords + word, history);
        const unsigned index = first + choices_->pick(history.size() - first);
        view.load(slot * kWords + word, index, history[index], acquire);
        return history[index].value;
    };
    if (load(kSeq, true) != whole) return;
    ::hftmon_record got{};
    got.tsc = load(kTsc, false);
    const std::uint64_t kind = load(kKind, false);
    got.type = static_cast<std::uint16_t>(kind);
    got.flags = static_cast<std::uint16_t>(kind >> 16);
    got.payload[0] = load(kPayload0, false);
    got.payload[1] = load(kPayload1, false);
    got.seq = whole;
    view.fence();
    if (load(kSeq, false) != whole) return;
    check(place(position).committed && std::memcmp(&got, &place(position).record, sizeof(got)) == 0, Rule::kReader,
          "a reader of the running ring takes a mixture for a record");
}

/// Flight: RingReader, after the session was stopped.
void World::read_frozen() {
    std::uint64_t first = scenario_.base;
    if (end_ - first > scenario_.capacity) {
        first = end_ - scenario_.capacity;
        while (first < end_ && place(first).kind == Kind::kComm) ++first;
    }
    synchronize();
    const ::hftmon_record* records = nullptr;
    check(reader_.peek(&records) == 0, Rule::kReader, "a running ring is not empty");
    reader_.freeze();
    const std::size_t count = reader_.peek(&records);
    if (reader_failed_ != Rule::kNone) fail(reader_failed_, "an access of the reader outside of the ring");
    check(count == end_ - first, Rule::kReader, "a frozen ring has not all that it should");
    check(reader_.overwritten() == first - scenario_.base, Rule::kCount, "a wrong number of overwritten records");
    for (std::uint64_t p = first; p < end_; ++p) {
        check(std::memcmp(&place(p).record, &slots_[slot_of(p)], sizeof(::hftmon_record)) == 0, Rule::kReader,
              "a frozen ring has what nobody wrote");
    }
    check(count == 0 || reader_.position() == first, Rule::kReader, "a frozen ring begins elsewhere");
    reader_.release(count);
}

std::uint64_t World::hostile_tail(std::uint64_t honest) {
    if (rounds_ >= scenario_.rounds) return page_.tail;
    ++rounds_;
    const std::array<std::uint64_t, 10> lies = {
        honest,
        end_,                           // all of it, unfinished records too
        end_ - scenario_.capacity,      // nothing
        end_ - scenario_.capacity - 1,  // less than nothing
        end_ - 1,
        end_ + 1,
        end_ + scenario_.capacity,
        end_ + (std::uint64_t{1} << 32),
        std::uint64_t{1} << 63,
        ~std::uint64_t{0},
    };
    page_.tail = lies[choices_->pick(lies.size())];
    return page_.tail;
}

}  // namespace ringtest
