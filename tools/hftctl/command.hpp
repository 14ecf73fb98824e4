// SPDX-License-Identifier: MIT
/// What every command of hftctl shares: exit codes, errors, stop requests.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "hftmon/result.hpp"

namespace hftctl {

inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitThreshold = 3;

/// Prints to standard error, as far as it goes: fmt::print() would throw when the
/// terminal has hung up, and the recording would be lost with it.
template <class... Args>
void tell(fmt::format_string<Args...> format, Args&&... args) {
    (void)std::fputs(fmt::format(format, std::forward<Args>(args)...).c_str(), stderr);
}

/// Prints "hftctl: message" to standard error and returns kExitError, or
/// kExitUsage for kInvalidArgument.
int report(const hftmon::Error& error);

/// Ctrl-C, SIGTERM, or SIGHUP unless nohup(1) has us ignore it, was received since
/// install_stop_handlers(): end cleanly, with the result so far. A second Ctrl-C or
/// SIGTERM kills the program.
bool stop_requested();
void install_stop_handlers();

/// What the command line said behind "--", and how it all ends.
struct Invocation {
    std::vector<std::string> child;  ///< the command to run; empty: none
    int exit_code = kExitOk;
};

/// Each adds its subcommand.
void add_status(CLI::App& app, Invocation& invocation);
void add_record(CLI::App& app, Invocation& invocation);
void add_spikes(CLI::App& app, Invocation& invocation);
void add_hist(CLI::App& app, Invocation& invocation);
void add_dump(CLI::App& app, Invocation& invocation);

/// For options whose value must be there: an unset shell variable is a mistake.
CLI::Validator not_empty();

}  // namespace hftctl
