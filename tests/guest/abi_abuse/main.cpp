// SPDX-License-Identifier: MIT
// Uses /dev/hftmon wrongly in every way that the ABI names, and in some that it
// does not: each call must give the documented errno, and the kernel must stay
// well. Prints "ok WHAT" or "not ok WHAT" per check and "end" at the end.
#include <fmt/format.h>

#include "checks.hpp"
#include "verdict.hpp"

int main() {
    using namespace abi_abuse;
    arguments();
    setups();
    lists();
    states();
    mappings();
    stack_tables();
    thread_tables();
    afterlife();
    histograms();
    lying_reader();
    storm();
    memory();
    killed();
    compat();
    fmt::print("end\n");
    return all_good() ? 0 : 1;
}
