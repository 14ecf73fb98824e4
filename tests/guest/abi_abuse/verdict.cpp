// SPDX-License-Identifier: MIT
// Standard output, one line per check.
#include "verdict.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace abi_abuse {

namespace {

bool good_so_far = true;

}  // namespace

void verdict(bool good, const std::string& what) {
    good_so_far = good_so_far && good;
    fmt::print("{}ok {}\n", good ? "" : "not ", what);
    std::fflush(stdout);
}

std::string errno_name(int error) {
    const char* name = ::strerrorname_np(error);
    return error == 0 ? "success" : name ? name : std::to_string(error);
}

void expect(int wanted, long result, const std::string& what) {
    const int got = result < 0 ? errno : 0;
    verdict(got == wanted, what + ": " + errno_name(wanted));
    if (got != wanted) fmt::print("  got {}\n", errno_name(got));
}

bool all_good() { return good_so_far; }

}  // namespace abi_abuse
