// SPDX-License-Identifier: MIT
/// The layout of one ftrace event, as its "format" file tells it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "item.hpp"

namespace ftrace_compare {

/// Where the fields of one ftrace event lie.
class Format {
public:
    Format() = default;
    explicit Format(const std::string& text);
    [[nodiscard]] std::uint16_t id() const { return id_; }

    [[nodiscard]] std::int64_t integer(const std::uint8_t* data, const std::string& name) const;
    /// Bytes of a field that lies behind the others (a bitmap, say).
    [[nodiscard]] std::span<const std::uint8_t> bytes(const std::uint8_t* data, const std::string& name) const;
    [[nodiscard]] Name text(const std::uint8_t* data, const std::string& name) const;

private:
    struct Field {
        unsigned offset = 0, size = 0;
        bool is_signed = false, elsewhere = false;
    };
    [[nodiscard]] const Field& at(const std::string& name) const;

    std::uint16_t id_ = 0;
    std::map<std::string, Field> fields_;
};

}  // namespace ftrace_compare
