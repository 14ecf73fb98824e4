// SPDX-License-Identifier: MIT
// Every command in every state of a session.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "checks.hpp"
#include "device.hpp"
#include "verdict.hpp"

namespace abi_abuse {

namespace {

/// WATCH in every state, and of whom there is nobody.
void watching() {
    const auto watch = [](Device& device, __u32 tid, __u32 flags = 0, __u32 op = HFTMON_WATCH_ADD) {
        auto argument = sized<hftmon_watch>();
        argument.tid = tid;
        argument.flags = flags;
        argument.op = op;
        return device.call(HFTMON_IOC_WATCH, &argument);
    };
    const auto self = static_cast<__u32>(::getpid());
    Device all;
    expect(ENODEV, watch(all, self), "WATCH before SETUP");
    set_up(all);
    expect(EINVAL, watch(all, self), "WATCH of a session that records everything");

    Device device;
    auto setup = good_setup();
    setup.flags = HFTMON_SETUP_WATCH;
    expect(0, device.call(HFTMON_IOC_SETUP, &setup), "SETUP to watch");
    expect(0, watch(device, self), "WATCH of a thread");
    expect(0, watch(device, self), "the same again");
    expect(0, watch(device, self, HFTMON_WATCH_PROCESS), "WATCH of a process");
    expect(0, watch(device, self, 0, HFTMON_WATCH_REMOVE), "no longer");
    expect(EINVAL, watch(device, self, 2), "WATCH with an unknown flag");
    expect(EINVAL, watch(device, self, 0, 2), "an unknown operation");
    for (const __u32 nobody : {0u, 0x3fffffu, 0x400000u, 0x7fffffffu, 0x80000000u, ~0u})
        expect(ESRCH, watch(device, nobody), fmt::format("WATCH of thread {}", nobody));
    expect(0, device.call(HFTMON_IOC_START), "START");
    expect(0, watch(device, self, HFTMON_WATCH_PROCESS), "WATCH while it records");
    expect(0, device.call(HFTMON_IOC_STOP), "STOP");
    expect(EBUSY, watch(device, self), "WATCH after STOP");

    // A session that watches holds its place from SETUP on.
    std::vector<std::unique_ptr<Device>> many(8);
    int refused = 0;
    for (auto& one : many) {
        one = std::make_unique<Device>();
        setup = good_setup();
        setup.flags = HFTMON_SETUP_WATCH;
        refused += one->call(HFTMON_IOC_SETUP, &setup) != 0;
    }
    verdict(refused == 0, "eight sessions that watch are set up");
    Device ninth;
    expect(EBUSY, ninth.call(HFTMON_IOC_SETUP, &setup), "a ninth is not");
    set_up(ninth);
    expect(EBUSY, ninth.call(HFTMON_IOC_START), "nor can another start");
    many.front().reset();
    expect(0, ninth.call(HFTMON_IOC_START), "until one of them is closed");
}

/// MINIMUM in every state, and what it refuses.
void minimums() {
    Device device;
    auto minimum = sized<hftmon_minimum>();
    expect(ENODEV, device.call(HFTMON_IOC_MINIMUM, &minimum), "MINIMUM before SETUP");
    auto setup = good_setup();
    setup.sources = 0;
    setup.durations = HFTMON_DURATION_BIT(HFTMON_DURATION_VECTOR);
    expect(0, device.call(HFTMON_IOC_SETUP, &setup), "SETUP to count");
    expect(0, device.call(HFTMON_IOC_MINIMUM, &minimum), "MINIMUM of nothing");
    minimum.kinds = HFTMON_DURATION_BIT(HFTMON_DURATION_WAKEUP);
    expect(EINVAL, device.call(HFTMON_IOC_MINIMUM, &minimum), "MINIMUM of a kind that is not counted");
    minimum.kinds = HFTMON_DURATION_BIT(HFTMON_DURATION_VECTOR) | 1u << 31;
    expect(EINVAL, device.call(HFTMON_IOC_MINIMUM, &minimum), "and of one beyond the last");
    const auto records = [&] {
        auto stats = sized<hftmon_cpu_stats>();
        expect(0, device.call(HFTMON_IOC_CPU_STATS, &stats), "CPU_STATS");
        return stats.head;
    };
    for (auto& over : minimum.over) over = 0;
    minimum.kinds = HFTMON_DURATION_BIT(HFTMON_DURATION_VECTOR);
    expect(0, device.call(HFTMON_IOC_MINIMUM, &minimum), "MINIMUM of any vector");
    expect(0, device.call(HFTMON_IOC_START), "START");
    // An idle CPU has few.
    auto before = records();
    for (int i = 0; i < 100 && before < 5; ++i) {
        ::usleep(100'000);
        before = records();
    }
    verdict(before >= 5, fmt::format("vectors are recorded ({})", before));
    expect(EBUSY, device.call(HFTMON_IOC_MINIMUM, &minimum), "MINIMUM while it runs");
    expect(0, device.call(HFTMON_IOC_STOP), "STOP");
    const auto stopped = records();
    ::usleep(200'000);
    verdict(records() == stopped, "nothing is recorded after it");
    expect(EBUSY, device.call(HFTMON_IOC_MINIMUM, &minimum), "MINIMUM after STOP");
}

/// TRIGGER and SPIKES in every state, and what they refuse.
void triggers() {
    Device device;
    auto trigger = sized<hftmon_trigger>();
    auto spikes = sized<hftmon_spikes>();
    expect(ENODEV, device.call(HFTMON_IOC_TRIGGER, &trigger), "TRIGGER before SETUP");
    expect(ENODEV, device.call(HFTMON_IOC_SPIKES, &spikes), "SPIKES before SETUP");
    auto setup = good_setup();
    setup.durations = HFTMON_DURATION_BIT(HFTMON_DURATION_VECTOR);
    expect(0, device.call(HFTMON_IOC_SETUP, &setup), "SETUP to count");
    expect(0, device.call(HFTMON_IOC_TRIGGER, &trigger), "TRIGGER of nothing");
    const auto refused = [&](const char* what, const auto& change) {
        auto argument = sized<hftmon_trigger>();
        argument.kinds = HFTMON_DURATION_BIT(HFTMON_DURATION_VECTOR);
        change(argument);
        expect(EINVAL, device.call(HFTMON_IOC_TRIGGER, &argument), fmt::format("TRIGGER: {}", what));
    };
    refused("a kind that is not counted", [](auto& t) { t.kinds |= HFTMON_DURATION_BIT(HFTMON_DURATION_WAKEUP); });
    refused("a kind beyond the last", [](auto& t) { t.kinds |= 1u << 31; });
    refused("an unknown flag", [](auto& t) { t.flags = 0x10; });
    refused("to freeze a stream", [](auto& t) { t.flags = HFTMON_TRIGGER_FREEZE; });
    refused("to freeze all but this", [](auto& t) { t.flags = HFTMON_TRIGGER_FREEZE_ALL; });
    refused("watched threads of a session that watches none", [](auto& t) { t.flags = HFTMON_TRIGGER_WATCHED; });
    refused("a tail of half of all times", [](auto& t) { t.tail_ticks = 1ull << 63; });
    refused("a hold-off of all times", [](auto& t) { t.holdoff_ticks = ~0ull; });

    trigger.kinds = HFTMON_DURATION_BIT(HFTMON_DURATION_VECTOR);
    expect(0, device.call(HFTMON_IOC_TRIGGER, &trigger), "TRIGGER of any vector");
    verdict((poll_events(device) & POLLPRI) == 0, "poll before START: no spike");
    expect(0, device.call(HFTMON_IOC_START), "START");
    ::usleep(300'000);
    verdict((poll_events(device) & POLLPRI) != 0, "poll: a spike");
    spikes.flags = 2;
    expect(EINVAL, device.call(HFTMON_IOC_SPIKES, &spikes), "SPIKES with an unknown flag");
    verdict((poll_events(device) & POLLPRI) != 0, "poll: still");
    spikes.flags = 0;
    expect(0, device.call(HFTMON_IOC_SPIKES, &spikes), "SPIKES");
    verdict(spikes.hits == 1 && spikes.held > 0 && spikes.kind == HFTMON_DURATION_VECTOR,
            fmt::format("one hit ({}), others held ({})", spikes.hits, spikes.held));
    verdict((poll_events(device) & POLLPRI) == 0, "poll after it: none");
    spikes = sized<hftmon_spikes>();
    spikes.flags = HFTMON_SPIKES_REARM;
    expect(0, device.call(HFTMON_IOC_SPIKES, &spikes), "SPIKES, and the next");
    ::usleep(300'000);
    verdict((poll_events(device) & POLLPRI) != 0, "poll: the next spike");
    expect(0, device.call(HFTMON_IOC_TRIGGER, &trigger), "TRIGGER again, while it runs");
    trigger = sized<hftmon_trigger>();
    expect(0, device.call(HFTMON_IOC_TRIGGER, &trigger), "and of nothing");
    spikes = sized<hftmon_spikes>();
    spikes.flags = HFTMON_SPIKES_REARM;
    expect(0, device.call(HFTMON_IOC_SPIKES, &spikes), "SPIKES, with nothing to wait for");
    const auto hits = spikes.hits;
    ::usleep(200'000);
    spikes = sized<hftmon_spikes>();
    expect(0, device.call(HFTMON_IOC_SPIKES, &spikes), "SPIKES");
    verdict(spikes.hits == hits, "no hit any more");
    expect(0, device.call(HFTMON_IOC_STOP), "STOP");
    expect(EBUSY, device.call(HFTMON_IOC_TRIGGER, &trigger), "TRIGGER after STOP");
    spikes = sized<hftmon_spikes>();
    expect(0, device.call(HFTMON_IOC_SPIKES, &spikes), "SPIKES after STOP");
}

}  // namespace

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

    watching();
    minimums();
    triggers();

    char byte = 0;
    expect(EINVAL, ::read(device.fd(), &byte, 1), "read(2)");
    expect(EINVAL, ::write(device.fd(), &byte, 1), "write(2)");
}

}  // namespace abi_abuse
