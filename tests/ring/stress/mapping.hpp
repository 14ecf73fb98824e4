// SPDX-License-Identifier: MIT
/// A ring's memory as the kernel maps it, made by hand: data twice in a row.
#pragma once

#include <cstdint>

#include "hftmon/ring_reader.hpp"

namespace ringtest {

class HandMadeRing {
public:
    HandMadeRing(bool flight, std::uint32_t capacity);
    ~HandMadeRing();
    HandMadeRing(const HandMadeRing&) = delete;
    HandMadeRing& operator=(const HandMadeRing&) = delete;

    ::hftmon_ring_control* control;
    ::hftmon_ring_reader* reader;
    ::hftmon_record* slots;

    [[nodiscard]] hftmon::RingMapping mapping() const {
        return {.cpu = {}, .control = control, .slots = slots, .reader = reader};
    }

private:
    std::size_t bytes_;
};

/// A reader that takes up where the one before it released.
hftmon::RingReader resume(const HandMadeRing& ring);

}  // namespace ringtest
