// SPDX-License-Identifier: MIT
// The keys are a promise: docs/json.md.
#include <fmt/format.h>
#include <cmath>

#include <nlohmann/json.hpp>
#include <tuple>

#include "hftmon/report.hpp"

namespace hftmon {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDelayNames[] = {"wakeup", "preemption"};
constexpr const char* kReasonNames[] = {"timer", "waking", "new_thread", "preempted", "unseen"};
constexpr const char* kCauseNames[] = {"unknown", "gap",    "idle", "thread",      "softirq",
                                       "irq",     "vector", "nmi",  "timer_slack", "not_watched"};
constexpr const char* kContextNames[] = {"task", "softirq", "hardirq", "nmi"};
constexpr const char* kRelationNames[] = {"none",  "higher",  "equal",     "lower",     "throttled",     "competing",
                                          "waker", "stopper", "in_flight", "throttled", "timer_callback"};
constexpr const char* kIncompleteNames[] = {"gap", "start", "cpu", "history", "unrecorded", "shed"};

template <class Enum, std::size_t N>
const char* name_of(const char* const (&names)[N], Enum value) noexcept {
    return names[static_cast<std::size_t>(value)];
}

Json prio_of(std::int16_t prio) { return prio == kPrioUnknown ? Json(nullptr) : Json(prio); }

Json comm_of(const Comm& comm) { return comm.view().empty() ? Json(nullptr) : Json(std::string(comm.view())); }

Json thread_of(const ThreadInfo& info) {
    return {{"tid", info.tid.value},
            {"tgid", info.tgid == kIdleTid ? Json(nullptr) : Json(info.tgid.value)},
            {"comm", comm_of(info.comm)},
            {"process", comm_of(info.process)}};
}

/// Writes one bill.
class BillWriter {
public:
    explicit BillWriter(const ReportContext& context) : context_(context) {}

    [[nodiscard]] Json write(const Bill& bill) const {
        const Delay& delay = bill.delay;
        Json thread = thread_of(bill.thread);
        thread["prio"] = prio_of(delay.prio);
        thread["policy"] = policy_name(delay.policy);
        Json json{{"kind", name_of(kDelayNames, delay.kind)},
                  {"thread", std::move(thread)},
                  {"cpu", delay.cpu.value},
                  {"start", time(delay.start)},
                  {"end", time(delay.end)},
                  {"length", ticks(delay.length())},
                  {"reason", name_of(kReasonNames, delay.reason)}};
        const bool has_waker = delay.reason != StartReason::kPreempted && delay.reason != StartReason::kUnseen;
        json["waking"] = has_waker ? waking(bill) : Json(nullptr);
        json["preempted_by"] = delay.reason == StartReason::kPreempted ? thread_of(bill.other) : Json(nullptr);
        json["left_in"] = stack(delay.left, bill.thread, delay.start);
        json["enqueued"] = delay.is_enqueued ? time(delay.enqueued) : Json(nullptr);
        json["waited_on"] = Json::array();
        for (const Hop& hop : delay.hops)
            json["waited_on"].push_back({{"cpu", hop.cpu.value}, {"since", time(hop.since)}});
        json["lines"] = Json::array();
        for (const BillLine& entry : bill.lines) json["lines"].push_back(line(entry));
        json["unattributed"] = ticks(bill.unattributed);
        json["hftmon"] = {{"events", bill.own_events}, {"ns", nullptr}};
        if (context_.event_ns > 0) json["hftmon"]["ns"] = std::llround(own_ns(bill, context_));
        Json after{{"until", time(bill.after_end)}, {"gap", bill.after_has_gap}, {"lines", Json::array()}};
        for (const BillLine& entry : bill.after_switch_in) after["lines"].push_back(line(entry));
        json["after_switch_in"] = std::move(after);
        json["incomplete"] = Json::array();
        for (std::size_t bit = 0; bit < std::size(kIncompleteNames); ++bit) {
            if ((bill.incomplete & (1u << bit)) != 0) json["incomplete"].push_back(kIncompleteNames[bit]);
        }
        return json;
    }

    [[nodiscard]] Json ticks(TscTicks value) const {
        return {{"ticks", value.value}, {"ns", context_.clock.to_ns(value).count()}};
    }

    [[nodiscard]] Json time(TscTime value) const {
        Json json{{"tsc", value.value}, {"offset_ns", context_.clock.to_ns(value - context_.origin).count()}};
        if (context_.has_wall_clock) json["realtime_ns"] = context_.clock.realtime(value).count();
        return json;
    }

private:
    /// The owner of time, without how much it was.
    [[nodiscard]] Json owner(CauseKind cause, std::uint32_t subject) const {
        Json json{{"cause", name_of(kCauseNames, cause)}};
        switch (cause) {
            case CauseKind::kThread: json["tid"] = subject; break;
            case CauseKind::kIrq: {
                json["irq"] = subject;
                const auto found = context_.irqs.find(subject);
                json["name"] = found == context_.irqs.end() ? Json(nullptr) : Json(found->second);
                break;
            }
            case CauseKind::kSoftirq: json["name"] = softirq_name(subject); break;
            case CauseKind::kVector: json["name"] = vector_name(static_cast<VectorKind>(subject)); break;
            case CauseKind::kIdle: json["state"] = subject == kIdleStateUnknown ? Json(nullptr) : Json(subject); break;
            case CauseKind::kUnknown:
            case CauseKind::kGap:
            case CauseKind::kTimerSlack:
            case CauseKind::kNotWatched:
            case CauseKind::kNmi: break;
        }
        return json;
    }

    [[nodiscard]] Json line(const BillLine& entry) const {
        Json json = owner(entry.cause, entry.subject);
        if (entry.cause == CauseKind::kThread) {
            json["comm"] = comm_of(entry.comm);
            json["prio"] = prio_of(entry.prio);
            json["policy"] = policy_name(entry.policy);
            json["relation"] = name_of(kRelationNames, entry.relation);
            json["page_faults"] = entry.page_faults;
            json["more_page_faults"] = entry.more_page_faults;
        } else if (entry.relation != Relation::kNone) {
            json["relation"] = name_of(kRelationNames, entry.relation);
        }
        json["timer_late"] = entry.timer_late;
        json["ticks"] = entry.ticks.value;
        json["ns"] = context_.clock.to_ns(entry.ticks).count();
        json["stretches"] = entry.stretches;
        return json;
    }

    [[nodiscard]] Json stack(const StackIds& ids, const ThreadInfo& whose, TscTime when) const {
        if (!ids.any() || !context_.stacks) return nullptr;
        Json json = Json::object();
        for (const auto& [key, part, id] :
             {std::tuple("kernel", StackPart::kKernel, ids.kernel), std::tuple("user", StackPart::kUser, ids.user)}) {
            const Stack* stack = context_.stacks->stacks().lookup(part, id);
            json[key] = stack ? frames(*stack, whose.tgid, when) : Json(nullptr);
        }
        return json;
    }

    [[nodiscard]] Json frames(const Stack& stack, Tid process, TscTime time) const {
        Json json = Json::array();
        for (const StackFrame& frame : context_.stacks->frames(stack, process, time)) {
            Json& told = json.emplace_back(Json{{"name", frame.name}});
            if (stack.part == StackPart::kKernel) continue;
            told["address"] = fmt::format("{:#x}", frame.address);
            told["object"] = frame.object.empty() ? Json(nullptr) : Json(frame.object);
            told["file"] = frame.file.empty() ? Json(nullptr) : Json(frame.file);
            told["line"] = frame.line == 0 ? Json(nullptr) : Json(frame.line);
            told["inlined"] = frame.is_inlined;
        }
        return json;
    }

    [[nodiscard]] Json waking(const Bill& bill) const {
        const Waking& waking = bill.delay.waking;
        Json json{{"time", time(waking.time)},
                  {"waker", thread_of(bill.other)},
                  {"cpu", waking.cpu.value},
                  {"context", name_of(kContextNames, waking.context)},
                  {"source", owner(waking.source.kind, waking.source.subject)}};
        json["stack"] = stack(waking.stack, bill.other, waking.time);
        json["timer_expiry"] = waking.timer.active ? time(waking.timer.expiry) : Json(nullptr);
        return json;
    }

    const ReportContext& context_;
};

/// Names may hold any bytes; JSON holds UTF-8.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json stats_of(const DelayStats& stats, const BillWriter& writer) {
    return {{"count", stats.count},
            {"over", stats.over},
            {"sum", writer.ticks(stats.sum)},
            {"max", writer.ticks(stats.max)},
            {"doubtful", stats.doubtful}};
}

void add_delays(Json& row, const ThreadDelays& delays, const BillWriter& writer) {
    for (std::size_t kind = 0; kind < kDelayKinds; ++kind) {
        row[kDelayNames[kind]] = stats_of(delays.by_kind[kind], writer);
    }
}

Json threads_of(const Analyzer& analyzer, const BillWriter& writer) {
    Json rows = Json::array();
    for (const ThreadDelays* thread : analyzer.threads()) {
        ThreadInfo info{.tid = thread->tid, .tgid = {}, .comm = {}, .process = {}};
        if (const auto found = analyzer.names().lookup(thread->tid, thread->last)) info = *found;
        Json row = thread_of(info);
        row["exited"] = thread->is_dead;
        row["longest_episode"] = writer.ticks(thread->longest_episode);
        add_delays(row, *thread, writer);
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace

std::string to_json(const Bill& bill, const ReportContext& context) { return dump(BillWriter(context).write(bill)); }

std::string to_json(const Analyzer& analyzer, const ReportContext& context) {
    const BillWriter writer(context);
    const AnalyzerTotals& totals = analyzer.totals();
    const Anomalies& anomalies = analyzer.anomalies();
    Json json{{"schema", 1}};
    json["totals"] = {{"records", totals.records},
                      {"events", totals.events},
                      {"unknown_types", totals.unknown_types},
                      {"bad_records", totals.bad_records},
                      {"repeated", totals.repeated},
                      {"gaps", totals.gaps},
                      {"lost", totals.lost},
                      {"over", totals.over},
                      {"doubtful", totals.doubtful},
                      {"bills", totals.bills},
                      {"incomplete", totals.incomplete}};
    json["shed"] = Json::array();
    for (std::size_t i = 0; i < analyzer.timeline().cpu_limit(); ++i) {
        const CpuTimeline* cpu = analyzer.timeline().cpu(CpuId{static_cast<std::uint32_t>(i)});
        if (cpu && cpu->ever_shed() != 0)
            json["shed"].push_back({{"cpu", i}, {"sources", sources_text(cpu->ever_shed())}});
    }
    json["anomalies"] = {{"lost_exits", anomalies.lost_exits},
                         {"orphan_exits", anomalies.orphan_exits},
                         {"orphaned_entries", anomalies.orphaned_entries},
                         {"deep_nesting", anomalies.deep_nesting},
                         {"wrong_prev", anomalies.wrong_prev},
                         {"wrong_next", anomalies.wrong_next},
                         {"unseen_wakings", anomalies.unseen_wakings},
                         {"unseen_starts", anomalies.unseen_starts},
                         {"unseen_moves", anomalies.unseen_moves},
                         {"backwards", anomalies.backwards},
                         {"bad_ids", anomalies.bad_ids}};
    json["observed"] = writer.ticks(analyzer.timeline().now() - analyzer.timeline().first());
    json["threads"] = threads_of(analyzer, writer);
    add_delays(json["exited_long_ago"], analyzer.exited(), writer);
    json["bills"] = Json::array();
    for (const Bill* bill : analyzer.longest()) json["bills"].push_back(writer.write(*bill));
    return dump(json);
}

}  // namespace hftmon
