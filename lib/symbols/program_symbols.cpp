// SPDX-License-Identifier: MIT
#include "hftmon/program_symbols.hpp"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "lib/symbols/elf_file.hpp"

namespace hftmon {

namespace {

std::string demangle(const char* name) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
    return status == 0 && text ? text.get() : name;
}

/// Where something is in the source.
struct Source {
    std::string file;
    std::uint32_t line = 0;
};

Source line_of(Dwarf_Die* unit, Dwarf_Addr address) {
    Dwarf_Line* line = ::dwarf_getsrc_die(unit, address);
    const char* file = line == nullptr ? nullptr : ::dwarf_linesrc(line, nullptr, nullptr);
    int number = 0;
    if (file == nullptr || ::dwarf_lineno(line, &number) != 0) return {};
    return {file, number > 0 ? static_cast<std::uint32_t>(number) : 0};
}

/// Where an inlined function is called.
Source call_of(Dwarf_Die* inlined, Dwarf_Die* unit) {
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files* files = nullptr;
    if (::dwarf_formudata(::dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) != 0 ||
        ::dwarf_getsrcfiles(unit, &files, nullptr) != 0)
        return {};
    const char* name = ::dwarf_filesrc(files, file, nullptr, nullptr);
    if (name == nullptr) return {};
    if (::dwarf_formudata(::dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) != 0) line = 0;
    return {name, static_cast<std::uint32_t>(line)};
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

/// The unit that holds an address; by its ranges, where the file has no index of addresses.
Dwarf_Die* unit_at(Dwfl_Module* module, Dwarf_Addr address, Dwarf_Addr& bias) {
    if (Dwarf_Die* unit = ::dwfl_module_addrdie(module, address, &bias)) return unit;
    for (Dwarf_Die* unit = nullptr; (unit = ::dwfl_module_nextcu(module, unit, &bias)) != nullptr;) {
        if (::dwarf_haspc(unit, address - bias) == 1) return unit;
    }
    return nullptr;
}

/// The functions of a unit, by address. To walk a unit once takes as long as dwarf_getscopes(3)
/// takes for each address.
class FunctionIndex {
public:
    explicit FunctionIndex(Dwarf_Die* unit) {
        // A level for each depth: nesting may be as deep as the file likes.
        std::vector<Dwarf_Die> levels(1);
        if (::dwarf_child(unit, &levels.back()) != 0) return;
        while (!levels.empty()) {
            Dwarf_Die& die = levels.back();
            if (::dwarf_tag(&die) == DW_TAG_subprogram) add(die);
            Dwarf_Die child;
            const bool has_child = ::dwarf_child(&die, &child) == 0;
            if (::dwarf_siblingof(&die, &die) != 0) levels.pop_back();
            if (has_child) levels.push_back(child);
        }
        std::ranges::sort(functions_, {}, &Function::begin);
    }

    [[nodiscard]] std::optional<Dwarf_Die> find(Dwarf_Addr address) const {
        const auto after = std::ranges::upper_bound(functions_, address, {}, &Function::begin);
        if (after == functions_.begin() || address >= (after - 1)->end) return std::nullopt;
        return (after - 1)->die;
    }

private:
    struct Function {
        Dwarf_Addr begin, end;
        Dwarf_Die die;
    };

    void add(Dwarf_Die& die) {
        Dwarf_Addr base = 0, begin = 0, end = 0;
        for (std::ptrdiff_t at = 0; (at = ::dwarf_ranges(&die, at, &base, &begin, &end)) > 0;)
            functions_.push_back({begin, end, die});
    }

    std::vector<Function> functions_;
};

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

/// One file, open.
class Program {
public:
    /// Null where it is no program that can be read.
    static std::unique_ptr<Program> open(const std::string& path) {
        auto program = std::make_unique<Program>();
        program->dwfl_.reset(::dwfl_begin(&kCallbacks));
        if (!program->dwfl_) return nullptr;
        ::dwfl_report_begin(program->dwfl_.get());
        // At the addresses that it names itself. With the path: it opens the file, and closes it.
        program->module_ = ::dwfl_report_elf(program->dwfl_.get(), path.c_str(), path.c_str(), -1, 0, true);
        ::dwfl_report_end(program->dwfl_.get(), nullptr, nullptr);
        if (program->module_ == nullptr || ::dwfl_module_getelf(program->module_, &program->bias_) == nullptr)
            return nullptr;
        return program;
    }

    [[nodiscard]] std::vector<ProgramFrame> frames_at(std::uint64_t own_address) {
        const Dwarf_Addr address = own_address + bias_;
        std::vector<ProgramFrame> frames;
        Source source;
        std::string function = add_inlined(address, source, frames);
        if (std::string symbol = symbol_at(address); !symbol.empty()) function = std::move(symbol);
        if (!function.empty()) frames.push_back({std::move(function), std::move(source.file), source.line, false});
        return frames;
    }

private:
    struct End {
        void operator()(Dwfl* dwfl) const noexcept { ::dwfl_end(dwfl); }
    };
    static const Dwfl_Callbacks kCallbacks;

    [[nodiscard]] std::string symbol_at(Dwarf_Addr address) const {
        GElf_Off offset = 0;
        GElf_Sym symbol;
        const char* name = ::dwfl_module_addrinfo(module_, address, &offset, &symbol, nullptr, nullptr, nullptr);
        // The nearest one below is not always one that reaches here.
        if (name == nullptr || (symbol.st_size != 0 && offset >= symbol.st_size)) return "";
        return demangle(name);
    }

    /// What was inlined here, the innermost first; where the outermost of it is called, else
    /// where it is itself, and the function's name.
    std::string add_inlined(Dwarf_Addr address, Source& source, std::vector<ProgramFrame>& frames) {
        Dwarf_Addr bias = 0;
        Dwarf_Die* unit = unit_at(module_, address, bias);
        if (unit == nullptr) return "";
        source = line_of(unit, address - bias);
        auto index = units_.find(::dwarf_dieoffset(unit));
        if (index == units_.end()) index = units_.emplace(::dwarf_dieoffset(unit), FunctionIndex(unit)).first;
        auto function = index->second.find(address - bias);
        if (!function) return "";
        auto inlined = inlined_at(*function, address - bias);
        for (auto die = inlined.rbegin(); die != inlined.rend(); ++die) {
            std::string name = name_of(&*die);
            if (name.empty()) name = "?";
            frames.push_back({std::move(name), std::move(source.file), source.line, true});
            source = call_of(&*die, unit);
        }
        return name_of(&*function);
    }

    std::unique_ptr<Dwfl, End> dwfl_;
    Dwfl_Module* module_ = nullptr;
    GElf_Addr bias_ = 0;
    std::map<Dwarf_Off, FunctionIndex> units_;
};

const Dwfl_Callbacks Program::kCallbacks = {.find_elf = nullptr,
                                            .find_debuginfo = ::dwfl_standard_find_debuginfo,
                                            .section_address = ::dwfl_offline_section_address,
                                            .debuginfo_path = nullptr};

/// Is the file at this path the one that was executed?
bool is_same(const std::string& path, const ProgramFile& file) {
    const auto elf = detail::ElfFile::open(path);
    if (!elf || elf->build_id() != file.build_id) return false;
    return !file.build_id.empty() || (file.mtime_ns != 0 && elf->mtime_ns() == file.mtime_ns);
}

std::string by_build_id(const std::string& folder, const ProgramFile& file) {
    return folder + "/.build-id/" + file.build_id.substr(0, 2) + '/' + file.build_id.substr(2) + ".debug";
}

}  // namespace

struct ProgramSymbols::Impl {
    std::vector<std::string> folders;
    std::map<ProgramFile, std::unique_ptr<Program>> programs;  ///< null: not found
    std::map<std::pair<const Program*, std::uint64_t>, std::vector<ProgramFrame>> answers;

    [[nodiscard]] std::unique_ptr<Program> find(const ProgramFile& file) const {
        if (!file.path.starts_with('/')) return nullptr;
        constexpr std::string_view kDeleted = " (deleted)";
        std::string path = file.path;
        if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
        std::vector<std::string> places;
        for (const std::string& folder : folders) {
            places.push_back(folder + path);
            places.push_back(folder + path.substr(path.rfind('/')));
            if (file.build_id.size() > 2) places.push_back(by_build_id(folder, file));
        }
        places.push_back(path);
        if (file.build_id.size() > 2) places.push_back(by_build_id("/usr/lib/debug", file));
        for (const std::string& place : places) {
            if (is_same(place, file)) return Program::open(place);
        }
        return nullptr;
    }
};

ProgramSymbols::ProgramSymbols(std::vector<std::string> folders) : impl_(std::make_unique<Impl>()) {
    impl_->folders = std::move(folders);
}
ProgramSymbols::ProgramSymbols(ProgramSymbols&&) noexcept = default;
ProgramSymbols& ProgramSymbols::operator=(ProgramSymbols&&) noexcept = default;
ProgramSymbols::~ProgramSymbols() = default;

std::span<const ProgramFrame> ProgramSymbols::lookup(const ProgramFile& file, std::uint64_t address) {
    auto program = impl_->programs.find(file);
    if (program == impl_->programs.end()) program = impl_->programs.emplace(file, impl_->find(file)).first;
    if (!program->second) return {};
    const auto [answer, is_new] = impl_->answers.try_emplace({program->second.get(), address});
    if (is_new) answer->second = program->second->frames_at(address);
    return answer->second;
}

std::vector<ProgramFile> ProgramSymbols::missing() const {
    std::vector<ProgramFile> missing;
    for (const auto& [file, program] : impl_->programs) {
        if (!program && file.path.starts_with('/')) missing.push_back(file);
    }
    return missing;
}

}  // namespace hftmon
