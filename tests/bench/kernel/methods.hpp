// SPDX-License-Identifier: MIT
/// Ways to trace sched_switch, each armed as long as an object lives.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace bench {

/// Traces while it exists.
class Armed {
public:
    virtual ~Armed() = default;
};

struct Method {
    std::string name;
    /// Throws std::runtime_error with the reason where it cannot be had here.
    std::function<std::unique_ptr<Armed>()> arm;
};

/// What the methods need that is not in this program; empty: it could not be had.
struct Files {
    std::string module;           ///< the empty probe's .ko
    std::string bpf;              ///< the eBPF program's object
    std::string lttng, lttng_at;  ///< the script lttng-session, and the folder with LTTng's modules
};

std::vector<Method> methods(const Files& files);
/// The same work for others: ftrace, perf, eBPF and LTTng.
std::vector<Method> peers(const Files& files);

}  // namespace bench
