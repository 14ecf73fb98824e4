// SPDX-License-Identifier: MIT
#include <algorithm>

#include "hftmon/capture.hpp"

namespace hftmon {

namespace {

// How many records peek() checks at once: they stay in the L2 cache until the
// consumer looks at them.
constexpr std::size_t kStretch = 4096;

bool begins_run(const Record& record) noexcept {
    return record.type >= HFTMON_REC_THREAD && record.type <= HFTMON_REC_DEAD;
}

}  // namespace

CaptureStream::CaptureStream(std::shared_ptr<const detail::CaptureFile> file, CpuId cpu,
                             std::span<const detail::RecordChunk> chunks) noexcept
    : file_(std::move(file)), cpu_(cpu), chunks_(chunks) {}

std::span<const Record> CaptureStream::peek() noexcept {
    while (ready_.empty() && !chunks_.empty()) {
        if (!entered_) {
            entered_ = true;
            next_ = 0;
            const std::uint64_t begin = chunks_.front().first_position;
            // What lies before the first chunk was overwritten, not missing.
            if (begin != end_position_) {
                missing_ += end_position_ != 0 ? begin - end_position_ : 0;
                after_hole_ = true;
            }
        }
        find_stretch();
        if (next_ == chunks_.front().slots.size()) {
            end_position_ = chunks_.front().first_position + next_;
            chunks_ = chunks_.subspan(1);
            entered_ = false;
        }
    }
    return ready_;
}

/// Sets ready_ to the next stretch of whole records at or after next_ in the
/// first chunk, or leaves it empty at the chunk's end.
void CaptureStream::find_stretch() noexcept {
    const detail::RecordChunk& chunk = chunks_.front();
    const std::size_t end = chunk.slots.size();
    const auto whole = [&chunk](std::size_t slot) {
        return chunk.slots[slot].seq == static_cast<std::uint32_t>(chunk.first_position + slot + 1);
    };

    for (; next_ < end; ++next_) {
        if (!whole(next_)) {
            ++damaged_;
            after_hole_ = true;
        } else if (after_hole_ && chunk.slots[next_].type == HFTMON_REC_COMM) {
            ++orphaned_;
        } else {
            break;
        }
    }
    const std::size_t begin = next_;
    const std::size_t most = std::min(end, begin + kStretch);
    while (next_ < most && whole(next_)) ++next_;
    if (begin == next_) return;

    after_hole_ = false;
    std::size_t count = next_ - begin;
    if (begins_run(chunk.slots[next_ - 1])) {
        if (next_ < end && whole(next_)) {
            // Without its name it is damage that decode() will see.
            const std::size_t name = chunk.slots[next_].type == HFTMON_REC_COMM ? 1 : 0;
            next_ += name;
            count += name;
        } else {
            ++orphaned_;
            after_hole_ = true;
            --count;
        }
    }
    ready_ = chunk.slots.subspan(begin, count);
    position_ = chunk.first_position + begin;
}

void CaptureStream::release(std::size_t count) noexcept {
    count = std::min(count, ready_.size());
    ready_ = ready_.subspan(count);
    position_ += count;
}

}  // namespace hftmon
