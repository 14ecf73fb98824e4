// SPDX-License-Identifier: MIT
// kmod/ring_core.h bound to steps.hpp. The build compiles this once for the
// header itself and once for each mutant, which RING_CORE_H then names.
#include <cstring>

#include "tests/ring/explore/codes.hpp"
#include "tests/ring/explore/steps.hpp"

#ifndef RING_CORE_H
#define RING_CORE_H "kmod/ring_core.h"
#define RING_NAME "real"
#endif

namespace {

#include RING_CORE_H
// The mirror goes when the header has it; a mutant has both in one file.
#if __has_include("tests/ring/core_write.h")
#include "tests/ring/core_write.h"
#endif

hftmon_ring_core core;
constexpr u64 kNever = ~u64{0};

void open(::hftmon_record* slots, ::hftmon_ring_control* control, ::hftmon_ring_reader* reader, bool flight,
          std::uint32_t capacity, std::uint32_t wakeup_records, std::uint64_t base) {
    core = {};
    hftmon_ring_core_init(&core, flight, capacity, wakeup_records);
    core.slots = slots;
    core.control = control;
    core.ureader = reader;
    // As if `base` records had been written and read.
    core.head = base;
    core.committed = base;
    if (core.limit != kNever) core.limit += base;
    if (core.wake_at != kNever) core.wake_at += base;
}

bool write(std::uint16_t type, std::uint16_t flags, std::uint64_t payload0, std::uint64_t payload1, const char* comm) {
    return hftmon_ring_core_write(&core, type, flags, payload0, payload1, comm);
}

const ringtest::WriterCode code = {
    .name = RING_NAME,
    .open = open,
    .write = write,
    .head = [] { return std::uint64_t{core.head}; },
    .committed = [] { return std::uint64_t{core.committed}; },
    .lost = [] { return std::uint64_t{core.lost}; },
    .core = &core,
    .core_size = sizeof(core),
};

#ifndef RING_NO_SUCH_MUTANT
const ringtest::Registration<ringtest::WriterCode> registration(ringtest::writer_codes(), code);
#endif

}  // namespace
