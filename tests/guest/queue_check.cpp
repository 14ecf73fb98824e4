// SPDX-License-Identifier: MIT
// Do the run queues' numbers agree with who runs?
//
// usage: queue_check FILE
//
// The kernel changes a queue and switches its threads under one lock, so at every switch:
// the CPU goes idle exactly when its queue is empty, and who loses the CPU while it could
// go on, to another thread, is in the queue with that one. From a number that is known the
// next follows by the change. FILE must have every switch and change, none lost; what came before
// the last CPU began to record, or after the first had ended, is not judged: what the others
// did to a queue was not recorded.
//
// Prints "switches=N changes=N unknown=N forgotten=N wrong=N" (switches while the number was not
// known; how often it was not known any more, or did not follow from the one before) and, for each CPU, the number that
// its queue held for most of the time. Exit status: 0 that holds.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "hftmon/capture.hpp"
#include "hftmon/merge.hpp"
#include "hftmon/runs.hpp"

namespace {

using namespace hftmon;

struct Queue {
    std::optional<std::uint32_t> count;
    TscTime since{};
    std::map<std::uint32_t, std::uint64_t> held;  // ticks, by number
};

/// From the time when all CPUs record until the first has ended.
class Recorded {
public:
    void look(const EventHeader& header) {
        const auto [cpu, is_new] = cpus_.try_emplace(header.cpu, header.time, header.time);
        cpu->second.second = header.time;
    }
    [[nodiscard]] bool by_all(TscTime time) const {
        return std::ranges::all_of(cpus_, [&](const auto& cpu) {
            return cpu.second.first.value <= time.value && time.value <= cpu.second.second.value;
        });
    }

private:
    std::map<CpuId, std::pair<TscTime, TscTime>> cpus_;
};

class Check {
public:
    explicit Check(const Recorded& recorded) : recorded_(recorded) {}

    void look(const Event& event) {
        if (!recorded_.by_all(event.header.time)) return;
        last_ = event.header.time;
        if (const auto* queue = std::get_if<RunQueueEvent>(&event.body)) change(event.header, *queue);
        if (const auto* change = std::get_if<SchedSwitchEvent>(&event.body)) switched(event.header, *change);
        if (std::holds_alternative<GapEvent>(event.body) || std::holds_alternative<ShedEvent>(event.body))
            wrong(event.header, "not everything was recorded");
    }

    int finish() {
        fmt::print("switches={} changes={} unknown={} forgotten={} wrong={}\n", switches_, changes_, unknown_,
                   forgotten_, wrong_);
        for (auto& [cpu, queue] : queues_) {
            if (queue.count) queue.held[*queue.count] += last_.value - queue.since.value;
            const auto most = std::ranges::max_element(queue.held, {}, [](const auto& held) { return held.second; });
            if (most != queue.held.end()) fmt::print("CPU {}: {}\n", cpu, most->first);
        }
        return wrong_ == 0 ? 0 : 1;
    }

private:
    void change(const EventHeader& header, const RunQueueEvent& event) {
        Queue& queue = queues_[event.cpu.value];
        ++changes_;
        const std::uint32_t follows = queue.count.value_or(0) + static_cast<std::uint32_t>(event.change);
        if (queue.count) queue.held[*queue.count] += header.time.value - queue.since.value;
        const bool known = event.count != RunQueueEvent::kUnknown;
        // The kernel says on its CPU that there is one: that holds whatever went before.
        const bool corrected = event.count == 1 && header.cpu == event.cpu && !event.counted;
        if (queue.count && event.count != follows) {
            if (known && !corrected)
                wrong(header, fmt::format("CPU {} had {}, {:+} of them: {}", event.cpu.value, *queue.count,
                                          event.change, event.count));
            else
                forgotten(header, event, *queue.count);
        }
        queue.count.reset();
        if (known) queue.count = event.count;
        queue.since = header.time;
    }

    void switched(const EventHeader& header, const SchedSwitchEvent& event) {
        const Queue& queue = queues_[header.cpu.value];
        ++switches_;
        if (!queue.count) {
            ++unknown_;
            return;
        }
        const bool idle = event.next == kIdleTid;
        const bool both = !idle && event.prev != kIdleTid && event.prev_runnable();
        if (idle != (*queue.count == 0) || (both && *queue.count < 2))
            wrong(header, fmt::format("switch from {} to {}, and its queue holds {}", event.prev.value,
                                      event.next.value, *queue.count));
    }

    void wrong(const EventHeader& header, const std::string& what) {
        if (wrong_++ < 20) fmt::print("CPU {} position {}: {}\n", header.cpu.value, header.position, what);
    }

    void forgotten(const EventHeader& header, const RunQueueEvent& event, std::uint32_t before) {
        if (forgotten_++ < 20)
            fmt::print("CPU {} position {}: not known any more: CPU {} had {}, {:+} of them\n", header.cpu.value,
                       header.position, event.cpu.value, before, event.change);
    }

    const Recorded& recorded_;
    std::map<std::uint32_t, Queue> queues_;
    TscTime last_{};
    std::uint64_t switches_ = 0, changes_ = 0, unknown_ = 0, forgotten_ = 0, wrong_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: queue_check FILE\n");
        return 2;
    }
    const auto capture = CaptureReader::open(argv[1]);
    if (!capture) {
        fmt::print("{}\n", capture.error().message());
        return 1;
    }
    const auto each_event = [&](auto&& look) {
        auto streams = capture->streams();
        Merger(streams).run([&](CpuId cpu, std::uint64_t position, std::span<const Record> records) {
            for_each_run(records, cpu, position, [&](const Run& run) {
                if (run.status == DecodeStatus::kOk) look(run.event);
            });
        });
    };
    Recorded recorded;
    each_event([&](const Event& event) { recorded.look(event.header); });
    Check check(recorded);
    each_event([&](const Event& event) { check.look(event); });
    return check.finish();
}
