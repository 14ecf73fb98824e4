// SPDX-License-Identifier: MIT
#include "lib/symbols/elf_file.hpp"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <utility>

namespace hftmon::detail {

namespace {

/// Here opening or closing a file may do something.
bool is_pseudo(int fd) {
    struct ::statfs system {};
    if (::fstatfs(fd, &system) != 0) return true;
    switch (static_cast<std::uint32_t>(system.f_type)) {
        case PROC_SUPER_MAGIC:
        case SYSFS_MAGIC:
        case TRACEFS_MAGIC:
        case DEBUGFS_MAGIC:
        case SECURITYFS_MAGIC:
        case SELINUX_MAGIC:
        case CGROUP_SUPER_MAGIC:
        case CGROUP2_SUPER_MAGIC:
        case BPF_FS_MAGIC:
        case EFIVARFS_MAGIC:
        case PSTOREFS_MAGIC: return true;
        default: return false;
    }
}

std::uint64_t page_of(std::uint64_t address) noexcept { return address & ~std::uint64_t{4095}; }

}  // namespace

std::optional<ElfFile> ElfFile::open(const std::string& path) {
    // Looked at without being opened, and then this very file: a path may name anything.
    const int place = ::open(path.c_str(), O_PATH | O_CLOEXEC);
    if (place < 0) return std::nullopt;
    struct ::stat status {};
    int fd = -1;
    if (::fstat(place, &status) == 0 && S_ISREG(status.st_mode) && !is_pseudo(place))
        fd = ::open(fmt::format("/proc/self/fd/{}", place).c_str(), O_RDONLY | O_CLOEXEC);
    (void)::close(place);
    if (fd < 0) return std::nullopt;
    (void)::elf_version(EV_CURRENT);
    Elf* elf = ::elf_begin(fd, ELF_C_READ, nullptr);
    if (elf == nullptr || ::elf_kind(elf) != ELF_K_ELF) {
        (void)::elf_end(elf);
        (void)::close(fd);
        return std::nullopt;
    }
    const std::int64_t mtime_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
    return ElfFile(fd, elf, mtime_ns);
}

ElfFile::ElfFile(ElfFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), mtime_ns_(other.mtime_ns_), elf_(std::move(other.elf_)) {}

ElfFile::~ElfFile() {
    elf_.reset();  // it still reads from the descriptor
    if (fd_ >= 0) (void)::close(fd_);
}

std::vector<GElf_Phdr> ElfFile::segments() const {
    std::vector<GElf_Phdr> segments;
    std::size_t count = 0;
    if (::elf_getphdrnum(elf_.get(), &count) != 0) return segments;
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr segment;
        if (::gelf_getphdr(elf_.get(), static_cast<int>(i), &segment) == nullptr) break;
        segments.push_back(segment);
    }
    return segments;
}

std::string ElfFile::build_id() const {
    // They are read whole, and anybody may run a file that has gigabytes of them.
    constexpr std::uint64_t kMostNotes = 1u << 20;
    for (const GElf_Phdr& segment : segments()) {
        if (segment.p_type == PT_NOTE && segment.p_filesz > kMostNotes) return "";
    }
    const void* bytes = nullptr;
    const auto length = ::dwelf_elf_gnu_build_id(elf_.get(), &bytes);
    if (length <= 0) return "";
    std::string text;
    for (const unsigned char byte : std::span(static_cast<const unsigned char*>(bytes), static_cast<size_t>(length)))
        text += fmt::format("{:02x}", byte);
    return text;
}

std::optional<std::uint64_t> ElfFile::address_of_page(std::uint64_t offset) const {
    for (const GElf_Phdr& segment : segments()) {
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
        // A segment may begin within its first page.
        if (offset >= page_of(segment.p_offset) && offset < segment.p_offset + segment.p_filesz)
            return offset - segment.p_offset + segment.p_vaddr;
    }
    return std::nullopt;
}

std::uint64_t ElfFile::first_code() const {
    std::uint64_t first = ~std::uint64_t{0};
    for (const GElf_Phdr& segment : segments()) {
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0) first = std::min(first, segment.p_vaddr);
    }
    return std::max<std::uint64_t>(first, sizeof(Elf64_Ehdr));
}

}  // namespace hftmon::detail
