// SPDX-License-Identifier: MIT
/// What a check prints, and whether all were good.
#pragma once

#include <string>

namespace abi_abuse {

void verdict(bool good, const std::string& what);

std::string errno_name(int error);

/// The call must fail with `wanted` (0: succeed).
void expect(int wanted, long result, const std::string& what);

/// No verdict so far was bad.
bool all_good();

}  // namespace abi_abuse
