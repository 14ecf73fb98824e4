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

namespace hftctl {

using hftmon::Error;
using hftmon::ErrorCode;
using hftmon::Result;

namespace {

Error bad_value(std::string_view what, const std::string& text, std::string hint) {
    return {ErrorCode::kInvalidArgument, 0, fmt::format("'{}' is not {}", text, what), std::move(hint)};
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

Result<hftmon::Nanoseconds> parse_duration(const std::string& text) {
    struct Unit {
        std::string_view name;
        double ns;
    };
    static constexpr std::array<Unit, 6> kUnits = {
        {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
    constexpr double kLongest = 100 * 365.0 * 86400e9;
    std::string_view rest = text;
    const auto number = leading_number<double>(rest);
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == rest; });
    if (!number || unit == kUnits.end() || !(*number * unit->ns <= kLongest)) {
        return bad_value("a duration", text, "a number and a unit: 250ns, 50us, 1.5ms, 10s, 5m, 1h");
    }
    return hftmon::Nanoseconds(std::llround(*number * unit->ns));
}

Result<std::vector<hftmon::CpuId>> parse_cpu_list(const std::string& text) {
    constexpr std::uint32_t kMaxCpus = 8192;  // the ABI's limit
    std::vector<hftmon::CpuId> cpus;
    std::string_view rest = text;
    for (;;) {
        const auto first = leading_number<std::uint32_t>(rest);
        auto last = first;
        if (first && rest.starts_with('-')) {
            rest.remove_prefix(1);
            last = leading_number<std::uint32_t>(rest);
        }
        if (!first || !last || *last < *first || *last >= kMaxCpus) break;
        for (std::uint32_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back({cpu});
        if (rest.empty()) {
            std::sort(cpus.begin(), cpus.end());
            cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
            return cpus;
        }
        if (!rest.starts_with(',')) break;
        rest.remove_prefix(1);
    }
    return bad_value("a list of CPUs", text, "numbers and ranges below 8192: 0-3,7");
}

Result<std::uint64_t> parse_size(const std::string& text) {
    std::string_view rest = text;
    const auto number = leading_number<std::uint64_t>(rest);
    const std::string_view units = "KMG";
    const auto unit = rest.empty() ? 0 : units.find(rest) + 1;
    if (!number || rest.size() > 1 || (!rest.empty() && unit == 0) || *number > (std::uint64_t{1} << 30)) {
        return bad_value("a size", text, "bytes, with K, M or G: 512K, 4M");
    }
    return *number << (10 * unit);
}

void CaptureOptions::add_to(CLI::App& app) {
    app.add_option("-p,--pid", pids, "Processes, with their children, or threads of interest (all events are captured)")
        ->type_name("PID")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("-C,--cpu", cpus, "Capture these CPUs only, e.g. 0-3,7 (default: all)")->type_name("CPUS");
    app.add_option("-d,--duration", duration, "Stop after this time, e.g. 10s (default: Ctrl-C)")->type_name("TIME");
    app.add_option("--ring", ring_size, "Ring buffer per CPU, a power of two (default: 2M)")->type_name("SIZE");
    app.add_option("command", command, "Run this command and stop when it ends (after --); it is never killed")
        ->type_name("COMMAND");
}

Result<CaptureOptions::Parsed> CaptureOptions::parse() const {
    Parsed parsed;
    if (!cpus.empty()) {
        auto list = parse_cpu_list(cpus);
        if (!list) return list.error();
        parsed.session.cpus = *std::move(list);
    }
    if (!duration.empty()) {
        const auto time = parse_duration(duration);
        if (!time) return time.error();
        parsed.duration = *time;
    }
    const auto bytes = parse_size(ring_size);
    if (!bytes) return bytes.error();
    const std::uint64_t records = *bytes / HFTMON_RECORD_SIZE;
    if (!std::has_single_bit(*bytes) || records < HFTMON_RING_MIN_RECORDS || records > HFTMON_RING_MAX_RECORDS) {
        return bad_value("a ring size", ring_size, "a power of two from 32K to 1G");
    }
    parsed.session.ring_records = static_cast<std::uint32_t>(records);
    parsed.session.wakeup_records = parsed.session.ring_records / 8;
    parsed.session.mode = flight ? hftmon::RingMode::kFlight : hftmon::RingMode::kStream;
    for (const std::uint32_t pid : pids) {
        if (::access(fmt::format("/proc/{}", pid).c_str(), F_OK) != 0) {
            return Error{ErrorCode::kNotFound, 0, fmt::format("there is no process or thread {}", pid),
                         "it may have ended: see ps -eL"};
        }
        parsed.subjects.push_back({pid});
    }
    return parsed;
}

}  // namespace hftctl
