// SPDX-License-Identifier: MIT
/// Learns from /proc what processes have mapped, as stacks want it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "hftmon/programs.hpp"
#include "hftmon/stream.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// Whether /proc counts threads as records do: in the initial pid namespace. Elsewhere its
/// numbers are other threads'.
[[nodiscard]] bool proc_is_of_records() noexcept;

/// Reading a map makes the process wait that maps memory just then, some 50 us. So it is
/// read when a stack of it is seen first, and again, a second later at the earliest, when one
/// has addresses that the map does not explain; and of all processes not more than 64 times,
/// and 1000 threads looked at, in a second, since a storm of short ones must not keep the caller
/// from what it has to do. Of a process that ended before, nothing is known. One thread at a time.
class ProgramReader {
public:
    using SteadyClock = std::chrono::steady_clock;
    /// What time it is by the clock of the records; nothing: the map is not believed.
    using RecordClock = std::function<std::optional<TscTime>()>;

    /// Each record of the session, of any type: who begins a program, and who ends.
    void learn(const Record& record);

    /// A stack of this thread that was seen at `seen`: what is mapped around it is read if it is not known.
    /// False: it has to wait, for one of the limits above; ask again.
    bool look(Tid thread, std::span<const std::uint64_t> frames, SteadyClock::time_point seen, const RecordClock& now);
    /// From now on nothing waits.
    void lift_limits() noexcept { is_limited_ = false; }
    /// All processes that there are, for stacks that nobody looks at while they come.
    void look_at_all(const RecordClock& now);
    /// What has been learnt since the last call.
    [[nodiscard]] std::vector<ProgramMap> take();

private:
    struct Process {
        std::vector<Mapping> mappings;
        std::optional<SteadyClock::time_point> read_at;
    };
    /// Device, inode, modification time.
    using FileKey = std::tuple<std::uint64_t, std::uint64_t, std::int64_t>;
    struct File {
        std::string build_id;
        std::map<std::uint64_t, std::uint64_t> places;  ///< of pages, by their offsets
    };

    /// The process began, or began another program, at that time.
    void began(Tid process, TscTime time);
    void read(Tid process, const RecordClock& now);
    bool identify(Tid process, std::uint64_t inode, std::uint64_t offset, Mapping& mapping);

    std::unordered_map<std::uint32_t, Process> processes_;
    std::map<FileKey, File> files_;
    std::vector<ProgramMap> learnt_;
    bool is_limited_ = true;
    std::size_t looks_ = 0, reads_ = 0;  ///< since:
    SteadyClock::time_point second_ = {};
};

}  // namespace hftmon
