// SPDX-License-Identifier: MIT
#include "tools/hftctl/command.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

namespace hftctl {

namespace {

volatile std::sig_atomic_t stop_flag = 0;

void on_stop_signal(int signal) {
    stop_flag = 1;
    std::signal(signal, SIG_DFL);  // the next one kills
}

}  // namespace

int report(const hftmon::Error& error) {
    fmt::print(stderr, "hftctl: {}\n", error.message());
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
}

bool stop_requested() { return stop_flag != 0; }

}  // namespace hftctl
