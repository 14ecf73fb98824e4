// SPDX-License-Identifier: MIT
/// The capture reader on files that were cut or damaged, one defect at a time.
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "tests/unit/capture_support.hpp"

using namespace hftmon;
using namespace hftmon::test;
using format::ChunkHeader;
using format::ChunkType;
using format::FileHeader;

namespace {

struct Damaged {
    TempDir dir;
    FileBytes bytes{0};
    Damaged() {
        write_sample(dir.file("a.hft"));
        bytes = FileBytes::read(dir.file("a.hft"));
    }
    Result<CaptureReader> open() { return CaptureReader::from_memory(bytes.view()); }
    ChunkHeader& chunk(ChunkType type) { return bytes.at<ChunkHeader>(find_chunk(bytes, type)); }
    template <class Body>
    Body& body(ChunkType type) {
        return bytes.at<Body>(find_chunk(bytes, type) + sizeof(ChunkHeader));
    }
    /// The file must open, with exactly one chunk left out.
    CaptureReader one_left_out() {
        auto reader = open();
        BOOST_REQUIRE_MESSAGE(reader.has_value(), why(reader));
        BOOST_TEST(reader->damaged_chunks() == 1u);
        BOOST_TEST(!reader->truncated());
        return *reader;
    }
    ErrorCode refused() {
        const auto reader = open();
        BOOST_REQUIRE(!reader.has_value());
        BOOST_TEST(!reader.error().hint.empty());
        return reader.error().code;
    }
};

/// Whole slots of a file that was cut after `size` bytes.
std::uint64_t slots_below(FileBytes& bytes, std::size_t size) {
    std::uint64_t slots = 0;
    for (const std::size_t at : chunk_offsets(bytes)) {
        const auto& header = bytes.at<ChunkHeader>(at);
        const std::size_t begin = at + sizeof header;
        if (header.type != static_cast<std::uint32_t>(ChunkType::kRecords) || size < begin) continue;
        slots += std::min<std::uint64_t>(header.bytes, size - begin) / sizeof(Record);
    }
    return slots;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(capture_damage_test)

BOOST_FIXTURE_TEST_CASE(cut_at_every_byte, Damaged) {
    const std::size_t whole = bytes.size();
    const std::size_t meta = find_chunk(bytes, ChunkType::kMeta);
    const std::size_t described = meta + sizeof(ChunkHeader) + bytes.at<ChunkHeader>(meta).bytes;
    const std::size_t end = find_chunk(bytes, ChunkType::kEnd);
    for (std::size_t size = 0; size <= whole; ++size) {
        // A copy of just this length, so that a sanitizer sees any byte too far.
        FileBytes cut(size);
        std::copy_n(bytes.data(), size, cut.data());
        auto reader = CaptureReader::from_memory(cut.view());
        BOOST_REQUIRE_EQUAL(reader.has_value(), size >= described);
        if (!reader) {
            BOOST_REQUIRE(reader.error().code == ErrorCode::kCorrupt);
            continue;
        }
        BOOST_REQUIRE_EQUAL(reader->truncated(),
                            size < whole && size < end + sizeof(ChunkHeader) + sizeof(format::EndBody));
        BOOST_REQUIRE_EQUAL(reader->damaged_chunks(), 0u);
        BOOST_REQUIRE_EQUAL(reader->slots(), slots_below(bytes, size));
        BOOST_REQUIRE_LE(reader->readable_bytes(), size);
        std::uint64_t delivered = 0;
        for (CaptureStream& stream : reader->streams()) {
            delivered += drain(stream).size() + stream.orphaned();
            BOOST_REQUIRE_LE(stream.orphaned(), 1u);  // half a run at the cut
            BOOST_REQUIRE_EQUAL(stream.damaged(), 0u);
        }
        BOOST_REQUIRE_EQUAL(delivered, reader->slots());
    }
}

BOOST_FIXTURE_TEST_CASE(cut_files_from_disk, Damaged) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{5}, std::size_t{64}, bytes.size() / 2, bytes.size() - 1}) {
        std::filesystem::resize_file(dir.file("a.hft"), bytes.size());
        write_sample(dir.file("a.hft"));
        std::filesystem::resize_file(dir.file("a.hft"), size);
        const auto reader = CaptureReader::open(dir.file("a.hft"));
        if (size >= bytes.size() / 2) {
            BOOST_REQUIRE(reader.has_value());
            BOOST_TEST(reader->truncated());
        } else {
            BOOST_TEST(reader.error().code == ErrorCode::kCorrupt);
        }
    }
}

BOOST_FIXTURE_TEST_CASE(not_a_file, Damaged) {
    BOOST_TEST(CaptureReader::open(dir.file("none")).error().code == ErrorCode::kNotFound);
    BOOST_TEST(CaptureReader::open("/tmp").error().code == ErrorCode::kCorrupt);
    BOOST_TEST(CaptureReader::open("/dev/null").error().code == ErrorCode::kCorrupt);
    BOOST_REQUIRE(::mkfifo(dir.file("fifo").c_str(), 0600) == 0);
    BOOST_TEST(CaptureReader::open(dir.file("fifo")).error().code == ErrorCode::kCorrupt);
    if (::geteuid() != 0) {
        BOOST_REQUIRE(::chmod(dir.file("a.hft").c_str(), 0) == 0);
        BOOST_TEST(CaptureReader::open(dir.file("a.hft")).error().code == ErrorCode::kNoPermission);
    }
}

BOOST_FIXTURE_TEST_CASE(foreign_file, Damaged) {
    bytes.at<char>(0) = 'E';
    const auto reader = open();
    BOOST_TEST(reader.error().code == ErrorCode::kCorrupt);
    BOOST_TEST(reader.error().message().find("not an hftmon capture") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(misaligned_memory, Damaged) {
    const auto reader = CaptureReader::from_memory(bytes.view().subspan(4));
    BOOST_TEST(reader.error().code == ErrorCode::kInvalidArgument);
}

BOOST_FIXTURE_TEST_CASE(newer_major, Damaged) {
    bytes.at<FileHeader>(0).major = format::kMajor + 1;
    BOOST_TEST(refused() == ErrorCode::kVersionMismatch);
}

BOOST_FIXTURE_TEST_CASE(newer_abi, Damaged) {
    bytes.at<FileHeader>(0).abi_version = HFTMON_ABI_VERSION + 1;
    BOOST_TEST(refused() == ErrorCode::kVersionMismatch);
}

BOOST_FIXTURE_TEST_CASE(newer_minor_and_schema_are_read, Damaged) {
    bytes.at<FileHeader>(0).minor = 9;
    bytes.at<FileHeader>(0).schema_version = 99;
    BOOST_TEST(open().has_value());
}

BOOST_FIXTURE_TEST_CASE(impossible_header_fields, Damaged) {
    const FileHeader good = bytes.at<FileHeader>(0);
    for (const std::uint32_t header_bytes : {0u, 32u, 65u, 4'294'967'264u}) {
        bytes.at<FileHeader>(0) = good;
        bytes.at<FileHeader>(0).header_bytes = header_bytes;
        BOOST_TEST(refused() == ErrorCode::kCorrupt);
    }
    bytes.at<FileHeader>(0) = good;
    bytes.at<FileHeader>(0).record_bytes = 64;
    BOOST_TEST(refused() == ErrorCode::kCorrupt);
    bytes.at<FileHeader>(0) = good;
    bytes.at<FileHeader>(0).major = 0;
    BOOST_TEST(refused() == ErrorCode::kCorrupt);
}

BOOST_FIXTURE_TEST_CASE(damaged_description, Damaged) {
    body<char>(ChunkType::kMeta) = '[';
    BOOST_TEST(refused() == ErrorCode::kCorrupt);
}

BOOST_FIXTURE_TEST_CASE(description_of_absurd_length, Damaged) {
    chunk(ChunkType::kMeta).bytes = format::kMaxMetaBytes + 1;
    BOOST_TEST(refused() == ErrorCode::kCorrupt);
}

BOOST_FIXTURE_TEST_CASE(chunk_lengths_that_overflow, Damaged) {
    const std::uint64_t good = chunk(ChunkType::kThreads).bytes;
    const std::size_t at = find_chunk(bytes, ChunkType::kThreads);
    for (const std::uint64_t length :
         {UINT64_MAX, UINT64_MAX - 31, UINT64_MAX - 64, std::uint64_t{1} << 63, std::uint64_t{bytes.size()}}) {
        bytes.at<ChunkHeader>(at).bytes = length;
        const auto reader = open();
        BOOST_REQUIRE(reader.has_value());
        BOOST_TEST(reader->truncated());
        BOOST_TEST(!reader->broken());
        BOOST_TEST(reader->slots() == 0u);
        BOOST_TEST(reader->readable_bytes() == at);
    }
    bytes.at<ChunkHeader>(at).bytes = good;
    BOOST_TEST(!open()->truncated());
}

BOOST_FIXTURE_TEST_CASE(records_chunk_of_absurd_length_gives_what_is_there, Damaged) {
    chunk(ChunkType::kRecords).bytes = UINT64_MAX;
    const auto reader = open();
    BOOST_REQUIRE(reader.has_value());
    BOOST_TEST(reader->truncated());
    auto streams = reader->streams();
    BOOST_REQUIRE(streams.size() == 1u);
    const auto first = sample_records(0, 1'000);
    BOOST_TEST(drain(streams[0]).size() == first.size());  // the rest is no record at its place
    BOOST_TEST(streams[0].damaged() > 0u);
}

BOOST_FIXTURE_TEST_CASE(zeros_instead_of_a_chunk, Damaged) {
    const std::size_t at = find_chunk(bytes, ChunkType::kRecords);
    std::memset(bytes.data() + at, 0, bytes.size() - at);
    const auto reader = open();
    BOOST_REQUIRE(reader.has_value());
    BOOST_TEST(reader->truncated());
    BOOST_TEST(reader->broken());
    BOOST_TEST(reader->file_bytes() == bytes.size());
    BOOST_TEST(reader->readable_bytes() == at);
    BOOST_TEST(!reader->stats().has_value());
}

BOOST_FIXTURE_TEST_CASE(unknown_chunks_are_skipped, Damaged) {
    chunk(ChunkType::kStats).type = 77;
    const auto reader = open();
    BOOST_TEST(reader->unknown_chunks() == 1u);
    BOOST_TEST(reader->damaged_chunks() == 0u);
    BOOST_TEST(!reader->truncated());
    BOOST_TEST(!reader->stats().has_value());
}

BOOST_FIXTURE_TEST_CASE(thread_counts_that_do_not_fit, Damaged) {
    for (const std::uint32_t count : {3u, 0x0800'0000u, UINT32_MAX}) {
        body<format::ThreadsBody>(ChunkType::kThreads).count = count;
        BOOST_TEST(one_left_out().threads().empty());
    }
}

BOOST_FIXTURE_TEST_CASE(thread_entries_that_are_too_small, Damaged) {
    for (const std::uint32_t size : {0u, 1u, 31u}) {
        body<format::ThreadsBody>(ChunkType::kThreads).entry_bytes = size;
        BOOST_TEST(one_left_out().threads().empty());
    }
}

BOOST_FIXTURE_TEST_CASE(larger_entries_of_a_later_minor_version, Damaged) {
    auto& head = body<format::ThreadsBody>(ChunkType::kThreads);
    head.entry_bytes = 64;  // the second entry is now "the new part" of the first
    head.count = 1;
    const auto reader = open();
    BOOST_TEST(reader->damaged_chunks() == 0u);
    BOOST_REQUIRE(reader->threads()[0].entries.size() == 1u);
    BOOST_TEST(reader->threads()[0].entries[0].id.tid == 7u);
}

BOOST_FIXTURE_TEST_CASE(bodies_that_are_too_short, Damaged) {
    // The length of a body goes down to the next 32 bytes: later chunks stay where they are.
    chunk(ChunkType::kClock).bytes = 40;
    BOOST_TEST(one_left_out().clock_syncs().size() == 1u);
    chunk(ChunkType::kClock).bytes = 56;
    BOOST_TEST(open()->damaged_chunks() == 0u);
}

BOOST_FIXTURE_TEST_CASE(stats_that_cannot_be, Damaged) {
    body<format::StatsBody>(ChunkType::kStats).count = 3;
    BOOST_TEST(!one_left_out().stats().has_value());
    body<format::StatsBody>(ChunkType::kStats).count = 2;
    body<format::StatsBody>(ChunkType::kStats).entry_bytes = 63;
    BOOST_TEST(!one_left_out().stats().has_value());
    body<format::StatsBody>(ChunkType::kStats).entry_bytes = 64;
    body<format::StatsBody>(ChunkType::kStats).collector_cpu_ns = 1ull << 63;
    BOOST_TEST(!one_left_out().stats().has_value());
}

BOOST_FIXTURE_TEST_CASE(interrupt_names_that_are_no_lines, Damaged) {
    for (const char bad : {'x', '-', ' ', '\n'}) {
        body<char>(ChunkType::kIrqs) = bad;
        (void)one_left_out();
    }
}

BOOST_FIXTURE_TEST_CASE(stacks_that_cannot_be, Damaged) {
    // "k 7 + ffffffff81000011 12"
    char* const text = &body<char>(ChunkType::kStacks);
    for (const std::string_view wrong : {"x 7 + ", "k x + ", "k 7 * ", "k 7+- ", "k 0 + ", "k 7 +x"}) {
        BOOST_TEST_CONTEXT(wrong) {
            std::copy(wrong.begin(), wrong.end(), text);
            one_left_out();
        }
    }
    std::copy_n("k 7 - ", 6, text);
    BOOST_TEST(open()->damaged_chunks() == 0u);
    BOOST_TEST(!open()->stacks().front().cut);
}

BOOST_FIXTURE_TEST_CASE(programs_that_cannot_be, Damaged) {
    // "p 7 1000 1009 \nm 401000 402000 1000 abcd ..."
    char* const text = &body<char>(ChunkType::kPrograms);
    const std::string whole(text, 44);
    for (const std::string_view wrong :
         {"m 7 1000 1009 \nm", "x 7 1000 1009 ", "p x 1000 ", "p 7 x000 ", "p 7 1000 x", "p 7 1000 1009\n",
          "p 7 1000 1009 \nn ", "p 7 1000 1009 \nm x", "p 7 1000 1009 \nm 403000 4", "p 7 1000 1009 \nm 401000 x",
          "p 7 1000 1009 \np 401000 4", "p 7 1000 1009 \nm 401000 402000 1000 ab\033"}) {
        BOOST_TEST_CONTEXT(wrong) {
            std::copy(wrong.begin(), wrong.end(), text);
            BOOST_TEST(one_left_out().programs().empty());
            std::copy(whole.begin(), whole.end(), text);
        }
    }
    BOOST_TEST(open()->damaged_chunks() == 0u);
}

BOOST_AUTO_TEST_CASE(stacks_deeper_than_the_kernel_tells) {
    TempDir dir;
    for (const std::size_t depth : {HFTMON_STACK_DEPTH, HFTMON_STACK_DEPTH + 1}) {
        auto writer = CaptureWriter::create(dir.file("deep.hft"), sample_meta());
        BOOST_REQUIRE(writer.has_value());
        const std::vector<Stack> stacks{{StackPart::kUser, 1, false, std::vector<std::uint64_t>(depth, 0x401000)}};
        BOOST_REQUIRE(writer->stacks(stacks).has_value());
        BOOST_REQUIRE(writer->finish(Nanoseconds{1}).has_value());
        const auto reader = CaptureReader::open(dir.file("deep.hft"));
        BOOST_REQUIRE(reader.has_value());
        BOOST_TEST(reader->stacks().size() == (depth == HFTMON_STACK_DEPTH ? 1u : 0u));
        BOOST_TEST(reader->damaged_chunks() == (depth == HFTMON_STACK_DEPTH ? 0u : 1u));
    }
}

BOOST_FIXTURE_TEST_CASE(end_mark_that_cannot_be, Damaged) {
    body<format::EndBody>(ChunkType::kEnd).end_realtime_ns = 1ull << 63;
    const auto reader = open();
    BOOST_TEST(reader->damaged_chunks() == 1u);
    BOOST_TEST(reader->truncated());
}

BOOST_FIXTURE_TEST_CASE(cpu_number_that_cannot_be, Damaged) {
    chunk(ChunkType::kRecords).cpu = format::kMaxCpu + 1;
    BOOST_TEST(one_left_out().streams().size() == 2u);  // CPU 0 has another chunk
}

BOOST_FIXTURE_TEST_CASE(positions_that_overflow, Damaged) {
    chunk(ChunkType::kRecords).first_position = UINT64_MAX - 3;
    BOOST_TEST(one_left_out().streams().size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(positions_that_go_back, Damaged) {
    std::size_t last = 0;
    for (const std::size_t at : chunk_offsets(bytes))
        if (bytes.at<ChunkHeader>(at).type == static_cast<std::uint32_t>(ChunkType::kRecords)) last = at;
    bytes.at<ChunkHeader>(last).first_position -= 1;
    auto streams = one_left_out().streams();
    BOOST_TEST(drain(streams[0]).size() == sample_records(0, 1).size());
}

BOOST_FIXTURE_TEST_CASE(records_chunk_with_half_a_record, Damaged) {
    chunk(ChunkType::kRecords).bytes -= 16;
    const CaptureReader reader = one_left_out();
    auto streams = reader.streams();
    const std::size_t one = sample_records(0, 1).size();
    BOOST_TEST(drain(streams[0]).size() == 2 * one - 1);
    BOOST_TEST(streams[0].missing() == 1u);
}

BOOST_FIXTURE_TEST_CASE(slots_with_the_wrong_seq_are_counted_and_left_out, Damaged) {
    const std::size_t records = find_chunk(bytes, ChunkType::kRecords) + sizeof(ChunkHeader);
    const std::size_t total = 2 * sample_records(0, 1).size();
    const auto slot = [&](std::size_t i) -> Record& { return bytes.at<Record>(records + i * sizeof(Record)); };
    BOOST_REQUIRE(slot(0).seq == 1u);
    for (const std::uint32_t seq : {0u, 2u, 4097u, UINT32_MAX}) {
        slot(0).seq = seq;
        auto streams = open()->streams();
        const auto first = streams[0].peek();
        BOOST_REQUIRE(!first.empty());
        BOOST_TEST(streams[0].position() == 1u);
        BOOST_TEST(drain(streams[0]).size() == total - 1);
        BOOST_TEST(streams[0].damaged() == 1u);
        BOOST_TEST(streams[0].orphaned() == 0u);
    }
}

BOOST_FIXTURE_TEST_CASE(half_a_run_is_left_out_with_its_other_half, Damaged) {
    const std::size_t records = find_chunk(bytes, ChunkType::kRecords) + sizeof(ChunkHeader);
    const std::size_t total = 2 * sample_records(0, 1).size();
    std::size_t identity = 0;
    while (bytes.at<Record>(records + identity * sizeof(Record)).type != HFTMON_REC_THREAD) ++identity;
    for (const std::size_t half : {identity, identity + 1}) {
        auto& seq = bytes.at<Record>(records + half * sizeof(Record)).seq;
        const auto good = seq;
        seq = 0;
        auto streams = open()->streams();
        BOOST_TEST(drain(streams[0]).size() == total - 2);
        BOOST_TEST(streams[0].damaged() == 1u);
        BOOST_TEST(streams[0].orphaned() == 1u);
        seq = good;
    }
}

BOOST_AUTO_TEST_SUITE_END()
