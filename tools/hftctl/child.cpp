// SPDX-License-Identifier: MIT
#include "tools/hftctl/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>

namespace hftctl {

using hftmon::Error;
using hftmon::ErrorCode;

namespace {

void close_fd(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
}

Error cannot_run(const std::string& name, int error) {
    const auto code = error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kNoPermission;
    return {code, error, fmt::format("cannot run '{}'", name), ""};
}

/// Where execvp(3) looks when PATH is not set.
std::string default_path() {
    std::string path(::confstr(_CS_PATH, nullptr, 0), '\0');
    (void)::confstr(_CS_PATH, path.data(), path.size());
    if (!path.empty()) path.pop_back();  // its end mark
    return path;
}

/// Would execvp(3) find it? 0 or an errno. Asked before anything is recorded;
/// execvp() has the last word.
int find_command(const std::string& name) {
    const auto check = [](const std::string& path) {
        struct stat info {};
        if (::stat(path.c_str(), &info) != 0) return errno;
        if (S_ISDIR(info.st_mode)) return EISDIR;
        return ::access(path.c_str(), X_OK) == 0 ? 0 : errno;
    };
    if (name.find('/') != std::string::npos) return check(name);
    const char* variable = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody sets it
    const std::string folders = variable != nullptr ? variable : default_path();
    int worst = ENOENT;
    // An empty element is the current folder, also a last one and an only one.
    for (std::size_t begin = 0; begin <= folders.size();) {
        const std::size_t end = std::min(folders.find(':', begin), folders.size());
        const std::string folder = folders.substr(begin, end - begin);
        const int error = check((folder.empty() ? "." : folder) + "/" + name);
        if (error == 0) return 0;
        if (error == EACCES) worst = EACCES;
        begin = end + 1;
    }
    return worst;
}

[[noreturn]] void run_child(const std::vector<std::string>& command, int go_fd, int error_fd) {
    char byte = 0;
    if (::read(go_fd, &byte, 1) != 1) ::_exit(127);  // the parent gave up
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    // execvp(3) promises not to write. NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
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
      ended_(other.ended_),
      exit_code_(other.exit_code_),
      name_(std::move(other.name_)) {}

Child::~Child() {
    const bool released = go_fd_ < 0;
    close_fd(go_fd_);
    close_fd(error_fd_);
    if (pid_ < 0 || ended_ || released) return;
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

hftmon::Result<Child> Child::spawn(const std::vector<std::string>& command) {
    if (const int error = find_command(command.front()); error != 0) return cannot_run(command.front(), error);
    std::array<int, 2> go{}, error{};
    if (::pipe2(go.data(), O_CLOEXEC) != 0) return Error{ErrorCode::kSystem, errno, "cannot make a pipe", ""};
    if (::pipe2(error.data(), O_CLOEXEC) != 0) {
        const int err = errno;
        close_fd(go[0]);
        close_fd(go[1]);
        return Error{ErrorCode::kSystem, err, "cannot make a pipe", ""};
    }
    // Where SIGCHLD is ignored (some supervisors leave it so), an ended child tells
    // its parent nothing. The command gets what it would have got without us.
    struct sigaction defaults {};
    struct sigaction inherited {};
    defaults.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &defaults, &inherited);
    const int pid = ::fork();
    if (pid == 0) {
        ::sigaction(SIGCHLD, &inherited, nullptr);
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
    return cannot_run(name_, error);
}

bool Child::ended() {
    if (ended_) return true;
    int status = 0;
    const int pid = ::waitpid(pid_, &status, WNOHANG);
    if (pid == pid_) exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    ended_ = pid == pid_ || (pid < 0 && errno == ECHILD);
    return ended_;
}

}  // namespace hftctl
