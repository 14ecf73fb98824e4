// SPDX-License-Identifier: MIT
/// A command that is started, held, let go once capturing has begun, and waited for.
#pragma once

#include <string>
#include <vector>

#include "hftmon/result.hpp"
#include "hftmon/units.hpp"

namespace hftctl {

/// Move-only. A child that was released runs on when this ends; one that was
/// not ends without executing the command.
class Child {
public:
    /// Forks; the child waits for release() before it executes the command.
    /// From here on SIGCHLD has its default in this process.
    static hftmon::Result<Child> spawn(const std::vector<std::string>& command);
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    ~Child();

    [[nodiscard]] hftmon::Tid pid() const noexcept { return {static_cast<std::uint32_t>(pid_)}; }
    /// Lets it execute. kNotFound, kNoPermission when it could not.
    hftmon::Status release();
    /// True once it has ended. Does not wait.
    bool ended();
    /// Wait status of the ended child as a shell would say it: 128 + signal or the
    /// exit code. -1: not known, because it has not ended or another has waited for it.
    [[nodiscard]] int exit_code() const noexcept { return exit_code_; }

private:
    Child(int pid, int go_fd, int error_fd, std::string name);
    int pid_ = -1;
    int go_fd_ = -1;     ///< closing it after one byte lets the child go
    int error_fd_ = -1;  ///< errno of a failed exec; end of file when it worked
    bool ended_ = false;
    int exit_code_ = -1;
    std::string name_;
};

}  // namespace hftctl
