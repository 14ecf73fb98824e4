// SPDX-License-Identifier: MIT
/// Functions of programs: by build id, from symbol tables and debug information.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hftmon/programs.hpp"

namespace hftmon {

/// A function that an address is in, or that was inlined into one.
struct ProgramFrame {
    std::string function;     ///< as in the source, with its arguments; never empty
    std::string file;         ///< path of the source; empty: not known
    std::uint32_t line = 0;   ///< 0: not known
    bool is_inlined = false;  ///< into the frame that follows
    friend bool operator==(const ProgramFrame&, const ProgramFrame&) = default;
};

/// Finds the files that addresses are in, and asks them. One that is not the file that was
/// executed, by its build id, or without one by its modification time, is not believed.
///
/// Programs are looked for in the given folders, by the path that they had and by their mere
/// name, then where they were. Debug information that was stripped off is found as gdb finds it, in the
/// folders and below /usr/lib/debug, by build id (.build-id/ab/cdef.debug) or by its name, and through
/// debuginfod where DEBUGINFOD_URLS is set. Answers are kept. Move-only. One thread at a time.
///
/// Functions that the linker has left out may still be told by debug information, as if they
/// were at the lowest addresses: lines there are not told, where they may be of such a function.
class ProgramSymbols {
public:
    explicit ProgramSymbols(std::vector<std::string> folders = {});
    ProgramSymbols(ProgramSymbols&&) noexcept;
    ProgramSymbols& operator=(ProgramSymbols&&) noexcept;
    ~ProgramSymbols();

    /// The functions at an address as the file counts them, the innermost inlined one first.
    /// Empty: not known. Valid until *this ends.
    [[nodiscard]] std::span<const ProgramFrame> lookup(const ProgramFile& file, std::uint64_t address);
    /// Files that were asked for and not found, or told nothing.
    [[nodiscard]] std::vector<ProgramFile> missing() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hftmon
