// SPDX-License-Identifier: MIT
// stacked with other names for its functions, which are at the same addresses.
#define STACKED_AS restacked
#include "tests/guest/stacked.cpp"  // NOLINT(bugprone-suspicious-include)
