// SPDX-License-Identifier: MIT
/// The body of visit_record(). Included by decode.hpp only.
#pragma once

#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "hftmon/abi/record.h"

namespace hftmon::detail {

/// The kernel's range: -1 deadline .. 139 the nicest fair thread.
constexpr bool valid_priority(std::int16_t prio) noexcept { return prio >= -1 && prio <= 139; }

/// 4 was SCHED_ISO, which no kernel has.
constexpr bool valid_policy(unsigned policy) noexcept { return policy <= 7 && policy != 4; }

/// The kernel keeps pending softirqs in a 32-bit word.
constexpr bool valid_softirq(std::uint32_t vec) noexcept { return vec < 32; }

constexpr bool valid_vector(const hftmon_vector& vector) noexcept {
    return vector.vector < 256 && vector.kind < HFTMON_VECTOR_KIND_END;
}

/// Times above are 97 years of a 3 GHz TSC. With this limit the difference of
/// any two times fits TscTicks.
constexpr bool valid_time(std::uint64_t tsc) noexcept {
    return tsc <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
}

/// The upper half of an address of x86-64's kernel text is ones.
constexpr std::uint64_t kernel_address(std::uint32_t low) noexcept {
    return low == 0 ? 0 : 0xffff'ffff'0000'0000 | low;
}

template <class Visitor>
struct Decoder {
    std::span<const Record> records;
    EventHeader header;
    Visitor& visitor;

    static constexpr Decoded kBad{DecodeStatus::kBadField, 1};

    template <class Body>
    Decoded give(const Body& body, std::size_t count = 1) const {
        visitor(header, body);
        return {DecodeStatus::kOk, count};
    }

    Decoded cpu_state(const Record& record) const {
        const hftmon_cpu_state& state = record.cpu_state;
        if (!valid_priority(state.prio) || !valid_policy(state.policy)) return kBad;
        return give(CpuStateEvent{Tid{state.current_tid}, state.prio, static_cast<Policy>(state.policy),
                                  (record.flags & HFTMON_CPU_STATE_PARTIAL) != 0,
                                  (record.flags & HFTMON_CPU_STATE_UNWATCHED) != 0});
    }

    Decoded sched_switch(const Record& record) const {
        const hftmon_sched_switch& sw = record.sched_switch;
        const unsigned prev = (record.flags >> HFTMON_SWITCH_PREV_POLICY_SHIFT) & HFTMON_SWITCH_POLICY_MASK;
        const unsigned next = (record.flags >> HFTMON_SWITCH_NEXT_POLICY_SHIFT) & HFTMON_SWITCH_POLICY_MASK;
        if (!valid_priority(sw.prev_prio) || !valid_priority(sw.next_prio)) return kBad;
        if (!valid_policy(prev) || !valid_policy(next)) return kBad;
        return give(SchedSwitchEvent{
            Tid{sw.prev_tid}, Tid{sw.next_tid}, sw.prev_prio, sw.next_prio, static_cast<Policy>(prev),
            static_cast<Policy>(next), sw.prev_state, (record.flags & HFTMON_SWITCH_PREEMPT) != 0,
            (record.flags & HFTMON_SWITCH_PREV_QUEUED) != 0, (record.flags & HFTMON_SWITCH_PREV_PARTIAL) != 0,
            (record.flags & HFTMON_SWITCH_NEXT_PARTIAL) != 0});
    }

    Decoded wake(const Record& record, WakeStage stage) const {
        if (!valid_priority(record.wake.prio)) return kBad;
        return give(SchedWakeEvent{stage, Tid{record.wake.tid}, Tid{record.wake.waker_tid}, record.wake.prio,
                                   CpuId{record.wake.target_cpu},
                                   static_cast<Context>(record.flags & HFTMON_CONTEXT_MASK)});
    }

    Decoded migrate(const hftmon_sched_migrate& move) const {
        if (!valid_priority(move.prio)) return kBad;
        return give(SchedMigrateEvent{Tid{move.tid}, move.prio, CpuId{move.orig_cpu}, CpuId{move.dest_cpu}});
    }

    /// Two records: the identity, then the name with the same time stamp.
    Decoded thread(const Record& record, IdentityChange change) const {
        if (records.size() < 2) return {DecodeStatus::kTruncated, 0};
        const Record& name = records[1];
        if (name.type != HFTMON_REC_COMM || name.tsc != record.tsc) return kBad;
        const hftmon_thread_id& id = record.thread;
        if (!valid_priority(id.prio) || !valid_policy(id.policy)) return {DecodeStatus::kBadField, 2};
        ThreadEvent event{
            change, Tid{id.tid}, Tid{id.tgid}, Tid{id.related_tid}, id.prio, static_cast<Policy>(id.policy), {}};
        std::memcpy(event.comm.bytes.data(), name.comm, event.comm.bytes.size());
        return give(event, 2);
    }

    Decoded softirq(const Record& record, SoftirqStage stage) const {
        if (!valid_softirq(record.softirq.vec)) return kBad;
        return give(SoftirqEvent{stage, record.softirq.vec});
    }

    Decoded vector(const Record& record, bool entry) const {
        if (!valid_vector(record.vector)) return kBad;
        return give(VectorEvent{entry, record.vector.vector, static_cast<VectorKind>(record.vector.kind)});
    }

    Decoded function(const hftmon_function& call, FunctionStage stage) const {
        return give(FunctionEvent{stage, kernel_address(call.function), call.object, call.arg});
    }

    Decoded packet(const hftmon_packet& packet, PacketStage stage) const {
        return give(PacketEvent{stage, packet.ifindex, packet.length});
    }

    template <class Body>
    Decoded duration(const Record& record) const {
        if (record.flags >= HFTMON_DURATION_COUNT || !valid_time(record.spike.ticks)) return kBad;
        if (record.flags == HFTMON_DURATION_VECTOR && record.spike.cause >= HFTMON_VECTOR_KIND_END) return kBad;
        if (record.flags == HFTMON_DURATION_SOFTIRQ && !valid_softirq(record.spike.cause)) return kBad;
        return give(Body{DurationEvent{static_cast<DurationKind>(record.flags),
                                       TscTicks{static_cast<std::int64_t>(record.spike.ticks)}, Tid{record.spike.tid},
                                       record.spike.cause}});
    }

    Decoded nmi(const hftmon_nmi& nmi) const {
        if (!valid_time(nmi.duration_ns)) return kBad;
        return give(NmiEvent{Nanoseconds(static_cast<std::int64_t>(nmi.duration_ns)), nmi.handled});
    }

    Decoded priority(const hftmon_pi_setprio& change) const {
        if (!valid_priority(change.old_prio) || !valid_priority(change.new_prio)) return kBad;
        return give(PriorityEvent{Tid{change.tid}, Tid{change.donor_tid}, change.old_prio, change.new_prio});
    }

    Decoded blocked(const hftmon_blocked& blocked, bool iowait) const {
        if (!valid_time(blocked.ns)) return kBad;
        return give(BlockedEvent{iowait, Tid{blocked.tid}, Nanoseconds(static_cast<std::int64_t>(blocked.ns))});
    }

    Decoded ipi_send(const hftmon_ipi_send& send) const {
        const std::uint64_t first = std::uint64_t{1} << (send.first_cpu % 64);
        const bool first_is_lowest = (send.cpus & first) != 0 && (send.cpus & (first - 1)) == 0;
        if (!first_is_lowest || static_cast<unsigned>(std::popcount(send.cpus)) > send.count) return kBad;
        return give(IpiSendEvent{CpuId{send.first_cpu}, send.count, send.cpus});
    }

    Decoded tlb_flush(const hftmon_tlb_flush& flush) const {
        if (flush.reason >= HFTMON_TLB_REASON_END) return kBad;
        return give(TlbFlushEvent{static_cast<TlbFlushReason>(flush.reason), flush.pages});
    }

    Decoded numa_fault(const hftmon_numa_fault& fault) const {
        if (fault.outcome >= HFTMON_NUMA_OUTCOME_END) return kBad;
        return give(NumaFaultEvent{fault.node, fault.pages, static_cast<NumaOutcome>(fault.outcome)});
    }

    Decoded signal(const hftmon_signal& signal, bool deliver) const {
        if (signal.signal == 0 || signal.signal > 64 || signal.group > 1) return kBad;
        return give(
            SignalEvent{deliver, Tid{signal.tid}, signal.signal, signal.code, signal.group != 0, signal.result});
    }

    Decoded run() const {
        const Record& record = records.front();
        if (!valid_time(record.tsc)) return kBad;
        switch (record.type) {
            case HFTMON_REC_GAP: return give(GapEvent{record.gap.lost_total, Tid{record.gap.current_tid}});
            case HFTMON_REC_CPU_STATE: return cpu_state(record);
            case HFTMON_REC_SCHED_SWITCH: return sched_switch(record);
            case HFTMON_REC_SCHED_WAKING: return wake(record, WakeStage::kWaking);
            case HFTMON_REC_SCHED_WAKEUP: return wake(record, WakeStage::kWakeup);
            case HFTMON_REC_SCHED_WAKEUP_NEW: return wake(record, WakeStage::kWakeupNew);
            case HFTMON_REC_SCHED_MIGRATE: return migrate(record.migrate);
            case HFTMON_REC_THREAD: return thread(record, IdentityChange::kThread);
            case HFTMON_REC_FORK: return thread(record, IdentityChange::kFork);
            case HFTMON_REC_EXEC: return thread(record, IdentityChange::kExec);
            case HFTMON_REC_EXIT: return thread(record, IdentityChange::kExit);
            case HFTMON_REC_RENAME: return thread(record, IdentityChange::kRename);
            case HFTMON_REC_DEAD: return thread(record, IdentityChange::kDead);
            case HFTMON_REC_IRQ_ENTRY: return give(IrqEvent{true, record.irq.irq, record.irq.ret});
            case HFTMON_REC_IRQ_EXIT: return give(IrqEvent{false, record.irq.irq, record.irq.ret});
            case HFTMON_REC_SOFTIRQ_RAISE: return softirq(record, SoftirqStage::kRaise);
            case HFTMON_REC_SOFTIRQ_ENTRY: return softirq(record, SoftirqStage::kEntry);
            case HFTMON_REC_SOFTIRQ_EXIT: return softirq(record, SoftirqStage::kExit);
            case HFTMON_REC_VECTOR_ENTRY: return vector(record, true);
            case HFTMON_REC_VECTOR_EXIT: return vector(record, false);
            case HFTMON_REC_NMI: return nmi(record.nmi);
            case HFTMON_REC_PAGE_FAULT_USER:
            case HFTMON_REC_PAGE_FAULT_KERNEL:
                return give(PageFaultEvent{record.type == HFTMON_REC_PAGE_FAULT_USER, record.fault.address,
                                           record.fault.ip, record.flags});
            case HFTMON_REC_CPU_IDLE:
                return give(CpuIdleEvent{record.idle.state != HFTMON_IDLE_EXIT, record.idle.state});
            case HFTMON_REC_HRTIMER_EXPIRE_ENTRY:
                return give(HrtimerEvent{true, Nanoseconds(record.hrtimer.late_ns),
                                         Nanoseconds(record.hrtimer.slack_ns),
                                         kernel_address(record.hrtimer.function)});
            case HFTMON_REC_HRTIMER_EXPIRE_EXIT: return give(HrtimerEvent{false, {}, {}});
            case HFTMON_REC_SCHED_PI_SETPRIO: return priority(record.pi_setprio);
            case HFTMON_REC_SCHED_NEED_RESCHED:
                return give(NeedReschedEvent{Tid{record.need_resched.tid}, CpuId{record.need_resched.cpu},
                                             record.need_resched.lazy != 0});
            case HFTMON_REC_SCHED_BLOCKED: return blocked(record.blocked, false);
            case HFTMON_REC_SCHED_IOWAIT: return blocked(record.blocked, true);
            case HFTMON_REC_SCHED_NUMA:
                return give(NumaEvent{Tid{record.numa.tid}, Tid{record.numa.swapped_tid}, CpuId{record.numa.from_cpu},
                                      CpuId{record.numa.to_cpu}});
            case HFTMON_REC_NR_RUNNING:
                return give(RunQueueEvent{CpuId{record.nr_running.cpu}, record.nr_running.count,
                                          record.nr_running.change, record.nr_running.counted != 0});
            case HFTMON_REC_AFFINITY:
                return give(AffinityEvent{Tid{record.affinity.tid}, record.affinity.cpus,
                                          CpuId{record.affinity.first_cpu}, CpuId{record.affinity.last_cpu}});
            case HFTMON_REC_CFS_THROTTLE:
            case HFTMON_REC_CFS_UNTHROTTLE:
                return give(ThrottleEvent{record.type == HFTMON_REC_CFS_THROTTLE, record.throttle.queue});
            case HFTMON_REC_NUMA_FAULT: return numa_fault(record.numa_fault);
            case HFTMON_REC_IPI_SEND: return ipi_send(record.ipi_send);
            case HFTMON_REC_TLB_FLUSH: return tlb_flush(record.tlb_flush);
            case HFTMON_REC_CPU_FREQUENCY:
                return give(CpuFrequencyEvent{CpuId{record.frequency.cpu}, record.frequency.khz});
            case HFTMON_REC_SIGNAL_GENERATE: return signal(record.signal, false);
            case HFTMON_REC_SIGNAL_DELIVER: return signal(record.signal, true);
            case HFTMON_REC_SPIKE: return duration<SpikeEvent>(record);
            case HFTMON_REC_DURATION: return duration<DurationEvent>(record);
            case HFTMON_REC_STACK:
                if (record.flags >= HFTMON_STACK_OF_END) return kBad;
                return give(StackEvent{static_cast<StackOf>(record.flags),
                                       Tid{record.stack.tid},
                                       {record.stack.kernel, record.stack.user}});
            case HFTMON_REC_SHED:
                return give(ShedEvent{record.shed.sources, record.shed.spent_ppm, record.shed.budget_ppm});
            case HFTMON_REC_HRTIMER_START:
                return give(HrtimerStartEvent{kernel_address(record.hrtimer_start.function),
                                              Nanoseconds(record.hrtimer_start.expires_ns)});
            case HFTMON_REC_TIMER_EXPIRE_ENTRY: return function(record.function, FunctionStage::kTimerEntry);
            case HFTMON_REC_TIMER_EXPIRE_EXIT: return function(record.function, FunctionStage::kTimerExit);
            case HFTMON_REC_WORK_QUEUE: return function(record.function, FunctionStage::kWorkQueue);
            case HFTMON_REC_WORK_START: return function(record.function, FunctionStage::kWorkStart);
            case HFTMON_REC_WORK_END: return function(record.function, FunctionStage::kWorkEnd);
            case HFTMON_REC_TASKLET_ENTRY: return function(record.function, FunctionStage::kTaskletEntry);
            case HFTMON_REC_TASKLET_EXIT: return function(record.function, FunctionStage::kTaskletExit);
            case HFTMON_REC_CSD_QUEUE: return function(record.function, FunctionStage::kCsdQueue);
            case HFTMON_REC_CSD_ENTRY: return function(record.function, FunctionStage::kCsdEntry);
            case HFTMON_REC_CSD_EXIT: return function(record.function, FunctionStage::kCsdExit);
            case HFTMON_REC_NAPI_POLL:
                return give(NapiEvent{record.napi.ifindex, record.napi.work, record.napi.budget});
            case HFTMON_REC_NET_RECEIVE: return packet(record.packet, PacketStage::kReceive);
            case HFTMON_REC_NET_QUEUE: return packet(record.packet, PacketStage::kQueue);
            case HFTMON_REC_NET_START_XMIT: return packet(record.packet, PacketStage::kStartXmit);
            case HFTMON_REC_BLOCK_ISSUE:
            case HFTMON_REC_BLOCK_COMPLETE:
                return give(BlockEvent{record.type == HFTMON_REC_BLOCK_COMPLETE, record.block.device, record.flags,
                                       record.block.bytes, record.block.sector});
            case HFTMON_REC_SYSCALL_ENTER:
            case HFTMON_REC_SYSCALL_EXIT:
                return give(SyscallEvent{record.type == HFTMON_REC_SYSCALL_ENTER,
                                         (record.flags & HFTMON_SYSCALL_COMPAT) != 0, record.syscall.number,
                                         record.syscall.ret});
            // A name without its identity, or a slot that was never written.
            case HFTMON_REC_COMM:
            case HFTMON_REC_NONE: return kBad;
            default: return {DecodeStatus::kUnknownType, 1};
        }
    }
};

}  // namespace hftmon::detail

namespace hftmon {

template <class Visitor>
Decoded visit_record(std::span<const Record> records, CpuId cpu, std::uint64_t position,
                     Visitor&& visitor) noexcept(detail::kNothrowVisitor<Visitor, EventBody>) {
    const EventHeader header{TscTime{records.front().tsc}, cpu, position};
    return detail::Decoder<std::remove_reference_t<Visitor>>{records, header, visitor}.run();
}

}  // namespace hftmon
