// SPDX-License-Identifier: MIT
/// What every command of hftctl shares: exit codes, errors, stop requests.
#pragma once

#include <CLI/CLI.hpp>

#include "hftmon/result.hpp"

namespace hftctl {

inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitThreshold = 3;

/// Prints "hftctl: message" to standard error and returns kExitError, or
/// kExitUsage for kInvalidArgument.
int report(const hftmon::Error& error);

/// Ctrl-C or SIGTERM was received since install_stop_handlers(): end cleanly, with
/// the result so far. A second signal kills the program.
bool stop_requested();
void install_stop_handlers();

/// Each adds its subcommand; what the command returns is put into exit_code.
void add_status(CLI::App& app, int& exit_code);
void add_record(CLI::App& app, int& exit_code);
void add_spikes(CLI::App& app, int& exit_code);
void add_dump(CLI::App& app, int& exit_code);

}  // namespace hftctl
