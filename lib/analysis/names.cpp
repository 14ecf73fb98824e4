// SPDX-License-Identifier: MIT
#include "hftmon/names.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace hftmon {

/// From `time` on the thread was this.
struct NameTable::Entry {
    TscTime time;
    TscTime until;  ///< end of the list's window; equal to time for a record
    Tid tgid;
    std::int16_t prio;
    Policy policy;
    bool last;      ///< the thread ended here
    bool backward;  ///< the record told the name as it was until now
    Comm comm;
};

NameTable::NameTable() = default;
NameTable::~NameTable() = default;
NameTable::NameTable(NameTable&&) noexcept = default;
NameTable& NameTable::operator=(NameTable&&) noexcept = default;

void NameTable::insert(Tid tid, const Entry& entry) {
    if (tid == kIdleTid || tid.value >= kTidLimit) return;
    const std::size_t index = tid.value >> kPageBits;
    if (index >= pages_.size()) pages_.resize(index + 1);
    if (!pages_[index]) pages_[index] = std::make_unique<Page>(std::size_t{1} << kPageBits);
    std::vector<Entry>& history = (*pages_[index])[tid.value & ((1u << kPageBits) - 1)];

    // Almost always the end: records come in order of time.
    auto at = history.end();
    while (at != history.begin() && std::prev(at)->time > entry.time) --at;
    history.insert(at, entry);
    ++size_;
}

/// The end of a thread that is known needs no entry. Its tid may be free long
/// before it stops, so that an entry could already be of another thread.
bool NameTable::is_known_dead(TscTime time, const ThreadEvent& event) const noexcept {
    const Entry* known = find(event.tid, time);
    if (!known || known->time > time) return false;
    return !known->last || (known->tgid == event.tgid && known->comm == event.comm);
}

void NameTable::learn(TscTime time, const ThreadEvent& event) {
    const bool exit = event.change == IdentityChange::kExit || event.change == IdentityChange::kDead;
    if (event.change == IdentityChange::kDead && is_known_dead(time, event)) return;
    insert(event.tid, {.time = time,
                       .until = time,
                       .tgid = event.tgid,
                       .prio = event.prio,
                       .policy = event.policy,
                       .last = exit,
                       .backward = exit || event.change == IdentityChange::kThread,
                       .comm = event.comm});
}

void NameTable::learn(std::span<const ThreadEntry> threads, TscTime from, TscTime until) {
    for (const ThreadEntry& thread : threads) {
        Entry entry{.time = from,
                    .until = until,
                    .tgid = {thread.id.tgid},
                    .prio = thread.id.prio,
                    .policy = static_cast<Policy>(thread.id.policy),
                    .last = false,
                    .backward = false,
                    .comm = {}};
        std::memcpy(entry.comm.bytes.data(), thread.comm, entry.comm.bytes.size());
        insert({thread.id.tid}, entry);
    }
}

const std::vector<NameTable::Entry>* NameTable::history(Tid tid) const noexcept {
    const std::size_t index = tid.value >> kPageBits;
    if (index >= pages_.size() || !pages_[index]) return nullptr;
    const std::vector<Entry>& history = (*pages_[index])[tid.value & ((1u << kPageBits) - 1)];
    return history.empty() ? nullptr : &history;
}

const NameTable::Entry* NameTable::find(Tid tid, TscTime time) const noexcept {
    const std::vector<Entry>* all = history(tid);
    if (!all) return nullptr;
    const auto after =
        std::upper_bound(all->begin(), all->end(), time, [](TscTime t, const Entry& entry) { return t < entry.time; });
    if (after == all->begin()) return &*after;
    const auto before = std::prev(after);
    // The list may have met the thread after a rename inside its window. The
    // rename's own record of the old name decides.
    if (after != all->end() && after->backward && after->time < before->until) return &*after;
    return &*before;
}

std::optional<ThreadInfo> NameTable::lookup(Tid tid, TscTime time) const noexcept {
    const Entry* entry = find(tid, time);
    if (!entry) return std::nullopt;
    const Entry* process = entry->tgid == tid ? entry : find(entry->tgid, time);
    return ThreadInfo{.tid = tid,
                      .tgid = entry->tgid,
                      .comm = entry->comm,
                      .process = process ? process->comm : Comm{},
                      .prio = entry->prio,
                      .policy = entry->policy};
}

std::optional<Tid> NameTable::process_of(Tid tid, TscTime time) const noexcept {
    const Entry* entry = find(tid, time);
    return entry ? std::optional<Tid>(entry->tgid) : std::nullopt;
}

Comm NameTable::idle_name(CpuId cpu) noexcept {
    Comm comm;
    constexpr std::string_view kPrefix = "swapper/";
    std::copy(kPrefix.begin(), kPrefix.end(), comm.bytes.begin());
    // A number that does not fit is cut like the kernel cuts it.
    char digits[10];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), cpu.value).ptr;
    const auto length =
        std::min<std::size_t>(static_cast<std::size_t>(end - digits), comm.bytes.size() - 1 - kPrefix.size());
    std::copy_n(digits, length, comm.bytes.begin() + kPrefix.size());
    return comm;
}

void NameTable::trim(TscTime horizon) {
    size_ = 0;
    for (auto& page : pages_) {
        if (!page) continue;
        for (std::vector<Entry>& history : *page) {
            const auto after = std::upper_bound(history.begin(), history.end(), horizon,
                                                [](TscTime t, const Entry& entry) { return t < entry.time; });
            if (after != history.begin()) {
                // The last change before the horizon still holds, unless the thread ended with it.
                const bool gone = std::prev(after)->last;
                history.erase(history.begin(), gone ? after : std::prev(after));
            }
            if (history.empty()) std::vector<Entry>().swap(history);
            size_ += history.size();
        }
    }
}

}  // namespace hftmon
