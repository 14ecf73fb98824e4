// SPDX-License-Identifier: MIT
// All atomic accesses to a mapped ring are in this file. The letters are those
// of the ordering table in abi/ring.h.
#include "hftmon/ring_reader.hpp"

#include <algorithm>
#include <atomic>

namespace hftmon {

namespace {

// C++20 has no atomic_ref<const T>; the load does not write.
template <class T>
T load(const T& word, std::memory_order order) noexcept {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
    return std::atomic_ref<T>(const_cast<T&>(word)).load(order);
}

}  // namespace

RingReader::RingReader(const RingMapping& mapping) noexcept
    : mapping_(mapping), capacity_(mapping.control->capacity), flight_(mapping.control->mode == HFTMON_MODE_FLIGHT) {
    // A reader before this one may have released something.
    if (!flight_) first_ = tail_ = head_ = mapping.reader->tail;
}

std::uint64_t RingReader::load_head() const noexcept {
    // (B): records below it are complete. It may step back for a moment (see
    // kmod/ring_core.h): the largest value seen stays true.
    return std::max<std::uint64_t>(head_, load(mapping_.control->head, std::memory_order_acquire));
}

bool RingReader::whole(std::uint64_t position) const noexcept {
    const Record& slot = mapping_.slots[position & (capacity_ - 1)];
    return load(slot.seq, std::memory_order_acquire) == static_cast<std::uint32_t>(position + 1);  // (A)
}

std::span<const Record> RingReader::peek() noexcept {
    if (flight_ && !frozen_) return {};
    head_ = load_head();
    if (flight_) skip_overwritten();
    return {&mapping_.slots[tail_ & (capacity_ - 1)], static_cast<std::size_t>(head_ - tail_)};
}

// The oldest records of a frozen ring: whatever lies a whole ring behind the
// head is gone, so is a slot that a nested writer had begun to reuse, and half
// a run has lost its meaning.
void RingReader::skip_overwritten() noexcept {
    const std::uint64_t oldest = head_ > capacity_ ? head_ - capacity_ : 0;
    const std::uint64_t first = tail_;
    tail_ = std::max(tail_, oldest);
    while (tail_ < head_ && !whole(tail_)) ++tail_;
    if (tail_ != first) {
        while (tail_ < head_ && mapping_.slots[tail_ & (capacity_ - 1)].type == HFTMON_REC_COMM) ++tail_;
    }
    overwritten_ += tail_ - first;
}

void RingReader::release(std::size_t count) noexcept {
    tail_ += count;
    if (!flight_) std::atomic_ref<__u64>(mapping_.reader->tail).store(tail_, std::memory_order_release);  // (D)
}

void RingReader::freeze() noexcept { frozen_ = true; }

std::uint64_t RingReader::unread() const noexcept { return load_head() - tail_; }

RingCounts RingReader::counts() const noexcept {
    return {.read = tail_ - first_ - overwritten_,
            .overwritten = overwritten_,
            .lost = load(mapping_.control->lost, std::memory_order_relaxed)};
}

}  // namespace hftmon
