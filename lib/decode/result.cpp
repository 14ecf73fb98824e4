// SPDX-License-Identifier: MIT
#include "hftmon/result.hpp"

#include <system_error>

namespace hftmon {

std::string Error::message() const {
    std::string text = what;
    // generic_category, not strerror(): that one is not safe with threads.
    if (sys_errno != 0) text += ": " + std::generic_category().message(sys_errno);
    if (!hint.empty()) text += " (" + hint + ")";
    return text;
}

}  // namespace hftmon
