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

/// `module`: the empty probe's .ko file. `bpf`: the eBPF program's object file;
/// empty: it was not built.
std::vector<Method> methods(const std::string& module, const std::string& bpf);
/// The same work for others: ftrace, perf and eBPF.
std::vector<Method> peers(const std::string& bpf);

}  // namespace bench
