// SPDX-License-Identifier: MIT
// stopper, hardirq, irq-thread, softirq and timer: contexts of the kernel,
// entered by the test module (kmod/hftmon_plant.c).
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hftmon/abi/record.h"
#include "kmod/hftmon_plant.h"
#include "victim.hpp"

namespace plant {

namespace {

/// /dev/hftmon_plant.
class Device {
public:
    Device() : fd_(open(HFTMON_PLANT_DEVICE, O_RDWR | O_CLOEXEC)) {
        if (fd_ < 0) throw_errno("open " HFTMON_PLANT_DEVICE, "as root, load tests/plant/kmod/hftmon_plant.ko");
    }
    ~Device() { close(fd_); }
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    void run(hftmon_plant& want) const {
        if (ioctl(fd_, HFTMON_PLANT_IOC_RUN, &want) != 0) throw_errno("have the test module occupy the CPU");
    }

private:
    int fd_;
};

struct Kind {
    hftmon_plant_cause cause;
    const char* kind;
    const char* name;  ///< nullptr: that of the thread
    int number;        ///< -1: none
};

constexpr int kTaskletSoftirq = 6;

constexpr Kind kStopper{HFTMON_PLANT_STOPPER, "stopper", nullptr, -1};
constexpr Kind kHardirq{HFTMON_PLANT_HARDIRQ, "irq", HFTMON_PLANT_IRQ_NAME, -1};
constexpr Kind kIrqThread{HFTMON_PLANT_IRQ_THREAD, "irq-thread", nullptr, -1};
constexpr Kind kSoftirq{HFTMON_PLANT_SOFTIRQ, "softirq", "TASKLET", kTaskletSoftirq};
constexpr Kind kTimer{HFTMON_PLANT_TIMER, "vector", "local_timer", HFTMON_VECTOR_LOCAL_TIMER};

class Kernel : public Scenario {
public:
    Kernel(const Setting& setting, const Kind& kind)
        : kind_(kind), victim_(setting), driver_("plant-driver", setting.helper_cpu, kControl) {}

    Delay plant(const Round& round) override {
        hftmon_plant planted{};
        planted.cause = kind_.cause;
        planted.cpu = static_cast<__u32>(round.setting.cpu);
        planted.start_ns = static_cast<__u64>(round.offender_start);
        planted.until_tsc = round.until();
        planted.min_ticks = round.length();
        victim_.start(round);
        driver_
            .run([&] {
                // The timer of the module keeps the time, except that a victim
                // that is to be preempted must be running first.
                if (round.setting.kind == DelayKind::kPreemption) victim_.await(round);
                device_.run(planted);
                victim_.let_go();
            })
            .get();
        Delay delay = victim_.finish(round);
        delay.causes.push_back(to_cause(planted));
        return delay;
    }

private:
    Cause to_cause(const hftmon_plant& planted) const {
        Cause cause{.kind = kind_.kind,
                    .name = kind_.name ? kind_.name : planted.comm,
                    .cpu = static_cast<int>(planted.cpu),
                    .tid = static_cast<int>(planted.tid),
                    .start = planted.start_tsc,
                    .end = planted.end_tsc,
                    .more_gap = planted.gap_ticks};
        if (kind_.cause == HFTMON_PLANT_HARDIRQ || kind_.cause == HFTMON_PLANT_IRQ_THREAD) {
            cause.number = static_cast<int>(planted.irq);
        } else if (kind_.number >= 0) {
            cause.number = kind_.number;
        }
        return cause;
    }

    Kind kind_;
    Device device_;
    Victim victim_;
    Worker driver_;
};

}  // namespace

std::unique_ptr<Scenario> make_stopper(const Setting& setting) { return std::make_unique<Kernel>(setting, kStopper); }
std::unique_ptr<Scenario> make_hardirq(const Setting& setting) { return std::make_unique<Kernel>(setting, kHardirq); }
std::unique_ptr<Scenario> make_irq_thread(const Setting& setting) {
    return std::make_unique<Kernel>(setting, kIrqThread);
}
std::unique_ptr<Scenario> make_softirq(const Setting& setting) { return std::make_unique<Kernel>(setting, kSoftirq); }
std::unique_ptr<Scenario> make_timer(const Setting& setting) { return std::make_unique<Kernel>(setting, kTimer); }

}  // namespace plant
