// SPDX-License-Identifier: MIT
#include "hftmon/event_text.hpp"

#include <boost/test/unit_test.hpp>

namespace hftmon {
namespace {

BOOST_AUTO_TEST_SUITE(event_text_test)

std::string text_of(const EventBody& body) {
    const NameTable threads;
    StackNamer stacks;
    std::string text;
    append_event_text({{}, body}, {threads, stacks}, text);
    return text;
}

BOOST_AUTO_TEST_CASE(run_queues) {
    BOOST_TEST(text_of(RunQueueEvent{CpuId{3}, 2, 1, false}) == "nr_running cpu=3 nr_running=2 change=+1");
    BOOST_TEST(text_of(RunQueueEvent{CpuId{3}, 1, -2, true}) == "nr_running cpu=3 nr_running=1 change=-2 counted=1");
    BOOST_TEST(text_of(RunQueueEvent{CpuId{0}, RunQueueEvent::kUnknown, -1, false}) ==
               "nr_running cpu=0 nr_running=? change=-1");
    BOOST_TEST(text_of(ThrottleEvent{true, 0x1a}) == "cfs_throttle queue=0000001a");
    BOOST_TEST(text_of(ThrottleEvent{false, 0x8000'0000}) == "cfs_unthrottle queue=80000000");
    BOOST_TEST(text_of(AffinityEvent{Tid{7}, 2, CpuId{1}, CpuId{66}}).find("cpus=2 first=1 last=66") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(numa_faults) {
    BOOST_TEST(text_of(NumaFaultEvent{1, 512, NumaOutcome::kMoved}) == "numa_fault node=1 pages=512 outcome=moved");
    BOOST_TEST(text_of(NumaFaultEvent{0, 1, NumaOutcome::kMoveFailed}) ==
               "numa_fault node=0 pages=1 outcome=move_failed");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace hftmon
