// SPDX-License-Identifier: MIT
// Did a session that watches threads record all that concerns them, and nothing
// else? Compares its capture with one of the same time that left nothing out.
//
// usage: watch_check WATCHED WHOLE
//
// WHOLE began before WATCHED and ended after it; neither lost records. Whom
// WATCHED watched is worked out from WHOLE: the threads of its subjects, and by
// the forks whom these have started. What must be in it is decided again, from
// the definition in abi/ioctl.h, record by record.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "hftmon/capture.hpp"
#include "hftmon/merge.hpp"

namespace {

using namespace hftmon;

constexpr std::uint16_t kPartialFlags = HFTMON_SWITCH_PREV_PARTIAL | HFTMON_SWITCH_NEXT_PARTIAL;

CaptureReader open(const char* path) {
    auto capture = CaptureReader::open(path);
    if (!capture) {
        fmt::print("{}\n", capture.error().message());
        std::exit(1);
    }
    return *std::move(capture);
}

/// A record that the definition wants, or that WATCHED holds.
struct Item {
    Record record;
    std::uint64_t position = 0;
};
using Items = std::map<std::uint32_t, std::deque<Item>>;

bool is_identity(const Record& record) {
    return (record.type >= HFTMON_REC_THREAD && record.type <= HFTMON_REC_DEAD) || record.type == HFTMON_REC_COMM;
}

/// Told to all, whoever is watched.
bool is_for_all(const Record& record) {
    return record.type == HFTMON_REC_CFS_THROTTLE || record.type == HFTMON_REC_CFS_UNTHROTTLE || is_identity(record);
}

/// The threads that the record names, besides the one that runs; 0: none.
std::array<std::uint32_t, 2> named(const Record& record) {
    switch (record.type) {
        case HFTMON_REC_SCHED_SWITCH: return {record.sched_switch.next_tid};
        case HFTMON_REC_SCHED_WAKING:
        case HFTMON_REC_SCHED_WAKEUP:
        case HFTMON_REC_SCHED_WAKEUP_NEW: return {record.wake.tid};
        case HFTMON_REC_SCHED_MIGRATE: return {record.migrate.tid};
        case HFTMON_REC_SCHED_PI_SETPRIO: return {record.pi_setprio.tid, record.pi_setprio.donor_tid};
        case HFTMON_REC_SCHED_NEED_RESCHED: return {record.need_resched.tid};
        case HFTMON_REC_SCHED_BLOCKED:
        case HFTMON_REC_SCHED_IOWAIT: return {record.blocked.tid};
        case HFTMON_REC_SCHED_NUMA: return {record.numa.tid, record.numa.swapped_tid};
        case HFTMON_REC_AFFINITY: return {record.affinity.tid};
        case HFTMON_REC_SIGNAL_GENERATE: return {record.signal.tid};
        default: return {};
    }
}

/// Who is watched, as time goes by: from the first list of threads on.
class Watched {
public:
    explicit Watched(const CaptureReader& capture) : since_(capture.threads().front().from.value) {
        for (const auto& thread : capture.threads().front().entries) {
            const bool is_subject = std::ranges::any_of(capture.meta().subjects, [&](Tid subject) {
                return thread.id.tgid == subject.value || thread.id.tid == subject.value;
            });
            // Or a child that was begun when its parent was watched already.
            if (is_subject || (thread.id.flags & HFTMON_THREAD_WATCHED) != 0) tids_.insert(thread.id.tid);
        }
    }
    [[nodiscard]] bool has(std::uint32_t tid) const { return tids_.count(tid) != 0; }
    [[nodiscard]] std::size_t most() const { return most_; }
    void follow(const Record& record) {
        const hftmon_thread_id& id = record.thread;
        if (record.tsc < since_) return;
        if (record.type == HFTMON_REC_FORK) {
            if (has(id.related_tid))
                tids_.insert(id.tid);
            else
                tids_.erase(id.tid);
        }
        if (record.type == HFTMON_REC_EXEC && has(id.related_tid)) tids_.insert(id.tid);
        most_ = std::max(most_, tids_.size());
    }

private:
    std::uint64_t since_;
    std::set<std::uint32_t> tids_;
    std::size_t most_ = 0;
};

/// What WATCHED should hold, in order, per CPU.
Items wanted_of(const CaptureReader& whole, const CaptureReader& watched, std::size_t& most, std::uint64_t& all) {
    std::set<std::uint32_t> partial;
    for (const CpuId cpu : watched.meta().partial_cpus) partial.insert(cpu.value);
    std::set<std::uint32_t> recorded;
    for (const CpuId cpu : watched.meta().cpus) recorded.insert(cpu.value);
    Watched set(watched);
    std::map<std::uint32_t, std::uint32_t> current;
    Items wanted;
    auto streams = whole.streams();
    Merger merger(streams);
    merger.run([&](CpuId id, std::uint64_t first, std::span<const Record> records) {
        for (std::size_t i = 0; i < records.size(); ++i) {
            Record record = records[i];
            const std::uint32_t cpu = id.value;
            if (record.type == HFTMON_REC_CPU_STATE) {
                current[cpu] = record.cpu_state.current_tid;
                continue;
            }
            ++all;
            const std::uint32_t runs = current[cpu];
            const auto others = named(record);
            if (record.type == HFTMON_REC_SCHED_SWITCH) {
                current[cpu] = record.sched_switch.next_tid;
                if (partial.count(cpu) != 0) {
                    if (!set.has(runs)) record.flags |= HFTMON_SWITCH_PREV_PARTIAL;
                    if (!set.has(others[0])) record.flags |= HFTMON_SWITCH_NEXT_PARTIAL;
                }
            }
            set.follow(record);
            const bool is_wanted =
                recorded.count(cpu) != 0 && (partial.count(cpu) == 0 || is_for_all(record) || set.has(runs) ||
                                             set.has(others[0]) || set.has(others[1]));
            if (is_wanted) wanted[cpu].push_back({record, first + i});
        }
    });
    most = set.most();
    return wanted;
}

Items records_of(const CaptureReader& capture) {
    Items items;
    for (CaptureStream& stream : capture.streams()) {
        auto& all = items[stream.cpu().value];
        for (auto records = stream.peek(); !records.empty(); records = stream.peek()) {
            for (std::size_t i = 0; i < records.size(); ++i) all.push_back({records[i], stream.position() + i});
            stream.release(records.size());
        }
    }
    return items;
}

bool same(const Record& a, const Record& b) {
    return a.type == b.type && a.flags == b.flags && std::memcmp(a.payload, b.payload, sizeof(a.payload)) == 0;
}

std::string text(const Item& item) {
    const Record& r = item.record;
    return fmt::format("position {} at {}: type {} flags {:#x} {:#x} {:#x}", item.position, r.tsc, r.type, r.flags,
                       r.payload[0], r.payload[1]);
}

struct Tally {
    std::uint64_t matched = 0, missing = 0, extra = 0, early = 0, late = 0, transposed = 0;
};

bool is_switch(const Item& item) { return item.record.type == HFTMON_REC_SCHED_SWITCH; }

/// How far ahead the next record that is there is looked for when some are missing.
constexpr std::size_t kLookAhead = 1000;

/// Is it the same event? Where WATCHED is choosy the module writes its record
/// first, else WHOLE's; the machine may stand still between the two.
bool is_event(const Item& wanted, const Item& got, bool partial) {
    const bool whole_first = !partial || is_identity(got.record);
    const auto [first, second] =
        whole_first ? std::pair(wanted.record.tsc, got.record.tsc) : std::pair(got.record.tsc, wanted.record.tsc);
    return first <= second && same(wanted.record, got.record);
}

/// `begin`: WATCHED's first record of the CPU. `end`: its session was not being
/// stopped yet. An interrupt between the two records of one event transposes it
/// with its own records, but a switch of threads it can not pass.
Tally compare(std::uint32_t cpu, bool partial, std::deque<Item> wanted, const std::deque<Item>& got,
              std::uint64_t begin, std::uint64_t end) {
    Tally result;
    bool has_switched = false;
    std::uint64_t early_at = 0;
    const auto differs = [&](std::uint64_t& count, const char* how, const Item& item) {
        // The event in which recording began here, between the two records; with its name.
        const bool is_its_name = item.record.type == HFTMON_REC_COMM && item.record.tsc == early_at;
        if (!has_switched && (result.early == 0 || is_its_name)) {
            ++result.early;
            early_at = item.record.tsc;
        } else if (++count <= 5) {
            fmt::print("CPU {}: {}, {}\n", cpu, how, text(item));
        }
    };
    while (!wanted.empty() && wanted.front().record.tsc < begin) wanted.pop_front();
    for (const Item& item : got) {
        const auto limit = wanted.begin() + static_cast<std::ptrdiff_t>(std::min(wanted.size(), kLookAhead));
        const auto found =
            std::find_if(wanted.begin(), limit, [&](const Item& w) { return is_event(w, item, partial); });
        if (found == limit) {
            differs(result.extra, "not wanted", item);
            continue;
        }
        ++result.matched;
        result.transposed += found != wanted.begin();
        // Those that a switch has passed will not come any more.
        const auto passed =
            is_switch(*found) ? found : std::find_if(std::reverse_iterator(found), wanted.rend(), is_switch).base();
        const auto count = passed - wanted.begin();
        std::for_each(wanted.begin(), passed, [&](const Item& w) { differs(result.missing, "missing", w); });
        has_switched = has_switched || count != 0 || is_switch(item);
        wanted.erase(found);
        wanted.erase(wanted.begin(), wanted.begin() + count);
    }
    for (const Item& item : wanted) {
        if (item.record.tsc >= end) {
            ++result.late;
        } else {
            differs(result.missing, "missing", item);
        }
    }
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: watch_check WATCHED WHOLE\n");
        return 2;
    }
    const CaptureReader watched = open(argv[1]), whole = open(argv[2]);
    std::size_t most = 0;
    std::uint64_t all = 0;
    const Items wanted = wanted_of(whole, watched, most, all);
    Items got = records_of(watched);
    // The reading of the clocks before the last is the one at the end of recording.
    const auto& syncs = watched.clock_syncs();
    if (syncs.size() < 2) return 1;
    const std::uint64_t end = syncs[syncs.size() - 2].tsc;

    Tally total;
    for (auto& [cpu, items] : got) {
        if (items.empty() || items.front().record.type != HFTMON_REC_CPU_STATE) {
            fmt::print("CPU {}: does not begin with its state\n", cpu);
            return 1;
        }
        const std::uint64_t begin = items.front().record.tsc;
        items.pop_front();
        const auto mine = wanted.find(cpu);
        const bool partial = std::ranges::count(watched.meta().partial_cpus, CpuId{cpu}) != 0;
        const Tally one =
            compare(cpu, partial, mine == wanted.end() ? std::deque<Item>() : mine->second, items, begin, end);
        total.matched += one.matched;
        total.missing += one.missing;
        total.extra += one.extra;
        total.early += one.early;
        total.late += one.late;
        total.transposed += one.transposed;
    }
    fmt::print("all={} matched={} missing={} extra={} transposed={} early={} late={} watched={}\n", all, total.matched,
               total.missing, total.extra, total.transposed, total.early, total.late, most);
    const bool good = total.missing == 0 && total.extra == 0 && total.matched != 0;
    return good ? 0 : 1;
}
