// SPDX-License-Identifier: MIT
/// Codes under test: the writer and the reader as they are, and mutants of both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "hftmon/abi/ring.h"

namespace ringtest {

/// kmod/ring_core.h, or a mutant of it, bound to steps.hpp. One ring per code.
struct WriterCode {
    const char* name;
    /// Begins a new ring whose next position is `base`.
    void (*open)(::hftmon_record* slots, ::hftmon_ring_control* control, ::hftmon_ring_reader* reader, bool flight,
                 std::uint32_t capacity, std::uint64_t base);
    bool (*write)(std::uint16_t type, std::uint16_t flags, std::uint64_t payload0, std::uint64_t payload1,
                  const char* comm);
    /// A poller, on another CPU, asks to be woken.
    void (*arm)(std::uint32_t unread);
    /// Anybody, on any CPU, wants the ring to stay as it is, but for `tail` records, or to go on.
    void (*freeze)(std::uint64_t since, std::uint64_t tail);
    void (*thaw)();
    std::uint64_t (*head)();
    std::uint64_t (*committed)();
    std::uint64_t (*lost)();
    /// The writer's private words, and `head` among them.
    const void* head_word;
    const void* core;
    std::size_t core_size;
};

/// lib/ring/ring_reader.cpp, or a mutant of it, bound to the explorer's memory.
struct ReaderCode {
    const char* name;
    void (*open)(const ::hftmon_record* slots, const ::hftmon_ring_control* control, ::hftmon_ring_reader* reader);
    /// Number of records; `*first` is the first one.
    std::size_t (*peek)(const ::hftmon_record** first);
    std::uint64_t (*position)();
    void (*release)(std::size_t count);
    void (*freeze)();
    std::uint64_t (*overwritten)();
    std::uint64_t (*lost)();
};

/// All that are linked in; the unmodified ones are called "real".
std::vector<const WriterCode*>& writer_codes();
std::vector<const ReaderCode*>& reader_codes();

template <class Code>
struct Registration {
    Registration(std::vector<const Code*>& all, const Code& code) { all.push_back(&code); }
};

template <class Code>
const Code& find_code(const std::vector<const Code*>& all, std::string_view name) {
    for (const Code* code : all) {
        if (code->name == name) return *code;
    }
    throw std::out_of_range("no such code: " + std::string(name));
}

}  // namespace ringtest
