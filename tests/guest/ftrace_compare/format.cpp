// SPDX-License-Identifier: MIT
// Reads a "format" file, and fields where it says that they are.
#include "format.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "fail.hpp"

namespace ftrace_compare {

namespace {

unsigned number(const std::string& line, const char* key) {
    const auto at = line.find(key);
    return at == std::string::npos ? 0 : static_cast<unsigned>(std::stoul(line.substr(at + std::strlen(key))));
}

}  // namespace

Format::Format(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("ID: ")) id_ = static_cast<std::uint16_t>(std::stoi(line.substr(4)));
        const auto begin = line.find("field:");
        if (begin == std::string::npos) continue;
        const std::string declaration = line.substr(begin + 6, line.find(';', begin) - begin - 6);
        std::string field = declaration.substr(declaration.rfind(' ') + 1);
        field.resize(std::min(field.size(), field.find('[')));
        fields_[field] = {number(line, "offset:"), number(line, "size:"), number(line, "signed:") != 0,
                          declaration.find("__data_loc") != std::string::npos};
    }
}

std::int64_t Format::integer(const std::uint8_t* data, const std::string& name) const {
    const Field& field = at(name);
    std::uint64_t value = 0;
    std::memcpy(&value, data + field.offset, std::min<std::size_t>(field.size, 8));
    if (field.is_signed && field.size < 8) {
        const unsigned shift = 64 - 8 * field.size;
        return static_cast<std::int64_t>(value << shift) >> shift;
    }
    return static_cast<std::int64_t>(value);
}

std::span<const std::uint8_t> Format::bytes(const std::uint8_t* data, const std::string& name) const {
    const Field& field = at(name);
    if (!field.elsewhere) return {data + field.offset, field.size};
    std::uint32_t where = 0;
    std::memcpy(&where, data + field.offset, sizeof(where));
    return {data + (where & 0xffff), where >> 16};
}

Name Format::text(const std::uint8_t* data, const std::string& name) const {
    const auto field = bytes(data, name);
    const char* begin = reinterpret_cast<const char*>(field.data());
    return name_of({begin, ::strnlen(begin, field.size())});
}

const Format::Field& Format::at(const std::string& name) const {
    const auto found = fields_.find(name);
    if (found == fields_.end()) fail("ftrace's event has no field " + name);
    return found->second;
}

}  // namespace ftrace_compare
