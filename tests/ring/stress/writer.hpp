// SPDX-License-Identifier: MIT
/// kmod/ring_core.h under stress: a thread writes, signals play the interrupts.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include "tests/ring/stress/mapping.hpp"

namespace ringtest {

inline constexpr unsigned kLevels = 3;  ///< task, SIGUSR1, SIGUSR2 inside either

/// What the n-th write of a level says; n counts from 1.
struct Content {
    std::uint16_t type;
    std::uint16_t flags;
    std::uint64_t payload[2];
    bool has_comm;
    char comm[HFTMON_COMM_LEN];

    static Content of(unsigned level, std::uint64_t n);
    [[nodiscard]] unsigned records() const { return has_comm ? 2 : 1; }
};
constexpr std::uint16_t kFirstType = HFTMON_REC_IRQ_ENTRY;  ///< of level 0

struct Written {
    std::array<std::uint64_t, kLevels> writes{};
    std::uint64_t records = 0;  ///< of all writes, lost ones included
    std::uint64_t head = 0;
    std::uint64_t lost = 0;
    std::uint64_t interrupts = 0;      ///< signals that came
    std::uint64_t inside_a_write = 0;  ///< of them, inside a write of another level
    std::uint64_t twice_nested = 0;    ///< of them, inside a write inside a write
};

/// One at a time: the signal handlers find it by a global.
class Writer {
public:
    explicit Writer(const HandMadeRing& ring);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// Writes for so long; `pause` is spent between bursts, to let a reader keep up.
    void start(std::chrono::milliseconds length, std::chrono::microseconds pause);
    [[nodiscard]] bool running() const { return !done_.load(std::memory_order_acquire); }
    /// Waits for the end. Everything written is visible to the caller then.
    Written finish();

private:
    void run(std::chrono::milliseconds length, std::chrono::microseconds pause);
    std::thread thread_;
    std::atomic<bool> done_ = false;
};

}  // namespace ringtest
