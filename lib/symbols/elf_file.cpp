// SPDX-License-Identifier: MIT
#include "lib/symbols/elf_file.hpp"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <span>
#include <utility>

namespace hftmon::detail {

std::optional<ElfFile> ElfFile::open(const std::string& path) {
    // Looked at first: merely to open a device may do something.
    struct ::stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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

std::string ElfFile::build_id() const {
    const void* bytes = nullptr;
    const auto length = ::dwelf_elf_gnu_build_id(elf_.get(), &bytes);
    if (length <= 0) return "";
    std::string text;
    for (const unsigned char byte : std::span(static_cast<const unsigned char*>(bytes), static_cast<size_t>(length)))
        text += fmt::format("{:02x}", byte);
    return text;
}

std::optional<std::uint64_t> ElfFile::address_of_page(std::uint64_t offset) const {
    constexpr std::uint64_t kPage = 4096;
    std::size_t count = 0;
    if (::elf_getphdrnum(elf_.get(), &count) != 0) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr header;
        if (::gelf_getphdr(elf_.get(), static_cast<int>(i), &header) == nullptr) return std::nullopt;
        if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
        // A segment may begin within its first page.
        if (offset >= header.p_offset / kPage * kPage && offset - header.p_offset / kPage * kPage < header.p_filesz)
            return offset - header.p_offset + header.p_vaddr;
    }
    return std::nullopt;
}

}  // namespace hftmon::detail
