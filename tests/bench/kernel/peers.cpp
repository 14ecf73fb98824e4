// SPDX-License-Identifier: MIT
// ftrace, perf, eBPF and LTTng, as their own tools set them up, but nobody reads.
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "methods.hpp"

namespace bench {
namespace {

const std::string kTracing = "/sys/kernel/tracing/";
const std::string kEvent = kTracing + "events/sched/sched_switch/";

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

void write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    if (!file) fail("cannot write " + path);
}

class Ftrace : public Armed {
public:
    explicit Ftrace(bool with_comms) {
        write_file(kTracing + "buffer_size_kb", "16384");
        write_file(kTracing + "options/record-cmd", with_comms ? "1" : "0");
        write_file(kEvent + "enable", "1");
    }
    ~Ftrace() override {
        for (const char* file : {"events/sched/sched_switch/enable", "trace"})
            std::ofstream(kTracing + file, std::ios::trunc) << (file[0] == 'e' ? "0" : "");
    }
};

/// What perf record -a -e sched:sched_switch opens, into a ring that overwrites.
class Perf : public Armed {
public:
    Perf() {
        std::ifstream id(kEvent + "id");
        ::perf_event_attr attr{};
        attr.type = PERF_TYPE_TRACEPOINT;
        attr.size = sizeof(attr);
        if (!(id >> attr.config)) fail("cannot read the tracepoint's number");
        attr.sample_period = 1;
        attr.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD |
                           PERF_SAMPLE_RAW;
        attr.write_backward = 1;
        attr.sample_id_all = 1;
        fd_ = static_cast<int>(::syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
        if (fd_ < 0) fail("perf_event_open");
        ring_ = ::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, fd_, 0);
        if (ring_ == MAP_FAILED) fail("cannot map the ring");
    }
    ~Perf() override {
        ::munmap(ring_, kBytes);
        ::close(fd_);
    }

private:
    static constexpr std::size_t kBytes = (1 + 1024) * std::size_t{4096};
    int fd_ = -1;
    void* ring_ = nullptr;
};

class Bpf : public Armed {
public:
    explicit Bpf(const std::string& path) {
        if (path.empty()) throw std::runtime_error("it was not built: clang and libbpf-dev are needed");
        object_ = ::bpf_object__open_file(path.c_str(), nullptr);
        if (object_ == nullptr || ::bpf_object__load(object_) != 0) fail("cannot load " + path);
        link_ = ::bpf_program__attach(::bpf_object__find_program_by_name(object_, "on_switch"));
        if (link_ == nullptr) fail("cannot attach");
    }
    ~Bpf() override {
        ::bpf_link__destroy(link_);
        ::bpf_object__close(object_);
    }

private:
    ::bpf_object* object_ = nullptr;
    ::bpf_link* link_ = nullptr;
};

class Lttng : public Armed {
public:
    explicit Lttng(const Files& files) : session_(files.lttng + " '" + files.lttng_at + "' ") {
        if (files.lttng_at.empty()) throw std::runtime_error("its modules could not be had for this kernel");
        if (std::system((session_ + "start").c_str()) != 0) throw std::runtime_error("it does not start");
    }
    ~Lttng() override { (void)!std::system((session_ + "stop").c_str()); }

private:
    std::string session_;
};

}  // namespace

std::vector<Method> peers(const Files& files) {
    return {{"eBPF, ring buffer", [bpf = files.bpf] { return std::make_unique<Bpf>(bpf); }},
            {"ftrace, without record-cmd", [] { return std::make_unique<Ftrace>(false); }},
            {"ftrace", [] { return std::make_unique<Ftrace>(true); }},
            {"LTTng, snapshot", [files] { return std::make_unique<Lttng>(files); }},
            {"perf", [] { return std::make_unique<Perf>(); }}};
}

}  // namespace bench
