// SPDX-License-Identifier: MIT
#include "tools/hftctl/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace hftctl {

using hftmon::Error;
using hftmon::ErrorCode;

namespace {

void close_fd(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
}

[[noreturn]] void run_child(const std::vector<std::string>& command, int go_fd, int error_fd) {
    char byte = 0;
    if (::read(go_fd, &byte, 1) != 1) ::_exit(127);  // the parent gave up
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    const int error = errno;
    if (::write(error_fd, &error, sizeof(error)) != sizeof(error)) ::_exit(126);
    ::_exit(127);
}

}  // namespace

Child::Child(int pid, int go_fd, int error_fd, std::string name)
    : pid_(pid), go_fd_(go_fd), error_fd_(error_fd), name_(std::move(name)) {}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      go_fd_(std::exchange(other.go_fd_, -1)),
      error_fd_(std::exchange(other.error_fd_, -1)),
      exit_code_(other.exit_code_),
      name_(std::move(other.name_)) {}

Child::~Child() {
    const bool released = go_fd_ < 0;
    close_fd(go_fd_);
    close_fd(error_fd_);
    if (pid_ < 0 || exit_code_ >= 0 || released) return;
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

hftmon::Result<Child> Child::spawn(const std::vector<std::string>& command) {
    std::array<int, 2> go{}, error{};
    if (::pipe2(go.data(), O_CLOEXEC) != 0) return Error{ErrorCode::kSystem, errno, "cannot make a pipe", ""};
    if (::pipe2(error.data(), O_CLOEXEC) != 0) {
        const int err = errno;
        close_fd(go[0]);
        close_fd(go[1]);
        return Error{ErrorCode::kSystem, err, "cannot make a pipe", ""};
    }
    const int pid = ::fork();
    if (pid == 0) {
        close_fd(go[1]);
        run_child(command, go[0], error[1]);
    }
    const int err = errno;
    close_fd(go[0]);
    close_fd(error[1]);
    if (pid < 0) {
        close_fd(go[1]);
        close_fd(error[0]);
        return Error{ErrorCode::kSystem, err, "cannot start a process", ""};
    }
    return Child(pid, go[1], error[0], command.front());
}

hftmon::Status Child::release() {
    const char byte = 1;
    if (::write(go_fd_, &byte, 1) != 1) return Error{ErrorCode::kSystem, errno, "cannot start " + name_, ""};
    close_fd(go_fd_);
    int error = 0;
    ssize_t got = 0;
    do {
        got = ::read(error_fd_, &error, sizeof(error));
    } while (got < 0 && errno == EINTR);
    close_fd(error_fd_);
    if (got != sizeof(error)) return hftmon::ok();
    const auto code = error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kNoPermission;
    return Error{code, error, fmt::format("cannot run '{}'", name_), ""};
}

bool Child::ended() {
    if (exit_code_ >= 0) return true;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
    exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return true;
}

}  // namespace hftctl
