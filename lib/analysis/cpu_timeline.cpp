// SPDX-License-Identifier: MIT
// Segments of one CPU: closing, cutting, renaming, looking back.
#include "hftmon/cpu_timeline.hpp"

namespace hftmon {

CpuTimeline::CpuTimeline(CpuId cpu, std::size_t max_segments) : cpu_(cpu), history_(max_segments) {}

void CpuTimeline::touch(TscTime time) noexcept {
    if (!begun_) {
        begun_ = true;
        first_ = open_start_ = resync_ = time;
        hidden_rank_ = 2;
    }
    last_ = time;
    ++events_;
}

void CpuTimeline::push_segment(TscTime end, const Cause& cause) {
    if (end <= open_start_) return;
    closed_[static_cast<std::size_t>(cause.kind)] += (end - open_start_).value;
    history_.push({open_start_, cause, open_events_});
    open_start_ = end;
    open_events_ = events_ - 1;
}

void CpuTimeline::close(TscTime time) { push_segment(time, top().cause); }

void CpuTimeline::nmi(TscTime time, TscTicks length) {
    // Nothing is recorded while an NMI runs, so it lies inside the open segment.
    const TscTicks open = time - open_start_;
    close(time - std::clamp(length, TscTicks{0}, open));
    push_segment(time, {.kind = CauseKind::kNmi, .policy = {}, .prio = 0, .subject = 0, .thread = bottom().thread});
}

/// Index of the first segment that starts at `time` or later; there is one that starts at
/// `time`, if it lies in one that is kept.
std::uint64_t CpuTimeline::split(TscTime time) {
    const std::uint64_t next = history_.partition([time](const Segment& segment) { return segment.start < time; });
    const bool starts_there = next < history_.end() ? history_[next].start == time : open_start_ <= time;
    if (starts_there || next == history_.oldest()) return next;
    Segment second = history_[next - 1];  // which may be forgotten now
    second.start = time;
    history_.push(second);  // moves what follows out of the way
    for (std::uint64_t i = history_.end() - 1; i > next; --i) history_[i] = history_[i - 1];
    history_[next] = second;
    return next;
}

void CpuTimeline::handler(TscTime time, TscTicks length, CauseKind kind, std::uint32_t subject) {
    // A handler interrupts few others; a damaged record may claim everything.
    constexpr std::uint64_t kReach = 4096;
    close(time);
    const Cause interrupted = owner();
    const Cause cause{.kind = kind, .policy = {}, .prio = 0, .subject = subject, .thread = bottom().thread};
    const std::uint64_t end_index = history_.end();
    const std::uint64_t farthest = std::max(history_.oldest(), end_index - std::min(end_index, kReach));
    const TscTime limit = farthest < end_index ? history_[farthest].start : open_start_;
    const TscTime start = std::max(time - std::clamp(length, TscTicks{0}, time - first_), limit);
    for (std::uint64_t i = split(start); i < history_.end(); ++i) {
        Segment& segment = history_[i];
        if (!segment.cause.same_as(interrupted) || segment.cause.thread != interrupted.thread) continue;
        const TscTime end = i + 1 < history_.end() ? history_[i + 1].start : open_start_;
        closed_[static_cast<std::size_t>(interrupted.kind)] -= (end - segment.start).value;
        closed_[static_cast<std::size_t>(kind)] += (end - segment.start).value;
        segment.cause = cause;
    }
}

void CpuTimeline::idle(TscTime time, bool enter, std::uint32_t state) {
    if (bottom().kind == CauseKind::kUnknown) {
        name_bottom({.kind = CauseKind::kIdle, .policy = {}, .prio = 0, .subject = kIdleStateUnknown, .thread = {}});
    }
    if (!enter || bottom().kind != CauseKind::kIdle) return;
    close(time);
    levels_[0].cause.subject = state;
}

void CpuTimeline::page_fault(TscTime time) { faults_.push(time); }

void CpuTimeline::shed(TscTime time, std::uint64_t sources) {
    sheds_.push({time, sources});
    ever_shed_ |= sources;
    shed_now_ = sources;
    if (!begun_) return;
    // What is open may end unseen; what is brought back may be open.
    close(time);
    const Cause bottom = levels_[0].cause;
    resync(time, bottom);
}

std::uint64_t CpuTimeline::shed_in(TscTime from, TscTime to) const noexcept {
    if (ever_shed_ == 0) return 0;
    if (sheds_.oldest() > 0 && from < sheds_[sheds_.oldest()].since) return ever_shed_;
    std::uint64_t i = sheds_.partition([from](const Shed& shed) { return shed.since <= from; });
    if (i > sheds_.oldest()) --i;  // what it was at `from`
    std::uint64_t sources = 0;
    for (; i < sheds_.end() && sheds_[i].since < to; ++i) sources |= sheds_[i].sources;
    return sources;
}

void CpuTimeline::timer_enter(TscTime time, TscTicks late, TscTicks slack) noexcept {
    const CauseKind kind = top().cause.kind;
    const bool in_hardirq = kind == CauseKind::kIrq || kind == CauseKind::kVector;
    const TscTime arrival = in_hardirq ? top().entered : time;
    // Fields are untrusted: a lateness beyond the clock's own zero is cut.
    const std::uint64_t before = std::min(time.value, static_cast<std::uint64_t>(std::max(late, TscTicks{0}).value));
    const TscTime expiry{time.value - before};
    top().timer = {.active = true, .expiry = expiry, .due = expiry + slack, .arrival = arrival};
}

void CpuTimeline::set_bottom_priority(TscTime time, Tid tid, std::int16_t prio) {
    Cause& cause = levels_[0].cause;
    if (cause.kind != CauseKind::kThread || cause.thread != tid || cause.prio == prio) return;
    if (depth_ == 1) close(time);
    cause.prio = prio;
}

void CpuTimeline::rename_bottom(Tid tid) noexcept {
    Cause& cause = levels_[0].cause;
    cause.thread = tid;
    if (cause.kind == CauseKind::kThread) cause.subject = tid.value;
}

/// The segments since the last resync that were put down to `was` were `is`.
void CpuTimeline::adopt(const Cause& was, const Cause& is) noexcept {
    for (std::uint64_t i = history_.end(); i-- > history_.oldest();) {
        Segment& segment = history_[i];
        if (segment.start < resync_) break;
        if (!segment.cause.same_as(was)) continue;
        const TscTime end = i + 1 < history_.end() ? history_[i + 1].start : open_start_;
        const std::int64_t length = (end - segment.start).value;
        closed_[static_cast<std::size_t>(was.kind)] -= length;
        closed_[static_cast<std::size_t>(is.kind)] += length;
        segment.cause = is;
    }
}

/// A record has told who had been at the bottom since the last resync.
void CpuTimeline::name_bottom(const Cause& bottom) noexcept {
    adopt(levels_[0].cause, bottom);
    levels_[0].cause = bottom;
}

TscTicks CpuTimeline::time_of(CauseKind kind) const noexcept {
    TscTicks ticks{closed_[static_cast<std::size_t>(kind)]};
    if (begun_ && levels_[depth_ - 1].cause.kind == kind) ticks += last_ - open_start_;
    return ticks;
}

/// The last kept segment that starts at or before `time`; oldest if none does.
std::uint64_t CpuTimeline::find(TscTime time) const noexcept {
    const std::uint64_t after = history_.partition([time](const Segment& segment) { return segment.start <= time; });
    return after > history_.oldest() ? after - 1 : after;
}

CpuTimeline::PageFaults CpuTimeline::page_faults(TscTime from, TscTime to) const noexcept {
    const std::uint64_t first = faults_.partition([from](TscTime fault) { return fault < from; });
    const std::uint64_t last = faults_.partition([to](TscTime fault) { return fault < to; });
    const std::uint64_t oldest = faults_.oldest();
    constexpr std::uint64_t kSources =
        HFTMON_SOURCE_BIT(HFTMON_SOURCE_PAGE_FAULT_USER) | HFTMON_SOURCE_BIT(HFTMON_SOURCE_PAGE_FAULT_KERNEL);
    const bool complete = (oldest == 0 || faults_[oldest] < from) && (shed_in(from, to) & kSources) == 0;
    return {static_cast<std::uint32_t>(last - first), complete};
}

std::uint32_t CpuTimeline::events_in(TscTime from, TscTime to) const noexcept {
    // Before the time: all of the segments that have ended, and of that which it cuts its share.
    const auto before = [this](TscTime time) -> std::uint32_t {
        const std::uint64_t after =
            history_.partition([time](const Segment& segment) { return segment.start <= time; });
        const bool is_open = after == history_.end() && time >= open_start_;
        if (after == history_.oldest() && !is_open)
            return after < history_.end() ? history_[after].events : open_events_;
        const TscTime start = is_open ? open_start_ : history_[after - 1].start;
        const TscTime end = is_open                  ? std::max(last_, time)
                            : after < history_.end() ? history_[after].start
                                                     : open_start_;
        const std::uint32_t first = is_open ? open_events_ : history_[after - 1].events;
        const std::uint32_t last = is_open ? events_ : after < history_.end() ? history_[after].events : open_events_;
        if (time <= start || last == first) return first;
        // One stands at its beginning, the others anywhere.
        const double share = static_cast<double>((time - start).value) / static_cast<double>((end - start).value);
        return first + 1 + static_cast<std::uint32_t>(share * (last - first - 1));
    };
    return from < to ? before(to) - before(from) : 0;
}

bool CpuTimeline::has_gap(TscTime from, TscTime to) const {
    if (last_gap_ <= from) return false;
    bool found = false;
    walk(from, to, [&](TscTime, TscTime, const Cause& cause) { found |= cause.kind == CauseKind::kGap; });
    return found;
}

}  // namespace hftmon
