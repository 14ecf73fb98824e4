// SPDX-License-Identifier: MIT
// What tracing costs per sched_switch: one thread passes a byte to another and
// back through pipes, on one CPU, with and without.
//
// usage: kernel_bench EMPTY_PROBE.ko PROGRAM.bpf.o LTTNG_SESSION LTTNG_MODULES
//        (see bench::Files)
//
// Meant for a guest whose TSC counts executed instructions (scripts/bench-kernel
// starts one): figures are then instructions, and need no statistics but one look
// at two rounds. Anywhere else they are TSC ticks, with all the noise of time.
#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <vector>

#include "methods.hpp"

namespace {

constexpr int kWarmUp = 2000, kRoundTrips = 20000, kRounds = 3;

/// The two ends of the work. Pipes, and a child that answers.
class PingPong {
public:
    PingPong() {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(0, &one);
        if (::sched_setaffinity(0, sizeof(one), &one) != 0 || ::pipe(there_) != 0 || ::pipe(back_) != 0) std::abort();
        child_ = ::fork();
        if (child_ != 0) return;
        char byte = 0;
        while (::read(there_[0], &byte, 1) == 1 && byte != 'q') {
            if (::write(back_[1], &byte, 1) != 1) break;
        }
        ::_exit(0);
    }
    ~PingPong() {
        send('q');
        ::waitpid(child_, nullptr, 0);
    }
    PingPong(const PingPong&) = delete;
    PingPong& operator=(const PingPong&) = delete;

    /// Ticks per switch; a round trip is two.
    double measure() {
        turns(kWarmUp);
        const unsigned long long start = __rdtsc();
        turns(kRoundTrips);
        return static_cast<double>(__rdtsc() - start) / (2.0 * kRoundTrips);
    }

private:
    void send(char byte) {
        if (::write(there_[1], &byte, 1) != 1) std::abort();
    }
    void turns(int count) {
        char byte = 0;
        for (int i = 0; i < count; ++i) {
            send(0);
            if (::read(back_[0], &byte, 1) != 1) std::abort();
        }
    }
    int there_[2]{}, back_[2]{};
    pid_t child_ = -1;
};

struct Row {
    std::string name, problem;
    std::vector<double> added;  // ticks per switch over no tracing, by round
    [[nodiscard]] double middle() const {
        std::vector<double> sorted = added;
        std::sort(sorted.begin(), sorted.end());
        return sorted.empty() ? 0 : sorted[sorted.size() / 2];
    }
};

void print(const std::vector<Row>& rows, double untraced) {
    const auto row_of = [&](std::string_view name) {
        return std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.name == name; })->middle();
    };
    const double empty = row_of("empty probe"), record = row_of("hftmon: record");
    fmt::print("{:<42} {:>9} {:>12} {:>9}   {}\n", "sched_switch, instructions per event", "over none", "over empty",
               "x record", "rounds");
    fmt::print("{:<42} {:>9.1f}\n", "no tracing (the switch itself)", untraced);
    for (const Row& row : rows) {
        if (!row.problem.empty()) {
            fmt::print("{:<42} not measured: {}\n", row.name, row.problem);
            continue;
        }
        std::string rounds;
        for (const double added : row.added) rounds += fmt::format(" {:.1f}", added);
        fmt::print("{:<42} {:>9.1f} {:>12.1f} {:>9.2f}  {}\n", row.name, row.middle(), row.middle() - empty,
                   row.middle() / record, rounds);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        fmt::print(stderr, "usage: kernel_bench EMPTY_PROBE.ko PROGRAM.bpf.o LTTNG_SESSION LTTNG_MODULES\n");
        return 2;
    }
    PingPong work;
    std::vector<Row> rows;
    const auto all = bench::methods({argv[1], argv[2], argv[3], argv[4]});
    for (const bench::Method& method : all) rows.push_back({method.name, {}, {}});
    double untraced = 0;
    for (int round = 0; round < kRounds; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            const double before = work.measure();
            double with = 0;
            try {
                const auto armed = all[i].arm();
                with = work.measure();
            } catch (const std::exception& why) {
                rows[i].problem = why.what();
                continue;
            }
            untraced = (before + work.measure()) / 2;
            rows[i].added.push_back(with - untraced);
        }
    }
    print(rows, untraced);
    return 0;
}
