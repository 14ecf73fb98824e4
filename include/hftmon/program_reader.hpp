// SPDX-License-Identifier: MIT
/// Learns from /proc what processes have mapped, as stacks want it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "hftmon/programs.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

/// Reading a map makes the process wait that maps memory just then, some 50 us. So it is
/// read when a stack of it is seen first, and again, a second later at the earliest, when one
/// has addresses that the map does not explain. Of a process that ended before, nothing is
/// known. One thread at a time.
class ProgramReader {
public:
    /// The process executes another program from that time on.
    void began(Tid process, TscTime time);
    /// A stack of this thread: what is mapped around it is read if it is not known. `now`:
    /// a time before the call. False: so many were read in this second that it has to wait; ask again.
    bool look(Tid thread, std::span<const std::uint64_t> frames, TscTime now);
    /// From now on nothing waits.
    void lift_limit() noexcept { is_limited_ = false; }
    /// All processes that there are, for stacks that nobody looks at while they come.
    void look_at_all(TscTime now);
    /// What has been learnt since the last call.
    [[nodiscard]] std::vector<ProgramMap> take();

private:
    using SteadyClock = std::chrono::steady_clock;
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

    void read(Tid process, TscTime now);
    void identify(Tid process, std::uint64_t inode, std::uint64_t offset, Mapping& mapping);

    std::unordered_map<std::uint32_t, Process> processes_;
    std::map<FileKey, File> files_;
    std::vector<ProgramMap> learnt_;
    bool is_limited_ = true;
    std::size_t reads_ = 0;  ///< since:
    SteadyClock::time_point second_ = {};
};

}  // namespace hftmon
