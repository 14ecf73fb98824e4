// SPDX-License-Identifier: MIT
/// Mappings of a session, and what becomes of those who touch them.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace abi_abuse {

class Map {
public:
    Map(int fd, std::uint64_t offset, std::size_t length, int protection, int flags = MAP_SHARED)
        : length_(length),
          address_(::mmap(nullptr, length, protection, flags, fd, static_cast<off_t>(offset))),
          error_(errno) {}
    ~Map() {
        if (address_ != MAP_FAILED) ::munmap(address_, length_);
    }
    Map(const Map&) = delete;
    Map& operator=(const Map&) = delete;
    [[nodiscard]] bool mapped() const { return address_ != MAP_FAILED; }
    [[nodiscard]] int error() const { return mapped() ? 0 : error_; }
    [[nodiscard]] void* get() const { return address_; }
    [[nodiscard]] std::size_t length() const { return length_; }
    void forget() { address_ = MAP_FAILED; }

private:
    std::size_t length_;
    void* address_;
    int error_;
};

/// The signal that `body` dies of in a child; 0 when it ends, 1000 + status otherwise.
int signal_of(const std::function<void()>& body);

void touch(const void* address);

}  // namespace abi_abuse
