// SPDX-License-Identifier: MIT
/// Bills for people and for programs. Nothing here computes a figure.
#pragma once

#include <string>

#include "hftmon/analyzer.hpp"
#include "hftmon/attribution.hpp"
#include "hftmon/clock.hpp"
#include "hftmon/stack_namer.hpp"

namespace hftmon {

/// What a bill needs to be told. Borrows: must not outlive what it names.
struct ReportContext {
    TscClock clock;
    const IrqNames& irqs;
    TscTime origin;                ///< times are given from here on; usually Timeline::first()
    bool has_wall_clock = false;   ///< the clock is tied to CLOCK_REALTIME: it is shown, too
    StackNamer* stacks = nullptr;  ///< stacks are told where they are known
    double event_ns = 0;           ///< what one of hftmon's events takes its CPU, on the mean; 0: not known
};

/// A bill as a table, several lines, each ended by a newline. The times and the
/// shares that are shown sum to the totals that are shown. Bytes of names that
/// are not printable ASCII are shown as '?'. Lines below 0.05% are summed in one
/// row where there are four or more. The time of day is local time.
[[nodiscard]] std::string to_text(const Bill& bill, const ReportContext& context);
/// Loss, anomalies and delays of all threads that were asked about; loss is
/// said even when it is zero. At most `max_threads` rows, those with the
/// longest delay. Says so when `bills_shown`, what the reader has got above, are
/// fewer than there were delays over the threshold (0: he has got none).
[[nodiscard]] std::string summary_text(const Analyzer& analyzer, std::size_t bills_shown, std::size_t max_threads = 20);

/// What hftmon's events took of the delay, about; never more than all of it.
[[nodiscard]] double own_ns(const Bill& bill, const ReportContext& context);

/// A bill as one JSON object, one line without a newline. docs/json.md.
[[nodiscard]] std::string to_json(const Bill& bill, const ReportContext& context);
/// Everything: totals, anomalies, threads, and the bills that were kept.
[[nodiscard]] std::string to_json(const Analyzer& analyzer, const ReportContext& context);

/// "FIFO 90", "RR 1", "deadline", "nice -5", "batch, nice 0", "idle class";
/// "boosted to 90" for a fair thread that inherited a real-time priority;
/// empty when the priority is not known.
[[nodiscard]] std::string priority_text(std::int16_t prio, Policy policy);

}  // namespace hftmon
