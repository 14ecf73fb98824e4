// SPDX-License-Identifier: MIT
// hftctl: the table of commands, exit codes, and the place where CLI11's
// exceptions end.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <new>

#include "tools/hftctl/command.hpp"

namespace {

int run(int argc, char** argv) {
    CLI::App app{"Why was my trading thread late? Capture and explain latency, by cause, to the nanosecond."};
    app.name("hftctl");
    app.require_subcommand(1);
    app.set_version_flag("--version", fmt::format("hftctl {}", HFTMON_VERSION));
    app.footer("Exit status: 0 ok, 1 error, 2 usage, 3 threshold exceeded.");
    app.failure_message([](const CLI::App*, const CLI::Error& error) {
        return fmt::format("hftctl: {} (see hftctl --help)\n", error.what());
    });

    int exit_code = hftctl::kExitOk;
    hftctl::add_status(app, exit_code);
    hftctl::add_record(app, exit_code);
    hftctl::add_spikes(app, exit_code);
    hftctl::add_dump(app, exit_code);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? hftctl::kExitOk : hftctl::kExitUsage;
    }
    if (std::fflush(stdout) != 0) {
        fmt::print(stderr, "hftctl: cannot write the output\n");
        return hftctl::kExitError;
    }
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::bad_alloc&) {
        std::fputs("hftctl: out of memory\n", stderr);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "hftctl: %s\n", error.what());
    }
    return hftctl::kExitError;
}
