// SPDX-License-Identifier: MIT
/// Options that several commands share, parsed into the library's types.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hftmon/result.hpp"
#include "hftmon/session.hpp"
#include "hftmon/units.hpp"

namespace hftctl {

// Each names `option` in its errors.
/// "250ns", "50us", "1.5ms", "10s", "5m"; a unit is required, but for 0.
hftmon::Result<hftmon::Nanoseconds> parse_duration(std::string_view option, const std::string& text);
/// "0-3,7": ascending, without duplicates.
hftmon::Result<std::vector<hftmon::CpuId>> parse_cpu_list(std::string_view option, const std::string& text);
/// "4M": bytes with K, M or G (binary, in either case); a plain number is bytes.
hftmon::Result<std::uint64_t> parse_size(std::string_view option, const std::string& text);

/// The threads or processes that -p names; "all": everybody, whoever else is named.
struct Subjects {
    bool everybody = false;
    std::vector<hftmon::Tid> tids;
};
hftmon::Result<Subjects> parse_subjects(std::string_view option, const std::vector<std::string>& words);

/// "wakeup:50us", "hardirq:20us"; a kind twice is an error.
hftmon::Result<std::vector<hftmon::DurationThreshold>> parse_thresholds(std::string_view option,
                                                                        const std::vector<std::string>& words);
/// "hardirq, softirq, ...".
std::string durations_help();

/// An option that takes words, by comma or given again, none of them empty.
void add_list(CLI::App& app, const char* names, std::vector<std::string>& words, const std::string& help,
              const char* type);

/// What is captured: -p, -C, --watch, -e, --min, -d, --ring and the command behind "--".
struct CaptureOptions {
    std::vector<std::string> pids, events, minimums;
    std::string cpus, duration, ring_size;
    bool flight = false, watch = false;

    void add_to(CLI::App& app);

    struct Parsed {
        hftmon::SessionOptions session;
        std::vector<hftmon::Tid> subjects;
        std::optional<hftmon::Nanoseconds> duration;
    };
    /// Also checks that the processes exist. has_command: its threads are of
    /// interest, too; with --watch they still have to be watched.
    [[nodiscard]] hftmon::Result<Parsed> parse(bool has_command) const;
    /// The first option given that means nothing for a capture that exists; empty: none.
    [[nodiscard]] std::string_view live_only() const;
};

}  // namespace hftctl
