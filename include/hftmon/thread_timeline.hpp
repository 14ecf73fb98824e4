// SPDX-License-Identifier: MIT
/// What became of a thread: running, waiting for a CPU, sleeping.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "hftmon/cpu_timeline.hpp"
#include "hftmon/event.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

enum class ThreadState : std::uint8_t { kUnknown, kRunning, kRunnable, kSleeping, kDead };
inline constexpr std::size_t kThreadStates = 5;

/// Why a thread should have run and did not.
enum class DelayKind : std::uint8_t { kWakeup, kPreemption };
inline constexpr std::size_t kDelayKinds = 2;

/// What made `start` the start of a delay.
enum class StartReason : std::uint8_t {
    kTimer,      ///< a high-resolution timer was due
    kWaking,     ///< somebody asked for the wakeup
    kNewThread,  ///< it was created
    kPreempted,  ///< it lost the CPU
    kUnseen,     ///< only the wakeup was seen, not the waking: the start is too late
};

/// Who woke a thread, from where.
struct Waking {
    TscTime time{};
    Tid waker{};
    CpuId cpu{};
    Context context = Context::kTask;
    Cause source;         ///< what owned that CPU: the interrupt, or the waker itself
    TimerCallback timer;  ///< active: the waking came from this timer's callback
    StackIds stack;       ///< where the waker, or what it was interrupted by, was
};

/// From `since` on the thread waited on this CPU.
struct Hop {
    TscTime since;
    CpuId cpu;
};

/// The wait that a runnable thread is in.
struct Wait {
    DelayKind kind = DelayKind::kWakeup;
    StartReason reason = StartReason::kUnseen;
    bool is_enqueued = false;
    TscTime start{};     ///< when it should have run
    TscTime enqueued{};  ///< when it stood in the run queue, if is_enqueued
    Waking waking;       ///< kTimer, kWaking; kNewThread: time, waker and cpu
    Tid preempted_by{};  ///< kPreempted; 0 is the idle thread
    std::vector<Hop> hops;
};

/// One life of a thread id, as far as it was seen.
struct Thread {
    Tid tid{};
    ThreadState state = ThreadState::kUnknown;
    bool assumed = false;         ///< the state was inferred from a single record, and may be corrected
    bool waking_pending = false;  ///< asked to wake before it had left the CPU
    std::int16_t prio = kPrioUnknown;
    Policy policy = Policy::kNormal;
    CpuId cpu{};            ///< runs or waits there, or did last
    std::uint32_t tag = 0;  ///< for the user of the Timeline; 0 in a new life
    TscTime since{};        ///< in this state
    TscTime first{};
    std::uint64_t page_faults = 0;                ///< seen in this life
    std::uint64_t page_faults_this_run = 0;       ///< since it was last switched in
    std::array<TscTicks, kThreadStates> spent{};  ///< per state, up to `since`
    SuspendedSoftirq softirq;
    Waking pending;  ///< valid when waking_pending
    StackIds left;   ///< where it was when it last left a CPU
    Wait wait;       ///< valid when kRunnable

    /// Ends the present state at `time`, which must not be before `since`.
    void enter(ThreadState next, TscTime time) noexcept {
        spent[static_cast<std::size_t>(state)] += time - since;
        since = time;
        state = next;
        if (next == ThreadState::kUnknown) left = {};
    }
};

/// Threads by id. Addresses are stable for a thread's life; forgotten ones are
/// used again. Memory: about 0.3 KiB per living thread.
class ThreadTable {
public:
    /// Null when unknown.
    [[nodiscard]] Thread* find(Tid tid) const noexcept {
        const std::size_t page = tid.value >> kPageBits;
        if (page >= pages_.size() || !pages_[page]) return nullptr;
        return (*pages_[page])[tid.value & (kPageSize - 1)];
    }
    /// Finds, or begins a life at `time`. tid must be below kTidLimit.
    [[nodiscard]] Thread& at(Tid tid, TscTime time) {
        Thread* thread = find(tid);
        return thread ? *thread : add(tid, time);
    }
    void forget(Tid tid) noexcept;
    /// The thread goes on under another id; what had that id is forgotten.
    void rename(Tid from, Tid to, TscTime time);

    [[nodiscard]] std::size_t size() const noexcept { return living_; }
    template <class Fn>
    void for_each(Fn&& fn) const {
        for (const auto& page : pages_) {
            if (!page) continue;
            for (const Thread* thread : *page) {
                if (thread) fn(*thread);
            }
        }
    }
    /// fn may change the thread, but not begin or end a life.
    template <class Fn>
    void for_each(Fn&& fn) {
        for (const auto& page : pages_) {
            if (!page) continue;
            for (Thread* thread : *page) {
                if (thread) fn(*thread);
            }
        }
    }

private:
    static constexpr std::uint32_t kPageBits = 10;
    static constexpr std::size_t kPageSize = std::size_t{1} << kPageBits;
    using Page = std::array<Thread*, kPageSize>;

    Thread& add(Tid tid, TscTime time);
    Thread*& place(Tid tid);

    std::vector<std::unique_ptr<Page>> pages_;
    std::vector<std::unique_ptr<Thread>> owned_;
    std::vector<Thread*> free_;
    std::size_t living_ = 0;
};

}  // namespace hftmon
