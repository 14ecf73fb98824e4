// SPDX-License-Identifier: MIT
// What SHED records say, held against the records around them.
//
// usage: governor_check FILE
//
// After a SHED record no event of its sources comes on that CPU until the next one
// (those whose probe it found at work excepted); what is shed are whole steps of
// HFTMON_SHED_STEPS, as far as they were asked for; one look sheds or takes back, and
// takes back one step, the last; every SHED is followed by a CPU_STATE of its moment.
//
// Prints "cpus=N sheds=N partial=N restores=N cleared=N seen_again=N": how many CPUs told
// of any; records that shed more, of these without the last step, and fewer; that ended all; events, after a restore,
// of sources that it had brought back. Exit status: 0 all of that holds.
#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "hftmon/capture.hpp"
#include "hftmon/event.hpp"

namespace {

using namespace hftmon;

constexpr std::uint64_t kSteps[] = {
#define STEP(sources) (sources),
    HFTMON_SHED_STEPS(STEP)
#undef STEP
};

/// Of record types that a shed source alone writes; 0 for others.
std::uint64_t sources_of(const Record& record) {
    switch (record.type) {
        case HFTMON_REC_SCHED_WAKING: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKING);
        case HFTMON_REC_SCHED_WAKEUP: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_WAKEUP);
        case HFTMON_REC_IRQ_ENTRY:
        case HFTMON_REC_IRQ_EXIT: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_IRQ_HANDLER);
        case HFTMON_REC_SOFTIRQ_RAISE: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_SOFTIRQ_RAISE);
        case HFTMON_REC_SOFTIRQ_ENTRY:
        case HFTMON_REC_SOFTIRQ_EXIT: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_SOFTIRQ);
        case HFTMON_REC_VECTOR_ENTRY:
        case HFTMON_REC_VECTOR_EXIT: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_LOCAL_TIMER + record.vector.kind);
        case HFTMON_REC_CPU_IDLE: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_CPU_IDLE);
        case HFTMON_REC_HRTIMER_START: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_HRTIMER_START);
        case HFTMON_REC_HRTIMER_EXPIRE_ENTRY:
        case HFTMON_REC_HRTIMER_EXPIRE_EXIT: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_HRTIMER_EXPIRE);
        case HFTMON_REC_SYSCALL_ENTER: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_SYS_ENTER);
        case HFTMON_REC_SYSCALL_EXIT: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_SYS_EXIT);
        case HFTMON_REC_PAGE_FAULT_USER: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_PAGE_FAULT_USER);
        case HFTMON_REC_NET_QUEUE: return HFTMON_SOURCE_BIT(HFTMON_SOURCE_NET_DEV_QUEUE);
        default: return 0;
    }
}

/// Threads that SHED found between a probe's look and its record: since 7.x they may be preempted there.
constexpr unsigned kInFlight = 8;

constexpr std::size_t kNone = std::size(kSteps);

/// The last step that a mask holds.
std::size_t last_step(std::uint64_t sources) {
    std::size_t last = kNone;
    for (std::size_t i = 0; i < std::size(kSteps); ++i) {
        if ((kSteps[i] & sources) != 0) last = i;
    }
    return last;
}

struct Totals {
    std::uint64_t cpus = 0, sheds = 0, partial = 0, restores = 0, cleared = 0, seen_again = 0, wrong = 0;
};

class Cpu {
public:
    Cpu(CpuId id, std::uint64_t asked, Totals& totals) : id_(id), asked_(asked), totals_(totals) {}

    void look(const Record& record) {
        if (after_shed_ && seen_ > 2 && record.type != HFTMON_REC_CPU_STATE) wrong("no CPU_STATE behind SHED");
        after_shed_ = false;
        ++seen_;
        if (record.type == HFTMON_REC_SHED) {
            on_shed(record.shed);
            return;
        }
        const std::uint64_t source = sources_of(record);
        totals_.seen_again += (source & restored_) != 0;
        if ((source & shed_) == 0) return;
        if (++late_ > kInFlight) wrong(fmt::format("{} while it is shed", sources_text(source)));
    }

private:
    void on_shed(const ::hftmon_shed& shed) {
        totals_.cpus += !any_;
        any_ = true;
        after_shed_ = true;
        late_ = 0;
        if (shed.sources == shed_) wrong("SHED tells nothing new");
        for (const std::uint64_t step : kSteps) {
            if ((shed.sources & step) != 0 && (shed.sources & step) != (asked_ & step))
                wrong(fmt::format("half a step: {}", sources_text(shed.sources & step)));
        }
        const std::uint64_t more = shed.sources & ~shed_;
        const std::uint64_t fewer = shed_ & ~shed.sources;
        if (more != 0 && fewer != 0) wrong("sheds and restores at once");
        // At its beginning a session is told what has been shed before.
        if (more != 0 && seen_ > 2 && shed.spent_ppm <= shed.budget_ppm)
            wrong(fmt::format("sheds within the budget: {} of {}", shed.spent_ppm, shed.budget_ppm));
        // Without a budget everything comes back at once.
        if (fewer != 0 && shed.budget_ppm != 0) {
            const std::size_t last = last_step(shed_);
            if (last == kNone || fewer != (kSteps[last] & asked_)) wrong("restores another step than the last");
            if (shed.spent_ppm > shed.budget_ppm) wrong("restores above the budget");
        }
        totals_.sheds += more != 0;
        totals_.partial += more != 0 && (shed.sources & kSteps[kNone - 1]) == 0;
        totals_.restores += fewer != 0;
        totals_.cleared += shed.sources == 0;
        restored_ = (restored_ | fewer) & ~shed.sources;
        shed_ = shed.sources;
    }

    void wrong(const std::string& what) {
        if (totals_.wrong++ < 20) fmt::print("CPU {}: {}\n", id_.value, what);
    }

    CpuId id_;
    std::uint64_t asked_;
    Totals& totals_;
    std::uint64_t shed_ = 0, restored_ = 0;
    unsigned late_ = 0;
    std::uint64_t seen_ = 0;
    bool any_ = false, after_shed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: governor_check FILE\n");
        return 2;
    }
    const auto capture = CaptureReader::open(argv[1]);
    if (!capture) {
        fmt::print("{}\n", capture.error().message());
        return 1;
    }
    std::uint64_t asked = 0;
    for (const CaptureSource& source : capture->meta().sources) {
        if (source.active && source.id < HFTMON_SOURCE_COUNT) asked |= HFTMON_SOURCE_BIT(source.id);
    }
    Totals totals;
    for (CaptureStream& stream : capture->streams()) {
        Cpu cpu(stream.cpu(), asked, totals);
        for (auto records = stream.peek(); !records.empty(); records = stream.peek()) {
            for (const Record& record : records) cpu.look(record);
            stream.release(records.size());
        }
    }
    fmt::print("cpus={} sheds={} partial={} restores={} cleared={} seen_again={} wrong={}\n", totals.cpus, totals.sheds,
               totals.partial, totals.restores, totals.cleared, totals.seen_again, totals.wrong);
    return totals.wrong == 0 ? 0 : 1;
}
