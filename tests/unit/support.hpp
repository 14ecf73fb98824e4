// SPDX-License-Identifier: MIT
/// What several test files need: how to print the library's types, and records.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "hftmon/event.hpp"
#include "hftmon/result.hpp"
#include "hftmon/stream.hpp"
#include "hftmon/units.hpp"

namespace hftmon {

// Found by argument-dependent lookup, so that BOOST_TEST can show values.
inline std::ostream& operator<<(std::ostream& out, TscTime t) { return out << t.value << " ticks (time)"; }
inline std::ostream& operator<<(std::ostream& out, TscTicks t) { return out << t.value << " ticks"; }
inline std::ostream& operator<<(std::ostream& out, CpuId cpu) { return out << "cpu " << cpu.value; }
inline std::ostream& operator<<(std::ostream& out, Tid tid) { return out << "tid " << tid.value; }
inline std::ostream& operator<<(std::ostream& out, ErrorCode code) {
    return out << "error code " << static_cast<int>(code);
}

}  // namespace hftmon

namespace hftmon::test {

/// The error's text for BOOST_*_MESSAGE, which evaluates it in any case.
template <class T>
std::string why(const Result<T>& result) {
    return result ? std::string("no error") : result.error().message();
}

/// A record with nothing but what every record has.
inline Record record(std::uint64_t tsc, unsigned type, std::uint64_t position = 0) {
    Record r{};
    r.tsc = tsc;
    r.type = static_cast<std::uint16_t>(type);
    r.seq = static_cast<std::uint32_t>(position + 1);
    return r;
}

inline Record comm(std::uint64_t tsc, std::string_view name, std::uint64_t position = 0) {
    Record r = record(tsc, HFTMON_REC_COMM, position);
    std::memcpy(r.comm, name.data(), std::min(name.size(), sizeof r.comm));
    return r;
}

/// A sane record of each type; a run where the type begins one.
inline std::vector<Record> sample_run(unsigned type, std::uint64_t tsc = 1000, std::uint64_t position = 0) {
    std::vector<Record> run{record(tsc, type, position)};
    if (type >= HFTMON_REC_THREAD && type <= HFTMON_REC_DEAD) {
        run[0].thread = {.tid = 7, .tgid = 6, .related_tid = 5, .prio = 120, .policy = 0, .flags = 0};
        run.push_back(comm(tsc, "worker", position + 1));
    }
    if (type == HFTMON_REC_IPI_SEND) run[0].ipi_send = {.first_cpu = 3, .count = 1, .cpus = 1u << 3};
    if (type == HFTMON_REC_SIGNAL_GENERATE || type == HFTMON_REC_SIGNAL_DELIVER) run[0].signal.signal = 10;
    return run;
}

inline constexpr unsigned kAllTypes[] = {HFTMON_REC_GAP,
                                         HFTMON_REC_CPU_STATE,
                                         HFTMON_REC_SCHED_SWITCH,
                                         HFTMON_REC_SCHED_WAKING,
                                         HFTMON_REC_SCHED_WAKEUP,
                                         HFTMON_REC_SCHED_WAKEUP_NEW,
                                         HFTMON_REC_SCHED_MIGRATE,
                                         HFTMON_REC_SCHED_PI_SETPRIO,
                                         HFTMON_REC_SCHED_NEED_RESCHED,
                                         HFTMON_REC_SCHED_BLOCKED,
                                         HFTMON_REC_SCHED_IOWAIT,
                                         HFTMON_REC_SCHED_NUMA,
                                         HFTMON_REC_NR_RUNNING,
                                         HFTMON_REC_AFFINITY,
                                         HFTMON_REC_CFS_THROTTLE,
                                         HFTMON_REC_CFS_UNTHROTTLE,
                                         HFTMON_REC_THREAD,
                                         HFTMON_REC_FORK,
                                         HFTMON_REC_EXEC,
                                         HFTMON_REC_EXIT,
                                         HFTMON_REC_RENAME,
                                         HFTMON_REC_DEAD,
                                         HFTMON_REC_IRQ_ENTRY,
                                         HFTMON_REC_IRQ_EXIT,
                                         HFTMON_REC_SOFTIRQ_RAISE,
                                         HFTMON_REC_SOFTIRQ_ENTRY,
                                         HFTMON_REC_SOFTIRQ_EXIT,
                                         HFTMON_REC_VECTOR_ENTRY,
                                         HFTMON_REC_VECTOR_EXIT,
                                         HFTMON_REC_NMI,
                                         HFTMON_REC_IPI_SEND,
                                         HFTMON_REC_PAGE_FAULT_USER,
                                         HFTMON_REC_PAGE_FAULT_KERNEL,
                                         HFTMON_REC_CPU_IDLE,
                                         HFTMON_REC_HRTIMER_EXPIRE_ENTRY,
                                         HFTMON_REC_HRTIMER_EXPIRE_EXIT,
                                         HFTMON_REC_TLB_FLUSH,
                                         HFTMON_REC_CPU_FREQUENCY,
                                         HFTMON_REC_SIGNAL_GENERATE,
                                         HFTMON_REC_SIGNAL_DELIVER,
                                         HFTMON_REC_NUMA_FAULT,
                                         HFTMON_REC_SPIKE,
                                         HFTMON_REC_DURATION,
                                         HFTMON_REC_SHED,
                                         HFTMON_REC_STACK,
                                         HFTMON_REC_HRTIMER_START,
                                         HFTMON_REC_TIMER_EXPIRE_ENTRY,
                                         HFTMON_REC_TIMER_EXPIRE_EXIT,
                                         HFTMON_REC_WORK_QUEUE,
                                         HFTMON_REC_WORK_START,
                                         HFTMON_REC_WORK_END,
                                         HFTMON_REC_TASKLET_ENTRY,
                                         HFTMON_REC_TASKLET_EXIT,
                                         HFTMON_REC_CSD_QUEUE,
                                         HFTMON_REC_CSD_ENTRY,
                                         HFTMON_REC_CSD_EXIT,
                                         HFTMON_REC_NAPI_POLL,
                                         HFTMON_REC_NET_RECEIVE,
                                         HFTMON_REC_NET_QUEUE,
                                         HFTMON_REC_NET_START_XMIT,
                                         HFTMON_REC_BLOCK_ISSUE,
                                         HFTMON_REC_BLOCK_COMPLETE,
                                         HFTMON_REC_SYSCALL_ENTER,
                                         HFTMON_REC_SYSCALL_EXIT};

/// Records in memory, all there from the beginning. `at_once` limits a peek(),
/// but never cuts a run.
class VectorStream final : public CpuStream {
public:
    VectorStream(CpuId cpu, std::vector<Record> records, std::size_t at_once = SIZE_MAX, std::uint64_t first = 0)
        : cpu_(cpu), records_(std::move(records)), at_once_(at_once), first_(first) {}

    [[nodiscard]] CpuId cpu() const noexcept override { return cpu_; }
    [[nodiscard]] std::span<const Record> peek() noexcept override {
        std::size_t end = records_.size() - next_ > at_once_ ? next_ + at_once_ : records_.size();
        while (end < records_.size() && records_[end].type == HFTMON_REC_COMM) ++end;
        return std::span<const Record>(records_).subspan(next_, end - next_);
    }
    [[nodiscard]] std::uint64_t position() const noexcept override { return first_ + next_; }
    void release(std::size_t count) noexcept override { next_ += count; }

    [[nodiscard]] std::size_t released() const noexcept { return next_; }
    void add(const Record& more) { records_.push_back(more); }

private:
    CpuId cpu_;
    std::vector<Record> records_;
    std::size_t at_once_;
    std::uint64_t first_;
    std::size_t next_ = 0;
};

/// A folder that goes away with the test.
class TempDir {
public:
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "hftmon-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

}  // namespace hftmon::test
