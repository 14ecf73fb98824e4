// SPDX-License-Identifier: MIT
#include "tests/ring/stress/checker.hpp"

#include <cstring>

namespace ringtest {

bool identify(const ::hftmon_record& record, Identity& identity) {
    const unsigned level = record.type - unsigned{kFirstType};
    if (level >= kLevels) return false;
    const Content wanted = Content::of(level, record.payload[0]);
    identity = {.level = level, .n = record.payload[0]};
    return record.flags == wanted.flags && record.payload[1] == wanted.payload[1];
}

bool Checker::expect(bool holds, std::uint64_t position, const char* what) {
    if (!holds && mistake_.empty()) mistake_ = "position " + std::to_string(position) + ": " + what;
    return holds;
}

void Checker::take(std::uint64_t position, std::span<const ::hftmon_record> records) {
    for (const ::hftmon_record& record : records) {
        if (!mistake_.empty()) return;
        take_one(position++, record);
    }
}

/// Writes of a level that lie between the last one seen and `next`.
void Checker::missed(unsigned level, std::uint64_t next) {
    if (!from_the_start_ && !seen_[level]) last_[level] = next - 1;
    for (std::uint64_t n = last_[level] + 1; n < next; ++n) missing_ += Content::of(level, n).records();
    last_[level] = next;
    seen_[level] = true;
}

void Checker::take_one(std::uint64_t position, const ::hftmon_record& record) {
    expect(!any_ || position == next_position_, position, "positions do not follow each other");
    expect(record.seq == static_cast<std::uint32_t>(position + 1), position, "seq is not of this position");
    expect(!comm_due_ || (record.type == HFTMON_REC_COMM && record.tsc == tsc_), position, "a run is broken");
    expect(record.tsc >= tsc_, position, "time steps back");
    next_position_ = position + 1;
    any_ = true;
    tsc_ = record.tsc;

    if (record.type == HFTMON_REC_GAP) {
        expect(record.gap.lost_total >= told_, position, "a GAP tells of less than the one before");
        told_ = record.gap.lost_total;
        ++gaps_;
        return;
    }
    ++events_;
    if (record.type == HFTMON_REC_COMM) {
        expect(comm_due_, position, "a COMM without its record");
        expect(std::memcmp(record.comm, open_.comm, sizeof(record.comm)) == 0, position, "a wrong COMM");
        comm_due_ = false;
        return;
    }
    Identity identity{};
    if (!expect(identify(record, identity), position, "nobody wrote this")) return;
    if (!expect(identity.n > last_[identity.level], position, "a record twice, or out of order")) return;
    missed(identity.level, identity.n);
    late_ += missing_ > told_;
    open_ = Content::of(identity.level, identity.n);
    comm_due_ = open_.has_comm;
}

void Checker::end(const Written& written) {
    expect(!comm_due_, next_position_, "the last run is broken");
    for (unsigned level = 0; level < kLevels; ++level) {
        if (!from_the_start_ && !seen_[level]) continue;
        missed(level, written.writes[level] + 1);
    }
}

}  // namespace ringtest
