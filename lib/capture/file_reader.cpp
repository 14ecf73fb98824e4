// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "hftmon/capture.hpp"
#include "lib/capture/capture_file.hpp"
#include "lib/capture/format.hpp"

namespace hftmon {

namespace {

Error open_error(const std::string& path, int error) {
    switch (error) {
        case ENOENT:
        case ENOTDIR: return {ErrorCode::kNotFound, error, "opening " + path, ""};
        case EACCES:
        case EPERM:
            return {ErrorCode::kNoPermission, error, "opening " + path,
                    "captures belong to the user who recorded them; sudo chown or sudo"};
        default: return {ErrorCode::kSystem, error, "opening " + path, ""};
    }
}

/// The whole file, mapped. An empty file is an empty span.
Result<detail::Bytes> map_file(const std::string& path, int fd) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return open_error(path, errno);
    if (!S_ISREG(info.st_mode)) {
        return Error{ErrorCode::kCorrupt, 0, path + ": not a regular file",
                     "a capture is read by mapping it; save it to a file first"};
    }
    if (info.st_size == 0) return detail::Bytes{};
    const auto size = static_cast<std::size_t>(info.st_size);
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED) return Error{ErrorCode::kSystem, errno, "mapping " + path, ""};
    return detail::Bytes::mapped({static_cast<const std::byte*>(address), size});
}

}  // namespace

CaptureReader::CaptureReader(std::shared_ptr<const detail::CaptureFile> file) noexcept : file_(std::move(file)) {}

Result<CaptureReader> CaptureReader::open(const std::string& path) {
    // O_NONBLOCK: a fifo must give an error, not wait for a writer.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return open_error(path, errno);
    Result<detail::Bytes> bytes = map_file(path, fd);
    (void)::close(fd);
    if (!bytes) return std::move(bytes).error();
    Result<detail::CaptureFile> file = detail::index_capture(std::move(*bytes), path);
    if (!file) return std::move(file).error();
    return CaptureReader(std::make_shared<const detail::CaptureFile>(std::move(*file)));
}

Result<CaptureReader> CaptureReader::from_memory(std::span<const std::byte> bytes) {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(Record) != 0) {
        return Error{ErrorCode::kInvalidArgument, 0, "capture in memory: not aligned to 8 bytes", ""};
    }
    Result<detail::CaptureFile> file = detail::index_capture(detail::Bytes::borrowed(bytes), "capture in memory");
    if (!file) return std::move(file).error();
    return CaptureReader(std::make_shared<const detail::CaptureFile>(std::move(*file)));
}

const CaptureMeta& CaptureReader::meta() const noexcept { return file_->meta; }
std::span<const CaptureThreads> CaptureReader::threads() const noexcept { return file_->threads; }
std::span<const ClockSync> CaptureReader::clock_syncs() const noexcept { return file_->clock_syncs; }
std::span<const IrqName> CaptureReader::irqs() const noexcept { return file_->irqs; }
std::span<const FunctionName> CaptureReader::functions() const noexcept { return file_->functions; }
std::span<const Stack> CaptureReader::stacks() const noexcept { return file_->stacks; }
std::span<const ProgramMap> CaptureReader::programs() const noexcept { return file_->programs; }
const std::optional<CaptureStats>& CaptureReader::stats() const noexcept { return file_->stats; }
std::uint64_t CaptureReader::slots() const noexcept { return file_->slots; }
bool CaptureReader::truncated() const noexcept { return !file_->ended; }
bool CaptureReader::broken() const noexcept { return file_->broken; }
std::uint64_t CaptureReader::file_bytes() const noexcept { return file_->bytes.view().size(); }
std::uint64_t CaptureReader::readable_bytes() const noexcept { return file_->readable_bytes; }
std::uint64_t CaptureReader::damaged_chunks() const noexcept { return file_->damaged_chunks; }
std::uint64_t CaptureReader::unknown_chunks() const noexcept { return file_->unknown_chunks; }

TscClock CaptureReader::clock() const noexcept {
    const std::vector<ClockSync>& syncs = file_->clock_syncs;
    if (syncs.empty()) return TscClock::from_khz(file_->meta.tsc_khz);
    return TscClock::from_syncs(file_->meta.tsc_khz, syncs.front(), syncs.back());
}

std::vector<CaptureStream> CaptureReader::streams() const {
    std::vector<CaptureStream> streams;
    streams.reserve(file_->chunks.size());
    for (const auto& [cpu, chunks] : file_->chunks) streams.push_back(CaptureStream(file_, cpu, chunks));
    return streams;
}

}  // namespace hftmon
