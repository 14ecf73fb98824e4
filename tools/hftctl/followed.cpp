// SPDX-License-Identifier: MIT
#include "tools/hftctl/followed.hpp"

#include <algorithm>
#include <variant>

namespace hftctl {

using hftmon::Comm;
using hftmon::DurationCounter;
using hftmon::Tid;
using hftmon::TscTime;

std::optional<Comm> name_of(const hftmon::NameTable& names, Tid tid, TscTime time) {
    const auto info = names.lookup(tid, time);
    return info ? std::optional(info->comm) : std::nullopt;
}

Followed::Followed(const hftmon::CaptureReader& capture, std::vector<Tid> asked)
    : capture_(capture), asked_(std::move(asked)) {
    if (asked_.empty()) return;
    for (const auto& list : capture.threads()) names_.learn(list.entries, list.from, list.to);
}

bool Followed::is_asked(Tid tid) const noexcept { return std::ranges::count(asked_, tid) != 0; }

void Followed::follow(Tid tid, DurationCounter& counter) {
    any_ = true;
    counter.follow(tid);
}

void Followed::begin(TscTime time, DurationCounter& counter) {
    if (asked_.empty()) return;
    for (const auto& list : capture_.threads()) {
        for (const auto& entry : list.entries) {
            const Tid tid{entry.id.tid};
            const auto process = names_.process_of(tid, time);
            // A later list may hold threads that begin later, which are told then.
            const bool is_there = list.from <= time || &list == &capture_.threads().front();
            if (is_there && (is_asked(tid) || (process && is_asked(*process)))) follow(tid, counter);
        }
    }
}

void Followed::look(const hftmon::Event& event, DurationCounter& counter) {
    if (asked_.empty()) return;
    const TscTime time = event.header.time;
    if (const auto* thread = std::get_if<hftmon::ThreadEvent>(&event.body)) {
        names_.learn(time, *thread);
        const bool is_new = thread->change == hftmon::IdentityChange::kFork;
        if (is_new && (is_asked(thread->tid) || is_asked(thread->tgid))) follow(thread->tid, counter);
    }
    while (comms_.size() < counter.ended().size())
        comms_.push_back(name_of(names_, counter.ended()[comms_.size()].tid, time));
}

void Followed::finish(const DurationCounter& counter, TscTime last, std::vector<hftmon::ThreadHistograms>& threads,
                      std::vector<std::optional<Comm>>& names) {
    threads = counter.ended();
    names = std::move(comms_);
    for (const auto& [tid, histograms] : counter.threads()) {
        threads.push_back(histograms);
        names.push_back(name_of(names_, tid, last));
    }
}

}  // namespace hftctl
