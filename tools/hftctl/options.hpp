// SPDX-License-Identifier: MIT
/// Options that several commands share, parsed into the library's types.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "hftmon/result.hpp"
#include "hftmon/session.hpp"
#include "hftmon/units.hpp"

namespace hftctl {

/// "250ns", "50us", "1.5ms", "10s", "5m"; a unit is required.
hftmon::Result<hftmon::Nanoseconds> parse_duration(const std::string& text);
/// "0-3,7": ascending, without duplicates.
hftmon::Result<std::vector<hftmon::CpuId>> parse_cpu_list(const std::string& text);
/// "4M": bytes with K, M or G (binary); a plain number is bytes.
hftmon::Result<std::uint64_t> parse_size(const std::string& text);

/// What is captured: -p, -C, -d, --ring and the command after "--".
struct CaptureOptions {
    std::vector<std::uint32_t> pids;
    std::string cpus, duration, ring_size = "2M";
    bool flight = false;
    std::vector<std::string> command;

    void add_to(CLI::App& app);

    struct Parsed {
        hftmon::SessionOptions session;
        std::vector<hftmon::Tid> subjects;
        std::optional<hftmon::Nanoseconds> duration;
    };
    /// Also checks that the processes exist.
    [[nodiscard]] hftmon::Result<Parsed> parse() const;
};

}  // namespace hftctl
