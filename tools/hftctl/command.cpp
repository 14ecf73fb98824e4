// SPDX-License-Identifier: MIT
#include "tools/hftctl/command.hpp"

#include <csignal>

namespace hftctl {

namespace {

volatile std::sig_atomic_t stop_flag = 0;

void on_stop_signal(int signal) {
    stop_flag = 1;
    // The next one kills; but a terminal that hangs up sends two, by the shell and when that ends.
    std::signal(signal, signal == SIGHUP ? SIG_IGN : SIG_DFL);
}

}  // namespace

int report(const hftmon::Error& error) {
    tell("hftctl: {}\n", error.message());
    return error.code == hftmon::ErrorCode::kInvalidArgument ? kExitUsage : kExitError;
}

void install_stop_handlers() {
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of write()
    std::signal(SIGPIPE, SIG_IGN);
    // Without SA_RESTART: a poll that waits must return.
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    // The terminal or its connection is gone, and nohup(1) was not asked for.
    struct sigaction inherited {};
    sigaction(SIGHUP, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
}

bool stop_requested() { return stop_flag != 0; }

}  // namespace hftctl
