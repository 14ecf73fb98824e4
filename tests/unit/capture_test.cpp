// SPDX-License-Identifier: MIT
#include "hftmon/capture.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "hftmon/merge.hpp"
#include "tests/unit/capture_support.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

struct SampleFile {
    TempDir dir;
    std::string path = dir.file("a.hft");
    SampleFile() { write_sample(path); }
};

/// A named pipe, and a reader of it that does not wait.
struct Pipe {
    TempDir dir;
    std::string path = dir.file("pipe");
    int fd = -1;
    Pipe() { BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        if (fd >= 0) ::close(fd);
    }
    void open_to_read() {
        fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        BOOST_REQUIRE(fd >= 0);
    }
};

bool same(const Record& a, const Record& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace

BOOST_AUTO_TEST_SUITE(capture_test)

BOOST_FIXTURE_TEST_CASE(everything_comes_back, SampleFile) {
    auto reader = CaptureReader::open(path);
    BOOST_REQUIRE_MESSAGE(reader.has_value(), why(reader));
    CaptureMeta meta = sample_meta();
    meta.end_realtime = Nanoseconds(1'700'000'001'000'000'000);
    BOOST_TEST((reader->meta() == meta));
    BOOST_TEST(!reader->truncated());
    BOOST_TEST(reader->damaged_chunks() == 0u);
    BOOST_TEST(reader->unknown_chunks() == 0u);
    BOOST_TEST(reader->readable_bytes() == std::filesystem::file_size(path));

    BOOST_REQUIRE(reader->threads().size() == 1u);
    BOOST_TEST(reader->threads()[0].from == TscTime{900});
    BOOST_TEST(reader->threads()[0].to == TscTime{950});
    BOOST_REQUIRE(reader->threads()[0].entries.size() == 2u);
    BOOST_TEST(reader->threads()[0].entries[1].id.tid == 8u);
    BOOST_TEST(std::string(reader->threads()[0].entries[1].comm) == "eight");

    BOOST_REQUIRE(reader->clock_syncs().size() == 2u);
    BOOST_TEST(reader->clock().monotonic(TscTime{1'000}).count() == 10);
    const std::vector<IrqName> irqs{{9, "acpi"}, {34, "eth0-rx-3, hftmon"}};
    BOOST_TEST((std::vector(reader->irqs().begin(), reader->irqs().end()) == irqs));
    const std::vector<FunctionName> functions{{0xffffffff81000010, "second"}, {0x10, "first [mod]"}};
    BOOST_TEST((std::vector(reader->functions().begin(), reader->functions().end()) == functions));
    const std::vector<Stack> stacks{{StackPart::kKernel, 7, true, {0xffffffff81000011, 0x12}},
                                    {StackPart::kUser, 7, false, {0x401136}}};
    BOOST_TEST((std::vector(reader->stacks().begin(), reader->stacks().end()) == stacks));
    BOOST_TEST(std::ranges::equal(reader->programs(), sample_programs()));
    BOOST_TEST((reader->stats() == sample_stats()));

    auto streams = reader->streams();
    BOOST_REQUIRE(streams.size() == 2u);
    BOOST_TEST(streams[0].cpu() == CpuId{0});
    BOOST_TEST(streams[1].cpu() == CpuId{3});
    const auto first = sample_records(0, 1'000);
    const auto second = sample_records(first.size(), 3'000);
    auto expected = first;
    expected.insert(expected.end(), second.begin(), second.end());
    const auto got = drain(streams[0]);
    BOOST_TEST(std::equal(got.begin(), got.end(), expected.begin(), expected.end(), same));
    (void)streams[1].peek();
    BOOST_TEST(streams[1].position() == 1000u);
    BOOST_TEST(drain(streams[1]).size() == first.size());
    BOOST_TEST(reader->slots() == expected.size() + first.size());
    for (const CaptureStream& stream : streams)
        BOOST_TEST(stream.damaged() + stream.orphaned() + stream.missing() == 0u);
}

BOOST_FIXTURE_TEST_CASE(streams_outlive_the_reader_and_are_independent, SampleFile) {
    std::vector<CaptureStream> a;
    std::vector<CaptureStream> b;
    {
        auto reader = CaptureReader::open(path);
        BOOST_REQUIRE(reader.has_value());
        a = reader->streams();
        b = reader->streams();
    }
    BOOST_TEST(drain(a[0]).size() == drain(b[0]).size());
}

BOOST_FIXTURE_TEST_CASE(a_capture_merges, SampleFile) {
    auto reader = CaptureReader::open(path);
    auto streams = reader->streams();
    Merger merger(streams);
    std::uint64_t last = 0;
    const std::uint64_t count = merger.run([&](CpuId, std::uint64_t, std::span<const Record> records) {
        for (const Record& r : records) {
            BOOST_REQUIRE(r.tsc >= last);
            last = r.tsc;
        }
    });
    BOOST_TEST(count == reader->slots());
}

BOOST_FIXTURE_TEST_CASE(peek_is_stable_and_partial_release_works, SampleFile) {
    auto streams = CaptureReader::open(path)->streams();
    CaptureStream& stream = streams[0];
    const auto all = stream.peek();
    stream.release(3);
    BOOST_TEST(stream.position() == 3u);
    const auto rest = stream.peek();
    BOOST_TEST(rest.data() == all.data() + 3);
    BOOST_TEST(stream.peek().size() == rest.size());
    stream.release(rest.size() + 100);  // more than there is: clamped
    BOOST_TEST(stream.position() == all.size());
}

BOOST_AUTO_TEST_CASE(large_chunks_come_in_stretches_with_whole_runs) {
    TempDir dir;
    const std::string path = dir.file("big.hft");
    std::vector<Record> records;
    while (records.size() < 200'001) {  // odd lengths, so that runs fall on every boundary
        const auto run =
            sample_run(records.size() % 3 == 0 ? HFTMON_REC_FORK : HFTMON_REC_NMI, records.size(), records.size());
        records.insert(records.end(), run.begin(), run.end());
    }
    auto writer = CaptureWriter::create(path, sample_meta());
    BOOST_REQUIRE(writer->records(CpuId{1}, 0, records));
    BOOST_REQUIRE(writer->finish(Nanoseconds(0)));
    auto streams = CaptureReader::open(path)->streams();
    std::size_t count = 0;
    for (auto span = streams[0].peek(); !span.empty(); span = streams[0].peek()) {
        BOOST_REQUIRE(span.front().type != HFTMON_REC_COMM);
        BOOST_REQUIRE(span.back().type != HFTMON_REC_FORK);
        BOOST_REQUIRE_EQUAL(streams[0].position(), count);
        count += span.size();
        streams[0].release(span.size());
    }
    BOOST_TEST(count == records.size());
    BOOST_TEST(streams[0].orphaned() == 0u);
}

BOOST_AUTO_TEST_CASE(a_killed_recorder_leaves_what_it_flushed) {
    TempDir dir;
    const std::string path = dir.file("killed.hft");
    const auto records = sample_records(0, 1);
    {
        auto writer = CaptureWriter::create(path, sample_meta());
        BOOST_REQUIRE(writer->records(CpuId{0}, 0, records));
        BOOST_REQUIRE(writer->flush());
        auto reader = CaptureReader::open(path);  // while it is being written
        BOOST_REQUIRE(reader.has_value());
        BOOST_TEST(reader->truncated());
        BOOST_TEST(reader->slots() == records.size());
    }
    BOOST_TEST(CaptureReader::open(path)->truncated());
}

BOOST_AUTO_TEST_CASE(times_go_by_the_first_and_the_last_clock_reading) {
    TempDir dir;
    const std::string path = dir.file("clocks.hft");
    auto writer = CaptureWriter::create(path, sample_meta());
    // Once a second, with 100 ppm more ticks than the description states; the file has no end.
    for (std::uint64_t second = 0; second < 4; ++second)
        BOOST_REQUIRE(writer->clock(clock_sync(7 + second * 2'994'673'437, 5 + second * 1'000'000'000)));
    BOOST_REQUIRE(writer->flush());
    auto reader = CaptureReader::open(path);
    BOOST_REQUIRE(reader->clock_syncs().size() == 4u);
    BOOST_TEST(reader->clock().monotonic(TscTime{7 + 3 * 2'994'673'437}).count() == 3'000'000'005);
}

BOOST_AUTO_TEST_CASE(a_later_description_replaces_the_first) {
    TempDir dir;
    const std::string path = dir.file("m.hft");
    auto writer = CaptureWriter::create(path, sample_meta());
    CaptureMeta later = sample_meta();
    later.hostname = "\xff not UTF-8";
    BOOST_REQUIRE(writer->meta(later));
    BOOST_REQUIRE(writer->finish(Nanoseconds(0)));
    auto reader = CaptureReader::open(path);
    BOOST_TEST(reader->meta().hostname == "\xef\xbf\xbd not UTF-8");
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_an_error_and_stays_one) {
    // The first write already fails: nothing is recorded for minutes in vain.
    auto created = CaptureWriter::create("/dev/full", sample_meta());
    BOOST_REQUIRE(!created.has_value());
    BOOST_TEST(created.error().sys_errno == ENOSPC);
    BOOST_TEST(!created.error().hint.empty());

    // Full later: as with a disk, by a limit on the file's size.
    TempDir dir;
    const std::string path = dir.file("full.hft");
    struct rlimit old {};
    ::getrlimit(RLIMIT_FSIZE, &old);
    struct sigaction ignore {
    }, before{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGXFSZ, &ignore, &before);
    const rlimit limit{100'000, old.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
    {
        auto writer = CaptureWriter::create(path, sample_meta());
        BOOST_REQUIRE(writer.has_value());
        std::vector<Record> records;
        for (std::uint64_t i = 0; i < 5'000; ++i) records.push_back(record(i, HFTMON_REC_NMI, i));
        BOOST_TEST(writer->records(CpuId{0}, 0, records).has_value());  // buffered
        const Status flushed = writer->flush();
        BOOST_REQUIRE(!flushed.has_value());
        BOOST_TEST(flushed.error().sys_errno == EFBIG);
        BOOST_TEST(!writer->clock(clock_sync(1, 1)).has_value());
        BOOST_TEST(!writer->finish(Nanoseconds(0)).has_value());
    }
    ::setrlimit(RLIMIT_FSIZE, &old);
    ::sigaction(SIGXFSZ, &before, nullptr);
    auto reader = CaptureReader::open(path);
    BOOST_REQUIRE(reader.has_value());
    BOOST_TEST(reader->truncated());
    auto streams = reader->streams();
    const std::size_t got = drain(streams[0]).size();
    BOOST_TEST(got > 3'000u);  // what fits in 100 000 bytes
    BOOST_TEST(got == reader->slots());
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_created) {
    const auto missing = CaptureWriter::create("/no/such/folder/x.hft", sample_meta());
    BOOST_TEST(missing.error().code == ErrorCode::kNotFound);
    const auto folder = CaptureWriter::create("/tmp", sample_meta());
    BOOST_TEST(folder.error().code == ErrorCode::kSystem);
    CaptureMeta meta = sample_meta();
    meta.tsc_khz = 0;
    TempDir dir;
    BOOST_TEST(CaptureWriter::create(dir.file("x"), meta).error().code == ErrorCode::kInvalidArgument);
    BOOST_TEST(!std::filesystem::exists(dir.file("x")));
}

BOOST_AUTO_TEST_CASE(checking_a_path_changes_nothing) {
    TempDir dir;
    const std::string path = dir.file("x.hft");
    BOOST_TEST(CaptureWriter::check(path).has_value());
    BOOST_TEST(!std::filesystem::exists(path));
    std::ofstream(path) << "kept";
    BOOST_TEST(CaptureWriter::check(path).has_value());
    BOOST_TEST(std::filesystem::file_size(path) == 4u);
    BOOST_TEST(CaptureWriter::check("/dev/null").has_value());
    BOOST_TEST(CaptureWriter::check("/tmp").error().sys_errno == EISDIR);
    BOOST_TEST(CaptureWriter::check("/no/such/folder/x.hft").error().sys_errno == ENOENT);
    BOOST_TEST(CaptureWriter::check(path + "/x.hft").error().sys_errno == ENOTDIR);
}

BOOST_FIXTURE_TEST_CASE(a_pipe_that_is_checked_has_no_writer_yet, Pipe) {
    BOOST_TEST(CaptureWriter::check(path).has_value());
    open_to_read();
    BOOST_TEST(CaptureWriter::check(path).has_value());
    pollfd reader{.fd = fd, .events = POLLIN, .revents = 0};
    BOOST_TEST(::poll(&reader, 1, 0) == 0);  // POLLHUP: a writer has been there
}

BOOST_FIXTURE_TEST_CASE(a_pipe_that_nobody_reads_is_an_error, Pipe, *boost::unit_test::timeout(20)) {
    const auto writer = CaptureWriter::create(path, sample_meta());
    BOOST_REQUIRE(!writer.has_value());
    BOOST_TEST(writer.error().message().find("nobody reads the pipe") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_pipe_takes_a_capture_of_any_size, Pipe) {
    open_to_read();
    std::size_t got = 0;
    std::thread reader([&] {
        std::vector<char> buffer(1u << 16);
        pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
        ssize_t part = 1;
        for (bool is_first = true; part > 0 && ::poll(&ready, 1, 20'000) == 1; is_first = false) {
            // Time for the writer to fill the pipe.
            if (is_first) std::this_thread::sleep_for(std::chrono::milliseconds(50));
            part = ::read(fd, buffer.data(), buffer.size());
            got += part > 0 ? static_cast<std::size_t>(part) : 0;
        }
    });
    std::uint64_t bytes = 0;
    {
        auto writer = CaptureWriter::create(path, sample_meta());
        BOOST_CHECK(writer.has_value());
        const std::vector<Record> records(100'000, record(1, HFTMON_REC_NMI));
        BOOST_CHECK(writer && writer->records(CpuId{0}, 0, records));
        BOOST_CHECK(writer && writer->finish(Nanoseconds(0)));
        bytes = writer ? writer->bytes() : 0;
    }
    reader.join();
    BOOST_TEST(got == bytes);
}

BOOST_AUTO_TEST_CASE(captures_are_private_to_their_owner) {
    TempDir dir;
    write_sample(dir.file("p.hft"));
    struct stat info {};
    BOOST_REQUIRE(::stat(dir.file("p.hft").c_str(), &info) == 0);
    BOOST_TEST((info.st_mode & 0777) == 0600u);
}

BOOST_AUTO_TEST_SUITE_END()
