// SPDX-License-Identifier: MIT
/// What the frames of stacks are called.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hftmon/capture.hpp"
#include "hftmon/functions.hpp"
#include "hftmon/program_symbols.hpp"
#include "hftmon/programs.hpp"
#include "hftmon/stacks.hpp"

namespace hftmon {

/// One function on a stack, inlined or called.
struct StackFrame {
    /// "futex_wait", "e1000_watchdog[e1000]", "Book::match(Order const&)"; where the function is
    /// not known "libc.so.6+0x1b0f0", the place as the file counts, or "0x7f0012345678".
    std::string name;
    std::uint64_t address = 0;
    std::string object;      ///< file name; of a program, and known
    std::string file;        ///< of the source, likewise
    std::uint32_t line = 0;  ///< 0: not known
    bool is_inlined = false;
};

/// Learns stacks and names in any order. Move-only. One thread at a time.
class StackNamer {
public:
    /// Where to look for programs: ProgramSymbols. Nothing: programs are told by their addresses.
    explicit StackNamer(std::optional<std::vector<std::string>> symbol_folders = std::vector<std::string>());

    /// All that a capture knows of them.
    void learn(const CaptureReader& capture);
    void learn(std::span<const Stack> stacks) { stacks_.learn(stacks); }
    void learn(std::span<const FunctionName> functions) { functions_.learn(functions); }
    void learn(std::span<const ProgramMap> programs) { programs_.learn(programs); }

    [[nodiscard]] const FunctionNames& functions() const noexcept { return functions_; }
    [[nodiscard]] const StackTable& stacks() const noexcept { return stacks_; }
    /// The innermost first. `process` and `time`: whose stack it was, and when. May open files.
    [[nodiscard]] std::vector<StackFrame> frames(const Stack& stack, Tid process, TscTime time);
    /// Files that were not found, so that their functions are not known.
    [[nodiscard]] std::vector<ProgramFile> missing() const;

private:
    void add_user(std::vector<StackFrame>& frames, std::uint64_t address, bool is_innermost, Tid process, TscTime time);

    StackTable stacks_;
    FunctionNames functions_;
    ProgramMaps programs_;
    std::optional<ProgramSymbols> symbols_;
};

/// Without arguments, what it returns and notes of the compiler: "Book::match<int>" of
/// "int Book::match<int>(Order const&) [clone .cold]".
[[nodiscard]] std::string_view short_name(std::string_view function) noexcept;

}  // namespace hftmon
