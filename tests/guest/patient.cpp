// SPDX-License-Identifier: MIT
// A reader that trusts its wakes: it never looks at a ring unless it was told to.
//
// usage: patient poll|epoll|edge CPU BATCHES
//
// Records one CPU and reads a batch whenever it is woken, until it has read
// BATCHES. The way of waiting is set up before the session is. Waiting in vain
// for 10 s while a batch is there is a lost wake, and a failure. Prints "begun"
// when it records, then how many batches it read, in how many wakes, and how many
// irq_work interrupts that CPU had meanwhile (/proc/interrupts; -1: not counted there).
//
// "edge" (EPOLLET) never reads, so that every further batch must be an edge.
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "hftmon/session.hpp"

namespace {

using namespace hftmon;

constexpr int kTimeoutMs = 10'000;
constexpr std::uint32_t kBatch = HFTMON_MIN_WAKEUP_RECORDS;

/// This CPU's column of the line "IWI:".
long irq_works(unsigned cpu) {
    std::ifstream interrupts("/proc/interrupts");
    std::string line, word;
    std::getline(interrupts, line);
    std::istringstream columns(line);
    unsigned column = 0;  // offline CPUs have none
    while (columns >> word && word != fmt::format("CPU{}", cpu)) ++column;
    while (std::getline(interrupts, line)) {
        std::istringstream fields(line);
        if (!(fields >> word) || word != "IWI:") continue;
        for (unsigned i = 0; i <= column; ++i) fields >> word;
        return std::strtol(word.c_str(), nullptr, 10);
    }
    return -1;
}

/// poll(2), or an epoll instance that was told of the session before its SETUP.
class Waiter {
public:
    Waiter(int session, std::string_view how) : session_(session) {
        if (how == "poll") return;
        epoll_ = ::epoll_create1(0);
        epoll_event event{.events = EPOLLIN | (how == "edge" ? std::uint32_t{EPOLLET} : 0u), .data = {}};
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, session, &event);
    }
    [[nodiscard]] bool wait() const {
        if (epoll_ >= 0) {
            epoll_event event{};
            return ::epoll_wait(epoll_, &event, 1, kTimeoutMs) == 1;
        }
        pollfd poll_fd{.fd = session_, .events = POLLIN, .revents = 0};
        return ::poll(&poll_fd, 1, kTimeoutMs) == 1;
    }

private:
    int session_;
    int epoll_ = -1;
};

int failed(const Error& error) {
    fmt::print("{}\n", error.message());
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        fmt::print(stderr, "usage: patient poll|epoll|edge CPU BATCHES\n");
        return 2;
    }
    const std::string_view how = argv[1];
    const auto cpu = static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10));
    const auto wanted = std::strtoull(argv[3], nullptr, 10) * kBatch;
    auto session = Session::open();
    if (!session) return failed(session.error());
    const Waiter waiter(session->fd(), how);

    SessionOptions options;
    options.cpus = {CpuId{cpu}};
    options.wakeup_records = kBatch;
    if (auto status = session->setup(options); !status) return failed(status.error());
    const long before = irq_works(cpu);
    if (auto status = session->start(); !status) return failed(status.error());
    fmt::print("begun ");
    std::fflush(stdout);
    RingReader& ring = session->rings().front();
    std::uint64_t read = 0, wakes = 0;
    while (read < wanted) {
        if (!waiter.wait()) {
            const std::size_t there = ring.peek().size();
            if (there < kBatch) continue;  // nobody had to wake us
            fmt::print("asleep for {} ms over {} records\n", kTimeoutMs, there);
            return 1;
        }
        ++wakes;
        const std::size_t there = ring.peek().size();
        if (how == "edge") {
            read = there;
        } else {
            read += there;
            ring.release(there);
        }
    }
    const long works = before < 0 ? -1 : irq_works(cpu) - before;
    fmt::print("batches={} wakes={} irq_works={}\n", read / kBatch, wakes, works);
    return 0;
}
