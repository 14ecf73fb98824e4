// SPDX-License-Identifier: MIT
#include "tests/unit/decoded.hpp"

using namespace hftmon;
using namespace hftmon::test;

BOOST_AUTO_TEST_SUITE(decode_test)

BOOST_AUTO_TEST_CASE(every_type_decodes_alone) {
    for (const unsigned type : kAllTypes) good(sample_run(type));
}

BOOST_AUTO_TEST_CASE(gap_and_cpu_state) {
    auto run = sample_run(HFTMON_REC_GAP);
    run[0].gap = {.lost_total = 1234, .current_tid = 55, .reserved = 0};
    const auto gap = std::get<GapEvent>(good(run).body);
    BOOST_TEST(gap.lost_total == 1234u);
    BOOST_TEST(gap.current == Tid{55});

    run = sample_run(HFTMON_REC_CPU_STATE);
    run[0].cpu_state = {.current_tid = 9, .prio = -1, .policy = 6, .reserved0 = 0, .reserved1 = 0};
    const auto state = std::get<CpuStateEvent>(good(run).body);
    BOOST_TEST(state.current == Tid{9});
    BOOST_TEST(state.prio == -1);
    BOOST_CHECK(state.policy == Policy::kDeadline);
    BOOST_TEST(!state.partial);
    run[0].flags = HFTMON_CPU_STATE_PARTIAL;
    BOOST_TEST(std::get<CpuStateEvent>(good(run).body).partial);
    BOOST_TEST(!std::get<CpuStateEvent>(good(run).body).unwatched);
    run[0].flags = HFTMON_CPU_STATE_PARTIAL | HFTMON_CPU_STATE_UNWATCHED;
    BOOST_TEST(std::get<CpuStateEvent>(good(run).body).unwatched);
}

BOOST_AUTO_TEST_CASE(sched_switch) {
    auto run = sample_run(HFTMON_REC_SCHED_SWITCH);
    run[0].flags =
        HFTMON_SWITCH_PREEMPT | (1u << HFTMON_SWITCH_PREV_POLICY_SHIFT) | (2u << HFTMON_SWITCH_NEXT_POLICY_SHIFT);
    run[0].sched_switch = {.prev_tid = 1, .next_tid = 2, .prev_prio = 98, .next_prio = 50, .prev_state = 0x402};
    auto event = std::get<SchedSwitchEvent>(good(run).body);
    BOOST_TEST(event.prev == Tid{1});
    BOOST_TEST(event.next == Tid{2});
    BOOST_TEST(event.prev_prio == 98);
    BOOST_TEST(event.next_prio == 50);
    BOOST_CHECK(event.prev_policy == Policy::kFifo);
    BOOST_CHECK(event.next_policy == Policy::kRoundRobin);
    BOOST_TEST(event.prev_state == 0x402u);
    BOOST_TEST(event.preempt);
    BOOST_TEST(event.prev_runnable());
    BOOST_TEST(!event.prev_queued);
    run[0].flags = 0;
    BOOST_TEST(!std::get<SchedSwitchEvent>(good(run).body).prev_runnable());
    BOOST_TEST(!event.prev_partial);
    BOOST_TEST(!event.next_partial);
    run[0].flags = HFTMON_SWITCH_PREV_PARTIAL;
    BOOST_TEST(std::get<SchedSwitchEvent>(good(run).body).prev_partial);
    BOOST_TEST(!std::get<SchedSwitchEvent>(good(run).body).next_partial);
    run[0].flags = HFTMON_SWITCH_NEXT_PARTIAL;
    BOOST_TEST(std::get<SchedSwitchEvent>(good(run).body).next_partial);
    run[0].flags = HFTMON_SWITCH_PREV_QUEUED;
    BOOST_TEST(std::get<SchedSwitchEvent>(good(run).body).prev_queued);
    BOOST_TEST(std::get<SchedSwitchEvent>(good(run).body).prev_runnable());
    run[0].sched_switch.prev_state = 0;
    BOOST_TEST(std::get<SchedSwitchEvent>(good(run).body).prev_runnable());
}

BOOST_AUTO_TEST_CASE(wakes_and_migrate) {
    const std::pair<unsigned, WakeStage> stages[] = {{HFTMON_REC_SCHED_WAKING, WakeStage::kWaking},
                                                     {HFTMON_REC_SCHED_WAKEUP, WakeStage::kWakeup},
                                                     {HFTMON_REC_SCHED_WAKEUP_NEW, WakeStage::kWakeupNew}};
    for (const auto& [type, stage] : stages) {
        auto run = sample_run(type);
        run[0].flags = HFTMON_CONTEXT_HARDIRQ;
        run[0].wake = {.tid = 4, .waker_tid = 5, .prio = 120, .target_cpu = 65535, .reserved = 0};
        const auto event = std::get<SchedWakeEvent>(good(run).body);
        BOOST_CHECK(event.stage == stage);
        BOOST_TEST(event.tid == Tid{4});
        BOOST_TEST(event.waker == Tid{5});
        BOOST_TEST(event.target == CpuId{65535});
        BOOST_CHECK(event.context == Context::kHardirq);
    }
    auto run = sample_run(HFTMON_REC_SCHED_MIGRATE);
    run[0].migrate = {.tid = 4, .prio = 1, .orig_cpu = 2, .dest_cpu = 7, .reserved0 = 0, .reserved1 = 0};
    const auto event = std::get<SchedMigrateEvent>(good(run).body);
    BOOST_TEST(event.tid == Tid{4});
    BOOST_TEST(event.prio == 1);
    BOOST_TEST(event.from == CpuId{2});
    BOOST_TEST(event.to == CpuId{7});
}

BOOST_AUTO_TEST_CASE(identities_carry_the_name_that_follows) {
    const std::pair<unsigned, IdentityChange> changes[] = {
        {HFTMON_REC_THREAD, IdentityChange::kThread}, {HFTMON_REC_FORK, IdentityChange::kFork},
        {HFTMON_REC_EXEC, IdentityChange::kExec},     {HFTMON_REC_EXIT, IdentityChange::kExit},
        {HFTMON_REC_RENAME, IdentityChange::kRename}, {HFTMON_REC_DEAD, IdentityChange::kDead}};
    for (const auto& [type, change] : changes) {
        const auto event = std::get<ThreadEvent>(good(sample_run(type)).body);
        BOOST_CHECK(event.change == change);
        BOOST_TEST(event.tid == Tid{7});
        BOOST_TEST(event.tgid == Tid{6});
        BOOST_TEST(event.related == Tid{5});
        BOOST_TEST(event.prio == 120);
        BOOST_CHECK(event.policy == Policy::kNormal);
        BOOST_TEST(event.comm.view() == "worker");
    }
    auto run = sample_run(HFTMON_REC_THREAD);
    run[1] = comm(1000, "sixteen bytes!!!");  // no NUL: a kernel never writes it
    BOOST_TEST(std::get<ThreadEvent>(good(run).body).comm.view() == "sixteen bytes!!!");
}

BOOST_AUTO_TEST_CASE(interrupts) {
    auto run = sample_run(HFTMON_REC_IRQ_EXIT);
    run[0].irq = {.irq = 34, .ret = -2, .reserved = 0};
    const auto irq = std::get<IrqEvent>(good(run).body);
    BOOST_TEST(!irq.entry);
    BOOST_TEST(irq.irq == 34u);
    BOOST_TEST(irq.ret == -2);
    BOOST_TEST(std::get<IrqEvent>(good(sample_run(HFTMON_REC_IRQ_ENTRY)).body).entry);

    const std::pair<unsigned, SoftirqStage> stages[] = {{HFTMON_REC_SOFTIRQ_RAISE, SoftirqStage::kRaise},
                                                        {HFTMON_REC_SOFTIRQ_ENTRY, SoftirqStage::kEntry},
                                                        {HFTMON_REC_SOFTIRQ_EXIT, SoftirqStage::kExit}};
    for (const auto& [type, stage] : stages) {
        run = sample_run(type);
        run[0].softirq.vec = 31;
        const auto softirq = std::get<SoftirqEvent>(good(run).body);
        BOOST_CHECK(softirq.stage == stage);
        BOOST_TEST(softirq.vec == 31u);
    }

    run = sample_run(HFTMON_REC_VECTOR_ENTRY);
    run[0].vector = {.vector = 255, .kind = HFTMON_VECTOR_DEFERRED_ERROR_APIC, .reserved = 0};
    const auto vector = std::get<VectorEvent>(good(run).body);
    BOOST_TEST(vector.entry);
    BOOST_TEST(vector.vector == 255u);
    BOOST_TEST(vector.kind == HFTMON_VECTOR_DEFERRED_ERROR_APIC);
    BOOST_TEST(!std::get<VectorEvent>(good(sample_run(HFTMON_REC_VECTOR_EXIT)).body).entry);

    run = sample_run(HFTMON_REC_NMI);
    run[0].nmi = {.duration_ns = 777, .handled = 1, .reserved = 0};
    BOOST_TEST(std::get<NmiEvent>(good(run).body).duration.count() == 777);
    BOOST_TEST(std::get<NmiEvent>(good(run).body).handled == 1u);
}

BOOST_AUTO_TEST_CASE(faults_idle_and_timers) {
    auto run = sample_run(HFTMON_REC_PAGE_FAULT_USER);
    run[0].flags = 0x8007;
    run[0].fault = {.address = 0xffff'ffff'ffff'f000, .ip = 0x1234};
    const auto fault = std::get<PageFaultEvent>(good(run).body);
    BOOST_TEST(fault.user);
    BOOST_TEST(fault.address == 0xffff'ffff'ffff'f000);
    BOOST_TEST(fault.ip == 0x1234u);
    BOOST_TEST(fault.error_code == 0x8007u);
    BOOST_TEST(!std::get<PageFaultEvent>(good(sample_run(HFTMON_REC_PAGE_FAULT_KERNEL)).body).user);

    run = sample_run(HFTMON_REC_CPU_IDLE);
    run[0].idle.state = 3;
    BOOST_TEST(std::get<CpuIdleEvent>(good(run).body).enter);
    BOOST_TEST(std::get<CpuIdleEvent>(good(run).body).state == 3u);
    run[0].idle.state = HFTMON_IDLE_EXIT;
    BOOST_TEST(!std::get<CpuIdleEvent>(good(run).body).enter);

    run = sample_run(HFTMON_REC_HRTIMER_EXPIRE_ENTRY);
    run[0].hrtimer.late_ns = -5;
    BOOST_TEST(std::get<HrtimerEvent>(good(run).body).entry);
    BOOST_TEST(std::get<HrtimerEvent>(good(run).body).late.count() == -5);
    BOOST_TEST(!std::get<HrtimerEvent>(good(sample_run(HFTMON_REC_HRTIMER_EXPIRE_EXIT)).body).entry);
}

BOOST_AUTO_TEST_CASE(priorities_and_what_makes_threads_wait) {
    auto run = sample_run(HFTMON_REC_SCHED_PI_SETPRIO);
    run[0].pi_setprio = {.tid = 5, .donor_tid = 6, .old_prio = 89, .new_prio = 49, .reserved = 0};
    const auto priority = std::get<PriorityEvent>(good(run).body);
    BOOST_TEST(priority.tid == Tid{5});
    BOOST_TEST(priority.donor == Tid{6});
    BOOST_TEST(priority.old_prio == 89);
    BOOST_TEST(priority.new_prio == 49);

    run = sample_run(HFTMON_REC_SCHED_NEED_RESCHED);
    run[0].need_resched = {.tid = 5, .cpu = 3, .lazy = 1, .reserved = 0};
    const auto need = std::get<NeedReschedEvent>(good(run).body);
    BOOST_TEST(need.tid == Tid{5});
    BOOST_TEST(need.cpu == CpuId{3});
    BOOST_TEST(need.lazy);

    for (const bool iowait : {false, true}) {
        run = sample_run(iowait ? HFTMON_REC_SCHED_IOWAIT : HFTMON_REC_SCHED_BLOCKED);
        run[0].blocked = {.tid = 5, .reserved = 0, .ns = 1'234'567};
        const auto blocked = std::get<BlockedEvent>(good(run).body);
        BOOST_TEST(blocked.iowait == iowait);
        BOOST_TEST(blocked.tid == Tid{5});
        BOOST_TEST(blocked.length.count() == 1'234'567);
    }

    run = sample_run(HFTMON_REC_SCHED_NUMA);
    run[0].numa = {.tid = 5, .swapped_tid = 7, .from_cpu = 1, .to_cpu = 66};
    const auto numa = std::get<NumaEvent>(good(run).body);
    BOOST_TEST(numa.tid == Tid{5});
    BOOST_TEST(numa.swapped == Tid{7});
    BOOST_TEST(numa.from == CpuId{1});
    BOOST_TEST(numa.to == CpuId{66});
}

BOOST_AUTO_TEST_CASE(run_queues) {
    auto run = sample_run(HFTMON_REC_NR_RUNNING);
    run[0].nr_running = {.cpu = 66, .count = 3, .change = -2, .counted = 1};
    const auto queue = std::get<RunQueueEvent>(good(run).body);
    BOOST_TEST(queue.cpu == CpuId{66});
    BOOST_TEST(queue.count == 3u);
    BOOST_TEST(queue.change == -2);
    BOOST_TEST(queue.counted);
    run[0].nr_running.count = HFTMON_NR_RUNNING_UNKNOWN;
    BOOST_TEST(std::get<RunQueueEvent>(good(run).body).count == RunQueueEvent::kUnknown);

    run = sample_run(HFTMON_REC_AFFINITY);
    run[0].affinity = {.tid = 5, .cpus = 2, .first_cpu = 1, .last_cpu = 66};
    const auto affinity = std::get<AffinityEvent>(good(run).body);
    BOOST_TEST(affinity.tid == Tid{5});
    BOOST_TEST(affinity.cpus == 2u);
    BOOST_TEST(affinity.first == CpuId{1});
    BOOST_TEST(affinity.last == CpuId{66});

    run = sample_run(HFTMON_REC_NUMA_FAULT);
    run[0].numa_fault = {.node = 1, .pages = 512, .outcome = HFTMON_NUMA_MOVE_FAILED, .reserved = 0};
    const auto fault = std::get<NumaFaultEvent>(good(run).body);
    BOOST_TEST(fault.node == 1u);
    BOOST_TEST(fault.pages == 512u);
    BOOST_CHECK(fault.outcome == NumaOutcome::kMoveFailed);
    run[0].numa_fault.outcome = HFTMON_NUMA_OUTCOME_END;
    Event event;
    BOOST_CHECK(decode(run, kCpu, 0, event).status == DecodeStatus::kBadField);

    for (const bool throttled : {false, true}) {
        run = sample_run(throttled ? HFTMON_REC_CFS_THROTTLE : HFTMON_REC_CFS_UNTHROTTLE);
        run[0].throttle = {.queue = 0x8000'0001, .reserved0 = 0, .reserved1 = 0};
        const auto throttle = std::get<ThrottleEvent>(good(run).body);
        BOOST_TEST(throttle.throttled == throttled);
        BOOST_TEST(throttle.queue == 0x8000'0001u);
    }
}

BOOST_AUTO_TEST_CASE(what_one_cpu_does_to_others) {
    auto run = sample_run(HFTMON_REC_IPI_SEND);
    run[0].ipi_send = {.first_cpu = 66, .count = 5, .cpus = 0b10100};
    const auto ipi = std::get<IpiSendEvent>(good(run).body);
    BOOST_TEST(ipi.first == CpuId{66});
    BOOST_TEST(ipi.count == 5u);
    BOOST_TEST(ipi.cpus == 0b10100u);

    run = sample_run(HFTMON_REC_TLB_FLUSH);
    run[0].tlb_flush = {.pages = TlbFlushEvent::kAllPages, .reason = HFTMON_TLB_REMOTE_SEND_IPI, .reserved = 0};
    const auto flush = std::get<TlbFlushEvent>(good(run).body);
    BOOST_CHECK(flush.reason == HFTMON_TLB_REMOTE_SEND_IPI);
    BOOST_TEST(flush.pages == TlbFlushEvent::kAllPages);

    run = sample_run(HFTMON_REC_CPU_FREQUENCY);
    run[0].frequency = {.khz = 2'600'000, .cpu = 4, .reserved = 0};
    const auto frequency = std::get<CpuFrequencyEvent>(good(run).body);
    BOOST_TEST(frequency.khz == 2'600'000u);
    BOOST_TEST(frequency.cpu == CpuId{4});

    run = sample_run(HFTMON_REC_SIGNAL_GENERATE);
    run[0].signal = {.tid = 5, .code = -6, .signal = 34, .group = 1, .result = 2};
    const auto sent = std::get<SignalEvent>(good(run).body);
    BOOST_TEST(!sent.deliver);
    BOOST_TEST(sent.tid == Tid{5});
    BOOST_TEST(sent.code == -6);
    BOOST_TEST(sent.signal == 34u);
    BOOST_TEST(sent.group);
    BOOST_TEST(sent.result == 2u);
    run[0].type = HFTMON_REC_SIGNAL_DELIVER;
    BOOST_TEST(std::get<SignalEvent>(good(run).body).deliver);
}

BOOST_AUTO_TEST_CASE(functions_that_are_called_later) {
    auto run = sample_run(HFTMON_REC_HRTIMER_START);
    run[0].hrtimer_start = {.function = 0x8112'3450, .reserved = 0, .expires_ns = -5};
    const auto start = std::get<HrtimerStartEvent>(good(run).body);
    BOOST_TEST(start.function == 0xffff'ffff'8112'3450u);
    BOOST_TEST(start.expires.count() == -5);

    run = sample_run(HFTMON_REC_HRTIMER_EXPIRE_ENTRY);
    run[0].hrtimer = {.late_ns = 7, .slack_ns = 8, .function = 0xc000'0010};
    BOOST_TEST(std::get<HrtimerEvent>(good(run).body).function == 0xffff'ffff'c000'0010u);

    run = sample_run(HFTMON_REC_WORK_QUEUE);
    run[0].function = {.function = 0, .arg = 3, .object = 0xffff'8880'1234'5678};
    const auto work = std::get<FunctionEvent>(good(run).body);
    BOOST_CHECK(work.stage == FunctionStage::kWorkQueue);
    BOOST_TEST(work.function == 0u);  // hidden
    BOOST_TEST(work.arg == 3u);
    BOOST_TEST(work.object == 0xffff'8880'1234'5678u);
    run[0].type = HFTMON_REC_CSD_EXIT;
    BOOST_CHECK(std::get<FunctionEvent>(good(run).body).stage == FunctionStage::kCsdExit);
}

BOOST_AUTO_TEST_CASE(devices_and_system_calls) {
    auto run = sample_run(HFTMON_REC_NAPI_POLL);
    run[0].napi = {.ifindex = 2, .work = 5, .budget = 64, .reserved = 0};
    const auto poll = std::get<NapiEvent>(good(run).body);
    BOOST_TEST(poll.ifindex == 2u);
    BOOST_TEST(poll.work == 5u);
    BOOST_TEST(poll.budget == 64u);

    run = sample_run(HFTMON_REC_NET_QUEUE);
    run[0].packet = {.ifindex = 3, .length = 1500, .reserved = 0};
    const auto packet = std::get<PacketEvent>(good(run).body);
    BOOST_CHECK(packet.stage == PacketStage::kQueue);
    BOOST_TEST(packet.ifindex == 3u);
    BOOST_TEST(packet.length == 1500u);

    run = sample_run(HFTMON_REC_BLOCK_COMPLETE);
    run[0].flags = 1;
    run[0].block = {.device = 8u << 20 | 1, .bytes = 4096, .sector = 77};
    const auto block = std::get<BlockEvent>(good(run).body);
    BOOST_TEST(block.complete);
    BOOST_TEST(block.device == 0x800001u);
    BOOST_TEST(block.op == 1u);
    BOOST_TEST(block.bytes == 4096u);
    BOOST_TEST(block.sector == 77u);

    run = sample_run(HFTMON_REC_SYSCALL_EXIT);
    run[0].syscall = {.number = 202, .reserved = 0, .ret = -110};
    const auto call = std::get<SyscallEvent>(good(run).body);
    BOOST_TEST(!call.enter);
    BOOST_TEST(call.number == 202);
    BOOST_TEST(call.ret == -110);
}

BOOST_AUTO_TEST_CASE(spikes) {
    auto run = sample_run(HFTMON_REC_SPIKE);
    run[0].flags = HFTMON_DURATION_WAKEUP;
    run[0].spike = {.ticks = 90'000, .tid = 12, .cause = 34};
    const auto late = std::get<SpikeEvent>(good(run).body);
    BOOST_CHECK(late.kind == HFTMON_DURATION_WAKEUP);
    BOOST_TEST(late.duration == TscTicks{90'000});
    BOOST_TEST(late.tid == Tid{12});
    BOOST_TEST(late.cause == 34u);
    BOOST_TEST(!late.of_handler());
    run[0].flags = HFTMON_DURATION_NMI;
    BOOST_TEST(std::get<SpikeEvent>(good(run).body).of_handler());
    bad(HFTMON_REC_SPIKE, [](Record& r) { r.flags = HFTMON_DURATION_COUNT; });
    bad(HFTMON_REC_SPIKE, [](Record& r) { r.spike.ticks = 1ull << 63; });

    run = sample_run(HFTMON_REC_DURATION);
    run[0].flags = HFTMON_DURATION_SOFTIRQ;
    run[0].spike = {.ticks = 40'000, .tid = 5, .cause = 3};
    const auto took = std::get<DurationEvent>(good(run).body);
    BOOST_CHECK(took.kind == HFTMON_DURATION_SOFTIRQ);
    BOOST_TEST(took.duration == TscTicks{40'000});
    BOOST_TEST(took.tid == Tid{5});
    BOOST_TEST(took.cause == 3u);
    bad(HFTMON_REC_DURATION, [](Record& r) { r.flags = HFTMON_DURATION_COUNT; });
    for (const auto type : {HFTMON_REC_DURATION, HFTMON_REC_SPIKE}) {
        bad(type, [](Record& r) { r.flags = HFTMON_DURATION_VECTOR, r.spike.cause = HFTMON_VECTOR_KIND_END; });
        bad(type, [](Record& r) { r.flags = HFTMON_DURATION_SOFTIRQ, r.spike.cause = 32; });
    }
}

BOOST_AUTO_TEST_CASE(what_is_shed) {
    auto run = sample_run(HFTMON_REC_SHED);
    run[0].shed = {
        .sources = HFTMON_SOURCE_BIT(HFTMON_SOURCE_SYS_ENTER) | 1ull << 63, .spent_ppm = 12'000, .budget_ppm = 10'000};
    const auto shed = std::get<ShedEvent>(good(run).body);
    BOOST_TEST(sources_text(shed.sources) == "sys_enter,unknown");
    BOOST_TEST(shed.spent_ppm == 12'000u);
    BOOST_TEST(shed.budget_ppm == 10'000u);
}

BOOST_AUTO_TEST_CASE(where_a_thread_was) {
    auto run = sample_run(HFTMON_REC_STACK);
    run[0].flags = HFTMON_STACK_OF_WAKING;
    run[0].stack = {.tid = 12, .kernel = 34, .user = 56, .reserved = 0};
    const auto stack = std::get<StackEvent>(good(run).body);
    BOOST_CHECK(stack.of == StackOf::kWaking);
    BOOST_TEST(stack.tid == Tid{12});
    BOOST_TEST(stack.stack.kernel == 34u);
    BOOST_TEST(stack.stack.user == 56u);
    bad(HFTMON_REC_STACK, [](Record& r) { r.flags = HFTMON_STACK_OF_END; });
}

BOOST_AUTO_TEST_CASE(names) {
    BOOST_TEST(softirq_name(0) == "HI");
    BOOST_TEST(softirq_name(3) == "NET_RX");
    BOOST_TEST(softirq_name(9) == "RCU");
    BOOST_TEST(softirq_name(10) == "unknown");
    BOOST_TEST(softirq_name(0xffff'ffff) == "unknown");
    BOOST_TEST(vector_name(HFTMON_VECTOR_LOCAL_TIMER) == "local_timer");
    BOOST_TEST(vector_name(HFTMON_VECTOR_CALL_FUNCTION_SINGLE) == "call_function_single");
    BOOST_TEST(vector_name(HFTMON_VECTOR_DEFERRED_ERROR_APIC) == "deferred_error_apic");
    BOOST_TEST(vector_name(HFTMON_VECTOR_KIND_END) == "unknown");
    BOOST_TEST(policy_name(Policy::kFifo) == "fifo");
    BOOST_TEST(policy_name(Policy::kExt) == "ext");
    BOOST_TEST(policy_name(static_cast<Policy>(4)) == "unknown");
}

BOOST_AUTO_TEST_SUITE_END()
