// SPDX-License-Identifier: MIT
/// Good captures to start from.
#pragma once

#include <cstdint>
#include <vector>

namespace hftmon::fuzz {

using Input = std::vector<std::uint8_t>;

/// Small captures: with every chunk type, without an end, with gaps of position.
std::vector<Input> make_seeds();

}  // namespace hftmon::fuzz
