// SPDX-License-Identifier: MIT
/// What programs that judge a session or a capture share: give up, or go on and fail.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include "hftmon/result.hpp"

namespace hftmon::guest {

/// The value; without one, says why and ends the program.
template <class T>
T must(Result<T> result) {
    if (result) return *std::move(result);
    fmt::print("{}\n", result.error().message());
    std::exit(1);
}

/// Whether all that was expected has held so far.
inline bool good = true;

template <class... Args>
void expect(bool holds, fmt::format_string<Args...> format, Args&&... args) {
    if (holds) return;
    good = false;
    fmt::print("WRONG: {}\n", fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace hftmon::guest
