// SPDX-License-Identifier: MIT
// Every command in every state of a session.
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "checks.hpp"
#include "device.hpp"
#include "verdict.hpp"

namespace abi_abuse {

void states() {
    Device device;
    auto stats = sized<hftmon_cpu_stats>();
    expect(ENODEV, device.call(HFTMON_IOC_START), "START before SETUP");
    expect(ENODEV, device.call(HFTMON_IOC_STOP), "STOP before SETUP");
    expect(ENXIO, device.call(HFTMON_IOC_CPU_STATS, &stats), "CPU_STATS before SETUP");
    verdict(poll_events(device) == 0, "poll before SETUP: nothing");
    set_up(device);
    auto setup = good_setup();
    expect(EBUSY, device.call(HFTMON_IOC_SETUP, &setup), "SETUP twice");
    expect(ENODEV, device.call(HFTMON_IOC_STOP), "STOP before START");
    verdict(poll_events(device) == 0, "poll before START: nothing");
    expect(0, device.call(HFTMON_IOC_START), "START");
    expect(EBUSY, device.call(HFTMON_IOC_START), "START twice");
    expect(EBUSY, device.call(HFTMON_IOC_SETUP, &setup), "SETUP while it runs");
    expect(0, device.call(HFTMON_IOC_STOP), "STOP");
    expect(EBUSY, device.call(HFTMON_IOC_STOP), "STOP twice");
    expect(EBUSY, device.call(HFTMON_IOC_START), "START after STOP");
    expect(EBUSY, device.call(HFTMON_IOC_SETUP, &setup), "SETUP after STOP");
    verdict((poll_events(device) & POLLHUP) != 0, "poll after STOP: POLLHUP");
    stats = sized<hftmon_cpu_stats>();
    expect(0, device.call(HFTMON_IOC_CPU_STATS, &stats), "CPU_STATS after STOP");
    verdict(stats.head != 0, "and the counts are there");

    char byte = 0;
    expect(EINVAL, ::read(device.fd(), &byte, 1), "read(2)");
    expect(EINVAL, ::write(device.fd(), &byte, 1), "write(2)");
}

}  // namespace abi_abuse
