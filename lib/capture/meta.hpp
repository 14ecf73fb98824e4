// SPDX-License-Identifier: MIT
/// CaptureMeta <-> JSON text.
#pragma once

#include <string>
#include <string_view>

#include "hftmon/capture.hpp"

namespace hftmon::capture {

/// Never fails: bytes that are not UTF-8 become U+FFFD.
std::string meta_to_json(const CaptureMeta& meta);

/// kCorrupt when the text is no JSON, a field has the wrong type, a needed one
/// is missing or a value is out of range. Unknown fields are ignored.
Result<CaptureMeta> meta_from_json(std::string_view text);

/// Why these values cannot be, or nullptr.
const char* meta_problem(const CaptureMeta& meta) noexcept;

}  // namespace hftmon::capture
