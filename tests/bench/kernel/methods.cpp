// SPDX-License-Identifier: MIT
// hftmon's own ways, and the empty probe below them.
#include "methods.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <stdexcept>

#include "hftmon/session.hpp"

namespace bench {
namespace {

using hftmon::RingMode;
using hftmon::SessionOptions;

/// More than one run of the work writes: a stream without a reader loses nothing.
constexpr std::uint32_t kRingRecords = 1u << 18;

class Sessions : public Armed {
public:
    explicit Sessions(const std::vector<SessionOptions>& all,
                      const std::optional<hftmon::TriggerOptions>& trigger = {}) {
        for (const SessionOptions& options : all) {
            auto session = hftmon::Session::open();
            if (!session) throw std::runtime_error(session.error().message());
            check(session->setup(options));
            if (trigger) check(session->set_trigger(*trigger));
            check(session->start());
            sessions_.push_back(*std::move(session));
        }
    }

private:
    static void check(const hftmon::Status& status) {
        if (!status) throw std::runtime_error(status.error().message());
    }
    std::vector<hftmon::Session> sessions_;
};

class EmptyProbe : public Armed {
public:
    explicit EmptyProbe(const std::string& module) {
        if (std::system(("insmod " + module).c_str()) != 0) throw std::runtime_error("it cannot be loaded");
    }
    ~EmptyProbe() override {
        if (std::system("rmmod hftmon_empty_probe") != 0) fmt::print(stderr, "the empty probe stays loaded\n");
    }
};

SessionOptions recording(RingMode mode) {
    SessionOptions options;
    options.mode = mode;
    options.sources = HFTMON_SOURCE_BIT(HFTMON_SOURCE_SCHED_SWITCH);
    options.ring_records = kRingRecords;
    options.wakeup_records = kRingRecords / 2;
    return options;
}

SessionOptions watching(std::vector<hftmon::Tid> tids) {
    SessionOptions options = recording(RingMode::kStream);
    options.whole_cpus.emplace();
    options.watched = std::move(tids);
    return options;
}

SessionOptions counting(std::uint64_t sources, std::uint32_t durations) {
    SessionOptions options = recording(RingMode::kStream);
    options.sources = sources;
    options.durations = durations;
    return options;
}

/// What each switch ends, as far as switches alone tell.
constexpr std::uint32_t kOneDuration = HFTMON_DURATION_BIT(HFTMON_DURATION_ON_CPU);
constexpr std::uint32_t kTwoDurations = kOneDuration | HFTMON_DURATION_BIT(HFTMON_DURATION_OFF_CPU);

}  // namespace

std::vector<Method> methods(const Files& files) {
    const auto sessions = [](std::vector<SessionOptions> all) {
        return [all = std::move(all)] { return std::make_unique<Sessions>(all); };
    };
    const hftmon::Tid self{static_cast<std::uint32_t>(::getpid())};
    const SessionOptions stream = recording(RingMode::kStream);
    SessionOptions with_stacks = stream;
    with_stacks.sources |= HFTMON_SOURCE_BIT(HFTMON_SOURCE_STACK_SWITCH);
    hftmon::TriggerOptions never;
    never.thresholds = {{HFTMON_DURATION_ON_CPU, std::chrono::hours(1)},
                        {HFTMON_DURATION_OFF_CPU, std::chrono::hours(1)}};
    std::vector<Method> all = {
        {"empty probe", [module = files.module] { return std::make_unique<EmptyProbe>(module); }},
        {"hftmon: filtered out", sessions({watching({})})},
        {"hftmon: one histogram, no record", sessions({counting(0, kOneDuration)})},
        {"hftmon: two histograms, no record", sessions({counting(0, kTwoDurations)})},
        {"hftmon: record", sessions({stream})},
        {"hftmon: record, and one histogram", sessions({counting(stream.sources, kOneDuration)})},
        {"hftmon: record, and two histograms", sessions({counting(stream.sources, kTwoDurations)})},
        {"hftmon: record, two histograms, a trigger",
         [never, counted = counting(stream.sources, kTwoDurations)] {
             return std::make_unique<Sessions>(std::vector{counted}, never);
         }},
        {"hftmon: record, and stacks of who leaves", sessions({with_stacks})},
        {"hftmon: record, flight recorder", sessions({recording(RingMode::kFlight)})},
        {"hftmon: record, of watched threads", sessions({watching({self})})},
        {"hftmon: record, one more filters it out", sessions({stream, watching({})})},
        {"hftmon: record, in two sessions", sessions({stream, stream})},
    };
    for (Method& peer : peers(files)) all.push_back(std::move(peer));
    return all;
}

}  // namespace bench
