// SPDX-License-Identifier: MIT
// Are losses counted exactly? Compares a capture that lost records with one of
// the same time and CPUs that lost none.
//
// usage: loss_check LOSSY WHOLE
//
// Both recorded the same events, WHOLE began before LOSSY and ended after it.
// Between two context switches that both hold, WHOLE tells how many records
// there were; LOSSY must have as many, read and lost together. A switch runs
// with interrupts off, so both streams are cut at exactly the same event.
//
// Exit status: 0 the counts agree on every CPU and something was lost.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "hftmon/capture.hpp"

namespace {

using namespace hftmon;

using Streams = std::map<std::uint32_t, std::vector<Record>>;

Streams load(const char* path) {
    const auto capture = CaptureReader::open(path);
    if (!capture) {
        fmt::print("{}\n", capture.error().message());
        std::exit(1);
    }
    Streams streams;
    for (CaptureStream& stream : capture->streams()) {
        auto& all = streams[stream.cpu().value];
        for (auto records = stream.peek(); !records.empty(); records = stream.peek()) {
            all.insert(all.end(), records.begin(), records.end());
            stream.release(records.size());
        }
    }
    return streams;
}

bool same(const Record& a, const Record& b) {
    return a.type == b.type && a.flags == b.flags && std::memcmp(a.payload, b.payload, sizeof(a.payload)) == 0;
}

/// How far apart the records behind lossy[i] and those behind whole[k] were
/// written, in the middle; the largest value if they are not the same events.
///
/// One event alone does not tell: threads that wake each other repeat
/// themselves, and a guest may be stopped between its two records for longer
/// than they take for a round. It is not stopped there twice in a row.
std::uint64_t distance(const std::vector<Record>& lossy, std::size_t i, const std::vector<Record>& whole,
                       std::size_t k) {
    constexpr std::size_t kCompared = 16;
    constexpr std::size_t kAlike = 12;  // an interrupt between the two probes of an event transposes records
    constexpr std::uint64_t kElsewhere = ~std::uint64_t{0};
    std::vector<std::uint64_t> apart;
    for (std::size_t n = 0; n < kCompared; ++n) {
        if (i + n >= lossy.size() || k + n >= whole.size()) return kElsewhere;
        const Record &here = lossy[i + n], &there = whole[k + n];
        if (here.type == HFTMON_REC_GAP) return kElsewhere;
        if (same(here, there)) apart.push_back(here.tsc > there.tsc ? here.tsc - there.tsc : there.tsc - here.tsc);
    }
    if (apart.size() < kAlike) return kElsewhere;
    std::ranges::nth_element(apart, apart.begin() + kAlike / 2);
    return apart[kAlike / 2];
}

/// Where the switch lossy[i] stands in the other capture; its size if it is not found.
std::size_t find(const std::vector<Record>& whole, const std::vector<Record>& lossy, std::size_t i) {
    constexpr std::uint64_t kReach = 500'000'000;  // ticks that a guest may be stopped between two probes
    const Record& wanted = lossy[i];
    std::size_t best = whole.size();
    std::uint64_t nearest = ~std::uint64_t{0};
    const auto from =
        std::partition_point(whole.begin(), whole.end(), [&](const Record& r) { return r.tsc + kReach < wanted.tsc; });
    for (auto it = from; it != whole.end() && it->tsc < wanted.tsc + kReach; ++it) {
        if (!same(*it, wanted)) continue;
        const auto k = static_cast<std::size_t>(it - whole.begin());
        const std::uint64_t apart = distance(lossy, i, whole, k);
        if (apart < nearest) {
            nearest = apart;
            best = k;
        }
    }
    return best;
}

bool check_cpu(std::uint32_t cpu, const std::vector<Record>& lossy, const std::vector<Record>& whole,
               std::uint64_t& checked) {
    // Position k of LOSSY is record k: nothing but GAP records stands for what is missing.
    bool good = true;
    std::uint64_t lost = 0, gaps = 0, last_lost = 0, stretches = 0;
    std::size_t anchor = lossy.size(), anchor_whole = 0;
    std::uint64_t anchor_lost = 0, anchor_gaps = 0;
    for (std::size_t i = 0; i < lossy.size(); ++i) {
        if (lossy[i].type == HFTMON_REC_GAP) {
            ++gaps;
            lost = lossy[i].gap.lost_total;
            continue;
        }
        if (lossy[i].type != HFTMON_REC_SCHED_SWITCH) continue;
        // Only the first switch and those right behind a gap are worth the search.
        if (anchor != lossy.size() && lost == last_lost) continue;
        const std::size_t k = find(whole, lossy, i);
        if (k == whole.size()) continue;
        if (anchor != lossy.size()) {
            const std::uint64_t there = k - anchor_whole;
            const std::uint64_t here = (i - anchor) - (gaps - anchor_gaps) + (lost - anchor_lost);
            ++stretches;
            checked += lost - anchor_lost;
            if (there != here) {
                good = false;
                fmt::print("CPU {} positions {}..{}: {} records, of these {} lost; the other capture has {}\n", cpu,
                           anchor, i, here, lost - anchor_lost, there);
            }
        }
        anchor = i, anchor_whole = k, anchor_lost = lost, anchor_gaps = gaps;
        last_lost = lost;
    }
    fmt::print("CPU {}: {} gaps, {} lost, {} stretches compared\n", cpu, gaps, lost, stretches);
    return good;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: loss_check LOSSY WHOLE\n");
        return 2;
    }
    const Streams lossy = load(argv[1]);
    const Streams whole = load(argv[2]);
    bool good = true;
    std::uint64_t checked = 0;
    for (const auto& [cpu, records] : lossy) {
        const auto other = whole.find(cpu);
        if (other == whole.end()) {
            fmt::print("CPU {} is only in one capture\n", cpu);
            good = false;
            continue;
        }
        good = check_cpu(cpu, records, other->second, checked) && good;
    }
    fmt::print("lost records verified: {}\n", checked);
    return good && checked != 0 ? 0 : 1;
}
