// SPDX-License-Identifier: MIT
// Touching memory, in this process and in a child.
#include "map.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace abi_abuse {

namespace {

volatile char sink;

}  // namespace

int signal_of(const std::function<void()>& body) {
    std::fflush(stdout);
    const pid_t pid = ::fork();
    if (pid == 0) {
        body();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) == 0 ? 0 : 1000 + WEXITSTATUS(status);
}

void touch(const void* address) { sink = *static_cast<const volatile char*>(address); }

}  // namespace abi_abuse
