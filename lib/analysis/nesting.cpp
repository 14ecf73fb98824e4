// SPDX-License-Identifier: MIT
// The stack of one CPU: who interrupts whom, and what a record proves about
// levels whose own records are missing.
#include "hftmon/cpu_timeline.hpp"

namespace hftmon {
namespace {

enum Rank : std::uint8_t { kRankThread = 0, kRankSoftirq = 1, kRankHardirq = 2 };

constexpr Rank rank_of(CauseKind kind) noexcept {
    switch (kind) {
        case CauseKind::kSoftirq: return kRankSoftirq;
        case CauseKind::kIrq:
        case CauseKind::kVector: return kRankHardirq;
        default: return kRankThread;
    }
}

}  // namespace

void CpuTimeline::enter(TscTime time, CauseKind kind, std::uint32_t subject, Anomalies& anomalies) {
    close(time);
    const Rank rank = rank_of(kind);
    // A softirq starts only when no hardirq and no other softirq runs: those ended unseen.
    if (rank == kRankSoftirq && depth_ > 1) {
        anomalies.lost_exits += depth_ - 1;
        drop_to(1);
    }
    hidden_rank_ = std::min<std::uint8_t>(hidden_rank_, rank == kRankSoftirq ? kRankThread : kRankSoftirq);
    if (depth_ == kMaxDepth) {
        ++anomalies.deep_nesting;
        return;
    }
    Level& level = levels_[depth_++];
    level.cause = {.kind = kind, .policy = {}, .prio = 0, .subject = subject, .thread = bottom().thread};
    level.entered = time;
    level.timer.active = false;
}

void CpuTimeline::leave(TscTime time, CauseKind kind, std::uint32_t subject, Anomalies& anomalies) {
    close(time);
    for (std::size_t i = depth_; i-- > 1;) {
        const Cause& cause = levels_[i].cause;
        if (cause.kind != kind || cause.subject != subject) continue;
        anomalies.lost_exits += depth_ - 1 - i;
        drop_to(i);
        return;
    }
    // An exit whose entry lies in a gap or before the first record: what ran
    // since then was not the thread but this.
    const Rank rank = rank_of(kind);
    if (depth_ == 1 && rank != kRankThread && rank <= hidden_rank_) {
        hidden_rank_ = static_cast<std::uint8_t>(rank - 1);
        adopt(bottom(), {.kind = kind, .policy = {}, .prio = 0, .subject = subject, .thread = bottom().thread});
        return;
    }
    ++anomalies.orphan_exits;
}

void CpuTimeline::switch_bottom(TscTime time, const Cause& prev, const Cause& next, SuspendedSoftirq& leaving,
                                const SuspendedSoftirq& coming, Anomalies& anomalies) {
    close(time);
    leaving.active = false;
    // No switch happens inside a hardirq: its exit was lost.
    while (depth_ > 1 && rank_of(top().cause.kind) == kRankHardirq) {
        ++anomalies.lost_exits;
        --depth_;
    }
    if (depth_ > 1) {
        if (prev.kind == CauseKind::kThread) {
            leaving = {.active = true, .vec = top().cause.subject, .timer = top().timer};
        } else {
            ++anomalies.lost_exits;
        }
        drop_to(1);
    }
    const bool is_assumed = bottom().kind == CauseKind::kNotWatched && bottom().subject == kAssumed;
    if (bottom().kind == CauseKind::kUnknown || (is_assumed && prev.kind != CauseKind::kNotWatched)) {
        name_bottom(prev);
    } else if (bottom().kind == CauseKind::kNotWatched) {
        // Who of those that nobody watches, is not asked; or it is watched since a moment ago.
    } else if (bottom().thread != prev.thread) {
        ++anomalies.wrong_prev;
    }
    hidden_rank_ = kRankThread;
    levels_[0].cause = next;
    levels_[0].entered = time;
    levels_[0].timer.active = false;
    if (coming.active) {
        Level& level = levels_[depth_++];
        level.cause = {
            .kind = CauseKind::kSoftirq, .policy = {}, .prio = 0, .subject = coming.vec, .thread = next.thread};
        level.entered = time;
        level.timer = coming.timer;
    }
}

void CpuTimeline::gap(TscTime time, const Cause& bottom, Anomalies& anomalies) {
    woken_ = {};
    anomalies.orphaned_entries += depth_ - 1;
    close(last_);
    push_segment(time, {.kind = CauseKind::kGap, .policy = {}, .prio = 0, .subject = 0, .thread = {}});
    last_gap_ = time;
    resync(time, bottom);
}

void CpuTimeline::set_bottom(TscTime time, const Cause& bottom, Anomalies& anomalies) {
    woken_ = {};
    close(time);
    if (this->bottom().kind == CauseKind::kUnknown) {
        name_bottom(bottom);
        return;
    }
    anomalies.orphaned_entries += depth_ - 1;
    resync(time, bottom);
}

void CpuTimeline::assume(TscTime time, const Cause& bottom) {
    if (depth_ == 1) close(time);
    levels_[0].cause = bottom;
    resync_ = time;
}

/// From here on: this thread, and perhaps an interrupt that was entered unseen.
void CpuTimeline::resync(TscTime time, const Cause& bottom) {
    depth_ = 1;
    levels_[0] = {.cause = bottom, .entered = time, .timer = {}};
    resync_ = time;
    hidden_rank_ = kRankHardirq;
}

}  // namespace hftmon
