// SPDX-License-Identifier: MIT
/// Owner of an open ELF file.
#pragma once

#include <gelf.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hftmon::detail {

/// A regular file that can be read, as an ELF file. Move-only.
class ElfFile {
public:
    /// Nothing when it cannot be opened, is no regular file of a real file system or not ELF.
    static std::optional<ElfFile> open(const std::string& path);
    ElfFile(ElfFile&& other) noexcept;
    ElfFile& operator=(ElfFile&&) = delete;
    ~ElfFile();

    /// In hexadecimal; empty where it has none, or notes of more than a megabyte.
    [[nodiscard]] std::string build_id() const;
    /// What the file calls the address of a page that is mapped from this offset to be executed.
    [[nodiscard]] std::optional<std::uint64_t> address_of_page(std::uint64_t offset) const;
    /// No code lies below this address: there the first segment begins that can be executed, behind the
    /// header if that is in it.
    [[nodiscard]] std::uint64_t first_code() const;
    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] std::int64_t mtime_ns() const noexcept { return mtime_ns_; }

private:
    struct End {
        void operator()(Elf* elf) const noexcept { (void)::elf_end(elf); }
    };
    [[nodiscard]] std::vector<GElf_Phdr> segments() const;
    ElfFile(int fd, Elf* elf, std::int64_t mtime_ns) noexcept : fd_(fd), mtime_ns_(mtime_ns), elf_(elf) {}

    int fd_;
    std::int64_t mtime_ns_;
    std::unique_ptr<Elf, End> elf_;
};

}  // namespace hftmon::detail
