// SPDX-License-Identifier: MIT
/// The bytes of a capture file. Little-endian, every structure and every chunk
/// aligned to 32 bytes, so that a mapped file can be read in place.
///
///     FileHeader
///     ChunkHeader body padding      one META first, then any order
///     ChunkHeader body padding
///     ...
///     ChunkHeader END               missing: the file was cut
///
/// Compatibility. `minor` grows when a chunk type or a trailing field is added:
/// older readers skip what they do not know. `major` grows when an old reader
/// would misread: it refuses such a file. Entries of THREADS and STATS carry
/// their size, a reader takes the part that it knows.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hftmon/abi/ioctl.h"
#include "hftmon/abi/record.h"

namespace hftmon::format {

static_assert(std::endian::native == std::endian::little, "capture files are little-endian");

inline constexpr std::size_t kAlign = 32;
inline constexpr std::uint16_t kMajor = 1;
inline constexpr std::uint16_t kMinor = 0;

/// As in PNG: a byte that is not ASCII, the name, and both line ends, so that
/// every text-mode copy is found out.
inline constexpr std::array<unsigned char, 8> kMagic = {0x89, 'H', 'F', 'T', 'M', '\r', '\n', 0x1a};

struct FileHeader {
    std::array<unsigned char, 8> magic;
    std::uint16_t major;
    std::uint16_t minor;
    std::uint32_t header_bytes;  ///< where the first chunk begins, a multiple of kAlign
    std::uint32_t record_bytes;  ///< HFTMON_RECORD_SIZE
    std::uint32_t abi_version;
    std::uint32_t schema_version;
    std::uint32_t reserved0;
    std::array<std::uint64_t, 4> reserved1;
};

enum class ChunkType : std::uint32_t {
    kMeta = 1,       ///< JSON, UTF-8; a later one replaces the earlier
    kThreads = 2,    ///< ThreadsBody, hftmon_thread_entry ...
    kClock = 3,      ///< hftmon_clock_sync
    kIrqs = 4,       ///< text, one line per interrupt: number, space, names
    kRecords = 5,    ///< hftmon_record ...; `cpu` and `first_position` are set
    kStats = 6,      ///< StatsBody, StatsEntry ...
    kEnd = 7,        ///< EndBody
    kFunctions = 8,  ///< text, one line per function of the kernel: address in hexadecimal, space, name
    /// Text, one line per stack: k (kernel) or u (program), number, + if it was deeper, else -, and its addresses in
    /// hexadecimal, the innermost first; spaces between.
    kStacks = 9,
    /// Text. "p PROCESS FROM UNTIL " begins what that process had mapped to be executed, read between these two times
    /// (TSC), or, with nothing behind it, a process or a new program of it; "m BEGIN END PLACE BUILD-ID MTIME PATH" is
    /// a mapping: addresses in hexadecimal (the last: what the file calls the first), "-" without a build id,
    /// nanoseconds since the epoch.
    kPrograms = 10,
};

inline constexpr std::uint32_t kChunkMagic = 0x6b6e6843;  // "Chnk"

struct ChunkHeader {
    std::uint32_t magic;  ///< kChunkMagic
    std::uint32_t type;   ///< ChunkType
    std::uint64_t bytes;  ///< of the body, without padding up to kAlign
    std::uint32_t cpu;    ///< RECORDS, else 0
    std::uint32_t reserved;
    std::uint64_t first_position;  ///< RECORDS, else 0
};

struct ThreadsBody {
    std::uint64_t tsc;      ///< the list was taken after this time ...
    std::uint64_t tsc_end;  ///< ... and before this one
    std::uint32_t count;
    std::uint32_t entry_bytes;
    std::uint64_t reserved;
};

struct StatsBody {
    std::uint64_t collector_cpu_ns;
    std::uint32_t count;
    std::uint32_t entry_bytes;
    std::uint64_t observed_ns;
    std::uint64_t reserved;
};

struct StatsEntry {
    std::uint32_t cpu;
    std::uint32_t reserved;
    std::uint64_t head;
    std::uint64_t lost;
    std::uint64_t overwritten;
    std::uint64_t read;
    std::uint64_t probes;
    std::uint64_t self_samples;
    std::uint64_t self_ticks;
    std::uint64_t ever_shed;
};
/// Without what was added since.
inline constexpr std::size_t kStatsEntryMin = 64;

struct EndBody {
    std::uint64_t end_realtime_ns;
    std::uint64_t records;  ///< in all RECORDS chunks of the file
    std::array<std::uint64_t, 2> reserved;
};

static_assert(sizeof(FileHeader) == 64);
static_assert(sizeof(ChunkHeader) == 32);
static_assert(sizeof(ThreadsBody) == 32);
static_assert(sizeof(StatsBody) == 32);
static_assert(sizeof(StatsEntry) == 72);
static_assert(sizeof(EndBody) == 32);
static_assert(sizeof(hftmon_record) == kAlign);
static_assert(std::is_trivially_copyable_v<FileHeader> && std::is_trivially_copyable_v<ChunkHeader>);

/// Limits of what a reader accepts, so that a hostile file costs no more than
/// its own size.
inline constexpr std::uint64_t kMaxMetaBytes = 16u << 20;
inline constexpr std::uint32_t kMaxCpu = 65535;
inline constexpr std::uint64_t kMaxTscKhz = 1'000'000'000;

/// Bytes from the end of a body to the next chunk.
constexpr std::size_t padding(std::uint64_t bytes) noexcept { return static_cast<std::size_t>(0 - bytes) % kAlign; }

}  // namespace hftmon::format
