// SPDX-License-Identifier: MIT
// What must hold at each store of the writer, and in the end.
#include <cstring>

#include "tests/ring/explore/world.hpp"

namespace ringtest {

const char* describe(Rule rule) {
    switch (rule) {
        case Rule::kNone: return "nothing";
        case Rule::kOutside: return "outside";
        case Rule::kBlocked: return "blocked";
        case Rule::kOwner: return "owner";
        case Rule::kUnread: return "unread";
        case Rule::kUntrueTail: return "untrue tail";
        case Rule::kRace: return "race";
        case Rule::kContent: return "content";
        case Rule::kTime: return "time";
        case Rule::kHead: return "head";
        case Rule::kStuck: return "stuck";
        case Rule::kCount: return "count";
        case Rule::kGap: return "gap";
        case Rule::kLateGap: return "late gap";
        case Rule::kLostCount: return "lost count";
        case Rule::kRoom: return "room";
        case Rule::kSlowPath: return "slow path";
        case Rule::kWake: return "wake";
        case Rule::kFrozen: return "frozen";
        case Rule::kReader: return "reader";
    }
    return "?";
}

std::uint64_t World::first_unfinished() const {
    for (unsigned level = 0; level < level_; ++level) {
        if (current_[level] != kIdle && calls_[current_[level]].reserved) return calls_[current_[level]].first;
    }
    return end_;
}

std::uint64_t World::lost_until(std::uint64_t time) const {
    std::uint64_t total = 0;
    for (unsigned i = 0; i < loss_count_ && losses_[i].time <= time; ++i) total = losses_[i].total;
    return total;
}

std::uint64_t World::settled_until(std::uint64_t time) const {
    std::uint64_t total = 0;
    for (unsigned i = 0; i < loss_count_; ++i) {
        if (losses_[i].settled != 0 && losses_[i].settled <= time) total = losses_[i].total;
    }
    return total;
}

void World::check_store(unsigned slot, Word word, std::uint64_t value) {
    const unsigned call = current_[level_];
    // The newest position that lies in this slot is the one to be written.
    const std::uint64_t position = end_ - 1 - ((slot_of(end_ - 1) - slot) & (scenario_.capacity - 1));
    check(position - scenario_.base < end_ - scenario_.base, Rule::kOwner, "a store to a slot that nobody reserved");
    const Place& at = place(position);
    check(at.call == call, Rule::kOwner, "a store to a slot that another writer has reserved since");
    check(!at.committed, Rule::kOwner, "a store to a record that was committed");

    const std::uint64_t before = position - scenario_.capacity;
    if (!scenario_.flight && scenario_.reading != Reading::kHostile && before - scenario_.base < kMaxPositions) {
        check(before < true_tail_, Rule::kUnread, "a record is overwritten that was not released");
        check(last_read_[slot] <= writer_view_.known, Rule::kRace,
              "a slot is written without an order to its last reading");
    }
    if (word == kSeq && value == static_cast<std::uint32_t>(position + 1)) {
        check_commit(position);
    } else if (word == kSeq) {
        check(value == static_cast<std::uint32_t>(position), Rule::kContent, "a seq that means nothing");
    }
}

void World::check_commit(std::uint64_t position) {
    Place& at = place(position);
    const Call& call = calls_[at.call];
    const ::hftmon_record& record = slots_[slot_of(position)];
    ::hftmon_record wanted{};
    wanted.tsc = record.tsc;
    switch (at.kind) {
        case Kind::kGap:
            wanted.type = HFTMON_REC_GAP;
            wanted.gap = {.lost_total = record.gap.lost_total, .current_tid = call.level, .reserved = 0};
            break;
        case Kind::kRecord:
            wanted.type = static_cast<std::uint16_t>(HFTMON_REC_IRQ_ENTRY + at.call % 8);
            wanted.flags = static_cast<std::uint16_t>(at.call + 1);
            wanted.payload[0] = payload_of(at.call);
            wanted.payload[1] = ~payload_of(at.call);
            break;
        case Kind::kComm:
            wanted.type = HFTMON_REC_COMM;
            std::memcpy(wanted.comm, comm_of(at.call).data(), sizeof(wanted.comm) - 1);
            break;
    }
    wanted.seq = record.seq;
    check(std::memcmp(&wanted, &record, sizeof(record)) == 0, Rule::kContent,
          "a record is committed that is not what its writer was given");
    at.record = record;
    at.record.seq = static_cast<std::uint32_t>(position + 1);
    at.committed = true;
}

void World::check_published(std::uint64_t head, Stamp released) {
    if (trace_ != nullptr) say("  head is " + std::to_string(head));
    check(head - scenario_.base <= end_ - scenario_.base, Rule::kHead, "published what was never reserved");
    check(head == scenario_.base || place(head - 1).last_of_run, Rule::kHead, "half a run is published");
    for (std::uint64_t p = published_; p < head; ++p) {
        check(place(p).committed, Rule::kHead, "published a record that is not complete");
        if (end_ - p > scenario_.capacity) continue;  // flight: the slot has a newer one by now
        for (unsigned word = 0; word < kWords; ++word) {
            check(histories_[slot_of(p) * kWords + word].newest().stamp <= released, Rule::kRace,
                  "a record is published without an order to its words");
        }
    }
    published_ = std::max(published_, head);
}

void World::check_no_room(std::uint64_t count) {
    if (scenario_.reading == Reading::kHostile) return;
    const Call& call = calls_[current_[level_]];
    if (frozen_ || call.began < thawed_) return;
    const std::uint64_t known = scenario_.flight ? end_ : tail_seen_[level_];
    // A tail beyond what is finished may wait until it is.
    const std::uint64_t bound = std::min(known, first_unfinished());
    check(end_ + count + 1 > bound + scenario_.capacity, Rule::kRoom, "lost although there is room");
}

void World::check_end() {
    check(writer_.head() == end_, Rule::kStuck, "head is not what was reserved");
    check(control_.head == end_, Rule::kStuck, "not everything is published in the end");
    check(writer_.committed() == end_, Rule::kStuck, "the private copy of the published head is stale");

    std::uint64_t written = 0;
    std::uint64_t without_room = 0;
    for (unsigned i = 0; i < call_count_; ++i) (calls_[i].reserved ? written : without_room) += calls_[i].size;
    check(written + without_room == produced_, Rule::kCount, "a call that neither wrote nor lost");
    check(writer_.lost() == without_room, Rule::kCount, "the writer's sum of losses is wrong");
    check(control_.lost == without_room, Rule::kLostCount, "the published sum of losses is stale in the end");

    check_positions();
    check_gaps();
    check_wakeups();
    if (scenario_.reading != Reading::kHonest) return;
    if (scenario_.flight) {
        read_running();
        read_frozen();
        return;
    }
    synchronize();
    while (read_batch(true)) {
    }
    check(released_ == end_ && read_ == end_ - scenario_.base, Rule::kReader, "the reader missed the end");
    check(reader_.lost() == control_.lost, Rule::kReader, "the reader counts other losses");
}

void World::check_positions() {
    std::uint64_t last = 0;
    for (std::uint64_t p = scenario_.base; p < end_; ++p) {
        const Place& at = place(p);
        check(at.committed, Rule::kHead, "a reserved record was never committed");
        check(at.record.tsc >= last, Rule::kTime, "time stamps decrease");
        const bool first = at.kind == Kind::kGap || (at.kind == Kind::kRecord && p == calls_[at.call].first);
        check(first || at.record.tsc == last, Rule::kTime, "a run has two times");
        last = at.record.tsc;
    }
}

void World::check_gaps() {
    std::uint64_t told = 0;
    for (std::uint64_t p = scenario_.base; p < end_; ++p) {
        const Place& at = place(p);
        if (at.kind == Kind::kGap) {
            const std::uint64_t total = at.record.gap.lost_total;
            check(total <= calls_[at.call].lost_before, Rule::kGap, "a GAP tells of more than was lost");
            check(total >= told, Rule::kGap, "a GAP tells of less than the one before");
            // Two GAPs may say the same when one nested inside the other.
            check(total > told || told_nested_, Rule::kGap, "a GAP says nothing new");
            check(total <= lost_until(at.record.tsc), Rule::kLateGap, "a GAP is older than the loss");
            told = total;
        } else if (at.kind == Kind::kRecord) {
            check(told >= settled_until(at.record.tsc), Rule::kLateGap, "a loss is not told before the next record");
        }
    }
}

void World::check_wakeups() {
    check(!asleep_ || control_.head - page_.tail < scenario_.capacity / 2, Rule::kWake,
          "a full batch and nobody was woken");
}

}  // namespace ringtest
