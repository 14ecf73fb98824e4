// SPDX-License-Identifier: MIT
#include "tools/hftctl/options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <utility>

#include "hftmon/histogram.hpp"
#include "hftmon/names.hpp"
#include "hftmon/timeline.hpp"
#include "tools/hftctl/command.hpp"
#include "tools/hftctl/events.hpp"

namespace hftctl {

using hftmon::Error;
using hftmon::ErrorCode;
using hftmon::Result;

namespace {

constexpr const char* kDefaultRing = "2M";

Error bad_value(std::string_view option, std::string_view what, const std::string& text, std::string hint) {
    return {ErrorCode::kInvalidArgument, 0, fmt::format("{}: '{}' is not {}", option, text, what), std::move(hint)};
}

/// The number at the start of `text`; nothing if there is none or it is negative.
template <class Number>
std::optional<Number> leading_number(std::string_view& text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || number < Number{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

}  // namespace

Result<hftmon::Nanoseconds> parse_duration(std::string_view option, const std::string& text) {
    struct Unit {
        std::string_view name;
        double ns;
    };
    static constexpr std::array<Unit, 7> kUnits = {
        {{"ns", 1}, {"us", 1e3}, {"\u00b5s", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
    constexpr double kLongest = 100 * 365.0 * 86400e9;
    std::string_view rest = text;
    const auto number = leading_number<double>(rest);
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == rest; });
    if (number && *number == 0 && rest.empty()) return hftmon::Nanoseconds(0);
    if (!number || unit == kUnits.end() || !(*number * unit->ns <= kLongest)) {
        return bad_value(option, "a duration", text, "a number and a unit: 250ns, 50us, 1.5ms, 10s, 5m, 1h");
    }
    return hftmon::Nanoseconds(std::llround(*number * unit->ns));
}

Result<std::vector<hftmon::CpuId>> parse_cpu_list(std::string_view option, const std::string& text) {
    std::vector<hftmon::CpuId> cpus;
    std::string_view rest = text;
    for (;;) {
        const auto first = leading_number<std::uint32_t>(rest);
        auto last = first;
        if (first && rest.starts_with('-')) {
            rest.remove_prefix(1);
            last = leading_number<std::uint32_t>(rest);
        }
        if (!first || !last || *last < *first || *last >= hftmon::kCpuLimit) break;
        for (std::uint32_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back({cpu});
        if (rest.empty()) {
            std::sort(cpus.begin(), cpus.end());
            cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
            return cpus;
        }
        if (!rest.starts_with(',')) break;
        rest.remove_prefix(1);
    }
    return bad_value(option, "a list of CPUs", text,
                     fmt::format("numbers and ranges below {}: 0-3,7", hftmon::kCpuLimit));
}

Result<std::uint64_t> parse_size(std::string_view option, const std::string& text) {
    std::string_view rest = text;
    const auto number = leading_number<std::uint64_t>(rest);
    const std::string_view units = "KMGkmg";
    const auto unit = rest.empty() ? 0 : units.find(rest) % 3 + 1;
    if (!number || rest.size() > 1 || (!rest.empty() && units.find(rest) == units.npos) ||
        *number > (std::uint64_t{1} << 30)) {
        return bad_value(option, "a size", text, "bytes, with K, M or G: 512K, 4M");
    }
    return *number << (10 * unit);
}

Result<Subjects> parse_subjects(std::string_view option, const std::vector<std::string>& words) {
    Subjects subjects;
    for (const std::string& word : words) {
        if (word == "all") {
            subjects.everybody = true;
            continue;
        }
        std::string_view rest = word;
        const auto number = leading_number<std::uint32_t>(rest);
        if (!number || !rest.empty() || *number == 0 || *number >= hftmon::kTidLimit) {
            return bad_value(option, "a process or thread ID", word, "a number, as ps -eL shows, or 'all'");
        }
        subjects.tids.push_back({*number});
    }
    return subjects;
}

std::string durations_help() {
    std::string names;
    for (std::uint32_t kind = 0; kind < hftmon::kDurationKinds; ++kind)
        names +=
            fmt::format("{}{}", kind == 0 ? "" : ", ", hftmon::duration_name(static_cast<hftmon::DurationKind>(kind)));
    return names;
}

Result<std::vector<hftmon::DurationThreshold>> parse_thresholds(std::string_view option,
                                                                const std::vector<std::string>& words) {
    std::vector<hftmon::DurationThreshold> thresholds;
    for (const std::string& word : words) {
        const std::size_t colon = word.find(':');
        std::uint32_t kind = 0;
        while (kind < hftmon::kDurationKinds && hftmon::duration_name(static_cast<hftmon::DurationKind>(kind)) !=
                                                    std::string_view(word).substr(0, colon))
            ++kind;
        if (colon == word.npos || kind == hftmon::kDurationKinds) {
            return bad_value(option, "a kind of duration and a time", word,
                             fmt::format("wakeup:50us; kinds: {}", durations_help()));
        }
        const auto over = parse_duration(option, word.substr(colon + 1));
        if (!over) return over.error();
        const auto is_same = [&](const auto& threshold) { return threshold.kind == kind; };
        if (std::ranges::any_of(thresholds, is_same)) {
            return bad_value(option, "a threshold of another kind", word, "each kind has one");
        }
        thresholds.push_back({static_cast<hftmon::DurationKind>(kind), *over});
    }
    return thresholds;
}

CLI::Validator not_empty() {
    return {[](std::string& value) { return std::string(value.empty() ? "must not be empty" : ""); }, ""};
}

void add_list(CLI::App& app, const char* names, std::vector<std::string>& words, const std::string& help,
              const char* type) {
    app.add_option(names, words, help)
        ->type_name(type)
        ->delimiter(',')
        ->check(not_empty())
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
}

void CaptureOptions::add_to(CLI::App& app) {
    add_list(app, "-p,--pid", pids, "Processes, with their children, or threads of interest; all: everybody",
             "PID[,PID]");
    const auto text = [&](const char* names, std::string& value, const std::string& help, const char* type) {
        app.add_option(names, value, help)->type_name(type)->check(not_empty());
    };
    text("-C,--cpu", cpus, "Capture these CPUs only, e.g. 0-3,7 (default: all)", "CPUS");
    app.add_flag("--watch", watch,
                 "Elsewhere than on the CPUs of -C (without it: everywhere) capture only what\n"
                 "concerns the threads of interest: they run there, or an event names them");
    add_list(app, "-e,--events", events,
             fmt::format("Events, by name or group, -NAME takes away (default: bills, what bills are made of).\n"
                         "Groups: {}",
                         events_help()),
             "NAME[,NAME]");
    add_list(app, "--min", minimums,
             fmt::format("Of such a duration capture only what is longer, each as one event when it has ended,\n"
                         "in place of the events that begin and end it. Kinds: {}",
                         durations_help()),
             "KIND:TIME[,...]");
    text("-d,--duration", duration, "Stop after this time, e.g. 10s (default: Ctrl-C)", "TIME");
    text("--ring", ring_size,
         fmt::format("Ring buffer per CPU, a power of two (default: {}, 65536 records)", kDefaultRing), "SIZE");
}

std::string_view CaptureOptions::live_only() const {
    if (!cpus.empty()) return "--cpu";
    if (watch) return "--watch";
    if (!events.empty()) return "--events";
    if (!minimums.empty()) return "--min";
    if (!duration.empty()) return "--duration";
    return ring_size.empty() ? "" : "--ring";
}

Result<CaptureOptions::Parsed> CaptureOptions::parse(bool has_command) const {
    Parsed parsed;
    parsed.session.sources = sources_of_bills();
    if (!events.empty()) {
        const auto sources = parse_events(events);
        if (!sources) return sources.error();
        parsed.session.sources = *sources;
    }
    auto thresholds = parse_thresholds("--min", minimums);
    if (!thresholds) return thresholds.error();
    for (const auto& minimum : *thresholds)
        parsed.session.sources = without(parsed.session.sources, ::hftmon_duration_sources(minimum.kind));
    parsed.session.minimums = *std::move(thresholds);
    if (!cpus.empty()) {
        auto list = parse_cpu_list("--cpu", cpus);
        if (!list) return list.error();
        parsed.session.cpus = *std::move(list);
    }
    if (!duration.empty()) {
        const auto time = parse_duration("--duration", duration);
        if (!time) return time.error();
        parsed.duration = *time;
    }
    const std::string ring = ring_size.empty() ? kDefaultRing : ring_size;
    const auto bytes = parse_size("--ring", ring);
    if (!bytes) return bytes.error();
    const std::uint64_t records = *bytes / HFTMON_RECORD_SIZE;
    if (!std::has_single_bit(*bytes) || records < HFTMON_RING_MIN_RECORDS || records > HFTMON_RING_MAX_RECORDS) {
        return bad_value("--ring", "a ring size", ring, "a power of two from 32K to 1G");
    }
    parsed.session.ring_records = static_cast<std::uint32_t>(records);
    parsed.session.wakeup_records = parsed.session.ring_records / 8;
    parsed.session.mode = flight ? hftmon::RingMode::kFlight : hftmon::RingMode::kStream;
    auto subjects = parse_subjects("--pid", pids);
    if (!subjects) return subjects.error();
    for (const hftmon::Tid tid : subjects->tids) {
        if (::access(fmt::format("/proc/{}", tid.value).c_str(), F_OK) == 0) continue;
        return Error{ErrorCode::kNotFound, 0, fmt::format("there is no process or thread {}", tid.value),
                     "it may have ended: see ps -eL"};
    }
    if (watch && (subjects->everybody || (subjects->tids.empty() && !has_command))) {
        return Error{ErrorCode::kInvalidArgument, 0, "--watch: nobody in particular is of interest",
                     "name threads or processes with -p, or run a command"};
    }
    if (!subjects->everybody) parsed.subjects = std::move(subjects->tids);
    if (watch) {
        parsed.session.whole_cpus = std::exchange(parsed.session.cpus, {});
        parsed.session.watched = parsed.subjects;
    }
    return parsed;
}

}  // namespace hftctl
