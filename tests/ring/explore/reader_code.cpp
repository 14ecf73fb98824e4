// SPDX-License-Identifier: MIT
// lib/ring/ring_reader.cpp with std::atomic_ref taken by the explorer's memory.
// The build compiles this once for the file itself and once for each mutant;
// there RING_READER_CPP names the file, and -Dhftmon=... the namespace, so that
// all of them can be linked into one program.
#include <atomic>
#include <cstdint>
#include <optional>

#include "tests/ring/explore/codes.hpp"
#include "tests/ring/explore/reader_loads.hpp"

namespace hftmon {
// Found before ::std by what ring_reader.cpp calls std::.
namespace std {

using namespace ::std;

template <class T>
class atomic_ref {
public:
    explicit atomic_ref(T& word) noexcept : word_(&word) {}
    [[nodiscard]] T load(memory_order order) const noexcept {
        return static_cast<T>(ringtest::reader_load(word_, order));
    }
    void store(T value, memory_order order) const noexcept { ringtest::reader_store(word_, value, order); }

private:
    T* word_;
};

inline void atomic_thread_fence(memory_order) noexcept { ringtest::reader_fence(); }

}  // namespace std
}  // namespace hftmon

#ifndef RING_READER_CPP
#define RING_READER_CPP "lib/ring/ring_reader.cpp"
#define RING_NAME "real"
#endif
#include RING_READER_CPP

namespace {

std::optional<hftmon::RingReader> reader;

const ringtest::ReaderCode code = {
    .name = RING_NAME,
    .open =
        [](const ::hftmon_record* slots, const ::hftmon_ring_control* control, ::hftmon_ring_reader* page) {
            reader.emplace(hftmon::RingMapping{.cpu = {}, .control = control, .slots = slots, .reader = page});
        },
    .peek =
        [](const ::hftmon_record** first) {
            const auto records = reader->peek();
            *first = records.data();
            return records.size();
        },
    .position = [] { return std::uint64_t{reader->position()}; },
    .release = [](std::size_t count) { reader->release(count); },
    .freeze = [] { reader->freeze(); },
    .overwritten = [] { return reader->counts().overwritten; },
    .lost = [] { return reader->counts().lost; },
};

const ringtest::Registration<ringtest::ReaderCode> registration(ringtest::reader_codes(), code);

}  // namespace
