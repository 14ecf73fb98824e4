// SPDX-License-Identifier: MIT
/// What the rings of a stopped session hold.
#pragma once

#include <utility>

#include "hftmon/runs.hpp"
#include "hftmon/session.hpp"

namespace hftmon::guest {

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
