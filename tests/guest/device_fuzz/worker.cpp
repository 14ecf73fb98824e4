// SPDX-License-Identifier: MIT
#include "worker.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <thread>

#include "arguments.hpp"
#include "faults.hpp"
#include "mappings.hpp"

namespace device_fuzz {

namespace {

constexpr int kThreads = 2;
constexpr int kChildOperations = 40;

/// Files of sessions, of all threads of a process: one may close what another uses.
class Files {
public:
    [[nodiscard]] int any(Random& random) const { return of_[random.below(of_.size())].load(); }
    /// The file that was there is closed: its session may live on, by mappings and other files.
    int put(Random& random, int fd) {
        const int old = of_[random.below(of_.size())].exchange(fd);
        if (old >= 0 && random.one_in(2)) ::ioctl(old, HFTMON_IOC_STOP);
        return old >= 0 ? ::close(old) : 0;
    }
    int close(Random& random) { return put(random, -1); }

private:
    std::array<std::atomic<int>, 6> of_{-1, -1, -1, -1, -1, -1};
};

/// How often, of kAll: the order is that of enum Op.
struct Share {
    Op op;
    unsigned weight;
};
constexpr std::array<Share, kOps> kShares{{{Op::kOpen, 6},
                                           {Op::kClose, 3},
                                           {Op::kDuplicate, 2},
                                           {Op::kIoctl, 30},
                                           {Op::kSession, 6},
                                           {Op::kMap, 10},
                                           {Op::kUnmap, 4},
                                           {Op::kRemap, 3},
                                           {Op::kProtect, 4},
                                           {Op::kWrite, 12},
                                           {Op::kRead, 6},
                                           {Op::kForce, 2},
                                           {Op::kPoll, 5},
                                           {Op::kFile, 4},
                                           {Op::kSend, 2},
                                           {Op::kReceive, 2},
                                           {Op::kFork, 1},
                                           {Op::kMove, 2}}};
constexpr unsigned kAll = [] {
    unsigned sum = 0;
    for (const Share& share : kShares) sum += share.weight;
    return sum;
}();

/// A datagram of one byte, with room for a file.
struct Letter {
    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};

    Letter() {
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
    }
    Letter(const Letter&) = delete;
    Letter& operator=(const Letter&) = delete;
};

class Thread {
public:
    Thread(std::uint64_t seed, const WorkerOptions& options, Files& files, Counts& counts)
        : random_(seed), options_(options), files_(files), counts_(counts), mappings_(counts) {}

    void run() {
        const Faults faults;
        sigset_t alarm;
        sigemptyset(&alarm);
        sigaddset(&alarm, SIGALRM);
        while (std::chrono::steady_clock::now() < options_.until) {
            const Op op = any_op();
            // A handler's frame, or a child's memory, may not be what fails: who runs into that is killed.
            if (!options_.faults || op == Op::kFork || !random_.one_in(3)) {
                perform(op);
                continue;
            }
            ::pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
            faults.arm(1 + static_cast<int>(random_.below(1u << random_.below(8))));
            perform(op);
            if (faults.disarm()) counts_.faults_injected.fetch_add(1, std::memory_order_relaxed);
            ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
        }
    }

private:
    Op any_op() {
        unsigned choice = static_cast<unsigned>(random_.below(kAll));
        const Share* share = kShares.data();
        for (; choice >= share->weight; ++share) choice -= share->weight;
        return share->op;
    }
    void perform(Op op) {
        switch (op) {
            case Op::kOpen: return open();
            case Op::kClose: return count(Op::kClose, files_.close(random_));
            case Op::kDuplicate: return duplicate();
            case Op::kIoctl: return void(ioctl(files_.any(random_), any_call(random_, arena_)));
            case Op::kSession: return session();
            case Op::kMap: return mappings_.map(random_, files_.any(random_));
            case Op::kUnmap: return mappings_.unmap(random_);
            case Op::kRemap: return mappings_.remap(random_);
            case Op::kProtect: return mappings_.protect(random_);
            case Op::kWrite: return mappings_.write(random_);
            case Op::kRead: return mappings_.read(random_);
            case Op::kForce: return mappings_.force(random_);
            case Op::kPoll: return poll();
            case Op::kFile: return file();
            case Op::kSend: return send();
            case Op::kReceive: return receive();
            case Op::kFork: return random_.one_in(3) ? thread() : fork();
            case Op::kMove: return move();
            case Op::kCount: break;
        }
    }

    void count(Op op, long returned) { counts_.add(op, returned < 0 ? errno : 0); }

    int open_device() {
        static constexpr std::array<int, 4> kFlags{O_RDWR, O_RDWR, O_RDWR | O_NONBLOCK, O_RDONLY};
        const int fd = ::open(HFTMON_DEVICE, random_.any_of(kFlags) | O_CLOEXEC);
        count(Op::kOpen, fd);
        return fd;
    }
    void open() {
        if (const int fd = open_device(); fd >= 0) files_.put(random_, fd);
    }
    void duplicate() {
        const int fd = ::fcntl(files_.any(random_), F_DUPFD_CLOEXEC, 0);
        count(Op::kDuplicate, fd);
        if (fd >= 0) files_.put(random_, fd);
    }
    int ioctl(int fd, Call call) {
        const int returned = ::ioctl(fd, call.request, call.argument);
        count(Op::kIoctl, returned);
        if (returned == 0)
            counts_.ioctls_done[_IOC_NR(call.request) % counts_.ioctls_done.size()].fetch_add(
                1, std::memory_order_relaxed);
        arena_.mapped = mappings_.any(random_);
        return returned;
    }
    /// One that records: what follows finds it so.
    void session() {
        const int fd = open_device();
        if (fd < 0) return;
        hftmon_setup setup = good_setup(random_, arena_);
        const int set_up = ioctl(fd, {HFTMON_IOC_SETUP, &setup});
        count(Op::kSession, set_up);
        if (set_up == 0) {
            mappings_.map_session(fd, setup.ring_records);
            for (std::uint64_t n = random_.below(4); n > 0; --n) ioctl(fd, fitting_call(random_, arena_, setup));
            if (random_.one_in(4)) ioctl(fd, any_call(random_, arena_));
            count(Op::kSession, ioctl(fd, {HFTMON_IOC_START, nullptr}));
            for (std::uint64_t n = random_.below(6); n > 0; --n) ioctl(fd, any_call(random_, arena_));
        }
        files_.put(random_, fd);
    }
    void poll() {
        std::array<pollfd, 3> fds{};
        for (auto& fd : fds) fd = {files_.any(random_), POLLIN | POLLPRI | POLLOUT, 0};
        const int most = random_.one_in(8) ? 50 : 3;
        if (random_.one_in(2))
            return count(Op::kPoll, ::poll(fds.data(), fds.size(), static_cast<int>(random_.below(most))));
        // A file that is closed while another polls it.
        const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
        epoll_event event{.events = EPOLLIN | EPOLLPRI, .data = {}};
        for (auto& fd : fds) (void)::epoll_ctl(epoll, EPOLL_CTL_ADD, fd.fd, &event);
        count(Op::kPoll, ::epoll_wait(epoll, &event, 1, static_cast<int>(random_.below(3))));
        if (epoll >= 0) ::close(epoll);
    }
    /// What other files can.
    void file() {
        const int fd = files_.any(random_);
        std::array<char, 64> bytes{};
        switch (random_.below(7)) {
            case 0: return count(Op::kFile, ::read(fd, bytes.data(), bytes.size()));
            case 1: return count(Op::kFile, ::write(fd, bytes.data(), bytes.size()));
            case 2: return count(Op::kFile, ::lseek(fd, static_cast<off_t>(random_.edge()), SEEK_SET));
            case 3: return count(Op::kFile, ::ftruncate(fd, 4096));
            case 4: return count(Op::kFile, ::fcntl(fd, F_SETFL, random_.one_in(2) ? O_ASYNC : O_NONBLOCK));
            case 5: return count(Op::kFile, ::fcntl(fd, F_SETOWN, ::getpid()));
            default: return count(Op::kFile, ::fsync(fd));
        }
    }
    void send() {
        const int fd = files_.any(random_);
        Letter letter;
        cmsghdr* header = CMSG_FIRSTHDR(&letter.message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
        count(Op::kSend, ::sendmsg(options_.mail, &letter.message, MSG_DONTWAIT | MSG_NOSIGNAL));
    }
    /// All that was sent: what waits there keeps sessions alive.
    void receive() {
        while (receive_one()) {
        }
    }
    bool receive_one() {
        Letter letter;
        const auto received = ::recvmsg(options_.mail, &letter.message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        count(Op::kReceive, received);
        if (received <= 0) return false;
        const cmsghdr* header = CMSG_FIRSTHDR(&letter.message);
        if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return true;
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
        files_.put(random_, fd);
        return true;
    }
    /// A watched process has one more.
    void thread() {
        count(Op::kFork, 0);
        std::thread([] { ::sched_yield(); }).join();
    }
    /// A child goes on with what it has inherited, until it ends or is killed.
    void fork() {
        const std::uint64_t pause_us = random_.below(20'000);
        const pid_t child = ::fork();
        if (child == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            mappings_.forget();
            for (int i = 0; i < kChildOperations; ++i) {
                if (const Op op = any_op(); op != Op::kFork) perform(op);
            }
            if (random_.one_in(4)) ::execl("/bin/true", "true", nullptr);
            ::_exit(0);
        }
        count(Op::kFork, child);
        if (child < 0) return;
        if (pause_us % 2 == 0) {
            ::usleep(static_cast<useconds_t>(pause_us));
            ::kill(child, SIGKILL);
        }
        while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    void move() {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET(random_.below(4), &cpus);
        if (random_.one_in(2)) {
            for (int cpu = 0; cpu < 4; ++cpu) CPU_SET(cpu, &cpus);
        }
        count(Op::kMove, ::sched_setaffinity(0, sizeof(cpus), &cpus));
    }

    Random random_;
    const WorkerOptions& options_;
    Files& files_;
    Counts& counts_;
    Mappings mappings_;
    Arena arena_{};
};

void nothing(int) {}

/// Its sessions are not to see addresses of the kernel.
void drop_syslog() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return;
    data[CAP_TO_INDEX(CAP_SYSLOG)].effective &= ~CAP_TO_MASK(CAP_SYSLOG);
    ::syscall(SYS_capset, &header, data.data());
}

}  // namespace

void work(const WorkerOptions& options, Counts& counts) {
    Mappings::catch_faults();
    prepare_arguments();
    if (options.sees_no_addresses) drop_syslog();
    // Calls that sleep are interrupted.
    struct sigaction action {};
    action.sa_handler = nothing;
    ::sigaction(SIGALRM, &action, nullptr);
    const itimerval often{.it_interval = {0, 7'000}, .it_value = {0, 7'000}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
    ::signal(SIGIO, SIG_IGN);

    Files files;
    std::array<std::thread, kThreads> threads;
    for (std::uint64_t i = 0; i < threads.size(); ++i) {
        threads[i] = std::thread([&options, &files, &counts, i] {
            // Its arguments are too large for a stack.
            std::make_unique<Thread>(options.seed * kThreads + i, options, files, counts)->run();
        });
    }
    // Theirs is what signals interrupt.
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    ::pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
    for (auto& thread : threads) thread.join();
}

}  // namespace device_fuzz
