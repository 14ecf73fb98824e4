// SPDX-License-Identifier: MIT
/// Who a thread was at a moment: names, processes and priorities by time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "hftmon/abi/ioctl.h"
#include "hftmon/event.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

using ThreadEntry = ::hftmon_thread_entry;

/// Linux never gives a thread an id of this or above (PID_MAX_LIMIT); a record
/// that claims one is damaged.
inline constexpr std::uint32_t kTidLimit = 4u << 20;

/// A thread as it was known at some moment.
struct ThreadInfo {
    Tid tid, tgid;
    Comm comm;
    Comm process;  ///< name of the thread tgid at that moment; empty if unknown
    std::int16_t prio = 0;
    Policy policy = Policy::kNormal;
};

/// Learns from thread lists and identity records, in any order of time.
///
/// Answers by the last change at or before the moment asked for, else by the
/// first after it. One thread at a time. Memory grows with the number of
/// identity changes until trim().
class NameTable {
public:
    NameTable();
    ~NameTable();
    NameTable(NameTable&&) noexcept;
    NameTable& operator=(NameTable&&) noexcept;

    /// One identity record. Ids that cannot be are ignored. O(1) for records
    /// that come in order of time.
    void learn(TscTime time, const ThreadEvent& event);
    /// A list of threads that was taken after `from` and before `until`.
    void learn(std::span<const ThreadEntry> threads, TscTime from, TscTime until);

    /// Nothing when the thread was never named. Not for the idle thread: see
    /// idle_name(). O(log changes of this tid).
    [[nodiscard]] std::optional<ThreadInfo> lookup(Tid tid, TscTime time) const noexcept;
    /// Process of a thread; nothing when it was never named.
    [[nodiscard]] std::optional<Tid> process_of(Tid tid, TscTime time) const noexcept;
    /// "swapper/CPU".
    [[nodiscard]] static Comm idle_name(CpuId cpu) noexcept;

    /// Forgets what only matters for moments before `horizon`. O(all changes).
    void trim(TscTime horizon);
    /// Changes kept now.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    struct Entry;
    using Page = std::vector<std::vector<Entry>>;
    static constexpr std::uint32_t kPageBits = 10;

    [[nodiscard]] bool is_known_dead(TscTime time, const ThreadEvent& event) const noexcept;
    void insert(Tid tid, const Entry& entry);
    [[nodiscard]] const std::vector<Entry>* history(Tid tid) const noexcept;
    [[nodiscard]] const Entry* find(Tid tid, TscTime time) const noexcept;

    std::vector<std::unique_ptr<Page>> pages_;
    std::size_t size_ = 0;
};

}  // namespace hftmon
