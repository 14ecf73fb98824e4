// SPDX-License-Identifier: MIT
// Watches a thread, and no longer, and again, while a session records: there are
// records of it from each time when it was watched, and none from in between.
//
// usage: rewatch TID FILE
//
// TID must be busy. Exit status: 0 it is so.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

#include "hftmon/recorder.hpp"
#include "hftmon/runs.hpp"
#include "tests/guest/must.hpp"

namespace {

using namespace hftmon;
using guest::must;

/// Watched for sure from `from` to `to`; not before `since` nor after `until`.
struct Window {
    TscTime since, from, to, until;
    std::uint64_t records = 0;
};

bool names(const Event& event, Tid tid) {
    if (const auto* s = std::get_if<SchedSwitchEvent>(&event.body)) return s->prev == tid || s->next == tid;
    if (const auto* w = std::get_if<SchedWakeEvent>(&event.body)) return w->tid == tid;
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: rewatch TID FILE\n");
        return 2;
    }
    const Tid tid{static_cast<std::uint32_t>(std::strtoul(argv[1], nullptr, 10))};
    Recorder::Options options;
    options.path = argv[2];
    options.session.whole_cpus.emplace();
    auto recorder = must(Recorder::start(options));
    const auto pump = [&] {
        for (int i = 0; i < 10; ++i) {
            if (auto status = recorder.pump(std::chrono::milliseconds(20)); !status) std::exit(1);
        }
    };
    const auto now = [&] { return TscTime{must(recorder.session().clock_sync()).tsc}; };
    std::vector<Window> windows;
    for (int i = 0; i < 3; ++i) {
        pump();
        Window window{.since = now(), .from = {}, .to = {}, .until = {}};
        if (must(recorder.session().watch(tid)) == 0) return 1;
        window.from = now();
        pump();
        window.to = now();
        must(recorder.session().unwatch(tid));
        window.until = now();
        windows.push_back(window);
    }
    pump();
    must(recorder.finish());

    std::uint64_t outside = 0;
    const auto capture = must(CaptureReader::open(options.path));
    for (CaptureStream& stream : capture.streams()) {
        for_each_run(stream, [&](const Run& run) {
            if (run.status != DecodeStatus::kOk || !names(run.event, tid)) return;
            const TscTime time = run.event.header.time;
            bool is_outside = true;
            for (Window& window : windows) {
                if (time >= window.since && time <= window.until) is_outside = false;
                if (time >= window.from && time <= window.to) ++window.records;
            }
            outside += is_outside ? 1 : 0;
        });
    }
    bool good = outside == 0;
    for (const Window& window : windows) {
        fmt::print("records while it was watched: {}\n", window.records);
        good = good && window.records >= 10;
    }
    fmt::print("records while it was not: {}\n", outside);
    return good ? 0 : 1;
}
