// SPDX-License-Identifier: MIT
/// What the rings of a session have counted, and hold when it has stopped.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "hftmon/runs.hpp"
#include "hftmon/session.hpp"
#include "tests/guest/must.hpp"

namespace hftmon::guest {

struct Heads {
    std::map<std::uint32_t, CpuStats> cpus;
};

inline Heads heads(Session& session) {
    Heads all;
    for (const RingReader& ring : session.rings()) all.cpus[ring.cpu().value] = must(session.cpu_stats(ring.cpu()));
    return all;
}

/// Calls fn(const Event&) for each, CPU by CPU.
template <class Fn>
void for_each_event(Session& session, Fn&& fn) {
    for (RingReader& ring : session.rings()) {
        const auto records = ring.peek();
        for_each_run(records, ring.cpu(), ring.position(), [&](const Run& run) {
            if (run.status == DecodeStatus::kOk) fn(run.event);
        });
    }
}

}  // namespace hftmon::guest
