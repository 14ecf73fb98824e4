// SPDX-License-Identifier: MIT
/// What processes have mapped to be executed: which file an address of a stack is in.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "hftmon/units.hpp"

namespace hftmon {

/// A file that programs are executed from, as it was when it was mapped.
struct ProgramFile {
    /// In the process's own view, no newline. Without a file "[vdso]", "[anonymous]" and such; "[unknown]"
    /// where nobody could say which file it is.
    std::string path;
    std::string build_id;       ///< hexadecimal, lower case; empty: it has none, or could not be read
    std::int64_t mtime_ns = 0;  ///< since the epoch; 0: could not be read
    friend auto operator<=>(const ProgramFile&, const ProgramFile&) = default;
};

/// A stretch of a process's memory that can be executed.
struct Mapping {
    std::uint64_t begin = 0, end = 0;  ///< addresses, the end exclusive
    std::uint64_t place = 0;           ///< what the file itself calls `begin`: an address of its program headers
    ProgramFile file;
    friend bool operator==(const Mapping&, const Mapping&) = default;
};

/// All that a process had mapped at some moment between two times.
struct ProgramMap {
    Tid process;
    TscTime from, until;
    /// By address. None: at `from`, which is `until`, the process began, or began another program;
    /// what is known of the time before does not hold behind it.
    std::vector<Mapping> mappings;
    friend bool operator==(const ProgramMap&, const ProgramMap&) = default;
};

/// An address of a process, as the file calls it.
struct ProgramPlace {
    const ProgramFile* file;
    std::uint64_t address;
};

/// Filled once, then read by any number of threads. Memory: the maps, and some bytes for each
/// process that ever began.
class ProgramMaps {
public:
    void learn(std::span<const ProgramMap> maps);
    /// What was at that address of the process at that time; nothing where it is not known, and
    /// where the maps before and after contradict each other. Valid until the next learn().
    [[nodiscard]] std::optional<ProgramPlace> lookup(Tid process, TscTime time, std::uint64_t address) const noexcept;

private:
    std::unordered_map<std::uint32_t, std::vector<ProgramMap>> maps_;  ///< by process; there by time
};

/// The mapping that holds `address`, or nullptr. `mappings` by address.
[[nodiscard]] const Mapping* find_mapping(std::span<const Mapping> mappings, std::uint64_t address) noexcept;

}  // namespace hftmon
