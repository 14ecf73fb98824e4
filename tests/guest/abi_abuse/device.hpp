// SPDX-License-Identifier: MIT
/// A session of /dev/hftmon, and arguments for it that are right.
#pragma once

#include <sys/ioctl.h>

#include <cstddef>
#include <cstdint>

#include "hftmon/abi/ioctl.h"

namespace abi_abuse {

/// An open session, closed with the object.
class Device {
public:
    Device();
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

    template <class T>
    int call(unsigned long request, T* argument) {
        return ::ioctl(fd_, request, argument);
    }
    int call(unsigned long request) { return ::ioctl(fd_, request, 0); }

private:
    int fd_;
};

template <class T>
T sized() {
    T argument{};
    argument.size = sizeof(argument);
    return argument;
}

constexpr std::uint32_t kRecords = 4096;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kData = std::size_t{kRecords} * HFTMON_RECORD_SIZE;

hftmon_setup good_setup();

void set_up(Device& device);

int poll_events(const Device& device);

}  // namespace abi_abuse
