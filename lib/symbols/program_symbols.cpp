// SPDX-License-Identifier: MIT
// Which file is asked; lib/symbols/program.cpp asks it.
#include "hftmon/program_symbols.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "lib/symbols/elf_file.hpp"
#include "lib/symbols/program.hpp"

namespace hftmon {

namespace {

/// The file at this path, if it is the one that was executed.
std::optional<detail::ElfFile> open_same(const std::string& path, const ProgramFile& file) {
    auto elf = detail::ElfFile::open(path);
    if (!elf || elf->build_id() != file.build_id) return std::nullopt;
    if (file.build_id.empty() && (file.mtime_ns == 0 || elf->mtime_ns() != file.mtime_ns)) return std::nullopt;
    return elf;
}

/// Below a folder that is searched, those of programs' debug information.
constexpr const char* kDebugFolders[] = {"", "/usr/lib/debug"};

}  // namespace

struct ProgramSymbols::Impl {
    std::vector<std::string> folders;
    std::string debug_folders = ":.debug:/usr/lib/debug";
    std::map<ProgramFile, std::unique_ptr<detail::Program>> programs;  ///< null: not found
    std::map<std::pair<const detail::Program*, std::uint64_t>, std::vector<ProgramFrame>> answers;

    [[nodiscard]] std::vector<std::string> places_of(const ProgramFile& file) const {
        std::vector<std::string> places;
        for (const std::string& folder : folders) {
            places.push_back(folder + file.path);
            places.push_back(folder + file.path.substr(file.path.rfind('/')));
        }
        places.push_back(file.path);
        // The debug information alone tells as much, where it is all there is.
        if (file.build_id.size() <= 2) return places;
        const std::string name =
            fmt::format("/.build-id/{}/{}.debug", file.build_id.substr(0, 2), file.build_id.substr(2));
        for (const std::string& folder : folders) {
            for (const char* below : kDebugFolders) places.push_back(fmt::format("{}{}{}", folder, below, name));
        }
        places.push_back("/usr/lib/debug" + name);
        return places;
    }

    [[nodiscard]] std::unique_ptr<detail::Program> find(const ProgramFile& file) const {
        if (!file.path.starts_with('/')) return nullptr;
        for (const std::string& place : places_of(file)) {
            if (const auto elf = open_same(place, file)) return detail::Program::open(*elf, place, debug_folders);
        }
        return nullptr;
    }
};

ProgramSymbols::ProgramSymbols(std::vector<std::string> folders) : impl_(std::make_unique<Impl>()) {
    for (std::string& folder : folders) {
        std::error_code error;
        const auto path = std::filesystem::absolute(folder, error);  // libdwfl ignores others
        impl_->folders.push_back(error ? std::move(folder) : path.string());
        for (const char* below : kDebugFolders) impl_->debug_folders += ':' + impl_->folders.back() + below;
    }
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
        if (file.path.starts_with('/') && (!program || !program->has_told())) missing.push_back(file);
    }
    return missing;
}

}  // namespace hftmon
