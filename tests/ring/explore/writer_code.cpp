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

hftmon_ring_core core;

void open(::hftmon_record* slots, ::hftmon_ring_control* control, ::hftmon_ring_reader* reader, bool flight,
          std::uint32_t capacity, std::uint64_t base) {
    core = {};
    hftmon_ring_core_init(&core, flight, capacity);
    core.slots = slots;
    core.control = control;
    core.ureader = reader;
    // As if `base` records had been written and read.
    core.head = base;
    core.committed = base;
    core.limit += base;
}

bool write(std::uint16_t type, std::uint16_t flags, std::uint64_t payload0, std::uint64_t payload1, const char* comm) {
    return hftmon_ring_write(&core, type, flags, payload0, payload1, comm);
}

const ringtest::WriterCode code = {
    .name = RING_NAME,
    .open = open,
    .write = write,
    .arm = [](std::uint32_t unread) { hftmon_ring_arm(&core, unread); },
    .freeze =
        [](std::uint64_t since, std::uint64_t tail) {
            core.tail_records = tail;
            core.tail_ticks = ~0ull >> 1;
            hftmon_ring_freeze(&core, since);
        },
    .thaw = [] { hftmon_ring_thaw(&core); },
    .head = [] { return std::uint64_t{core.head}; },
    .committed = [] { return std::uint64_t{core.committed}; },
    .lost = [] { return std::uint64_t{core.lost}; },
    .head_word = &core.head,
    .core = &core,
    .core_size = sizeof(core),
};

const ringtest::Registration<ringtest::WriterCode> registration(ringtest::writer_codes(), code);

}  // namespace
