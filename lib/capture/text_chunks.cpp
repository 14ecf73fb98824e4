// SPDX-License-Identifier: MIT
/// The text may come from anybody's file.
#include "lib/capture/text_chunks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <utility>

namespace hftmon::capture {

namespace {

/// Takes the first word, and the space behind it; false where it is no number, or the last.
template <class Number>
bool take(std::string_view& line, Number& number, int base) {
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number, base);
    const auto digits = static_cast<std::size_t>(end - line.data());
    if (error != std::errc{} || digits == line.size() || line[digits] != ' ') return false;
    line.remove_prefix(digits + 1);
    return true;
}

/// Gives each line of a text to `add`, until that says no.
template <class Add>
bool each_line(std::string_view text, Add&& add) {
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (!add(line)) return false;
    }
    return true;
}

/// "k 12 - ffffffff81000000 ffffffff81000010".
std::optional<Stack> parse_stack(std::string_view line) {
    Stack stack;
    if (!line.starts_with("k ") && !line.starts_with("u ")) return std::nullopt;
    if (line.front() == 'u') stack.part = StackPart::kUser;
    line.remove_prefix(2);
    if (!take(line, stack.id, 10) || line.empty() || stack.id == 0 || (line.front() != '+' && line.front() != '-'))
        return std::nullopt;
    stack.cut = line.front() == '+';
    for (std::string_view frames = line.substr(1); !frames.empty();) {
        if (frames.front() != ' ' || stack.frames.size() == HFTMON_STACK_DEPTH) return std::nullopt;
        const std::string_view word = frames.substr(1, frames.find(' ', 1) - 1);
        std::uint64_t frame = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), frame, 16);
        if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
        stack.frames.push_back(frame);
        frames.remove_prefix(1 + word.size());
    }
    return stack;
}

/// "m 401000 402000 1000 7f454c46 1700000000000000000 /usr/bin/program", behind "m ".
bool add_mapping(std::string_view line, std::vector<Mapping>& mappings) {
    Mapping mapping;
    if (!take(line, mapping.begin, 16) || !take(line, mapping.end, 16) || !take(line, mapping.place, 16)) return false;
    const auto space = line.find(' ');
    if (space == line.npos) return false;
    if (line.substr(0, space) != "-") mapping.file.build_id = line.substr(0, space);
    if (mapping.file.build_id.find_first_not_of("0123456789abcdef") != std::string::npos) return false;
    line.remove_prefix(space + 1);
    if (!take(line, mapping.file.mtime_ns, 10)) return false;
    mapping.file.path = line;
    const std::uint64_t end_before = mappings.empty() ? 0 : mappings.back().end;
    if (mapping.begin >= mapping.end || mapping.begin < end_before) return false;
    mappings.push_back(std::move(mapping));
    return true;
}

}  // namespace

std::string to_lines(std::span<const IrqName> irqs) {
    std::string text;
    for (const IrqName& irq : irqs) text += fmt::format("{} {}\n", irq.irq, irq.name);
    return text;
}

std::string to_lines(std::span<const FunctionName> functions) {
    std::string text;
    for (const FunctionName& function : functions) text += fmt::format("{:x} {}\n", function.address, function.name);
    return text;
}

std::string to_lines(std::span<const Stack> stacks) {
    std::string text;
    for (const Stack& stack : stacks) {
        text += fmt::format("{} {} {}", stack.part == StackPart::kKernel ? 'k' : 'u', stack.id, stack.cut ? '+' : '-');
        for (const std::uint64_t frame : stack.frames) text += fmt::format(" {:x}", frame);
        text += '\n';
    }
    return text;
}

std::string to_lines(std::span<const ProgramMap> programs) {
    std::string text;
    for (const ProgramMap& program : programs) {
        text += fmt::format("p {} {} {} \n", program.process.value, program.from.value, program.until.value);
        for (const Mapping& mapping : program.mappings) {
            const std::string& build_id = mapping.file.build_id;
            text += fmt::format("m {:x} {:x} {:x} {} {} {}\n", mapping.begin, mapping.end, mapping.place,
                                build_id.empty() ? "-" : build_id, mapping.file.mtime_ns, mapping.file.path);
        }
    }
    return text;
}

bool from_lines(std::string_view text, std::vector<IrqName>& irqs) {
    return each_line(text, [&](std::string_view line) {
        std::uint32_t irq = 0;
        if (!take(line, irq, 10)) return false;
        irqs.push_back({irq, std::string(line)});
        return true;
    });
}

bool from_lines(std::string_view text, std::vector<FunctionName>& functions) {
    return each_line(text, [&](std::string_view line) {
        std::uint64_t address = 0;
        if (!take(line, address, 16)) return false;
        functions.push_back({address, std::string(line)});
        return true;
    });
}

bool from_lines(std::string_view text, std::vector<Stack>& stacks) {
    return each_line(text, [&](std::string_view line) {
        auto stack = parse_stack(line);
        if (!stack) return false;
        stacks.push_back(*std::move(stack));
        return true;
    });
}

bool from_lines(std::string_view text, std::vector<ProgramMap>& programs) {
    std::vector<ProgramMap> read;  // one without its mappings would tell of a new program
    const bool is_good = each_line(text, [&](std::string_view line) {
        if (line.starts_with("m ")) return !read.empty() && add_mapping(line.substr(2), read.back().mappings);
        ProgramMap program;
        if (!line.starts_with("p ")) return false;
        line.remove_prefix(2);
        const bool has_all = take(line, program.process.value, 10) && take(line, program.from.value, 10) &&
                             take(line, program.until.value, 10) && line.empty();
        if (has_all) read.push_back(std::move(program));
        return has_all;
    });
    if (is_good) std::ranges::move(read, std::back_inserter(programs));
    return is_good;
}

}  // namespace hftmon::capture
