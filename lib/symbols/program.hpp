// SPDX-License-Identifier: MIT
/// One program or library, open.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hftmon/program_symbols.hpp"
#include "lib/symbols/die_index.hpp"
#include "lib/symbols/elf_file.hpp"

namespace hftmon::detail {

class Program {
public:
    /// Null where it cannot be read. `path` is a name, no more; `debug_folders` as in
    /// Dwfl_Callbacks::debuginfo_path.
    static std::unique_ptr<Program> open(const ElfFile& file, const std::string& path,
                                         const std::string& debug_folders);
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() = default;

    /// The functions at an address as the file counts them, the innermost inlined one first; empty: not known.
    [[nodiscard]] std::vector<ProgramFrame> frames_at(std::uint64_t address);
    /// Of any address so far.
    [[nodiscard]] bool has_told() const noexcept { return has_told_; }

private:
    struct End {
        void operator()(Dwfl* dwfl) const noexcept { ::dwfl_end(dwfl); }
    };
    explicit Program(const std::string& debug_folders);

    [[nodiscard]] std::string symbol_at(Dwarf_Addr address) const;
    std::string add_inlined(Dwarf_Addr address, std::vector<ProgramFrame>& frames, ProgramFrame& outermost);

    std::string debug_folders_;
    char* debug_folders_pointer_;
    Dwfl_Callbacks callbacks_;
    std::unique_ptr<Dwfl, End> dwfl_;  ///< borrows those
    Dwfl_Module* module_ = nullptr;
    GElf_Addr bias_ = 0, dwarf_bias_ = 0;  ///< from the file's addresses to those of libdwfl; from libdw's to those
    std::uint64_t first_code_ = 0;
    DieIndex units_;
    std::map<Dwarf_Off, DieIndex> functions_;  ///< by unit
    bool has_told_ = false;
};

}  // namespace hftmon::detail
