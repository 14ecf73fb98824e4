// SPDX-License-Identifier: MIT
#include "hftmon/merge.hpp"

#include <algorithm>

namespace hftmon {

namespace {

// Often enough that a live ring gets its room back during a long stretch,
// rarely enough that the store to the shared page costs nothing per record.
constexpr std::size_t kReleaseEvery = 1024;

// Bounds a batch, so that kReleaseEvery means something.
constexpr std::size_t kMaxBatch = 4096;

}  // namespace

Merger::Merger(std::span<CpuStream* const> streams) {
    sources_.reserve(streams.size());
    for (CpuStream* stream : streams) sources_.push_back({.stream = stream});
    std::stable_sort(sources_.begin(), sources_.end(),
                     [](const Source& a, const Source& b) { return a.stream->cpu() < b.stream->cpu(); });
    heap_.reserve(sources_.size());
}

void Merger::start(TscTime horizon) noexcept {
    // As a heap entry: smaller than every source at that very time, except that
    // no horizon at all is larger than whatever a record can hold.
    horizon_ = {horizon, horizon == kNoHorizon ? sources_.size() : 0};
    heap_.clear();
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        Source& source = sources_[i];
        source.rest = source.stream->peek();
        if (source.rest.empty()) continue;
        source.position = source.stream->position();
        heap_.push_back({std::max(TscTime{source.rest.front().tsc}, source.floor), i});
    }
    for (std::size_t i = heap_.size() / 2; i-- > 0;) sift_down(i);
}

bool Merger::next(Batch& out) noexcept {
    if (out_) settle();
    if (heap_.empty() || !(heap_.front() < horizon_)) return false;

    Head limit = horizon_;
    for (std::size_t child = 1; child <= 2 && child < heap_.size(); ++child) limit = std::min(limit, heap_[child]);

    Source& source = sources_[heap_.front().source];
    const std::size_t count = take(source, heap_.front().source, limit);
    out = {source.stream->cpu(), source.position, source.rest.first(count)};
    source.rest = source.rest.subspan(count);
    source.position += count;
    source.unreleased += count;
    stats_.records += count;
    ++stats_.batches;
    out_ = true;
    return true;
}

/// How many records of `source` come before `limit`: at least the first one,
/// which the heap has already chosen.
std::size_t Merger::take(Source& source, std::size_t index, const Head& limit) noexcept {
    const std::size_t most = std::min(source.rest.size(), kMaxBatch);
    TscTime floor = source.floor;
    std::size_t count = 0;
    for (; count < source.rest.size(); ++count) {
        const Record& record = source.rest[count];
        if (count > 0 && record.type == HFTMON_REC_COMM) continue;
        const TscTime time{record.tsc};
        const Head head{std::max(time, floor), index};
        if (count > 0 && (count >= most || !(head < limit))) break;
        stats_.backwards += time < floor ? 1u : 0u;
        stats_.late += head.time < delivered_ ? 1u : 0u;
        floor = head.time;
    }
    source.floor = floor;
    delivered_ = std::max(delivered_, floor);
    return count;
}

/// The consumer is done with the batch of heap_.front(): moves that source on.
void Merger::settle() noexcept {
    out_ = false;
    Source& source = sources_[heap_.front().source];
    const bool used_up = source.rest.empty();
    if (used_up || source.unreleased >= kReleaseEvery) {
        source.stream->release(source.unreleased);
        source.unreleased = 0;
    }
    if (used_up) {
        source.rest = source.stream->peek();
        if (!source.rest.empty()) source.position = source.stream->position();
    }
    if (source.rest.empty()) {
        heap_.front() = heap_.back();
        heap_.pop_back();
    } else {
        heap_.front().time = std::max(TscTime{source.rest.front().tsc}, source.floor);
    }
    sift_down(0);
}

void Merger::finish() noexcept {
    for (Source& source : sources_) {
        if (source.unreleased > 0) source.stream->release(source.unreleased);
        source.unreleased = 0;
        source.rest = {};
    }
    heap_.clear();
    out_ = false;
}

void Merger::sift_down(std::size_t hole) noexcept {
    if (hole >= heap_.size()) return;
    const Head moving = heap_[hole];
    for (;;) {
        std::size_t child = 2 * hole + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
        if (!(heap_[child] < moving)) break;
        heap_[hole] = heap_[child];
        hole = child;
    }
    heap_[hole] = moving;
}

}  // namespace hftmon
