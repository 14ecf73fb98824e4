// SPDX-License-Identifier: MIT
// What must hold in every capture file, whatever was recorded.
//
// usage: invariants [OPTION...] FILE...
//
//   --lenient    never fail, only tell
//   --truncated  the recorder was killed, a second or more after its start: no
//                end mark, no final counts wanted
//   --frozen     a flight recorder whose rings a trigger has frozen: it lost what came then
//   --lossless   lost and overwritten records are failures, too
//   --partial    the records that name a thread may be missing (not all CPUs were
//                recorded, or some were lost, or a flight recorder's windows
//                differ between CPUs): threads may lack a name
//   --hotplug    a CPU went and came back: the kernel shows no events of a CPU
//                that is not online, so the idle thread may run there unseen
//
//   --shed       sources were shed to keep to a budget: interrupts and wakings may lack
//                their other half
//
// One line of numbers per file; one more for each violation (at most 20 of a
// kind). The exit status is 0 when there was none.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hftmon/analyzer.hpp"
#include "hftmon/capture.hpp"
#include "hftmon/merge.hpp"
#include "hftmon/names.hpp"
#include "hftmon/runs.hpp"

namespace {

using namespace hftmon;

struct Options {
    bool lenient = false;
    bool truncated = false;
    bool lossless = false;
    bool partial = false;
    bool hotplug = false;
    bool shed = false;
    bool frozen = false;
};

class Violations {
public:
    template <class... Args>
    void add(std::string_view kind, fmt::format_string<Args...> format, Args&&... args) {
        const std::uint64_t count = ++counts_[std::string(kind)];
        if (count <= 20) fmt::print("  {}: {}\n", kind, fmt::format(format, std::forward<Args>(args)...));
    }
    [[nodiscard]] bool none() const { return counts_.empty(); }
    void summary() const {
        for (const auto& [kind, count] : counts_) fmt::print("  {} x {}\n", count, kind);
    }

private:
    std::map<std::string, std::uint64_t> counts_;
};

/// What is followed from record to record on one CPU.
struct CpuState {
    std::uint64_t records = 0;
    std::uint64_t events = 0;
    std::uint64_t gaps = 0;
    std::uint64_t first_position = 0;
    std::uint64_t next_position = 0;
    std::uint64_t lost_told = 0;
    std::uint64_t shed_at = ~std::uint64_t{0} - 1;  ///< position of the last SHED record
    TscTime last{};
    /// Only what concerns watched threads was recorded here.
    bool partial = false;
    std::optional<Tid> current;  ///< the thread that runs here, if known; where partial, a watched one
};

struct Totals {
    std::uint64_t records = 0, events = 0, read = 0, lost = 0, overwritten = 0, gaps = 0, forks = 0;
    std::set<std::uint32_t> unnamed;
};

/// One capture file.
class Check {
public:
    Check(const std::string& path, const Options& options) : path_(path), options_(options) {}
    bool run();

private:
    void check_frame(const CaptureReader& capture);
    void check_stream(CaptureStream& stream);
    void check_run(CpuState& cpu, const Run& run);
    void check_record(CpuState& cpu, CpuId id, std::uint64_t position, const Record& record);
    void check_event(CpuState& cpu, const Event& event);
    void check_runs_here(CpuState& cpu, const EventHeader& header, Tid tid, std::string_view role);
    void check_names(const CaptureReader& capture);
    void want_names(const NameTable& names, const Event& event);
    void want_name(const NameTable& names, Tid tid, TscTime time);
    void check_stats(const CaptureReader& capture);
    void check_analysis(const CaptureReader& capture);

    std::string path_;
    Options options_;
    Violations violations_;
    std::map<std::uint32_t, CpuState> cpus_;
    Totals totals_;
    bool flight_ = false;
};

bool has_name(std::uint16_t type) { return type >= HFTMON_REC_THREAD && type <= HFTMON_REC_DEAD; }

void Check::check_frame(const CaptureReader& capture) {
    flight_ = capture.meta().ring_mode == HFTMON_MODE_FLIGHT;
    if (capture.damaged_chunks() != 0) violations_.add("damaged chunks", "{}", capture.damaged_chunks());
    if (capture.unknown_chunks() != 0) violations_.add("unknown chunks", "{}", capture.unknown_chunks());
    if (capture.truncated() != options_.truncated) violations_.add("end mark", "truncated is {}", capture.truncated());
    if (capture.clock_syncs().size() < 2u) violations_.add("clock", "too few readings");
    if (capture.threads().size() < (options_.truncated ? 1u : 3u)) violations_.add("thread lists", "too few");
}

void Check::check_record(CpuState& cpu, CpuId id, std::uint64_t position, const Record& record) {
    if (record.seq != static_cast<std::uint32_t>(position + 1)) {
        violations_.add("seq", "CPU {} position {}: seq {:#x}", id.value, position, record.seq);
    }
    if (TscTime{record.tsc} < cpu.last) {
        violations_.add("time goes back", "CPU {} position {}: by {} ticks", id.value, position,
                        cpu.last.value - record.tsc);
    }
    cpu.last = TscTime{record.tsc};
    if (cpu.records == 0) {
        cpu.first_position = position;
        if (!flight_ && position != 0) violations_.add("first position", "CPU {}: {}", id.value, position);
        if (position == 0 && record.type != HFTMON_REC_CPU_STATE) {
            violations_.add("first record", "CPU {}: type {}", id.value, record.type);
        }
    } else if (position != cpu.next_position) {
        violations_.add("positions", "CPU {}: {} follows {}", id.value, position, cpu.next_position);
    }
    cpu.next_position = position + 1;
    ++cpu.records;
}

void Check::check_run(CpuState& cpu, const Run& run) {
    const Record& first = run.records.front();
    if (run.status != DecodeStatus::kOk) {
        violations_.add("decode", "CPU {} position {}: type {} status {}", run.cpu.value, run.position, first.type,
                        static_cast<int>(run.status));
    }
    if (run.records.size() != (has_name(first.type) ? 2u : 1u)) {
        violations_.add("run", "CPU {} position {}: type {} is {} records long", run.cpu.value, run.position,
                        first.type, run.records.size());
    }
    std::uint64_t position = run.position;
    for (const Record& record : run.records) {
        check_record(cpu, run.cpu, position++, record);
        if (record.tsc != first.tsc) {
            violations_.add("run", "CPU {} position {}: two times", run.cpu.value, position - 1);
        }
    }
    if (run.status == DecodeStatus::kOk) check_event(cpu, run.event);
}

void Check::check_stream(CaptureStream& stream) {
    CpuState& cpu = cpus_[stream.cpu().value];
    for_each_run(stream, [&](const Run& run) { check_run(cpu, run); });
    if (stream.damaged() != 0) violations_.add("damaged records", "CPU {}: {}", stream.cpu().value, stream.damaged());
    if (stream.missing() != 0) violations_.add("missing positions", "CPU {}: {}", stream.cpu().value, stream.missing());
    // A flight recorder's window may begin in the middle of a run.
    if (stream.orphaned() > (flight_ ? 1u : 0u)) {
        violations_.add("halves of runs", "CPU {}: {}", stream.cpu().value, stream.orphaned());
    }
}

void Check::check_runs_here(CpuState& cpu, const EventHeader& header, Tid tid, std::string_view role) {
    if (cpu.partial && !cpu.current) return;
    const bool came_back = options_.hotplug && tid == kIdleTid;
    if (cpu.current && *cpu.current != tid && !came_back) {
        violations_.add("who runs", "CPU {} position {} at {}: {} {}, but {} runs here", header.cpu.value,
                        header.position, header.time.value, role, tid.value, cpu.current->value);
    }
    cpu.current = tid;
}

void Check::check_event(CpuState& cpu, const Event& event) {
    const EventHeader& header = event.header;
    if (const auto* e = std::get_if<GapEvent>(&event.body)) {
        ++cpu.gaps;
        if (flight_ && !options_.frozen) violations_.add("gap", "CPU {}: in flight mode", header.cpu.value);
        if (e->lost_total < cpu.lost_told) {
            violations_.add("gap", "CPU {} position {}: {} lost, {} told before", header.cpu.value, header.position,
                            e->lost_total, cpu.lost_told);
        }
        cpu.lost_told = e->lost_total;
        if (!cpu.partial)
            cpu.current = e->current;
        else
            cpu.current.reset();
        return;
    }
    if (std::holds_alternative<ShedEvent>(event.body)) {
        if (!options_.shed) violations_.add("shed", "CPU {} position {}", header.cpu.value, header.position);
        cpu.shed_at = header.position;
        return;
    }
    if (const auto* e = std::get_if<CpuStateEvent>(&event.body)) {
        if (header.position != 0 && !cpu.partial && header.position != cpu.shed_at + 1)
            violations_.add("cpu_state", "CPU {} position {}", header.cpu.value, header.position);
        if (e->partial != cpu.partial)
            violations_.add("cpu_state", "CPU {}: partial is {}", header.cpu.value, e->partial);
        cpu.current = e->current;
        if (cpu.partial) cpu.current.reset();
        return;
    }
    // What tells of another event is no run of a probe.
    if (!std::holds_alternative<SpikeEvent>(event.body) && !std::holds_alternative<DurationEvent>(event.body))
        ++cpu.events;
    if (const auto* e = std::get_if<SchedSwitchEvent>(&event.body)) {
        check_runs_here(cpu, header, e->prev, "prev");
        if (e->prev == e->next) violations_.add("switch", "CPU {}: {} to itself", header.cpu.value, e->prev.value);
        if (!cpu.partial && (e->prev_partial || e->next_partial))
            violations_.add("switch", "CPU {}: of one that is not watched, though everything is recorded",
                            header.cpu.value);
        cpu.current = e->next;
        if (e->next_partial) cpu.current.reset();
    } else if (const auto* w = std::get_if<SchedWakeEvent>(&event.body)) {
        check_runs_here(cpu, header, w->waker, "waker");
    } else if (const auto* t = std::get_if<ThreadEvent>(&event.body)) {
        totals_.forks += t->change == IdentityChange::kFork;
        if (t->change == IdentityChange::kFork) check_runs_here(cpu, header, t->related, "forking");
        if (t->change == IdentityChange::kExit || t->change == IdentityChange::kExec) {
            check_runs_here(cpu, header, t->tid, "exiting");
        }
    }
}

void Check::want_name(const NameTable& names, Tid tid, TscTime time) {
    if (tid == kIdleTid || names.lookup(tid, time)) return;
    if (!totals_.unnamed.insert(tid.value).second) return;
    if (!options_.partial) fmt::print("  no name for thread {} at {}\n", tid.value, time.value);
}

/// Every thread that an event speaks of has a name.
void Check::want_names(const NameTable& names, const Event& event) {
    const TscTime time = event.header.time;
    if (const auto* s = std::get_if<SchedSwitchEvent>(&event.body)) {
        want_name(names, s->prev, time);
        want_name(names, s->next, time);
    } else if (const auto* w = std::get_if<SchedWakeEvent>(&event.body)) {
        want_name(names, w->tid, time);
        want_name(names, w->waker, time);
    } else if (const auto* m = std::get_if<SchedMigrateEvent>(&event.body)) {
        want_name(names, m->tid, time);
    } else if (const auto* g = std::get_if<GapEvent>(&event.body)) {
        want_name(names, g->current, time);
    } else if (const auto* c = std::get_if<CpuStateEvent>(&event.body)) {
        want_name(names, c->current, time);
    }
}

/// Names as dump and reports resolve them: all of the file is known.
void Check::check_names(const CaptureReader& capture) {
    NameTable names;
    for (const auto& list : capture.threads()) names.learn(list.entries, list.from, list.to);
    for (CaptureStream& stream : capture.streams()) {
        for_each_run(stream, [&](const Run& run) {
            const auto* thread = std::get_if<ThreadEvent>(&run.event.body);
            if (run.status != DecodeStatus::kOk || thread == nullptr) return;
            names.learn(run.event.header.time, *thread);
            if (thread->comm.view().empty()) violations_.add("empty name", "thread {}", thread->tid.value);
        });
    }
    for (CaptureStream& stream : capture.streams()) {
        for_each_run(stream, [&](const Run& run) {
            if (run.status == DecodeStatus::kOk) want_names(names, run.event);
        });
    }
    if (!totals_.unnamed.empty() && !options_.partial)
        violations_.add("names", "{} threads have none", totals_.unnamed.size());
}

void Check::check_stats(const CaptureReader& capture) {
    for (const auto& [id, cpu] : cpus_) {
        totals_.records += cpu.records;
        totals_.events += cpu.events;
        totals_.gaps += cpu.gaps;
    }
    if (!capture.stats()) {
        if (!options_.truncated) violations_.add("stats", "missing");
        return;
    }
    std::set<std::uint32_t> listed;
    for (const CaptureCpuStats& stats : capture.stats()->cpus) {
        const std::uint32_t id = stats.cpu.value;
        const CpuState& cpu = cpus_[id];
        listed.insert(id);
        totals_.read += stats.read;
        totals_.lost += stats.lost;
        totals_.overwritten += stats.overwritten;
        if (stats.head + stats.lost != stats.read + stats.lost + stats.overwritten) {
            violations_.add("accounting", "CPU {}: head {} lost {} read {} overwritten {}", id, stats.head, stats.lost,
                            stats.read, stats.overwritten);
        }
        if (stats.read != cpu.records) {
            violations_.add("accounting", "CPU {}: {} were read, {} are in the file", id, stats.read, cpu.records);
        }
        if (cpu.records != 0 && cpu.next_position != stats.head) {
            violations_.add("newest", "CPU {}: the file ends at {}, head is {}", id, cpu.next_position, stats.head);
        }
        if (flight_ && cpu.first_position != stats.overwritten) {
            violations_.add("oldest", "CPU {}: begins at {}, {} overwritten", id, cpu.first_position,
                            stats.overwritten);
        }
        if (cpu.lost_told > stats.lost) {
            violations_.add("gap", "CPU {}: GAP records tell of {}, lost {}", id, cpu.lost_told, stats.lost);
        }
        if (stats.lost != 0 && flight_ && !options_.frozen) violations_.add("lost", "CPU {}: in flight mode", id);
        // Every event is counted, those of other sessions as well.
        if (stats.probes < cpu.events) {
            violations_.add("probes", "CPU {}: {} counted, {} events", id, stats.probes, cpu.events);
        }
        // One in 61 is timed, unless it was interrupted.
        if (stats.self_samples > stats.probes / 61 + 1 || 2 * stats.self_samples + 2 < stats.probes / 61) {
            violations_.add("probes", "CPU {}: {} runs, {} timed", id, stats.probes, stats.self_samples);
        }
        if (options_.lossless && stats.lost + stats.overwritten != 0) {
            violations_.add("lossless", "CPU {}: lost {}, overwritten {}", id, stats.lost, stats.overwritten);
        }
    }
    for (const CpuId cpu : capture.meta().cpus) {
        if (!listed.contains(cpu.value)) violations_.add("stats", "CPU {} is not listed", cpu.value);
    }
    for (const auto& [id, cpu] : cpus_) {
        if (!listed.contains(id)) violations_.add("stats", "CPU {} has records and no counts", id);
    }
}

/// The library's own invariants, over the merged stream.
void Check::check_analysis(const CaptureReader& capture) {
    auto streams = capture.streams();
    Merger merger(streams);
    Analyzer analyzer(capture.clock(), AnalyzerOptions{});
    for (const auto& list : capture.threads()) analyzer.add_threads(list.entries, list.from, list.to);
    merger.run(
        [&](CpuId cpu, std::uint64_t at, std::span<const Record> records) { analyzer.consume(cpu, at, records); });
    analyzer.finish();
    for (const std::string& wrong : analyzer.check_invariants()) violations_.add("analysis", "{}", wrong);
    if (merger.stats().backwards != 0) violations_.add("merge", "{} times go back", merger.stats().backwards);
    const AnalyzerTotals& totals = analyzer.totals();
    if (totals.bad_records + totals.unknown_types + totals.repeated != 0) {
        violations_.add("analysis", "{} bad, {} unknown, {} repeated", totals.bad_records, totals.unknown_types,
                        totals.repeated);
    }
    const Anomalies& odd = analyzer.anomalies();
    fmt::print(
        "  anomalies: lost_exits={} orphan_exits={} orphaned_entries={} deep={} wrong_prev={} wrong_next={} "
        "unseen_wakings={} unseen_moves={} backwards={} bad_ids={}\n",
        odd.lost_exits, odd.orphan_exits, odd.orphaned_entries, odd.deep_nesting, odd.wrong_prev, odd.wrong_next,
        odd.unseen_wakings, odd.unseen_moves, odd.backwards, odd.bad_ids);
    if (odd.deep_nesting + odd.backwards + odd.bad_ids != 0) violations_.add("anomalies", "see above");
    // Recording begins inside an interrupt: at most a few exits per CPU have no entry.
    if (totals_.lost == 0 && totals_.overwritten == 0 && !options_.truncated && !options_.hotplug && !options_.shed &&
        (odd.orphan_exits > 4 * streams.size() || odd.lost_exits + odd.orphaned_entries + odd.wrong_prev > 0)) {
        violations_.add("anomalies", "see above, although nothing was lost");
    }
}

bool Check::run() {
    const auto capture = CaptureReader::open(path_);
    if (!capture) {
        fmt::print("{}: {}\n", path_, capture.error().message());
        return options_.lenient;
    }
    fmt::print("{}:\n", path_);
    check_frame(*capture);
    auto streams = capture->streams();
    for (const CpuId cpu : capture->meta().partial_cpus) cpus_[cpu.value].partial = true;
    for (CaptureStream& stream : streams) check_stream(stream);
    check_names(*capture);
    check_stats(*capture);
    check_analysis(*capture);
    fmt::print(
        "  cpus={} records={} events={} read={} lost={} overwritten={} gaps={} forks={} unnamed={} violations={}\n",
        cpus_.size(), totals_.records, totals_.events, totals_.read, totals_.lost, totals_.overwritten, totals_.gaps,
        totals_.forks, totals_.unnamed.size(), violations_.none() ? "none" : "yes");
    violations_.summary();
    return violations_.none() || options_.lenient;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    bool good = true;
    int files = 0;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--lenient") {
            options.lenient = true;
        } else if (word == "--truncated") {
            options.truncated = true;
        } else if (word == "--lossless") {
            options.lossless = true;
        } else if (word == "--partial") {
            options.partial = true;
        } else if (word == "--hotplug") {
            options.hotplug = true;
        } else if (word == "--shed") {
            options.shed = true;
        } else if (word == "--frozen") {
            options.frozen = true;
        } else if (word.starts_with("--")) {
            fmt::print(stderr, "invariants: unknown option {}\n", word);
            return 2;
        } else {
            ++files;
            good = Check(argv[i], options).run() && good;
        }
    }
    if (files == 0) {
        fmt::print(stderr, "invariants: which file?\n");
        return 2;
    }
    return good ? 0 : 1;
}
