// SPDX-License-Identifier: MIT
/// Many CPUs' records in one order of time.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "hftmon/stream.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// What a Merger has seen that it should not have, since it was made.
struct MergeStats {
    std::uint64_t records = 0;    ///< delivered
    std::uint64_t batches = 0;    ///< calls of the consumer
    std::uint64_t backwards = 0;  ///< time stamp below an earlier one of the same CPU
    std::uint64_t late = 0;       ///< below what had been delivered by an earlier run():
                                  ///< the horizon of that run was too high
};

/// A container, or a view of one, whose elements are streams to read from.
template <class Range>
concept CpuStreamRange = std::ranges::borrowed_range<Range> && std::ranges::forward_range<Range> &&
    std::convertible_to<std::ranges::range_reference_t<Range>, CpuStream&>;

/// Time-ordered k-way merge of CpuStreams.
///
/// Order: by time; equal times by CPU number, then by position. Records of one
/// CPU always keep the order of their positions: where its time goes backwards
/// (it never does in a sane ring) a record counts as being at the latest time
/// seen before it on that CPU, and is counted in stats().backwards. The record
/// itself is delivered unchanged.
///
/// Cost: one look at each record, plus O(log CPUs) per batch; a batch is the
/// longest stretch of one CPU's records that comes before the next record of
/// every other CPU (up to 4096). No allocation after the constructor.
///
/// A COMM record stays with the record before it, whatever its time says.
///
/// One thread at a time; streams must not be used by others meanwhile.
class Merger {
public:
    /// Everything that the streams can give.
    static constexpr TscTime kNoHorizon{std::numeric_limits<std::uint64_t>::max()};

    /// Borrows the streams, which must outlive the Merger and be for different
    /// CPUs. None at all is allowed. Allocates.
    explicit Merger(std::span<CpuStream* const> streams);
    /// The same for a container of streams, e.g. that of CaptureReader::streams()
    /// or Session::rings(); not a const one, for a merge releases what it has
    /// delivered. It must keep its elements where they are.
    template <CpuStreamRange Streams>  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): a Merger is none
    explicit Merger(Streams&& streams) : Merger(pointers_to(streams)) {}

    /// Delivers all records that are there now and whose time is below
    /// `horizon`, by calls of
    ///
    ///     fn(CpuId cpu, std::uint64_t first_position, std::span<const Record> records)
    ///
    /// with at least one record each; they are valid during the call only. When
    /// fn returns bool, false ends the run after that batch, which counts as
    /// delivered. Returns the number of records delivered.
    ///
    /// Live use: a CPU whose ring is empty now may still write a record of an
    /// earlier time, so choose a horizon that no ring will write below again.
    template <class Fn>
    std::uint64_t run(Fn&& fn, TscTime horizon = kNoHorizon) {
        const std::uint64_t before = stats_.records;
        const Finish finish(*this);
        start(horizon);
        for (Batch batch; next(batch);) {
            if constexpr (std::is_same_v<decltype(fn(batch.cpu, batch.position, batch.records)), bool>) {
                if (!fn(batch.cpu, batch.position, batch.records)) break;
            } else {
                fn(batch.cpu, batch.position, batch.records);
            }
        }
        return stats_.records - before;
    }

    [[nodiscard]] const MergeStats& stats() const noexcept { return stats_; }

private:
    struct Batch {
        CpuId cpu;
        std::uint64_t position = 0;
        std::span<const Record> records;
    };
    /// Where the merge stands in one stream.
    struct Source {
        CpuStream* stream = nullptr;
        std::span<const Record> rest{};  ///< peeked and not delivered
        std::uint64_t position = 0;      ///< of rest.front()
        std::size_t unreleased = 0;      ///< delivered and not yet released
        TscTime floor{};                 ///< latest time seen: times below count as this
    };
    /// A heap entry: the source's next record is at `time`.
    struct Head {
        TscTime time{};
        std::size_t source = 0;
        friend bool operator<(const Head& a, const Head& b) noexcept {
            return a.time != b.time ? a.time < b.time : a.source < b.source;
        }
    };
    /// Releases what was delivered, also when the consumer throws.
    struct Finish {
        explicit Finish(Merger& running) noexcept : merger(running) {}
        Finish(const Finish&) = delete;
        Finish& operator=(const Finish&) = delete;
        ~Finish() { merger.finish(); }
        Merger& merger;
    };

    template <class Streams>
    static std::vector<CpuStream*> pointers_to(Streams& streams) {
        std::vector<CpuStream*> pointers;
        pointers.reserve(static_cast<std::size_t>(std::ranges::distance(streams)));
        for (CpuStream& stream : streams) pointers.push_back(&stream);
        return pointers;
    }
    void start(TscTime horizon) noexcept;
    bool next(Batch& out) noexcept;
    void settle() noexcept;
    void finish() noexcept;
    void sift_down(std::size_t hole) noexcept;
    std::size_t take(Source& source, std::size_t index, const Head& limit) noexcept;

    std::vector<Source> sources_;  ///< in order of CPU number
    std::vector<Head> heap_;       ///< binary heap, the earliest first
    Head horizon_{};               ///< of this run: nothing at or after it is delivered
    bool out_ = false;             ///< the consumer holds a batch of heap_.front()
    TscTime delivered_{};          ///< latest time delivered
    MergeStats stats_;
};

}  // namespace hftmon
