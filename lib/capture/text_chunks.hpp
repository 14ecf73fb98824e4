// SPDX-License-Identifier: MIT
/// Chunks that are text, a line for each thing; lib/capture/format.hpp says how.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hftmon/capture.hpp"

namespace hftmon::capture {

std::string to_lines(std::span<const IrqName> irqs);
std::string to_lines(std::span<const FunctionName> functions);
std::string to_lines(std::span<const Stack> stacks);
std::string to_lines(std::span<const ProgramMap> programs);

/// Appends what the lines say, up to the first that cannot be, which makes it false; of
/// programs, all or nothing.
bool from_lines(std::string_view text, std::vector<IrqName>& irqs);
bool from_lines(std::string_view text, std::vector<FunctionName>& functions);
bool from_lines(std::string_view text, std::vector<Stack>& stacks);
bool from_lines(std::string_view text, std::vector<ProgramMap>& programs);

}  // namespace hftmon::capture
