// SPDX-License-Identifier: MIT
#include "truth.hpp"

#include <algorithm>

namespace plant {

namespace {

// Names are ours or the kernel's: letters, digits, and "/-_:", never quotes.
void print(std::ostream& out, const Delay& delay, const Cause& cause) {
    out << "{\"kind\":\"" << cause.kind << "\",\"name\":\"" << cause.name << "\",\"cpu\":" << cause.cpu
        << ",\"tid\":" << cause.tid;
    if (cause.number) out << ",\"number\":" << *cause.number;
    out << ",\"start_tsc\":" << cause.start << ",\"end_tsc\":" << cause.end
        << ",\"expected_ticks\":" << delay.expected(cause) << ",\"bound\":\""
        << (cause.at_most ? "at_most" : "at_least") << "\",\"gap_ticks\":" << delay.gap(cause);
    if (cause.faults) {
        out << ",\"faults\":" << *cause.faults << ",\"faults_tsc\":[";
        for (std::size_t i = 0; i < cause.faults_tsc.size(); ++i) out << (i == 0 ? "" : ",") << cause.faults_tsc[i];
        out << "]";
    }
    out << "}";
}

}  // namespace

Tsc Delay::expected(const Cause& cause) const {
    const Tsc from = std::max(start, cause.start);
    const Tsc to = std::min(end, cause.end);
    return to > from ? to - from : 0;
}

Tsc Delay::gap(const Cause& cause) const {
    Tsc sum = cause.more_gap;
    for (const Interval& gap : cause.gaps) {
        const Tsc from = std::max({start, cause.start, gap.start});
        const Tsc to = std::min({end, cause.end, gap.end});
        if (to > from) sum += to - from;
    }
    return std::min(sum, expected(cause));
}

Tsc Delay::certain() const {
    Tsc sum = 0;
    for (const Cause& cause : causes) sum += expected(cause) - gap(cause);
    return sum;
}

Tsc Delay::expected() const {
    Tsc sum = 0;
    for (const Cause& cause : causes) sum += expected(cause);
    return sum;
}

const char* to_string(DelayKind kind) { return kind == DelayKind::kWakeup ? "wakeup" : "preemption"; }

void print(std::ostream& out, const std::string& scenario, int index, const Delay& delay) {
    out << "{\"scenario\":\"" << scenario << "\",\"index\":" << index << ",\"kind\":\"" << to_string(delay.kind)
        << "\",\"victim\":\"" << delay.victim << "\",\"victim_tid\":" << delay.tid << ",\"cpu\":" << delay.cpu
        << ",\"start_tsc\":" << delay.start << ",\"end_tsc\":" << delay.end
        << ",\"start_error_ticks\":" << delay.start_error << ",\"delay_ticks\":" << delay.length() << ",\"causes\":[";
    const char* separator = "";
    for (const Cause& cause : delay.causes) {
        out << separator;
        print(out, delay, cause);
        separator = ",";
    }
    out << "]}\n";
}

}  // namespace plant
