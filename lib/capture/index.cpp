// SPDX-License-Identifier: MIT
/// Walks the chunks of a capture once, without looking at the records.
///
/// The bytes are untrusted. Everything is read through `take()`, which checks
/// against what is left; no length of the file is added to anything before it
/// was compared with what is left.
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "lib/capture/capture_file.hpp"
#include "lib/capture/format.hpp"
#include "lib/capture/meta.hpp"
#include "lib/capture/text_chunks.hpp"

namespace hftmon::detail {

Bytes::Bytes(Bytes&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})), owned_(std::exchange(other.owned_, false)) {}

Bytes& Bytes::operator=(Bytes&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(owned_, other.owned_);
    return *this;
}

Bytes::~Bytes() {
    // munmap(2) takes what mmap(2) gave. NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
    if (owned_) (void)::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

namespace {

using format::ChunkType;

/// A copy of the T at the front of `bytes`; false when it does not fit.
template <class T>
bool take(std::span<const std::byte>& bytes, T& out) noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    if (bytes.size() < sizeof(T)) return false;
    std::memcpy(&out, bytes.data(), sizeof(T));
    bytes = bytes.subspan(sizeof(T));
    return true;
}

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// `count` entries of `entry_bytes` each (at least a T) that all lie in `body`.
template <class T>
bool entries_fit(std::span<const std::byte> body, std::uint32_t count, std::uint32_t entry_bytes,
                 std::size_t min_bytes = sizeof(T)) noexcept {
    return entry_bytes >= min_bytes && count <= body.size() / entry_bytes;
}

template <class T>
T entry_at(std::span<const std::byte> body, std::size_t index, std::uint32_t entry_bytes) noexcept {
    T entry{};
    std::memcpy(&entry, body.data() + index * entry_bytes, std::min<std::size_t>(sizeof(T), entry_bytes));
    return entry;
}

bool add_threads(CaptureFile& file, std::span<const std::byte> body) {
    format::ThreadsBody head{};
    if (!take(body, head) || !entries_fit<::hftmon_thread_entry>(body, head.count, head.entry_bytes)) return false;
    CaptureThreads& list = file.threads.emplace_back();
    list.from = TscTime{head.tsc};
    list.to = TscTime{head.tsc_end};
    list.entries.reserve(head.count);
    for (std::uint32_t i = 0; i < head.count; ++i)
        list.entries.push_back(entry_at<::hftmon_thread_entry>(body, i, head.entry_bytes));
    return true;
}

bool add_clock(CaptureFile& file, std::span<const std::byte> body) {
    ClockSync sync{};
    if (!take(body, sync)) return false;
    file.clock_syncs.push_back(sync);
    return true;
}

bool add_stats(CaptureFile& file, std::span<const std::byte> body) {
    format::StatsBody head{};
    if (!take(body, head) ||
        !entries_fit<format::StatsEntry>(body, head.count, head.entry_bytes, format::kStatsEntryMin))
        return false;
    constexpr auto kMaxNs = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (head.collector_cpu_ns > kMaxNs || head.observed_ns > kMaxNs) return false;
    CaptureStats stats;
    stats.collector_cpu = Nanoseconds(static_cast<std::int64_t>(head.collector_cpu_ns));
    stats.observed = Nanoseconds(static_cast<std::int64_t>(head.observed_ns));
    stats.cpus.reserve(head.count);
    for (std::uint32_t i = 0; i < head.count; ++i) {
        const auto entry = entry_at<format::StatsEntry>(body, i, head.entry_bytes);
        if (entry.cpu > format::kMaxCpu) return false;
        stats.cpus.push_back({CpuId{entry.cpu}, entry.head, entry.lost, entry.overwritten, entry.read, entry.probes,
                              entry.self_samples, entry.self_ticks, entry.ever_shed});
    }
    file.stats = std::move(stats);
    return true;
}

bool add_records(CaptureFile& file, const format::ChunkHeader& header, std::span<const std::byte> body) {
    const std::size_t count = body.size() / sizeof(Record);
    if (header.cpu > format::kMaxCpu) return false;
    if (header.first_position > std::numeric_limits<std::uint64_t>::max() - count) return false;
    if (count == 0) return true;
    std::vector<RecordChunk>& chunks = file.chunks[CpuId{header.cpu}];
    // The same position twice, or positions that go back, cannot both be true.
    if (!chunks.empty() && header.first_position < chunks.back().first_position + chunks.back().slots.size())
        return false;
    // Aligned: the file's beginning is, and so are all lengths up to here.
    const auto* records = reinterpret_cast<const Record*>(body.data());
    chunks.push_back({header.first_position, {records, count}});
    file.slots += count;
    return true;
}

bool add_meta(CaptureFile& file, std::span<const std::byte> body) {
    if (body.size() > format::kMaxMetaBytes) return false;
    Result<CaptureMeta> meta = capture::meta_from_json(text_of(body));
    if (!meta) return false;
    file.meta = std::move(*meta);
    file.has_meta = true;
    return true;
}

bool add_end(CaptureFile& file, std::span<const std::byte> body) {
    format::EndBody end{};
    if (!take(body, end)) return false;
    if (end.end_realtime_ns > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return false;
    if (end.end_realtime_ns != 0) file.meta.end_realtime = Nanoseconds(static_cast<std::int64_t>(end.end_realtime_ns));
    file.ended = true;
    return true;
}

/// One whole chunk; false when it is damaged.
bool add_chunk(CaptureFile& file, const format::ChunkHeader& header, std::span<const std::byte> body) {
    switch (static_cast<ChunkType>(header.type)) {
        case ChunkType::kMeta: return add_meta(file, body);
        case ChunkType::kThreads: return add_threads(file, body);
        case ChunkType::kClock: return add_clock(file, body);
        case ChunkType::kIrqs: return capture::from_lines(text_of(body), file.irqs);
        case ChunkType::kFunctions: return capture::from_lines(text_of(body), file.functions);
        case ChunkType::kStacks: return capture::from_lines(text_of(body), file.stacks);
        case ChunkType::kPrograms: return capture::from_lines(text_of(body), file.programs);
        case ChunkType::kRecords: return add_records(file, header, body) && body.size() % sizeof(Record) == 0;
        case ChunkType::kStats: return add_stats(file, body);
        case ChunkType::kEnd: return add_end(file, body);
    }
    ++file.unknown_chunks;
    return true;
}

/// All chunks up to the end mark or to where the file was cut or damaged.
void add_chunks(CaptureFile& file, std::span<const std::byte> rest) {
    format::ChunkHeader header{};
    while (!file.ended && take(rest, header)) {
        if (header.magic != format::kChunkMagic) {
            file.broken = true;
            return;
        }
        const bool cut = header.bytes > rest.size();
        const std::span<const std::byte> body = rest.first(cut ? rest.size() : static_cast<std::size_t>(header.bytes));
        if (cut) {
            if (header.type == static_cast<std::uint32_t>(ChunkType::kRecords) && add_records(file, header, body))
                file.readable_bytes += sizeof(header) + body.size() / sizeof(Record) * sizeof(Record);
            return;
        }
        // Without its description nothing in a file means anything.
        const bool is_meta = header.type == static_cast<std::uint32_t>(ChunkType::kMeta);
        if (!add_chunk(file, header, body)) ++file.damaged_chunks;
        if (is_meta && !file.has_meta) return;
        const std::size_t whole = std::min(rest.size(), body.size() + format::padding(body.size()));
        rest = rest.subspan(whole);
        file.readable_bytes += sizeof(header) + whole;
    }
}

Error corrupt(const std::string& name, std::string what, std::string hint) {
    return {ErrorCode::kCorrupt, 0, name + ": " + std::move(what), std::move(hint)};
}

/// Checks the file header and takes it off `rest`.
Status check_header(std::span<const std::byte>& rest, const std::string& name) {
    const std::span<const std::byte> all = rest;
    const std::size_t have = std::min(all.size(), format::kMagic.size());
    if (have == 0 || std::memcmp(all.data(), format::kMagic.data(), have) != 0)
        return corrupt(name, "not an hftmon capture", "hftctl record writes them");
    format::FileHeader header{};
    if (!take(rest, header)) return corrupt(name, "cut inside its header", "nothing was recorded in it");
    if (header.major > format::kMajor || header.abi_version > HFTMON_ABI_VERSION) {
        return Error{ErrorCode::kVersionMismatch, 0,
                     name + ": capture format " + std::to_string(header.major) + "." + std::to_string(header.minor) +
                         ", ABI " + std::to_string(header.abi_version) + "; this hftmon reads up to " +
                         std::to_string(format::kMajor) + ", ABI " + std::to_string(HFTMON_ABI_VERSION),
                     "read it with the hftmon that recorded it, or a newer one"};
    }
    if (header.major == 0 || header.record_bytes != HFTMON_RECORD_SIZE ||
        header.header_bytes < sizeof(format::FileHeader) || header.header_bytes % format::kAlign != 0 ||
        header.header_bytes > all.size())
        return corrupt(name, "its header holds what cannot be", "the file is damaged");
    rest = all.subspan(header.header_bytes);
    return ok();
}

/// By number; of equal numbers the one that the file has last.
void sort_irqs(std::vector<IrqName>& irqs) {
    std::stable_sort(irqs.begin(), irqs.end(), [](const IrqName& a, const IrqName& b) { return a.irq < b.irq; });
    std::vector<IrqName> unique;
    for (IrqName& irq : irqs) {
        if (unique.empty() || unique.back().irq != irq.irq) unique.emplace_back();
        unique.back() = std::move(irq);
    }
    irqs = std::move(unique);
}

}  // namespace

Result<CaptureFile> index_capture(Bytes bytes, const std::string& name) {
    CaptureFile file;
    file.bytes = std::move(bytes);
    std::span<const std::byte> rest = file.bytes.view();
    if (Status status = check_header(rest, name); !status) return std::move(status).error();
    file.readable_bytes = file.bytes.view().size() - rest.size();
    add_chunks(file, rest);
    if (!file.has_meta) {
        return corrupt(name, file.damaged_chunks > 0 ? "its description is damaged" : "cut before its description",
                       "nothing in it can be read");
    }
    sort_irqs(file.irqs);
    return file;
}

}  // namespace hftmon::detail
