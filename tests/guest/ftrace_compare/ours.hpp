// SPDX-License-Identifier: MIT
/// hftmon's capture, turned into the Items that ftrace has.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "hftmon/capture.hpp"
#include "hftmon/event.hpp"
#include "hftmon/names.hpp"
#include "item.hpp"

namespace ftrace_compare {

/// The capture, in ftrace's terms, per CPU.
class Ours {
public:
    explicit Ours(const hftmon::CaptureReader& capture);
    [[nodiscard]] const std::vector<Item>& cpu(unsigned id) const;
    [[nodiscard]] std::vector<Item>& cpu(unsigned id) { return items_[id]; }
    /// Was this thread moved so between the two times?
    [[nodiscard]] bool moved(const Item& from, const Item& to) const;

private:
    struct Rename {
        hftmon::TscTime time;
        Name before;
    };

    [[nodiscard]] Name name(hftmon::Tid tid, const hftmon::EventHeader& header) const;
    /// The name before a rename that this thread may not have finished; else empty.
    [[nodiscard]] Name name_before(hftmon::Tid tid, hftmon::TscTime time) const;
    void learn(const hftmon::Event& event);

    void add(const hftmon::Event& event);

    void fill(const hftmon::EventHeader&, const hftmon::GapEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::CpuStateEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::SchedSwitchEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::SchedWakeEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::SchedMigrateEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::ThreadEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::IrqEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::SoftirqEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::VectorEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::NmiEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::SpikeEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::DurationEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::ShedEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::StackEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::HrtimerStartEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::FunctionEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::NapiEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::PacketEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::BlockEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::SyscallEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::PageFaultEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::CpuIdleEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::HrtimerEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::PriorityEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::NeedReschedEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::BlockedEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::NumaEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::RunQueueEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::AffinityEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::ThrottleEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::NumaFaultEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::IpiSendEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::TlbFlushEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::CpuFrequencyEvent&, Item&);
    void fill(const hftmon::EventHeader&, const hftmon::SignalEvent&, Item&);
    void name_thread(hftmon::Tid tid, const hftmon::EventHeader& header, Item& item) const;

    hftmon::NameTable names_;
    struct Move {
        std::uint64_t tsc;
        std::int64_t from, to;
    };
    std::map<std::int64_t, std::vector<Move>> moves_;  ///< by tid
    std::map<hftmon::Tid, std::vector<Rename>> renames_;
    std::map<hftmon::Tid, std::vector<hftmon::TscTime>> switched_in_;
    std::map<std::uint32_t, std::uint32_t> current_;
    std::map<std::uint32_t, unsigned> handlers_;  ///< that run on a CPU, nested in each other
    std::map<std::uint32_t, std::vector<Item>> items_;
};

}  // namespace ftrace_compare
