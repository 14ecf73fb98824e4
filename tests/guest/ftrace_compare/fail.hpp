// SPDX-License-Identifier: MIT
/// How every part of the program gives up.
#pragma once

#include <stdexcept>
#include <string>

namespace ftrace_compare {

[[noreturn]] inline void fail(const std::string& text) { throw std::runtime_error(text); }

}  // namespace ftrace_compare
