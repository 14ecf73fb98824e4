// SPDX-License-Identifier: MIT
// Sessions as they should be: each check spoils one thing of them.
#include "device.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "verdict.hpp"

namespace abi_abuse {

Device::Device() : fd_(::open(HFTMON_DEVICE, O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0) {
        fmt::print("not ok cannot open {}: {}\n", HFTMON_DEVICE, std::strerror(errno));
        std::exit(1);
    }
}

Device::~Device() { ::close(fd_); }

hftmon_setup good_setup() {
    auto setup = sized<hftmon_setup>();
    setup.mode = HFTMON_MODE_STREAM;
    setup.sources = HFTMON_SOURCE_ALL & ~HFTMON_SOURCE_STACKS;
    setup.ring_records = kRecords;
    setup.wakeup_records = kRecords / 2;
    return setup;
}

void set_up(Device& device) {
    auto setup = good_setup();
    if (device.call(HFTMON_IOC_SETUP, &setup) != 0) verdict(false, "a good SETUP");
}

int poll_events(const Device& device) {
    pollfd fd{.fd = device.fd(), .events = POLLIN | POLLPRI | POLLOUT, .revents = 0};
    return ::poll(&fd, 1, 0) < 0 ? -1 : fd.revents;
}

}  // namespace abi_abuse
