// SPDX-License-Identifier: MIT
#include <utility>

#include "hftmon/thread_timeline.hpp"

namespace hftmon {

Thread*& ThreadTable::place(Tid tid) {
    const std::size_t page = tid.value >> kPageBits;
    if (page >= pages_.size()) pages_.resize(page + 1);
    if (!pages_[page]) pages_[page] = std::make_unique<Page>();
    return (*pages_[page])[tid.value & (kPageSize - 1)];
}

Thread& ThreadTable::add(Tid tid, TscTime time) {
    if (free_.empty()) {
        owned_.push_back(std::make_unique<Thread>());
        free_.reserve(owned_.size());  // so that forget() cannot fail
        free_.push_back(owned_.back().get());
    }
    Thread& thread = *free_.back();
    place(tid) = &thread;
    free_.pop_back();
    ++living_;

    std::vector<Hop> hops = std::move(thread.wait.hops);  // keep its room
    hops.clear();
    thread = Thread{};
    thread.wait.hops = std::move(hops);
    thread.tid = tid;
    thread.since = thread.first = time;
    return thread;
}

void ThreadTable::forget(Tid tid) noexcept {
    Thread* thread = find(tid);
    if (!thread) return;
    (*pages_[tid.value >> kPageBits])[tid.value & (kPageSize - 1)] = nullptr;
    free_.push_back(thread);
    --living_;
}

void ThreadTable::rename(Tid from, Tid to, TscTime time) {
    if (from == to) return;
    forget(to);
    Thread* thread = &at(from, time);
    place(from) = nullptr;
    place(to) = thread;
    thread->tid = to;
    thread->tag = 0;
}

}  // namespace hftmon
