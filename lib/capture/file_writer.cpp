// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "hftmon/capture.hpp"
#include "lib/capture/format.hpp"
#include "lib/capture/meta.hpp"
#include "lib/capture/text_chunks.hpp"

namespace hftmon {

namespace {

constexpr std::size_t kBufferBytes = 1u << 20;

ErrorCode code_of(int error) noexcept {
    switch (error) {
        case ENOENT:
        case ENOTDIR: return ErrorCode::kNotFound;
        case EACCES:
        case EPERM:
        case EROFS: return ErrorCode::kNoPermission;
        default: return ErrorCode::kSystem;
    }
}

const char* hint_of(int error) noexcept {
    switch (error) {
        case ENOSPC:
        case EDQUOT: return "the file can be read up to here; free some space or record elsewhere";
        case EFBIG: return "the file can be read up to here; see ulimit -f";
        case EACCES:
        case EPERM:
        case EROFS: return "choose a folder that you can write to";
        case ENOENT: return "the folder must exist";
        default: return "";
    }
}

Error create_error(const std::string& path, int error) {
    struct stat info {};
    if (error == ENXIO && ::stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode))
        return {ErrorCode::kSystem, 0, "creating " + path + ": nobody reads the pipe", "start its reader first"};
    return {code_of(error), error, "creating " + path, hint_of(error)};
}

/// May the existing file `path` be opened for writing? Sets errno when not.
/// Only a file is opened to find out: the reader of a pipe would see a writer
/// come and go, and take that for the end; a device may do anything.
bool may_write(const std::string& path, const struct stat& info) {
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return ::access(path.c_str(), W_OK) == 0;
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    (void)::close(fd);
    return true;
}

/// Bytes into a file, in large writes. The place to put io_uring.
class FileSink {
public:
    explicit FileSink(int fd) : fd_(fd), buffer_(new std::byte[kBufferBytes]) {}
    FileSink(const FileSink&) = delete;
    FileSink& operator=(const FileSink&) = delete;
    ~FileSink() {
        (void)flush();
        (void)close();
    }

    /// 0, or the errno of the first write that failed; sticky.
    int append(std::span<const std::byte> bytes) noexcept {
        total_ += bytes.size();
        while (!bytes.empty() && error_ == 0) {
            const std::size_t part = std::min(bytes.size(), kBufferBytes - used_);
            std::memcpy(buffer_.get() + used_, bytes.data(), part);
            used_ += part;
            bytes = bytes.subspan(part);
            if (used_ == kBufferBytes) (void)flush();
        }
        return error_;
    }

    int flush() noexcept {
        std::size_t done = 0;
        while (done < used_ && error_ == 0) {
            const ssize_t written = ::write(fd_, buffer_.get() + done, used_ - done);
            if (written >= 0) {
                done += static_cast<std::size_t>(written);
            } else if (errno != EINTR) {
                error_ = errno;
            }
        }
        used_ = 0;
        return error_;
    }

    /// The errno of close(2), which is where NFS says that the disk is full.
    int close() noexcept {
        if (fd_ < 0) return 0;
        const int result = ::close(fd_) == 0 ? 0 : errno;
        fd_ = -1;
        if (error_ == 0) error_ = result == EINTR ? 0 : result;
        return error_;
    }

    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

private:
    int fd_;
    std::unique_ptr<std::byte[]> buffer_;
    std::size_t used_ = 0;
    std::uint64_t total_ = 0;
    int error_ = 0;
};

template <class T>
std::span<const std::byte> bytes_of(const T& object) noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    return std::as_bytes(std::span(&object, 1));
}

}  // namespace

struct CaptureWriter::Impl {
    Impl(int fd, std::string file_path) : sink(fd), path(std::move(file_path)) {}

    FileSink sink;
    std::string path;
    std::uint64_t records = 0;

    [[nodiscard]] Status status(int error) const {
        if (error == 0) return ok();
        return Error{code_of(error), error, "writing " + path, hint_of(error)};
    }

    Status lines(format::ChunkType type, const std::string& text) {
        return status(chunk(type, std::as_bytes(std::span(text))));
    }

    /// A chunk whose body is the concatenation of two parts.
    int chunk(format::ChunkType type, std::span<const std::byte> head, std::span<const std::byte> tail = {},
              CpuId cpu = {}, std::uint64_t first_position = 0) noexcept {
        static constexpr std::array<std::byte, format::kAlign> kZeros{};
        const std::uint64_t bytes = head.size() + tail.size();
        const format::ChunkHeader header{format::kChunkMagic, static_cast<std::uint32_t>(type), bytes, cpu.value, 0,
                                         first_position};
        (void)sink.append(bytes_of(header));
        (void)sink.append(head);
        (void)sink.append(tail);
        return sink.append(std::span(kZeros).first(format::padding(bytes)));
    }
};

CaptureWriter::CaptureWriter(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
CaptureWriter::CaptureWriter(CaptureWriter&&) noexcept = default;
CaptureWriter& CaptureWriter::operator=(CaptureWriter&&) noexcept = default;
CaptureWriter::~CaptureWriter() = default;

Status CaptureWriter::check(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) {
        if (may_write(path, info)) return ok();
    } else if (errno == ENOENT) {
        const std::string folder = std::filesystem::path(path).parent_path();
        if (::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) == 0) return ok();
    }
    return create_error(path, errno);
}

Result<CaptureWriter> CaptureWriter::create(const std::string& path, const CaptureMeta& meta) {
    if (const char* problem = capture::meta_problem(meta)) {
        return Error{ErrorCode::kInvalidArgument, 0, "writing " + path + ": " + problem, ""};
    }
    // O_NONBLOCK: a pipe that nobody reads must give an error, not wait for a reader
    // while the rings run full. Writing is to wait again.
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0) return create_error(path, errno);
    (void)::fcntl(fd, F_SETFL, 0);

    CaptureWriter writer(std::make_unique<Impl>(fd, path));
    const format::FileHeader header{format::kMagic,
                                    format::kMajor,
                                    format::kMinor,
                                    sizeof(format::FileHeader),
                                    HFTMON_RECORD_SIZE,
                                    meta.abi_version,
                                    meta.schema_version,
                                    0,
                                    {}};
    (void)writer.impl_->sink.append(bytes_of(header));
    if (Status status = writer.meta(meta); !status) return std::move(status).error();
    // At once, so that a full disk is found before the recording and not after.
    if (Status status = writer.flush(); !status) return std::move(status).error();
    return writer;
}

Status CaptureWriter::meta(const CaptureMeta& meta) {
    const std::string json = capture::meta_to_json(meta);
    return impl_->status(impl_->chunk(format::ChunkType::kMeta, std::as_bytes(std::span(json))));
}

Status CaptureWriter::threads(const CaptureThreads& threads) {
    const format::ThreadsBody body{threads.from.value, threads.to.value,
                                   static_cast<std::uint32_t>(threads.entries.size()), sizeof(::hftmon_thread_entry),
                                   0};
    return impl_->status(
        impl_->chunk(format::ChunkType::kThreads, bytes_of(body), std::as_bytes(std::span(threads.entries))));
}

Status CaptureWriter::clock(const ClockSync& sync) {
    return impl_->status(impl_->chunk(format::ChunkType::kClock, bytes_of(sync)));
}

Status CaptureWriter::irqs(std::span<const IrqName> irqs) {
    return impl_->lines(format::ChunkType::kIrqs, capture::to_lines(irqs));
}

Status CaptureWriter::functions(std::span<const FunctionName> functions) {
    return impl_->lines(format::ChunkType::kFunctions, capture::to_lines(functions));
}

Status CaptureWriter::stacks(std::span<const Stack> stacks) {
    return impl_->lines(format::ChunkType::kStacks, capture::to_lines(stacks));
}

Status CaptureWriter::programs(std::span<const ProgramMap> programs) {
    return impl_->lines(format::ChunkType::kPrograms, capture::to_lines(programs));
}

Status CaptureWriter::records(CpuId cpu, std::uint64_t first_position, std::span<const Record> records) {
    if (records.empty()) return ok();
    impl_->records += records.size();
    return impl_->status(impl_->chunk(format::ChunkType::kRecords, std::as_bytes(records), {}, cpu, first_position));
}

Status CaptureWriter::stats(const CaptureStats& stats) {
    const format::StatsBody body{static_cast<std::uint64_t>(stats.collector_cpu.count()),
                                 static_cast<std::uint32_t>(stats.cpus.size()), sizeof(format::StatsEntry),
                                 static_cast<std::uint64_t>(stats.observed.count()), 0};
    std::vector<format::StatsEntry> entries;
    entries.reserve(stats.cpus.size());
    for (const CaptureCpuStats& cpu : stats.cpus) {
        entries.push_back({cpu.cpu.value, 0, cpu.head, cpu.lost, cpu.overwritten, cpu.read, cpu.probes,
                           cpu.self_samples, cpu.self_ticks, cpu.ever_shed});
    }
    return impl_->status(impl_->chunk(format::ChunkType::kStats, bytes_of(body), std::as_bytes(std::span(entries))));
}

Status CaptureWriter::flush() { return impl_->status(impl_->sink.flush()); }

Status CaptureWriter::finish(Nanoseconds end_realtime) {
    const format::EndBody body{static_cast<std::uint64_t>(end_realtime.count()), impl_->records, {}};
    (void)impl_->chunk(format::ChunkType::kEnd, bytes_of(body));
    (void)impl_->sink.flush();
    return impl_->status(impl_->sink.close());
}

std::uint64_t CaptureWriter::bytes() const noexcept { return impl_->sink.total(); }

}  // namespace hftmon
