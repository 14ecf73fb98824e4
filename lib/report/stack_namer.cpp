// SPDX-License-Identifier: MIT
#include "hftmon/stack_namer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hftmon {

namespace {

/// Symbols of a module are told as "name+0x1f [module]".
std::string kernel_name(std::uint64_t address, const FunctionNames& functions) {
    const std::string_view name = functions.lookup(call_site(address));
    if (name.empty()) return fmt::format("{:#x}", address);
    const auto module = name.find(' ');
    return fmt::format("{}{}", name.substr(0, name.find_first_of("+ ")),
                       module == name.npos ? "" : name.substr(module + 1));
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

StackNamer::StackNamer(std::optional<std::vector<std::string>> symbol_folders) {
    if (symbol_folders) symbols_.emplace(*std::move(symbol_folders));
}

void StackNamer::learn(const CaptureReader& capture) {
    learn(capture.stacks());
    learn(capture.functions());
    learn(capture.programs());
}

std::vector<StackFrame> StackNamer::frames(const Stack& stack, Tid process, TscTime time) {
    std::vector<StackFrame> frames;
    frames.reserve(stack.frames.size());
    for (const std::uint64_t address : stack.frames) {
        if (stack.part == StackPart::kUser) {
            add_user(frames, address, address == stack.frames.front() && frames.empty(), process, time);
            continue;
        }
        StackFrame frame{.name = kernel_name(address, functions_), .address = address, .object = {}, .file = {}};
        // What called the probe.
        if (!frames.empty() || !frame.name.starts_with("__traceiter_")) frames.push_back(std::move(frame));
    }
    return frames;
}

void StackNamer::add_user(std::vector<StackFrame>& frames, std::uint64_t address, bool is_innermost, Tid process,
                          TscTime time) {
    // The innermost is where it is, the others where calls return to.
    const std::uint64_t call = is_innermost ? address : call_site(address);
    const auto place = symbols_ ? programs_.lookup(process, time, call) : std::nullopt;
    if (!place || !place->file->path.starts_with('/')) {
        frames.push_back({.name = fmt::format("{:#x}", address), .address = address, .object = {}, .file = {}});
        return;
    }
    const std::string object(file_name(place->file->path));
    const auto functions = symbols_->lookup(*place->file, place->address);
    for (const ProgramFrame& found : functions)
        frames.push_back({found.function, address, object, found.file, found.line, found.is_inlined});
    if (functions.empty())
        frames.push_back({.name = fmt::format("{}+{:#x}", object, place->address + (address - call)),
                          .address = address,
                          .object = object,
                          .file = {}});
}

std::vector<ProgramFile> StackNamer::missing() const {
    return symbols_ ? symbols_->missing() : std::vector<ProgramFile>();
}

std::string_view short_name(std::string_view function) noexcept {
    std::string_view name = function.substr(0, function.find(" [clone"));
    for (bool more = true; more;) {
        more = false;
        for (const std::string_view qualifier : {" const", " volatile", " &", " &&"}) {
            if (!name.ends_with(qualifier)) continue;
            name.remove_suffix(qualifier.size());
            more = true;
        }
    }
    if (name.ends_with(')')) {
        // The arguments are the last thing in parentheses.
        std::size_t open = 0, at = name.size();
        while (at-- > 0) {
            if (name[at] == ')') ++open;
            if (name[at] == '(' && --open == 0) break;
        }
        if (open != 0 || at == 0) return function;
        name = name.substr(0, at);
    }
    // What a template returns stands before its name, behind a space that is in no parentheses.
    int depth = 0;
    for (std::size_t at = name.size(); at-- > 0;) {
        if (name[at] == '>' || name[at] == ')' || name[at] == '}') ++depth;
        if (name[at] == '<' || name[at] == '(' || name[at] == '{') --depth;
        if (name[at] == ' ' && depth == 0 && !name.substr(0, at).ends_with("operator")) return name.substr(at + 1);
    }
    return name;
}

}  // namespace hftmon
