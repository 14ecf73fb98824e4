// SPDX-License-Identifier: MIT
// Handlers that are told only when they have ended, by a DURATION record: the time
// that they took is theirs, as if their beginning had been recorded.
#include <boost/test/unit_test.hpp>

#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "random_trace.hpp"
#include "support.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

constexpr Who kThread = fair(7), kOther = fair(8);

/// The handler that a record begins or ends: kind, which one.
struct HandlerOf {
    DurationKind kind;
    std::uint32_t cause;
    bool entry;
};
std::optional<HandlerOf> handler_of(const Record& record) {
    switch (record.type) {
        case HFTMON_REC_IRQ_ENTRY: return HandlerOf{HFTMON_DURATION_HARDIRQ, record.irq.irq, true};
        case HFTMON_REC_IRQ_EXIT: return HandlerOf{HFTMON_DURATION_HARDIRQ, record.irq.irq, false};
        case HFTMON_REC_VECTOR_ENTRY: return HandlerOf{HFTMON_DURATION_VECTOR, record.vector.kind, true};
        case HFTMON_REC_VECTOR_EXIT: return HandlerOf{HFTMON_DURATION_VECTOR, record.vector.kind, false};
        case HFTMON_REC_SOFTIRQ_ENTRY: return HandlerOf{HFTMON_DURATION_SOFTIRQ, record.softirq.vec, true};
        case HFTMON_REC_SOFTIRQ_EXIT: return HandlerOf{HFTMON_DURATION_SOFTIRQ, record.softirq.vec, false};
        default: return std::nullopt;
    }
}

/// What a session with minimum durations of 0 would have recorded. A softirq that lost
/// its CPU (PREEMPT_RT) stays as it is, and so does what never ends.
Trace told_at_the_end(Trace trace) {
    struct Open {
        Trace::Item* entry;
        HandlerOf handler;
        std::uint32_t tid;
    };
    struct Cpu {
        std::uint32_t tid = 0;
        std::vector<Open> open;
    };
    std::map<std::uint32_t, Cpu> cpus;
    trace.transform([&](Trace::Item& item) {
        Cpu& cpu = cpus[item.cpu];
        Record& record = item.records[0];
        if (record.type == HFTMON_REC_CPU_STATE) cpu.tid = record.cpu_state.current_tid;
        if (record.type == HFTMON_REC_SCHED_SWITCH) {
            cpu.tid = record.sched_switch.next_tid;
            cpu.open.clear();
        }
        const auto handler = handler_of(record);
        if (!handler) return;
        if (handler->entry) {
            cpu.open.push_back({&item, *handler, cpu.tid});
            return;
        }
        if (cpu.open.empty()) return;
        const Open open = cpu.open.back();
        cpu.open.pop_back();
        BOOST_REQUIRE(open.handler.kind == handler->kind);
        BOOST_REQUIRE(open.handler.cause == handler->cause);
        const std::uint64_t ticks = record.tsc - open.entry->records[0].tsc;
        record.type = HFTMON_REC_DURATION;
        record.flags = static_cast<std::uint16_t>(handler->kind);
        record.spike = {ticks, open.tid, handler->cause};
        Record& entry = open.entry->records[0];
        entry.type = HFTMON_REC_NET_RECEIVE;  // which takes no CPU
        entry.packet = {1, 1, 0};
    });
    return trace;
}

using Piece = std::tuple<std::uint64_t, std::uint64_t, CauseKind, std::uint32_t>;

/// Who owned the CPU, when; neighbours of one owner are one.
std::vector<Piece> pieces_of(const CpuTimeline& cpu) {
    std::vector<Piece> pieces;
    cpu.walk(cpu.first(), cpu.last(), [&](TscTime from, TscTime to, const Cause& cause) {
        if (!pieces.empty() && std::get<2>(pieces.back()) == cause.kind && std::get<3>(pieces.back()) == cause.subject)
            std::get<1>(pieces.back()) = to.value;
        else
            pieces.emplace_back(from.value, to.value, cause.kind, cause.subject);
    });
    return pieces;
}

Trace duration(Trace trace, DurationKind kind, std::uint64_t ticks, Who who, std::uint32_t cause) {
    trace.lasted(kind, ticks, who, cause);
    return trace;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(minimum_test)

BOOST_AUTO_TEST_CASE(the_same_owners_at_all_times) {
    std::size_t converted = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        const RandomTrace random(seed);
        const Analysis full(random.trace);
        const Analysis late(told_at_the_end(random.trace));
        for (const std::string& wrong : late.analyzer.check_invariants()) BOOST_ERROR("seed " << seed << ": " << wrong);
        const Timeline &expected = full.analyzer.timeline(), &actual = late.analyzer.timeline();
        for (std::uint32_t i = 0; i < expected.cpu_limit(); ++i) {
            const CpuTimeline *a = expected.cpu(CpuId{i}), *b = actual.cpu(CpuId{i});
            BOOST_REQUIRE((a == nullptr) == (b == nullptr));
            if (a == nullptr) continue;
            BOOST_CHECK_MESSAGE(pieces_of(*a) == pieces_of(*b), "seed " << seed << ", CPU " << i);
            for (std::size_t kind = 0; kind < kCauseKinds; ++kind)
                BOOST_TEST(a->time_of(static_cast<CauseKind>(kind)) == b->time_of(static_cast<CauseKind>(kind)));
            converted += static_cast<std::size_t>(b->time_of(CauseKind::kVector).value != 0);
        }
    }
    BOOST_TEST(converted > 100u);
}

BOOST_AUTO_TEST_CASE(only_the_time_of_who_was_interrupted) {
    // On PREEMPT_RT a softirq may lose its CPU: the other thread's time stays its own.
    Trace trace = Trace().cpu(0).at(0).runs(kThread).at(100).preempt(kOther).at(200).to(kThread).at(300);
    const Analysis analysis(duration(trace, HFTMON_DURATION_SOFTIRQ, 250, kThread, 3));
    const CpuTimeline& cpu = *analysis.analyzer.timeline().cpu(CpuId{0});
    BOOST_TEST(cpu.time_of(CauseKind::kSoftirq) == TscTicks{150});
    BOOST_TEST(cpu.time_of(CauseKind::kThread) == TscTicks{150});
}

BOOST_AUTO_TEST_CASE(longer_than_the_stream) {
    const Trace trace = Trace().cpu(0).at(50).runs(kThread).at(100);
    for (const std::uint64_t ticks : {std::uint64_t{1000}, ~std::uint64_t{0} >> 1}) {
        const Analysis analysis(duration(trace, HFTMON_DURATION_HARDIRQ, ticks, kThread, 9));
        BOOST_TEST(analysis.analyzer.timeline().cpu(CpuId{0})->time_of(CauseKind::kIrq) == TscTicks{50});
    }
}

BOOST_AUTO_TEST_CASE(not_the_time_of_a_gap) {
    Trace trace = Trace().cpu(0).at(0).runs(kThread).at(100).gap(5, kThread).at(200).page_fault().at(300);
    const Analysis analysis(duration(trace, HFTMON_DURATION_VECTOR, 250, kThread, HFTMON_VECTOR_LOCAL_TIMER));
    const CpuTimeline& cpu = *analysis.analyzer.timeline().cpu(CpuId{0});
    BOOST_TEST(cpu.time_of(CauseKind::kGap) == TscTicks{100});
    BOOST_TEST(cpu.time_of(CauseKind::kVector) == TscTicks{200});
}

BOOST_AUTO_TEST_CASE(while_the_history_grows) {
    for (int segments = 250; segments < 262; ++segments) {
        Trace trace = Trace().cpu(0).at(0).runs(kThread);
        for (int i = 1; i < segments; ++i)
            trace.at(static_cast<std::uint64_t>(i) * 10).to(i % 2 == 0 ? kThread : kOther);
        trace.at(static_cast<std::uint64_t>(segments) * 10);
        const Analysis analysis(duration(trace, HFTMON_DURATION_SOFTIRQ, 95, kThread, 1));
        for (const std::string& wrong : analysis.analyzer.check_invariants()) BOOST_ERROR(wrong);
        // Who runs at the end had five of the last ten stretches, and half of the one before.
        BOOST_TEST(analysis.analyzer.timeline().cpu(CpuId{0})->time_of(CauseKind::kSoftirq) == TscTicks{50});
    }
}

BOOST_AUTO_TEST_CASE(events_in_a_part_of_a_segment) {
    Trace trace = Trace().cpu(0).at(0).runs(kThread).at(100).to(kOther);
    for (int i = 1; i < 10; ++i) trace.at(100 + static_cast<std::uint64_t>(i) * 10).page_fault();
    trace.at(200).to(kThread).at(300).to(kOther).at(400).page_fault();
    const Analysis analysis(trace);
    const CpuTimeline& cpu = *analysis.analyzer.timeline().cpu(CpuId{0});
    const auto events = [&](std::uint64_t from, std::uint64_t to) { return cpu.events_in(TscTime{from}, TscTime{to}); };
    BOOST_TEST(events(100, 200) == 10u);
    BOOST_TEST(events(150, 200) == 5u);
    BOOST_TEST(events(100, 150) + events(150, 200) == 10u);
    BOOST_TEST(events(0, 100) == 1u);
    BOOST_TEST(events(200, 300) == 1u);
    BOOST_TEST(events(0, 400) == 14u);
    BOOST_TEST(events(300, 300) == 0u);
    BOOST_TEST(events(500, 600) == 0u);
}

BOOST_AUTO_TEST_CASE(where_the_oldest_history_is_forgotten) {
    // 256 segments are kept; the handler began in one of the oldest of them.
    Trace trace = Trace().cpu(0).at(0).runs(kThread);
    for (int i = 1; i <= 400; ++i) trace.at(static_cast<std::uint64_t>(i) * 10).to(i % 2 == 0 ? kThread : kOther);
    trace.at(4010);
    for (std::uint64_t ticks = 2000; ticks < 3000; ticks += 7) {
        Trace copy = trace;
        copy.lasted(HFTMON_DURATION_SOFTIRQ, ticks, kThread, 1);
        AnalyzerOptions options = Analysis::all();
        options.history_segments = 256;
        const Analysis analysis(copy, options);
        for (const std::string& wrong : analysis.analyzer.check_invariants()) BOOST_ERROR(wrong);
        const CpuTimeline& cpu = *analysis.analyzer.timeline().cpu(CpuId{0});
        std::uint64_t at = 0;
        cpu.walk(TscTime{2000}, cpu.last(), [&](TscTime from, TscTime to, const Cause&) {
            BOOST_TEST(from < to);
            BOOST_TEST((at == 0 || from.value == at));
            at = to.value;
        });
    }
}

BOOST_AUTO_TEST_SUITE_END()
