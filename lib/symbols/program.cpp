// SPDX-License-Identifier: MIT
#include "lib/symbols/program.hpp"

#include <cxxabi.h>
#include <dwarf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

namespace hftmon::detail {

namespace {

std::string demangle(const char* name) {
    if (!std::string_view(name).starts_with("_Z")) return name;  // else "f" is a float
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
    return status == 0 && text ? text.get() : name;
}

/// Where an address is in the source: `file` and `line` of the frame.
void set_line(Dwarf_Die* unit, Dwarf_Addr address, ProgramFrame& frame) {
    Dwarf_Line* line = ::dwarf_getsrc_die(unit, address);
    const char* file = line == nullptr ? nullptr : ::dwarf_linesrc(line, nullptr, nullptr);
    int number = 0;
    if (file == nullptr || ::dwarf_lineno(line, &number) != 0) return;
    frame.file = file;
    frame.line = number > 0 ? static_cast<std::uint32_t>(number) : 0;
}

/// Where an inlined function is called, likewise.
void set_call(Dwarf_Die* inlined, Dwarf_Die* unit, ProgramFrame& frame) {
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files* files = nullptr;
    frame.file.clear();
    frame.line = 0;
    if (::dwarf_formudata(::dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) != 0 ||
        ::dwarf_getsrcfiles(unit, &files, nullptr) != 0)
        return;
    const char* name = ::dwarf_filesrc(files, file, nullptr, nullptr);
    if (name == nullptr) return;
    frame.file = name;
    if (::dwarf_formudata(::dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) == 0)
        frame.line = static_cast<std::uint32_t>(line);
}

/// The name that a linker would see, where there is one: it tells arguments and scopes.
std::string name_of(Dwarf_Die* function) {
    Dwarf_Attribute attribute;
    for (const unsigned int kind : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
        const char* name = ::dwarf_formstring(::dwarf_attr_integrate(function, kind, &attribute));
        if (name != nullptr) return demangle(name);
    }
    const char* name = ::dwarf_diename(function);
    return name == nullptr ? "" : name;
}

/// What was inlined at an address of this function, the outermost first.
std::vector<Dwarf_Die> inlined_at(const Dwarf_Die& function, Dwarf_Addr address) {
    std::vector<Dwarf_Die> inlined;
    Dwarf_Die parent = function, child;
    for (bool has_more = ::dwarf_child(&parent, &child) == 0; has_more;) {
        const int tag = ::dwarf_tag(&child);
        const bool is_scope = tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block;
        if (!is_scope || ::dwarf_haspc(&child, address) != 1) {
            has_more = ::dwarf_siblingof(&child, &child) == 0;
            continue;
        }
        if (tag == DW_TAG_inlined_subroutine) inlined.push_back(child);
        parent = child;
        has_more = ::dwarf_child(&parent, &child) == 0;
    }
    return inlined;
}

}  // namespace

Program::Program(const std::string& debug_folders)
    : debug_folders_(debug_folders),
      debug_folders_pointer_(debug_folders_.data()),
      callbacks_{.find_elf = nullptr,
                 .find_debuginfo = ::dwfl_standard_find_debuginfo,
                 .section_address = ::dwfl_offline_section_address,
                 .debuginfo_path = &debug_folders_pointer_},
      dwfl_(::dwfl_begin(&callbacks_)) {}

std::unique_ptr<Program> Program::open(const ElfFile& file, const std::string& path, const std::string& debug_folders) {
    std::unique_ptr<Program> program(new Program(debug_folders));
    const int fd = ::fcntl(file.fd(), F_DUPFD_CLOEXEC, 0);
    if (!program->dwfl_ || fd < 0) return nullptr;
    ::dwfl_report_begin(program->dwfl_.get());
    // At the addresses that it names itself. The descriptor is libdwfl's then, unless it fails.
    program->module_ = ::dwfl_report_elf(program->dwfl_.get(), path.c_str(), path.c_str(), fd, 0, true);
    ::dwfl_report_end(program->dwfl_.get(), nullptr, nullptr);
    if (program->module_ == nullptr) (void)::close(fd);
    if (program->module_ == nullptr || ::dwfl_module_getelf(program->module_, &program->bias_) == nullptr)
        return nullptr;
    program->first_code_ = file.first_code();
    Dwarf* dwarf = ::dwfl_module_getdwarf(program->module_, &program->dwarf_bias_);
    if (dwarf != nullptr) program->units_ = DieIndex::of_units(dwarf, program->first_code_);
    return program;
}

std::vector<ProgramFrame> Program::frames_at(std::uint64_t address) {
    std::vector<ProgramFrame> frames;
    ProgramFrame outermost;
    outermost.function = add_inlined(address + bias_ - dwarf_bias_, frames, outermost);
    if (std::string symbol = symbol_at(address + bias_); !symbol.empty()) outermost.function = std::move(symbol);
    if (outermost.function.empty()) return {};
    frames.push_back(std::move(outermost));
    has_told_ = true;
    return frames;
}

std::string Program::symbol_at(Dwarf_Addr address) const {
    GElf_Off offset = 0;
    GElf_Sym symbol;
    const char* name = ::dwfl_module_addrinfo(module_, address, &offset, &symbol, nullptr, nullptr, nullptr);
    // The nearest one below is not always one that reaches here.
    if (name == nullptr || (symbol.st_size != 0 && offset >= symbol.st_size)) return "";
    return demangle(name);
}

/// Adds what was inlined here, the innermost first. Of the outermost frame it tells the name, and where it
/// is, or where it calls what was inlined.
std::string Program::add_inlined(Dwarf_Addr address, std::vector<ProgramFrame>& frames, ProgramFrame& outermost) {
    auto unit = units_.find(address);
    if (!unit) return "";
    const Dwarf_Off offset = ::dwarf_dieoffset(&*unit);
    auto functions = functions_.find(offset);
    if (functions == functions_.end())
        functions = functions_.emplace(offset, DieIndex::of_functions(&*unit, first_code_)).first;
    if (!functions->second.is_doubtful(address)) set_line(&*unit, address, outermost);
    auto function = functions->second.find(address);
    if (!function) return "";
    auto inlined = inlined_at(*function, address);
    for (auto die = inlined.rbegin(); die != inlined.rend(); ++die) {
        std::string name = name_of(&*die);
        frames.push_back({name.empty() ? "?" : std::move(name), std::move(outermost.file), outermost.line, true});
        set_call(&*die, &*unit, outermost);
    }
    return name_of(&*function);
}

}  // namespace hftmon::detail
