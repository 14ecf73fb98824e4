// SPDX-License-Identifier: MIT
// plant: gives a pinned real-time thread delays of a known cause, and prints
// what it did as one JSON object per delay. hftmon's bills are checked against
// this. The format is described in README.md.
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <optional>
#include <string_view>

#include "scenario.hpp"

namespace plant {

namespace {

struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Options {
    const ScenarioInfo* scenario = nullptr;
    std::optional<int> cpu;
    int count = 20;
    int length_us = 10'000;
    DelayKind kind = DelayKind::kWakeup;
    std::string json;
};

void print_help() {
    std::cout << "usage: plant SCENARIO [OPTIONS]\n\n"
                 "  --cpu N       the victim's CPU (default: the last one)\n"
                 "  --count K     delays to plant, 1 to 10000 (default 20)\n"
                 "  --us LENGTH   length of a delay, 100 to 90000 (default 10000)\n"
                 "  --kind KIND   wakeup (default) or preemption\n"
                 "  --json FILE   write the truth there and a line for people to standard output\n\n"
                 "scenarios (* can do both kinds; [module]: needs hftmon_plant.ko):\n";
    for (const ScenarioInfo& info : scenarios()) {
        std::string name = info.name + std::string(info.preemption ? " *" : "");
        name.resize(18, ' ');
        std::cout << "  " << name << info.help << "\n";
    }
    std::cout << "\nexit status: 0 every delay happened; 1 not, or no rights; 2 wrong use\n";
}

int parse_number(std::string_view option, std::string_view text, int low, int high) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high) {
        throw UsageError(std::string(option) + " wants a number from " + std::to_string(low) + " to " +
                         std::to_string(high) + ", not '" + std::string(text) + "'");
    }
    return value;
}

DelayKind parse_kind(std::string_view text) {
    if (text == "wakeup") return DelayKind::kWakeup;
    if (text == "preemption") return DelayKind::kPreemption;
    throw UsageError("--kind wants wakeup or preemption, not '" + std::string(text) + "'");
}

const ScenarioInfo* find_scenario(std::string_view name) {
    const auto all = scenarios();
    const auto found =
        std::ranges::find(all, name, [](const ScenarioInfo& info) { return std::string_view(info.name); });
    if (found == all.end()) throw UsageError("there is no scenario '" + std::string(name) + "' (see plant --help)");
    return &*found;
}

Options parse_options(std::span<char*> arguments) {
    Options options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        if (!argument.starts_with("-")) {
            if (options.scenario) throw UsageError("one scenario at a time");
            options.scenario = find_scenario(argument);
            continue;
        }
        const bool known = argument == "--cpu" || argument == "--count" || argument == "--us" || argument == "--kind" ||
                           argument == "--json";
        if (!known) throw UsageError("unknown option " + std::string(argument));
        if (++i == arguments.size()) throw UsageError(std::string(argument) + " wants a value");
        const std::string_view value = arguments[i];
        if (argument == "--cpu") options.cpu = parse_number(argument, value, 0, CPU_SETSIZE - 1);
        if (argument == "--count") options.count = parse_number(argument, value, 1, 10'000);
        if (argument == "--us") options.length_us = parse_number(argument, value, 100, 90'000);
        if (argument == "--kind") options.kind = parse_kind(value);
        if (argument == "--json") options.json = value;
    }
    if (!options.scenario) throw UsageError("which scenario? (see plant --help)");
    if (options.kind == DelayKind::kPreemption && !options.scenario->preemption) {
        throw UsageError(std::string(options.scenario->name) + " plants wakeup delays only");
    }
    return options;
}

/// Chooses the CPUs, and keeps this thread off the victim's.
Setting make_setting(const Options& options) {
    std::vector<int> cpus = allowed_cpus();
    if (std::ssize(cpus) < options.scenario->cpus) {
        throw SetupError(std::string(options.scenario->name) + " needs " + std::to_string(options.scenario->cpus) +
                         " CPUs, this process may use " + std::to_string(cpus.size()));
    }
    Setting setting;
    setting.cpu = options.cpu.value_or(cpus.back());
    if (std::erase(cpus, setting.cpu) == 0) {
        throw UsageError("--cpu " + std::to_string(setting.cpu) + ": this process may not use that CPU");
    }
    setting.helper_cpu = cpus.front();
    setting.second_cpu = cpus.back();
    setting.length_ns = MonoNs{options.length_us} * 1000;
    setting.kind = options.kind;
    set_affinity(0, {setting.helper_cpu});
    return setting;
}

/// Why this delay is not what was to be planted; empty when it is.
std::string check(const Delay& delay, const ScenarioInfo& info, Tsc length) {
    if (!delay.fault.empty()) return delay.fault;
    if (delay.end <= delay.start) return "the victim was not late";
    if (info.controlled && delay.length() < length) return "the delay was too short";
    for (const Cause& cause : delay.causes) {
        const Tsc share = length / delay.causes.size();
        if (info.controlled && delay.expected(cause) < share / 10 * 9) return "the cause did not have the CPU";
    }
    // What the causes did not see pass, a host may have taken, or an interrupt: who judges a bill has to allow for it.
    if (info.controlled && delay.certain() * 4 < delay.length()) return "the machine took the CPU from the cause";
    return {};
}

struct Range {
    Tsc min = 0;
    Tsc median = 0;
    Tsc max = 0;
};

Range range(std::vector<Tsc> values) {
    if (values.empty()) return {};
    std::ranges::sort(values);
    return {values.front(), values[values.size() / 2], values.back()};
}

std::ostream& operator<<(std::ostream& out, const Range& range) {
    return out << "{\"min\":" << range.min << ",\"median\":" << range.median << ",\"max\":" << range.max << "}";
}

class Runner {
public:
    explicit Runner(const Options& options)
        : options_(options), setting_(make_setting(options)), clock_(Clock::calibrate()) {}

    /// Whether every delay happened.
    bool run(std::ostream& out) {
        auto scenario = options_.scenario->make(setting_);
        plant_one(*scenario);                              // warm-up, not counted
        const int attempts_max = 60 * options_.count + 5;  // a busy host voids most of them
        for (int attempt = 0; attempt < attempts_max && std::ssize(delays_) < options_.count; ++attempt) {
            const Delay delay = plant_one(*scenario);
            const std::string fault = check(delay, *options_.scenario, clock_.ticks(setting_.length_ns));
            if (!fault.empty()) {
                ++voids_;
                last_fault_ = fault;
                continue;
            }
            print(out, options_.scenario->name, static_cast<int>(delays_.size()), delay);
            delays_.push_back(delay.length());
            expected_.push_back(delay.expected());
        }
        print_summary(out);
        out.flush();
        return out.good() && complete();
    }

    [[nodiscard]] bool complete() const { return std::ssize(delays_) == options_.count; }

    void print_for_people(std::ostream& out) const {
        const Range delay = range(delays_);
        out << options_.scenario->name << " (" << to_string(setting_.kind) << "): " << delays_.size() << " of "
            << options_.count << " delays on CPU " << setting_.cpu << ", " << voids_ << " void attempts; delay min "
            << clock_.microseconds(delay.min) << ", median " << clock_.microseconds(delay.median) << ", max "
            << clock_.microseconds(delay.max) << " us\n";
        if (voids_ > 0) out << "  last void attempt: " << last_fault_ << "\n";
    }

private:
    Delay plant_one(Scenario& scenario) {
        // Rest four times as long as the hogs run: far from RT throttling.
        const MonoNs rest = 20'000'000 + 4 * setting_.length_ns;
        const Round round(setting_, clock_, mono_now() + rest);
        return scenario.plant(round);
    }

    void print_summary(std::ostream& out) const {
        utsname system{};
        uname(&system);
        out << "{\"summary\":true,\"scenario\":\"" << options_.scenario->name << "\",\"kind\":\""
            << to_string(setting_.kind) << "\",\"cpu\":" << setting_.cpu << ",\"length_us\":" << options_.length_us
            << ",\"delays\":" << delays_.size() << ",\"void_attempts\":" << voids_ << ",\"tsc_khz\":" << clock_.khz()
            << ",\"delay_ticks\":" << range(delays_) << ",\"expected_ticks\":" << range(expected_) << ",\"kernel\":\""
            << system.release << "\",\"ok\":" << (complete() ? "true" : "false") << "}\n";
    }

    const Options& options_;
    Setting setting_;
    Clock clock_;
    std::vector<Tsc> delays_;
    std::vector<Tsc> expected_;
    int voids_ = 0;
    std::string last_fault_;
};

bool run(const Options& options) {
    std::ofstream file;
    if (!options.json.empty()) {
        file.open(options.json);
        if (!file) throw_errno("write " + options.json);
    }
    prepare_process();
    Runner runner(options);
    const bool complete = runner.run(file.is_open() ? file : std::cout);
    if (file.is_open()) runner.print_for_people(std::cout);
    if (!complete) std::cerr << "plant: not every delay could be planted\n";
    return complete;
}

}  // namespace

}  // namespace plant

int main(int argc, char** argv) {
    const std::span<char*> arguments(argv + 1, static_cast<std::size_t>(argc > 0 ? argc - 1 : 0));
    if (std::ranges::any_of(arguments, [](std::string_view a) { return a == "--help" || a == "-h"; })) {
        plant::print_help();
        return 0;
    }
    try {
        return plant::run(plant::parse_options(arguments)) ? 0 : 1;
    } catch (const plant::UsageError& error) {
        std::cerr << "plant: " << error.what() << "\n";
        return 2;
    } catch (const std::exception& error) {
        std::cerr << "plant: " << error.what() << "\n";
        return 1;
    }
}
