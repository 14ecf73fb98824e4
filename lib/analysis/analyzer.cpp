// SPDX-License-Identifier: MIT
#include "hftmon/analyzer.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "hftmon/decode.hpp"

namespace hftmon {
namespace {

// Thread::tag: 0 = not looked at yet.
constexpr std::uint32_t kUnwanted = 1;
constexpr std::uint32_t kFirstRow = 2;

constexpr std::size_t kMaxDeadRows = 65536;

/// How long a bill waits for the next record of a CPU, in live use.
constexpr Nanoseconds kPatience = std::chrono::seconds(1);

void sort_unique(std::vector<Tid>& tids) {
    std::sort(tids.begin(), tids.end());
    tids.erase(std::unique(tids.begin(), tids.end()), tids.end());
}

/// Longer first, but those that may have been shorter last; of equals the earlier.
bool goes_before(const Bill& a, const Bill& b) noexcept {
    if (a.is_upper_bound() != b.is_upper_bound()) return b.is_upper_bound();
    if (a.delay.length() != b.delay.length()) return a.delay.length() > b.delay.length();
    return a.delay.start < b.delay.start;
}

}  // namespace

void DelayStats::add(TscTicks length, bool is_over) noexcept {
    ++count;
    over += is_over ? 1 : 0;
    sum += length;
    max = std::max(max, length);
}

void DelayStats::add(const DelayStats& other) noexcept {
    count += other.count;
    over += other.over;
    sum += other.sum;
    max = std::max(max, other.max);
    doubtful += other.doubtful;
}

Analyzer::Analyzer(const TscClock& clock, AnalyzerOptions options)
    : clock_(clock),
      options_(std::move(options)),
      over_(clock.to_ticks(options_.over)),
      after_limit_(std::max(clock.to_ticks(options_.after_limit), TscTicks{0})),
      timeline_(clock, options_.history_segments) {
    sort_unique(options_.threads);
    sort_unique(options_.processes);
    kept_.reserve(std::min<std::size_t>(options_.keep, 1024));
}

void Analyzer::add_threads(std::span<const ThreadEntry> threads, TscTime from, TscTime until) {
    names_.learn(threads, from, until);
}

void Analyzer::add_irq(std::uint32_t irq, std::string_view name) { irqs_[irq] = name; }

Analyzer::CpuSide& Analyzer::side_of(CpuId cpu) {
    if (cpu.value >= sides_.size()) sides_.resize(cpu.value + 1);
    return sides_[cpu.value];
}

void Analyzer::consume(CpuId cpu, std::uint64_t first_position, std::span<const Record> records) {
    totals_.records += records.size();
    if (cpu.value >= kCpuLimit) {
        totals_.bad_records += records.size();
        return;
    }
    CpuSide& side = side_of(cpu);
    std::uint64_t position = first_position;
    if (side.begun && position < side.position) {
        const std::uint64_t known = std::min<std::uint64_t>(side.position - position, records.size());
        totals_.repeated += known;
        records = records.subspan(known);
        position += known;
    }
    if (records.empty()) return;
    if (side.begun && position > side.position) {
        ++totals_.gaps;
        totals_.lost += position - side.position;
        // The time of a record that was not decoded is not to be believed.
        const auto in_range = [](const Record& record) { return record.tsc < (std::uint64_t{1} << 63); };
        timeline_.missing(cpu, in_range(records.front()) ? TscTime{records.front().tsc} : timeline_.now());
        if (side.is_open) complete(side, timeline_.now());
    }
    side.begun = true;

    const auto visitor = [this, &side](const EventHeader& header, const auto& body) { on(side, header, body); };
    while (!records.empty()) {
        const Decoded decoded = visit_record(records, cpu, position, visitor);
        std::size_t count = decoded.records;
        switch (decoded.status) {
            case DecodeStatus::kOk: ++totals_.events; break;
            case DecodeStatus::kUnknownType: totals_.unknown_types += count; break;
            case DecodeStatus::kBadField: totals_.bad_records += count; break;
            case DecodeStatus::kTruncated:
                count = records.size();
                totals_.bad_records += count;
                break;
        }
        records = records.subspan(count);
        position += count;
    }
    side.position = position;
}

template <class Body>
void Analyzer::on(CpuSide& side, const EventHeader& header, const Body& body) {
    if (header.time >= side.deadline) complete(side, header.time);
    if constexpr (std::is_same_v<Body, SchedSwitchEvent>)
        on_switch(side, header, body);
    else if constexpr (std::is_same_v<Body, GapEvent>)
        on_gap(side, header, body);
    else if constexpr (std::is_same_v<Body, ThreadEvent>)
        on_identity(header, body);
    else
        timeline_.apply(header, body);
    if (side.awaited != 0) on_awaited(side, header.cpu);
}

void Analyzer::on_switch(CpuSide& side, const EventHeader& header, const SchedSwitchEvent& event) {
    const Switched switched = timeline_.apply(header, event);
    if (!event.prev_runnable()) end_episode(event.prev);
    if (side.is_open) complete(side, timeline_.now());
    if (switched.died) retire(switched.dead_tag);
    if (switched.waited) on_delay(side, *switched.waited);
}

/// A thread goes to sleep.
void Analyzer::end_episode(Tid tid) {
    const Thread* thread = timeline_.thread(tid);
    if (!thread || thread->tag < kFirstRow) return;
    ThreadDelays& row = rows_[thread->tag - kFirstRow];
    const TscTime begin = std::exchange(row.episode, {});
    if (begin == TscTime{} || row.episode_gaps != totals_.gaps) return;
    row.longest_episode = std::max(row.longest_episode, timeline_.now() - begin);
}

void Analyzer::on_gap(CpuSide& side, const EventHeader& header, const GapEvent& event) {
    // Told a second time (abi/ring.h), or really records missing?
    if (event.lost_total != 0 && event.lost_total == side.lost) return;
    ++totals_.gaps;
    if (event.lost_total > side.lost) {
        totals_.lost += event.lost_total - side.lost;
        side.lost = event.lost_total;
    }
    timeline_.apply(header, event);
    if (side.is_open) complete(side, timeline_.now());
}

void Analyzer::on_identity(const EventHeader& header, const ThreadEvent& event) {
    names_.learn(header.time, event);
    if (names_.size() > names_limit_) {
        // Delays that began longer ago keep the names that they have found.
        const TscTicks kept = clock_.to_ticks(std::chrono::minutes(1));
        if (timeline_.now() - timeline_.first() > kept) names_.trim(timeline_.now() - kept);
        names_limit_ = std::max<std::size_t>(1u << 17, names_.size() * 2);
    }
    const bool is_exec = event.change == IdentityChange::kExec && event.related != event.tid;
    if (is_exec || event.change == IdentityChange::kFork) {
        if (const Thread* old = timeline_.thread(event.tid)) retire(old->tag);
    }
    if (is_exec) {
        if (const Thread* was = timeline_.thread(event.related)) retire(was->tag);
    }
    follow(event);
    timeline_.apply(header, event);
}

// ---- who is asked about ----------------------------------------------------

/// A wanted process has a child: the child is wanted, until another process has
/// its id (its end is not enough: its other threads may live on).
void Analyzer::follow(const ThreadEvent& event) {
    std::vector<Tid>& wanted = options_.processes;
    if (wanted.empty() || event.tid != event.tgid) return;
    const auto place = std::lower_bound(wanted.begin(), wanted.end(), event.tid);
    const bool is_there = place != wanted.end() && *place == event.tid;
    if (event.change != IdentityChange::kFork) return;
    const auto parent = names_.process_of(event.related, timeline_.now());
    const bool is_child = parent && std::binary_search(wanted.begin(), wanted.end(), *parent);
    if (is_child && !is_there) wanted.insert(place, event.tid);
    if (!is_child && is_there && wanted.size() > 1) wanted.erase(place);  // none would mean all
}

bool Analyzer::is_wanted(Tid tid, bool& is_sure) const noexcept {
    is_sure = true;
    if (options_.threads.empty() && options_.processes.empty()) return true;
    if (std::binary_search(options_.threads.begin(), options_.threads.end(), tid)) return true;
    if (options_.processes.empty()) return false;
    const auto process = names_.process_of(tid, timeline_.now());
    is_sure = process.has_value();
    return process && std::binary_search(options_.processes.begin(), options_.processes.end(), *process);
}

/// Null when nobody asked about this thread.
ThreadDelays* Analyzer::row_of(const Thread& thread) {
    if (thread.tag == kUnwanted) return nullptr;
    if (thread.tag >= kFirstRow) return &rows_[thread.tag - kFirstRow];
    bool is_sure = false;
    if (!is_wanted(thread.tid, is_sure)) {
        if (is_sure) timeline_.set_tag(thread.tid, kUnwanted);
        return nullptr;
    }
    if (free_rows_.empty()) {
        free_rows_.push_back(static_cast<std::uint32_t>(rows_.size()));
        rows_.emplace_back();
    }
    const std::uint32_t index = free_rows_.back();
    free_rows_.pop_back();
    rows_[index] = ThreadDelays{.tid = thread.tid,
                                .first = timeline_.now(),
                                .last = {},
                                .is_dead = false,
                                .by_kind = {},
                                .longest_episode = {},
                                .episode = {}};
    timeline_.set_tag(thread.tid, index + kFirstRow);
    return &rows_[index];
}

/// A thread has died: its row stays, up to a limit.
void Analyzer::retire(std::uint32_t tag) {
    if (tag < kFirstRow) return;
    const std::uint32_t index = tag - kFirstRow;
    if (std::exchange(rows_[index].is_dead, true)) return;
    dead_rows_.push_back(index);
    if (dead_rows_.size() <= kMaxDeadRows) return;
    ThreadDelays& oldest = rows_[dead_rows_.front()];
    for (std::size_t kind = 0; kind < kDelayKinds; ++kind) exited_.by_kind[kind].add(oldest.by_kind[kind]);
    oldest.tid = {};
    free_rows_.push_back(dead_rows_.front());
    dead_rows_.pop_front();
}

// ---- delays and their bills ------------------------------------------------

void Analyzer::on_delay(CpuSide& side, const Thread& thread) {
    ThreadDelays* row = row_of(thread);
    if (!row) return;
    row->last = thread.since;
    const CpuTimeline* awaited = find_unsettled(timeline_, thread);
    if (thread.wait.kind == DelayKind::kWakeup) {
        const auto& timer = thread.wait.waking.timer;
        const TscTime due = timer.active ? std::min(timer.expiry, thread.wait.start) : thread.wait.start;
        row->episode = awaited || doubts(timeline_, thread) != 0 ? TscTime{} : due;
        row->episode_gaps = totals_.gaps;
    }
    if (awaited)
        side.late = postpone(thread, awaited->cpu());
    else if (!itemise(thread, side.open))
        return;
    side.is_open = true;
    side.deadline = thread.since + after_limit_;
}

/// Counts a delay. True when it is worth a bill, which then is its.
bool Analyzer::itemise(const Thread& thread, Bill& bill) {
    ThreadDelays& row = rows_[thread.tag - kFirstRow];
    ThreadDelays& counts = row.tid == thread.tid ? row : exited_;
    DelayStats& stats = counts.by_kind[static_cast<std::size_t>(thread.wait.kind)];
    const TscTicks length = thread.since - thread.wait.start;
    const bool is_over = length >= over_;
    const std::uint8_t doubt = doubts(timeline_, thread);
    if (doubt != 0)
        ++stats.doubtful;
    else
        stats.add(length, is_over);
    if (!is_over) return false;
    ++(doubt != 0 ? totals_.doubtful : totals_.over);
    if (!options_.on_bill && !would_keep(length, doubt != 0)) return false;

    describe_wait(thread, bill.delay);
    attribute(timeline_, bill);
    bill.incomplete |= doubt;
    ++totals_.bills;
    if (bill.incomplete != 0) ++totals_.incomplete;
    if (bill.total() != length) ++wrong_sums_;
    return true;
}

std::size_t Analyzer::postpone(const Thread& thread, CpuId awaited) {
    auto slot = std::find_if(postponed_.begin(), postponed_.end(), [](const Postponed& p) { return !p.is_used; });
    if (slot == postponed_.end()) slot = postponed_.emplace(slot);
    slot->is_used = true;
    slot->awaited = awaited;
    slot->is_settled = false;
    slot->run_end = kNever;
    slot->thread = thread;
    ++side_of(awaited).awaited;
    return static_cast<std::size_t>(slot - postponed_.begin());
}

/// This CPU has told what was before: those that waited for it go on.
void Analyzer::on_awaited(CpuSide& side, CpuId cpu) {
    side.awaited = 0;
    for (Postponed& entry : postponed_) {
        if (!entry.is_used || entry.is_settled || entry.awaited != cpu) continue;
        if (const CpuTimeline* next = find_unsettled(timeline_, entry.thread)) {
            entry.awaited = next->cpu();
            ++side_of(next->cpu()).awaited;
            continue;
        }
        entry.is_settled = true;
        if (entry.run_end != kNever) judge_late(entry);
    }
}

void Analyzer::judge_late(Postponed& entry) {
    if (!entry.is_settled) --side_of(entry.awaited).awaited;
    if (itemise(entry.thread, late_bill_)) hand_over(late_bill_, entry.run_end);
    entry.is_used = false;
}

/// The first run after the delay has ended, or is observed no longer.
void Analyzer::complete(CpuSide& side, TscTime at) {
    const TscTime until = std::min(at, side.deadline);
    side.is_open = false;
    side.deadline = kNever;
    if (side.late == kNobody) return hand_over(side.open, until);
    Postponed& entry = postponed_[std::exchange(side.late, kNobody)];
    entry.run_end = until;
    if (entry.is_settled) judge_late(entry);
}

void Analyzer::hand_over(Bill& bill, TscTime until) {
    attribute_after(timeline_, until, bill);
    bill.thread = bill.other = {};
    label(names_, bill);
    if (options_.on_bill) options_.on_bill(bill);
    keep(bill);
}

bool Analyzer::would_keep(TscTicks length, bool is_upper_bound) const noexcept {
    if (options_.keep == 0) return false;
    if (kept_.size() < options_.keep) return true;
    const Bill& least = kept_.front();
    return is_upper_bound == least.is_upper_bound() ? length > least.delay.length() : least.is_upper_bound();
}

/// Swaps rather than copies: the vectors of the one that goes are used again.
void Analyzer::keep(Bill& bill) {
    if (!would_keep(bill.delay.length(), bill.is_upper_bound())) return;
    if (kept_.size() < options_.keep) {
        kept_.emplace_back();
    } else {
        std::pop_heap(kept_.begin(), kept_.end(), goes_before);
    }
    std::swap(kept_.back(), bill);
    std::push_heap(kept_.begin(), kept_.end(), goes_before);
}

void Analyzer::settle(TscTime now) {
    for (CpuSide& side : sides_) {
        if (now >= side.deadline) complete(side, side.deadline);
    }
    // A CPU that stays silent has nothing to tell.
    const TscTicks patience = clock_.to_ticks(kPatience);
    for (Postponed& entry : postponed_) {
        if (entry.is_used && entry.run_end != kNever && now - entry.thread.since >= patience) judge_late(entry);
    }
}

void Analyzer::finish() {
    for (CpuSide& side : sides_) {
        if (side.is_open) complete(side, std::max(timeline_.now(), side.open.delay.end));
    }
    for (Postponed& entry : postponed_) {
        if (entry.is_used) judge_late(entry);
    }
    for (Bill& bill : kept_) label(names_, bill);
}

std::vector<const Bill*> Analyzer::longest() const {
    std::vector<const Bill*> bills;
    bills.reserve(kept_.size());
    for (const Bill& bill : kept_) bills.push_back(&bill);
    std::sort(bills.begin(), bills.end(), [](const Bill* a, const Bill* b) { return goes_before(*a, *b); });
    return bills;
}

std::vector<const ThreadDelays*> Analyzer::threads() const {
    std::vector<const ThreadDelays*> rows;
    for (const ThreadDelays& row : rows_) {
        if (row.tid != kIdleTid) rows.push_back(&row);
    }
    std::sort(rows.begin(), rows.end(), [](const ThreadDelays* a, const ThreadDelays* b) {
        return a->tid != b->tid ? a->tid < b->tid : a->first < b->first;
    });
    return rows;
}

}  // namespace hftmon
