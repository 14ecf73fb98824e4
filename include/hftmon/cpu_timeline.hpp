// SPDX-License-Identifier: MIT
/// What owned one CPU's time: a stack of levels that closes segments.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "hftmon/abi/source.h"
#include "hftmon/event.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// kTimerSlack owns no CPU, only lines of bills: nobody held the timer up.
/// kNotWatched: the capture leaves out here what does not concern the threads
/// that it watches, and none of them ran.
enum class CauseKind : std::uint8_t {
    kUnknown,
    kGap,
    kIdle,
    kThread,
    kSoftirq,
    kIrq,
    kVector,
    kNmi,
    kTimerSlack,
    kNotWatched
};
inline constexpr std::size_t kCauseKinds = 10;

/// Priority of a thread that no record has told yet.
inline constexpr std::int16_t kPrioUnknown = std::numeric_limits<std::int16_t>::min();
/// Cause::subject of an idle CPU whose idle state is not known.
inline constexpr std::uint32_t kIdleStateUnknown = HFTMON_IDLE_EXIT;

/// Cause::subject of kNotWatched when no switch has told it: a watched thread may have run.
inline constexpr std::uint32_t kAssumed = 1;

/// Who owns a CPU.
struct Cause {
    CauseKind kind = CauseKind::kUnknown;
    Policy policy = Policy::kNormal;  ///< kThread only
    std::int16_t prio = 0;            ///< kThread only
    /// kThread: tid. kIrq: number. kSoftirq: vec. kVector: VectorKind.
    /// kIdle: the idle state last entered. kNotWatched: kAssumed or 0. Others: 0.
    std::uint32_t subject = 0;
    Tid thread{};  ///< at the bottom of the stack meanwhile; 0 when idle or unknown

    [[nodiscard]] bool same_as(const Cause& other) const noexcept {
        return kind == other.kind && subject == other.subject;
    }
};

/// [start, start of the next segment).
struct Segment {
    TscTime start;
    Cause cause;
    std::uint32_t events = 0;  ///< that the CPU had recorded before it, modulo 2^32
};

/// What a stream said that could not be, and what was done about it. All zero
/// for a stream without gaps.
struct Anomalies {
    std::uint64_t lost_exits = 0;        ///< level closed because a later record shows that it had ended
    std::uint64_t orphan_exits = 0;      ///< exit without an entry: dropped
    std::uint64_t orphaned_entries = 0;  ///< level open when a gap came: dropped
    std::uint64_t deep_nesting = 0;      ///< level beyond the stack's room: dropped
    std::uint64_t wrong_prev = 0;        ///< a switch away from a thread that was not known to run here
    std::uint64_t wrong_next = 0;        ///< a switch to a thread that was running elsewhere or dead
    std::uint64_t unseen_wakings = 0;    ///< a sleeping thread ran, and nobody had woken it: its delay is not known
    std::uint64_t unseen_starts = 0;     ///< a sleeping thread was enqueued before anybody had asked for it
    std::uint64_t unseen_moves = 0;      ///< a waiting thread ran on a CPU that it had not moved to
    std::uint64_t backwards = 0;         ///< time below an earlier record's: taken as equal to it
    std::uint64_t bad_ids = 0;           ///< thread or CPU number that cannot be: record dropped

    [[nodiscard]] std::uint64_t total() const noexcept {
        return lost_exits + orphan_exits + orphaned_entries + deep_nesting + wrong_prev + wrong_next + unseen_wakings +
               unseen_starts + unseen_moves + backwards + bad_ids;
    }
};

/// The newest elements of a sequence, up to a fixed number; memory grows to it.
template <class T>
class HistoryRing {
public:
    explicit HistoryRing(std::size_t limit) : limit_(limit) {}

    void push(const T& item) {
        if (count_ >= items_.size() && items_.size() < limit_) {
            items_.resize(std::min(limit_, std::max<std::size_t>(256, items_.size() * 2)));
            mask_ = items_.size() - 1;
        }
        items_[count_++ & mask_] = item;
    }
    /// Indices of what is kept: [oldest(), end()).
    [[nodiscard]] std::uint64_t oldest() const noexcept { return count_ > items_.size() ? count_ - items_.size() : 0; }
    [[nodiscard]] std::uint64_t end() const noexcept { return count_; }
    /// First index kept whose element does not satisfy `before`, which those
    /// before it all do. O(log kept).
    template <class Before>
    [[nodiscard]] std::uint64_t partition(Before&& before) const noexcept {
        std::uint64_t low = oldest();
        std::uint64_t high = end();
        while (low < high) {
            const std::uint64_t middle = low + (high - low) / 2;
            if (before((*this)[middle]))
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
    [[nodiscard]] T& operator[](std::uint64_t index) noexcept { return items_[index & mask_]; }
    [[nodiscard]] const T& operator[](std::uint64_t index) const noexcept { return items_[index & mask_]; }

private:
    std::vector<T> items_;
    std::size_t limit_;  // a power of two
    std::uint64_t mask_ = 0;
    std::uint64_t count_ = 0;
};

/// The high-resolution timer whose callback a level is running.
struct TimerCallback {
    bool active = false;
    TscTime expiry{};   ///< when it was programmed to fire
    TscTime due{};      ///< expiry plus the slack that the kernel was allowed
    TscTime arrival{};  ///< entry of the interrupt it runs in, else of the callback
};

/// A softirq that was running when its thread lost the CPU (PREEMPT_RT).
struct SuspendedSoftirq {
    bool active = false;
    std::uint32_t vec = 0;
    TimerCallback timer;
};

/// One CPU's stack and the segments that it has closed.
///
/// Segments partition the time from the first record to the last: their lengths
/// sum to last() - first(), exactly, and so does time_of() over all kinds. The
/// newest `max_segments` are kept for look-back. Times given must not decrease
/// (Timeline sees to that). One thread at a time.
class CpuTimeline {
public:
    /// max_segments: a power of two, at least 256.
    CpuTimeline(CpuId cpu, std::size_t max_segments);

    // ---- what happens; `anomalies` counts what cannot be ----

    /// Every record of this CPU, before its own call below (gap() goes first).
    void touch(TscTime time) noexcept;
    /// Records are missing between the last one and the one at `time`, which
    /// finds `bottom` running. begun() must be true; touch() follows.
    void gap(TscTime time, const Cause& bottom, Anomalies& anomalies);
    /// The thread that a CPU_STATE record names.
    void set_bottom(TscTime time, const Cause& bottom, Anomalies& anomalies);
    /// sched_switch. `leaving` takes the softirq that goes with the old thread,
    /// `coming` is what comes back with the new one.
    void switch_bottom(TscTime time, const Cause& prev, const Cause& next, SuspendedSoftirq& leaving,
                       const SuspendedSoftirq& coming, Anomalies& anomalies);
    /// kind: kSoftirq, kIrq or kVector.
    void enter(TscTime time, CauseKind kind, std::uint32_t subject, Anomalies& anomalies);
    void leave(TscTime time, CauseKind kind, std::uint32_t subject, Anomalies& anomalies);
    /// From now on: only what concerns watched threads is recorded here.
    void set_partial() noexcept { partial_ = true; }
    /// Who is watched has changed: from now on `bottom`, whoever it was before.
    void assume(TscTime time, const Cause& bottom);
    /// A handler that ended now and took `length`: the open segment is cut back.
    void nmi(TscTime time, TscTicks length);
    /// The same, of a softirq, hardirq or vector, which others may have interrupted: what
    /// whoever owns the CPU now had of the last `length`, it had.
    void handler(TscTime time, TscTicks length, CauseKind kind, std::uint32_t subject);
    /// cpu_idle; leaving an idle state keeps its name until the next one.
    void idle(TscTime time, bool enter, std::uint32_t state);
    void page_fault(TscTime time);
    /// From now on these sources (bits) are not recorded here. What is open is dropped:
    /// its end may not be seen. Before the first record: from the beginning on.
    void shed(TscTime time, std::uint64_t sources);
    void timer_enter(TscTime time, TscTicks late, TscTicks slack) noexcept;
    void timer_leave() noexcept { top().timer.active = false; }
    /// `tid`, if it is the bottom thread, has another priority from `time` on,
    /// which another CPU may have told.
    void set_bottom_priority(TscTime time, Tid tid, std::int16_t prio);
    /// Asked to wake, the last one from here.
    void set_woken(Tid tid) noexcept { woken_ = tid; }
    /// The bottom thread got another id (exec by a thread that did not lead).
    void rename_bottom(Tid tid) noexcept;

    // ---- what is known ----

    [[nodiscard]] CpuId cpu() const noexcept { return cpu_; }
    [[nodiscard]] bool begun() const noexcept { return begun_; }
    [[nodiscard]] bool partial() const noexcept { return partial_; }
    [[nodiscard]] Tid woken() const noexcept { return woken_; }
    [[nodiscard]] TscTime first() const noexcept { return first_; }
    [[nodiscard]] TscTime last() const noexcept { return last_; }
    /// End of the last gap; 0 when there was none.
    [[nodiscard]] TscTime last_gap() const noexcept { return last_gap_; }
    [[nodiscard]] const Cause& bottom() const noexcept { return levels_[0].cause; }
    /// Top of the stack.
    [[nodiscard]] const Cause& owner() const noexcept { return levels_[depth_ - 1].cause; }
    /// The timer callback that runs here now.
    [[nodiscard]] const TimerCallback& timer() const noexcept { return levels_[depth_ - 1].timer; }
    /// Time of all segments so far, the open one up to last().
    [[nodiscard]] TscTicks time_of(CauseKind kind) const noexcept;

    /// Calls fn(TscTime from, TscTime to, const Cause&) for the segments of
    /// [from, to), in order, cut to it, without holes: what was before the
    /// first record has an unknown cause, and the cause of the last record goes
    /// on to `to`. False when part of it was known once and is forgotten (its
    /// cause is unknown too). O(log kept + segments in the range).
    template <class Fn>
    bool walk(TscTime from, TscTime to, Fn&& fn) const;
    /// Page faults seen here in [from, to). `complete`: false when the range
    /// reaches back beyond those kept (the newest 65536), or they were shed.
    struct PageFaults {
        std::uint32_t count = 0;
        bool complete = true;
    };
    [[nodiscard]] PageFaults page_faults(TscTime from, TscTime to) const noexcept;
    /// Events recorded here in [from, to): exact where it begins and ends with segments, else
    /// by the share of the time that it has of these.
    [[nodiscard]] std::uint32_t events_in(TscTime from, TscTime to) const noexcept;
    /// Sources that were not recorded at some time in [from, to); beyond the newest 4096
    /// changes all that ever were.
    [[nodiscard]] std::uint64_t shed_in(TscTime from, TscTime to) const noexcept;
    /// And at any time.
    [[nodiscard]] std::uint64_t ever_shed() const noexcept { return ever_shed_; }
    [[nodiscard]] std::uint64_t shed_now() const noexcept { return shed_now_; }
    /// Are records missing somewhere in [from, to)? O(1) when none are since.
    [[nodiscard]] bool has_gap(TscTime from, TscTime to) const;

private:
    struct Level {
        Cause cause;
        TscTime entered{};
        TimerCallback timer;
    };
    static constexpr std::size_t kMaxDepth = 8;
    static constexpr std::size_t kMaxFaults = 65536;
    static constexpr std::size_t kMaxSheds = 4096;
    struct Shed {
        TscTime since;
        std::uint64_t sources = 0;
    };

    [[nodiscard]] Level& top() noexcept { return levels_[depth_ - 1]; }
    void close(TscTime time);
    void push_segment(TscTime end, const Cause& cause);
    std::uint64_t split(TscTime time);
    void resync(TscTime time, const Cause& bottom);
    void adopt(const Cause& was, const Cause& is) noexcept;
    void name_bottom(const Cause& bottom) noexcept;
    void drop_to(std::size_t depth) noexcept { depth_ = std::min(depth_, depth); }
    [[nodiscard]] std::uint64_t find(TscTime time) const noexcept;

    CpuId cpu_;
    bool begun_ = false;
    bool partial_ = false;
    Tid woken_{};
    std::uint8_t hidden_rank_ = 0;  // highest level that may be open unseen since resync_
    std::size_t depth_ = 1;
    TscTime first_{};
    TscTime last_{};
    TscTime open_start_{};
    std::uint32_t events_ = 0;       // recorded here, this one included
    std::uint32_t open_events_ = 0;  // as Segment::events
    TscTime resync_{};
    TscTime last_gap_{};
    std::array<Level, kMaxDepth> levels_{};
    std::array<std::int64_t, kCauseKinds> closed_{};
    HistoryRing<Segment> history_;
    HistoryRing<TscTime> faults_{kMaxFaults};
    HistoryRing<Shed> sheds_{kMaxSheds};
    std::uint64_t ever_shed_ = 0;
    std::uint64_t shed_now_ = 0;
};

template <class Fn>
bool CpuTimeline::walk(TscTime from, TscTime to, Fn&& fn) const {
    if (from >= to) return true;
    const std::uint64_t oldest = history_.oldest();
    const std::uint64_t end = history_.end();
    const TscTime known = !begun_ ? to : oldest < end ? history_[oldest].start : open_start_;
    const bool complete = oldest == 0 || from >= known;
    if (from < known) {
        const TscTime stop = std::min(known, to);
        fn(from, stop, Cause{});
        from = stop;
    }
    for (std::uint64_t i = find(from); from < to && i < end; ++i) {
        const TscTime segment_end = i + 1 < end ? history_[i + 1].start : open_start_;
        const TscTime stop = std::min(segment_end, to);
        if (from < stop) fn(from, stop, history_[i].cause);
        from = std::max(from, stop);
    }
    if (from < to) fn(from, to, levels_[depth_ - 1].cause);
    return complete;
}

}  // namespace hftmon
