// SPDX-License-Identifier: MIT
/// What a capture holds, what it lost, and what making it cost.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "hftmon/capture.hpp"

namespace hftctl {

/// Sums over the CPUs of one capture. Shares are of one CPU's time.
struct CaptureSummary {
    std::uint64_t produced = 0, read = 0, lost = 0, overwritten = 0;
    std::size_t cpus = 0;
    double seconds = 0;          ///< of recording; 0 when not known
    double probe_share = 0;      ///< time in probes, average over the CPUs
    double probe_ns = 0;         ///< mean time of one probe run; 0 when none was timed
    double collector_share = 0;  ///< CPU time of the recording process
    std::uint64_t shed = 0;      ///< sources that were not recorded all the time, to keep to the budget
    std::size_t shed_cpus = 0;   ///< on so many CPUs
};

/// probe_share and probe_ns come from the one event in 61 that is timed.
CaptureSummary summarize(const hftmon::CaptureMeta& meta, const hftmon::CaptureStats& stats);

/// Two lines, each ended by a newline.
std::string to_text(const CaptureSummary& summary);

/// What was left out to keep to the budget: a line with its newline, or nothing.
std::string shed_text(const CaptureSummary& summary);

/// Where, when, how long, by which command: one line without its end.
std::string head_text(const hftmon::CaptureMeta& meta, const std::optional<hftmon::CaptureStats>& stats);
/// The same and the summary, with an empty list "subjects": docs/json.md, "capture".
nlohmann::ordered_json about_json(const hftmon::CaptureMeta& meta, const std::optional<hftmon::CaptureStats>& stats);
/// Names of a mask of sources, as a list.
nlohmann::ordered_json names_of(std::uint64_t sources);
/// "12, 34"
std::string list_text(const std::vector<hftmon::Tid>& tids);

}  // namespace hftctl
