// SPDX-License-Identifier: MIT
// One fill() for each kind of event that the library decodes.
#include "ours.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <variant>

#include "fail.hpp"
#include "hftmon/runs.hpp"

namespace ftrace_compare {

using namespace hftmon;

namespace {

template <class Fn>
void for_each_event(const CaptureReader& capture, Fn&& fn) {
    for (CaptureStream& stream : capture.streams()) {
        for_each_run(stream, [&](const Run& run) {
            if (run.status != DecodeStatus::kOk) fail("a record of the capture does not decode");
            fn(run.event);
        });
    }
}

std::int64_t address(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

Ours::Ours(const CaptureReader& capture) {
    for (const auto& list : capture.threads()) names_.learn(list.entries, list.from, list.to);
    for_each_event(capture, [&](const Event& event) { learn(event); });
    for (auto& [tid, renames] : renames_) {
        std::sort(renames.begin(), renames.end(), [](const Rename& a, const Rename& b) { return a.time < b.time; });
        for (Rename& rename : renames) {
            if (const auto info = names_.lookup(tid, {rename.time.value - 1})) rename.before = info->comm.bytes;
        }
    }
    for (auto& [tid, times] : switched_in_) std::sort(times.begin(), times.end());
    for_each_event(capture, [&](const Event& event) { add(event); });
}

bool Ours::moved(const Item& from, const Item& to) const {
    const auto found = moves_.find(from.field[0]);
    return found != moves_.end() && std::any_of(found->second.begin(), found->second.end(), [&](const Move& move) {
               return move.tsc >= from.tsc && move.tsc <= to.tsc && move.from == from.field[2] &&
                      move.to == to.field[2];
           });
}

void Ours::learn(const Event& event) {
    const TscTime time = event.header.time;
    if (const auto* e = std::get_if<SchedSwitchEvent>(&event.body)) switched_in_[e->next].push_back(time);
    if (const auto* e = std::get_if<SchedMigrateEvent>(&event.body))
        moves_[e->tid.value].push_back({time.value, e->from.value, e->to.value});
    const auto* e = std::get_if<ThreadEvent>(&event.body);
    if (e == nullptr) return;
    names_.learn(time, *e);
    if (e->change == IdentityChange::kRename) renames_[e->tid].push_back({time, {}});
}

Name Ours::name_before(Tid tid, TscTime time) const {
    const auto found = renames_.find(tid);
    if (found == renames_.end()) return {};
    const auto& renames = found->second;
    const auto after = std::upper_bound(renames.begin(), renames.end(), time,
                                        [](TscTime t, const Rename& rename) { return t < rename.time; });
    if (after == renames.begin()) return {};
    const Rename& last = *std::prev(after);
    const auto runs = switched_in_.find(tid);
    const bool ran_since =
        runs != switched_in_.end() &&
        std::any_of(runs->second.begin(), runs->second.end(), [&](TscTime t) { return t > last.time && t < time; });
    return ran_since ? Name{} : last.before;
}

const std::vector<Item>& Ours::cpu(unsigned id) const {
    static const std::vector<Item> none;
    const auto found = items_.find(id);
    return found == items_.end() ? none : found->second;
}

Name Ours::name(Tid tid, const EventHeader& header) const {
    if (tid == kIdleTid) return NameTable::idle_name(header.cpu).bytes;
    const auto info = names_.lookup(tid, header.time);
    return info ? info->comm.bytes : name_of("?");
}

void Ours::add(const Event& event) {
    const std::uint32_t cpu = event.header.cpu.value;
    Item item;
    item.tsc = event.header.time.value;
    item.current = current_[cpu];
    std::visit([&](const auto& body) { fill(event.header, body, item); }, event.body);
    if (item.type == 0) return;
    unsigned& handlers = handlers_[cpu];
    if (item.type == HFTMON_REC_VECTOR_ENTRY || item.type == HFTMON_REC_IRQ_ENTRY) ++handlers;
    if (item.type == HFTMON_REC_SCHED_SWITCH) handlers = 0;
    item.flags = handlers != 0 ? kHardirq : 0;
    if ((item.type == HFTMON_REC_VECTOR_EXIT || item.type == HFTMON_REC_IRQ_EXIT) && handlers != 0) --handlers;
    items_[cpu].push_back(item);
}

void Ours::fill(const EventHeader& h, const GapEvent&, Item&) { fail(fmt::format("a gap on CPU {}", h.cpu.value)); }
void Ours::fill(const EventHeader& h, const CpuStateEvent& e, Item&) { current_[h.cpu.value] = e.current.value; }
void Ours::fill(const EventHeader& h, const SchedSwitchEvent& e, Item& item) {
    item.type = HFTMON_REC_SCHED_SWITCH;
    item.field = {e.prev.value, e.prev_prio, e.prev_state, e.next.value, e.next_prio, e.preempt};
    item.first = name(e.prev, h);
    item.second = name(e.next, h);
    item.first_before = name_before(e.prev, h.time);
    item.second_before = name_before(e.next, h.time);
    current_[h.cpu.value] = e.next.value;
}
void Ours::fill(const EventHeader& h, const SchedWakeEvent& e, Item& item) {
    constexpr std::uint16_t kTypes[] = {HFTMON_REC_SCHED_WAKING, HFTMON_REC_SCHED_WAKEUP, HFTMON_REC_SCHED_WAKEUP_NEW};
    item.type = kTypes[static_cast<std::size_t>(e.stage)];
    item.field = {e.tid.value, e.prio, e.target.value, static_cast<std::int64_t>(e.context)};
    item.first = name(e.tid, h);
    item.first_before = name_before(e.tid, h.time);
    item.current = e.waker.value;
}
void Ours::fill(const EventHeader& h, const SchedMigrateEvent& e, Item& item) {
    item.type = HFTMON_REC_SCHED_MIGRATE;
    item.field = {e.tid.value, e.prio, e.from.value, e.to.value};
    item.first = name(e.tid, h);
    item.first_before = name_before(e.tid, h.time);
}
void Ours::fill(const EventHeader&, const ThreadEvent& e, Item& item) {
    switch (e.change) {
        case IdentityChange::kThread:
        case IdentityChange::kDead: return;
        case IdentityChange::kFork:
            item.type = HFTMON_REC_FORK;
            item.field = {e.related.value, e.tid.value};
            break;
        case IdentityChange::kExec:
            item.type = HFTMON_REC_EXEC;
            item.field = {e.tid.value, e.related.value};
            return;  // ftrace has no name there
        case IdentityChange::kExit:
            item.type = HFTMON_REC_EXIT;
            item.field = {e.tid.value, e.prio};
            break;
        case IdentityChange::kRename:
            item.type = HFTMON_REC_RENAME;
            item.field = {e.tid.value};
            break;
    }
    item.first = e.comm.bytes;
}
void Ours::fill(const EventHeader&, const IrqEvent& e, Item& item) {
    item.type = e.entry ? HFTMON_REC_IRQ_ENTRY : HFTMON_REC_IRQ_EXIT;
    item.field = {e.irq, e.entry ? 0 : e.ret};
}
void Ours::fill(const EventHeader&, const SoftirqEvent& e, Item& item) {
    constexpr std::uint16_t kTypes[] = {HFTMON_REC_SOFTIRQ_RAISE, HFTMON_REC_SOFTIRQ_ENTRY, HFTMON_REC_SOFTIRQ_EXIT};
    item.type = kTypes[static_cast<std::size_t>(e.stage)];
    item.field = {e.vec};
}
void Ours::fill(const EventHeader&, const VectorEvent& e, Item& item) {
    item.type = e.entry ? HFTMON_REC_VECTOR_ENTRY : HFTMON_REC_VECTOR_EXIT;
    item.field = {e.vector, e.kind};
}
void Ours::fill(const EventHeader&, const NmiEvent&, Item&) {}
void Ours::fill(const EventHeader&, const SpikeEvent&, Item&) {}
void Ours::fill(const EventHeader&, const DurationEvent&, Item&) {}
void Ours::fill(const EventHeader&, const StackEvent&, Item&) {}
void Ours::fill(const EventHeader& h, const ShedEvent&, Item&) {
    fail(fmt::format("sources shed on CPU {}", h.cpu.value));
}
void Ours::fill(const EventHeader&, const PageFaultEvent& e, Item& item) {
    item.type = e.user ? HFTMON_REC_PAGE_FAULT_USER : HFTMON_REC_PAGE_FAULT_KERNEL;
    item.field = {static_cast<std::int64_t>(e.address), static_cast<std::int64_t>(e.ip), e.error_code};
}
void Ours::fill(const EventHeader&, const CpuIdleEvent& e, Item& item) {
    item.type = HFTMON_REC_CPU_IDLE;
    item.field = {e.enter ? e.state : HFTMON_IDLE_EXIT};
}
void Ours::fill(const EventHeader&, const HrtimerEvent& e, Item& item) {
    item.type = e.entry ? HFTMON_REC_HRTIMER_EXPIRE_ENTRY : HFTMON_REC_HRTIMER_EXPIRE_EXIT;
    item.field = {address(e.function)};
}

void Ours::name_thread(Tid tid, const EventHeader& header, Item& item) const {
    item.first = name(tid, header);
    item.first_before = name_before(tid, header.time);
}
void Ours::fill(const EventHeader& h, const PriorityEvent& e, Item& item) {
    item.type = HFTMON_REC_SCHED_PI_SETPRIO;
    item.field = {e.tid.value, e.old_prio, e.new_prio};
    name_thread(e.tid, h, item);
}
void Ours::fill(const EventHeader&, const NeedReschedEvent&, Item&) {}  // ftrace has none
void Ours::fill(const EventHeader& h, const BlockedEvent& e, Item& item) {
    item.type = e.iowait ? HFTMON_REC_SCHED_IOWAIT : HFTMON_REC_SCHED_BLOCKED;
    item.field = {e.tid.value, e.length.count()};
    name_thread(e.tid, h, item);
}
void Ours::fill(const EventHeader&, const NumaEvent& e, Item& item) {
    item.type = HFTMON_REC_SCHED_NUMA;
    item.field = {e.tid.value, e.from.value, e.to.value, e.swapped.value};
}
// Of these ftrace has none.
void Ours::fill(const EventHeader&, const RunQueueEvent&, Item&) {}
void Ours::fill(const EventHeader&, const AffinityEvent&, Item&) {}
void Ours::fill(const EventHeader&, const ThrottleEvent&, Item&) {}
void Ours::fill(const EventHeader&, const NumaFaultEvent&, Item&) {}
void Ours::fill(const EventHeader&, const IpiSendEvent& e, Item& item) {
    item.type = HFTMON_REC_IPI_SEND;
    item.field = {e.first.value, e.count, static_cast<std::int64_t>(e.cpus)};
}
void Ours::fill(const EventHeader&, const TlbFlushEvent& e, Item& item) {
    item.type = HFTMON_REC_TLB_FLUSH;
    item.field = {e.reason, static_cast<std::int64_t>(e.pages)};
}
void Ours::fill(const EventHeader&, const CpuFrequencyEvent& e, Item& item) {
    item.type = HFTMON_REC_CPU_FREQUENCY;
    item.field = {e.khz, e.cpu.value};
}
void Ours::fill(const EventHeader& h, const SignalEvent& e, Item& item) {
    item.type = e.deliver ? HFTMON_REC_SIGNAL_DELIVER : HFTMON_REC_SIGNAL_GENERATE;
    if (e.deliver) {
        item.field = {e.signal, e.code};
        return;
    }
    item.field = {e.signal, e.code, e.tid.value, e.group, e.result};
    name_thread(e.tid, h, item);
}

void Ours::fill(const EventHeader&, const HrtimerStartEvent& e, Item& item) {
    item.type = HFTMON_REC_HRTIMER_START;
    item.field = {address(e.function), e.expires.count()};
}
void Ours::fill(const EventHeader&, const FunctionEvent& e, Item& item) {
    constexpr std::uint16_t kTypes[] = {
        HFTMON_REC_TIMER_EXPIRE_ENTRY, HFTMON_REC_TIMER_EXPIRE_EXIT, HFTMON_REC_WORK_QUEUE,   HFTMON_REC_WORK_START,
        HFTMON_REC_WORK_END,           HFTMON_REC_TASKLET_ENTRY,     HFTMON_REC_TASKLET_EXIT, HFTMON_REC_CSD_QUEUE,
        HFTMON_REC_CSD_ENTRY,          HFTMON_REC_CSD_EXIT};
    item.type = kTypes[static_cast<std::size_t>(e.stage)];
    // ftrace does not tell how late a timer is.
    const bool has_cpu = e.stage == FunctionStage::kWorkQueue || e.stage == FunctionStage::kCsdQueue;
    item.field = {address(e.function), address(e.object), has_cpu ? e.arg : 0};
}
void Ours::fill(const EventHeader&, const NapiEvent& e, Item& item) {
    item.type = HFTMON_REC_NAPI_POLL;
    item.field = {e.work, e.budget};
}
void Ours::fill(const EventHeader&, const PacketEvent& e, Item& item) {
    constexpr std::uint16_t kTypes[] = {HFTMON_REC_NET_RECEIVE, HFTMON_REC_NET_QUEUE, HFTMON_REC_NET_START_XMIT};
    item.type = kTypes[static_cast<std::size_t>(e.stage)];
    item.field = {e.length};
}
void Ours::fill(const EventHeader&, const BlockEvent& e, Item& item) {
    item.type = e.complete ? HFTMON_REC_BLOCK_COMPLETE : HFTMON_REC_BLOCK_ISSUE;
    item.field = {e.device, static_cast<std::int64_t>(e.sector), e.complete ? 0 : e.bytes};
}
void Ours::fill(const EventHeader&, const SyscallEvent& e, Item& item) {
    item.type = e.enter ? HFTMON_REC_SYSCALL_ENTER : HFTMON_REC_SYSCALL_EXIT;
    item.field = {e.number, e.ret};
}

}  // namespace ftrace_compare
