// SPDX-License-Identifier: MIT
/// The accesses of the reader to the shared words. None throws: RingReader's
/// calls are noexcept, so a violation is kept and reported afterwards.
#pragma once

#include <atomic>
#include <cstdint>

namespace ringtest {

std::uint64_t reader_load(const volatile void* where, std::memory_order order) noexcept;
void reader_store(volatile void* where, std::uint64_t value, std::memory_order order) noexcept;
void reader_fence() noexcept;

}  // namespace ringtest
