// SPDX-License-Identifier: MIT
// hftctl: the table of commands, exit codes, and the place where CLI11's
// exceptions end.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "tools/hftctl/command.hpp"

namespace {

using hftctl::Invocation;

/// The arguments before "--", in the reverse order that CLI11 wants; those
/// behind it are the child's, whatever they look like.
std::vector<std::string> split(int argc, char** argv, Invocation& invocation, bool& has_separator) {
    std::vector<std::string> ours;
    int i = 1;
    for (; i < argc && std::string_view(argv[i]) != "--"; ++i) ours.emplace_back(argv[i]);
    has_separator = i < argc;
    for (++i; i < argc; ++i) invocation.child.emplace_back(argv[i]);
    if (!ours.empty() && ours.front() == "help") {
        ours.erase(ours.begin());
        ours.emplace_back("--help");
    }
    std::reverse(ours.begin(), ours.end());
    return ours;
}

/// CLI11's error in our words, and where to read on.
std::string explain(const CLI::App& app, const CLI::Error& error, const std::vector<std::string>& reversed) {
    constexpr const char* kCommands = "status, record, spikes, hist or dump";
    const auto parsed = app.get_subcommands();
    const CLI::App* command = parsed.empty() ? nullptr : parsed.front();
    const std::string name = command != nullptr ? command->get_name() : "hftctl";
    const auto is = [&](CLI::ExitCodes code) { return error.get_exit_code() == static_cast<int>(code); };
    std::string text = error.what();
    if (is(CLI::ExitCodes::RequiredError) && command == nullptr) {
        const bool has_word = !reversed.empty() && !reversed.back().starts_with('-');
        text = has_word ? fmt::format("there is no command '{}': {}", reversed.back(), kCommands)
                        : fmt::format("which command? {}", kCommands);
    } else if (is(CLI::ExitCodes::ExtrasError)) {
        const auto extras = app.remaining(true);
        const std::string first = extras.empty() ? "" : extras.front();
        if (first.starts_with('-'))
            text = fmt::format("{} has no option {}", name, first);
        else if (command != nullptr && command->get_name() == "record")
            text = fmt::format("'{}' is unexpected; a command to run stands behind --", first);
        else
            text = fmt::format("'{}' is unexpected", first);
    } else if (is(CLI::ExitCodes::ArgumentMismatch)) {
        text = text.substr(0, text.find(':')) + " needs a value";
    } else if (is(CLI::ExitCodes::ConversionError)) {
        text = text.substr(text.find("--") == std::string::npos ? 0 : text.find("--")) + ": not a number";
    }
    return fmt::format("hftctl: {} (see hftctl{} --help)\n", text, command != nullptr ? " " + name : "");
}

int run(int argc, char** argv) {
    CLI::App app{"Why was my trading thread late? Capture and explain latency, by cause."};
    app.name("hftctl");
    app.require_subcommand(1);
    app.set_version_flag("-V,--version", fmt::format("hftctl {}", HFTMON_VERSION));
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);

    Invocation invocation;
    hftctl::add_status(app, invocation);
    hftctl::add_record(app, invocation);
    hftctl::add_spikes(app, invocation);
    hftctl::add_hist(app, invocation);
    hftctl::add_dump(app, invocation);

    // Last: subcommands inherit what was set before them.
    app.footer("Exit status: 0 ok, 1 error, 2 usage; spikes: 3 a delay over the threshold was found.");

    bool has_separator = false;
    const std::vector<std::string> arguments = split(argc, argv, invocation, has_separator);
    app.failure_message(
        [&](const CLI::App* failed, const CLI::Error& error) { return explain(*failed, error, arguments); });
    if (has_separator) {
        const std::string word = arguments.empty() ? "" : arguments.back();
        const bool runs = word == "record" || word == "spikes";
        if (!runs || invocation.child.empty()) {
            return hftctl::report({hftmon::ErrorCode::kInvalidArgument, 0,
                                   runs ? "there is no command behind --" : "only record and spikes run a command",
                                   "see hftctl --help"});
        }
    }
    try {
        auto rest = arguments;
        app.parse(rest);
    } catch (const CLI::ParseError& error) {
        if (app.exit(error) != 0) return hftctl::kExitUsage;
    }
    const bool is_told = invocation.exit_code == hftctl::kExitError;
    if (!is_told && (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)) {
        fmt::print(stderr, "hftctl: cannot write the output\n");
        return hftctl::kExitError;
    }
    return invocation.exit_code;
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
