// SPDX-License-Identifier: MIT
#include "hftmon/session.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>

#include "hftmon/clock.hpp"
#include "lib/session/mapping.hpp"

namespace hftmon {

struct Session::Impl {
    detail::FileDescriptor fd;
    std::vector<detail::MappedRing> mappings;
    std::vector<RingReader> readers;
    std::vector<detail::MappedHistograms> histograms;
    std::optional<detail::MappedThreadHistograms> thread_histograms;
    detail::MappedStacks kernel_stacks, user_stacks;
    std::uint32_t durations = 0;  ///< that are counted for this session
    std::vector<CpuId> partial_cpus;
    std::vector<DurationThreshold> minimums;
};

namespace {

Error ioctl_error(const char* what) {
    const int err = errno;
    switch (err) {
        case EBUSY: return {ErrorCode::kBusy, err, what, "the session is past this state, or too many sessions run"};
        case ENODEV: return {ErrorCode::kBusy, err, what, "the session has not reached this state"};
        case EAGAIN: return {ErrorCode::kBusy, err, what, "one of its threads is still being created: try again"};
        case ESRCH: return {ErrorCode::kNotFound, err, what, "there is no such process or thread: see ps -eL"};
        case ENXIO: return {ErrorCode::kNotFound, err, what, "a CPU that was named does not exist or is offline"};
        case ESTALE:
            return {ErrorCode::kUnsupported, err, what,
                    "the kernel has given up the TSC since the module was loaded, or a suspend has begun it anew, so "
                    "times cannot be compared: reload the module"};
        case ENOSPC:
            return {ErrorCode::kSystem, err, what,
                    "the rings are larger than the module allows: smaller rings, fewer CPUs, or raise its parameters "
                    "max_session_mb and max_total_mb"};
        case ENOMEM: return {ErrorCode::kSystem, err, what, "smaller rings, or fewer CPUs"};
        case EOPNOTSUPP:
            return {ErrorCode::kUnsupported, err, what,
                    "nothing of what was asked for is to be had on this kernel: see hftctl status"};
        case EINVAL: return {ErrorCode::kInvalidArgument, err, what, ""};
        case ENOTTY:
            return {ErrorCode::kVersionMismatch, err, what, "the loaded module is of another version: reload it"};
        default: return {ErrorCode::kSystem, err, what, ""};
    }
}

template <class Argument>
Status command(int fd, unsigned long request, Argument& argument, const char* what) {
    argument.size = sizeof(argument);
    if (::ioctl(fd, request, &argument) != 0) return ioctl_error(what);
    return ok();
}

/// Kernel lockdown, as far as it may be seen: a module in /sys/kernel/security.
bool is_locked_down() {
    std::ifstream file("/sys/kernel/security/lockdown");
    std::string line;
    return std::getline(file, line) && line.find("[confidentiality]") != std::string::npos;
}

Error open_error() {
    const int err = errno;
    const std::string what = fmt::format("cannot open {}", HFTMON_DEVICE);
    switch (err) {
        case ENOENT:
        case ENXIO:
        case ENODEV:
            return {ErrorCode::kNotFound, err, what, "load the module: modprobe hftmon; make dkms-install builds it"};
        case EACCES:
        case EPERM:
            if (err == EPERM && is_locked_down())
                return {ErrorCode::kNoPermission, err, what,
                        "the kernel is locked down for confidentiality (Secure Boot, or lockdown= at boot), which "
                        "forbids tracing"};
            return {ErrorCode::kNoPermission, err, what,
                    "run as root, or with CAP_PERFMON and access to the device (group hftmon)"};
        default: return {ErrorCode::kSystem, err, what, ""};
    }
}

}  // namespace

Session::Session(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::open() {
    auto impl = std::make_unique<Impl>();
    impl->fd = detail::FileDescriptor(::open(HFTMON_DEVICE, O_RDWR | O_CLOEXEC));
    if (impl->fd.get() < 0) return open_error();

    Session session(std::move(impl));
    const auto info = session.info();
    if (!info) return info.error();
    if (info->abi_version != HFTMON_ABI_VERSION || info->record_size != HFTMON_RECORD_SIZE) {
        return Error{
            ErrorCode::kVersionMismatch, 0,
            fmt::format("the module speaks ABI {}, this program ABI {}", info->abi_version, HFTMON_ABI_VERSION),
            "install module and tools of the same release, and reload the module"};
    }
    return session;
}

Result<SessionInfo> Session::info() const {
    SessionInfo info{};
    if (auto status = command(impl_->fd.get(), HFTMON_IOC_INFO, info, "cannot read what the module offers"); !status) {
        return status.error();
    }
    return info;
}

Result<std::vector<SourceStatus>> Session::sources() const {
    std::vector<SourceStatus> entries(64);
    ::hftmon_sources argument{};
    argument.count = static_cast<__u32>(entries.size());
    argument.entries = reinterpret_cast<__u64>(entries.data());
    if (auto status = command(impl_->fd.get(), HFTMON_IOC_SOURCES, argument, "cannot list the sources"); !status) {
        return status.error();
    }
    entries.resize(std::min<std::size_t>(argument.count, entries.size()));
    return entries;
}

namespace {

/// Bits of the kinds; thresholds in ticks go to `over`, by kind.
Result<std::uint32_t> to_ticks(std::span<const DurationThreshold> thresholds, std::uint64_t tsc_khz,
                               std::span<__u64, HFTMON_THRESHOLD_KINDS> over) {
    const TscClock clock = TscClock::from_khz(tsc_khz);
    std::uint32_t kinds = 0;
    for (const DurationThreshold& threshold : thresholds) {
        if (threshold.kind >= HFTMON_DURATION_COUNT)
            return Error{ErrorCode::kInvalidArgument, 0, "no such kind of duration", ""};
        kinds |= HFTMON_DURATION_BIT(threshold.kind);
        over[threshold.kind] = static_cast<__u64>(clock.to_ticks(threshold.over).value);
    }
    return kinds;
}

/// As the kernel takes them: bit n is CPU n.
std::vector<__u64> to_mask(std::span<const CpuId> cpus) {
    std::vector<__u64> mask;
    for (const CpuId cpu : cpus) {
        mask.resize(std::max<std::size_t>(mask.size(), cpu.value / 64 + 1));
        mask[cpu.value / 64] |= __u64{1} << (cpu.value % 64);
    }
    return mask;
}

}  // namespace

Status Session::setup(const SessionOptions& options) {
    const auto module = this->info();
    if (!module) return module.error();
    ::hftmon_minimum minimum{};
    const auto recorded = to_ticks(options.minimums, module->tsc_khz, minimum.over);
    if (!recorded) return recorded.error();
    minimum.kinds = *recorded;
    for (const DurationThreshold& threshold : options.minimums) {
        if ((module->durations_available & HFTMON_DURATION_BIT(threshold.kind)) == 0)
            return Error{ErrorCode::kUnsupported, 0,
                         fmt::format("durations of kind {} cannot be measured here", duration_name(threshold.kind)),
                         "hftctl status tells which events this kernel lacks"};
    }
    const std::vector<__u64> mask = to_mask(options.cpus);
    std::vector<__u64> whole_mask;
    ::hftmon_setup argument{};
    const bool watches = options.whole_cpus || !options.watched.empty();
    if (watches) argument.flags = HFTMON_SETUP_WATCH | HFTMON_SETUP_INHERIT_THREADS;
    if (watches && options.inherit_processes) argument.flags |= HFTMON_SETUP_INHERIT_PROCESSES;
    if (watches && !options.whole_cpus) argument.flags |= HFTMON_SETUP_WHOLE;
    if (options.thread_histograms) argument.flags |= HFTMON_SETUP_THREADS;
    if (options.whole_cpus) {
        whole_mask = to_mask(*options.whole_cpus);
        argument.whole_mask = reinterpret_cast<__u64>(whole_mask.data());
        argument.whole_mask_bytes = static_cast<__u32>(whole_mask.size() * sizeof(__u64));
    }
    argument.mode = static_cast<__u32>(options.mode);
    argument.sources = options.sources;
    argument.durations = options.durations | minimum.kinds;
    argument.ring_records = options.ring_records;
    argument.wakeup_records = options.wakeup_records;
    argument.cpu_mask = reinterpret_cast<__u64>(mask.data());
    argument.cpu_mask_bytes = static_cast<__u32>(mask.size() * sizeof(__u64));
    if (auto status = command(impl_->fd.get(), HFTMON_IOC_SETUP, argument, "cannot set up the rings"); !status) {
        return status;
    }
    if (minimum.kinds != 0) {
        if (auto status = command(impl_->fd.get(), HFTMON_IOC_MINIMUM, minimum, "cannot set minimum durations");
            !status)
            return status;
    }
    impl_->minimums = options.minimums;

    // The kernel knows which CPUs got a ring.
    const auto info = this->info();
    if (!info) return info.error();
    for (std::uint32_t cpu = 0; cpu < info->nr_cpu_ids; ++cpu) {
        if (!cpu_stats(CpuId{cpu})) continue;
        auto mapping = detail::MappedRing::map(impl_->fd.get(), CpuId{cpu}, options.ring_records);
        if (!mapping) return mapping.error();
        impl_->mappings.push_back(*std::move(mapping));
        impl_->readers.emplace_back(impl_->mappings.back().view);
        if (argument.durations != 0) {
            auto histograms = detail::MappedHistograms::map(impl_->fd.get(), CpuId{cpu});
            if (!histograms) return histograms.error();
            impl_->histograms.push_back(*std::move(histograms));
        }
        if (options.whole_cpus && std::ranges::count(*options.whole_cpus, CpuId{cpu}) == 0)
            impl_->partial_cpus.push_back(CpuId{cpu});
    }
    if (auto status = map_stacks(); !status) return status;
    if (info->thread_slots != 0) {
        auto mapped = detail::MappedThreadHistograms::map(impl_->fd.get(), *info);
        if (!mapped) return mapped.error();
        impl_->thread_histograms = *std::move(mapped);
    }
    for (const Tid tid : options.watched) {
        if (auto watched = watch(tid); !watched) return watched.error();
    }
    return ok();
}

Status Session::map_stacks() {
    const auto info = stacks_info();
    if (!info) return info.error();
    if (info->slots == 0) return ok();
    auto user = detail::MappedStacks::map(impl_->fd.get(), HFTMON_MMAP_USER_STACKS, info->slots);
    if (!user) return user.error();
    impl_->user_stacks = *std::move(user);
    auto kernel = detail::MappedStacks::map(impl_->fd.get(), HFTMON_MMAP_KERNEL_STACKS, info->slots);
    if (kernel)
        impl_->kernel_stacks = *std::move(kernel);
    else if (kernel.error().sys_errno != EPERM)  // the kernel's addresses are hidden
        return kernel.error();
    return ok();
}

Result<std::uint32_t> Session::change_watch(Tid tid, std::uint32_t op) const {
    const auto list = threads();
    if (!list) return list.error();
    const auto leads = [tid](const ::hftmon_thread_entry& thread) {
        return thread.id.tid == tid.value && thread.id.tgid == tid.value;
    };
    ::hftmon_watch argument{};
    argument.op = op;
    argument.tid = tid.value;
    if (std::ranges::any_of(list->entries, leads)) argument.flags = HFTMON_WATCH_PROCESS;
    const std::string what = fmt::format("cannot watch {}", tid.value);
    if (auto status = command(impl_->fd.get(), HFTMON_IOC_WATCH, argument, what.c_str()); !status)
        return status.error();
    return argument.threads;
}

Result<std::uint32_t> Session::watch(Tid tid) { return change_watch(tid, HFTMON_WATCH_ADD); }

Result<std::uint32_t> Session::unwatch(Tid tid) { return change_watch(tid, HFTMON_WATCH_REMOVE); }

Status Session::set_trigger(const TriggerOptions& options) const {
    const auto info = this->info();
    if (!info) return info.error();
    const TscClock clock = TscClock::from_khz(info->tsc_khz);
    const auto ticks = [&](Nanoseconds ns) { return static_cast<__u64>(clock.to_ticks(ns).value); };
    ::hftmon_trigger argument{};
    const auto kinds = to_ticks(options.thresholds, info->tsc_khz, argument.over);
    if (!kinds) return kinds.error();
    argument.kinds = *kinds;
    if (options.watched) argument.flags |= HFTMON_TRIGGER_WATCHED;
    if (options.freeze != Freeze::kNothing) argument.flags |= HFTMON_TRIGGER_FREEZE;
    if (options.freeze == Freeze::kSender) argument.flags |= HFTMON_TRIGGER_FREEZE_SENDER;
    if (options.freeze == Freeze::kAll) argument.flags |= HFTMON_TRIGGER_FREEZE_ALL;
    argument.tail_records = options.tail_records.value_or(0);
    if (options.tail) argument.tail_ticks = ticks(*options.tail);
    if (options.holdoff) argument.holdoff_ticks = ticks(*options.holdoff);
    return command(impl_->fd.get(), HFTMON_IOC_TRIGGER, argument, "cannot set the trigger");
}

Result<Spikes> Session::spikes(Rearm rearm) const {
    ::hftmon_spikes argument{};
    argument.flags = rearm == Rearm::kYes ? HFTMON_SPIKES_REARM : 0;
    if (auto status = command(impl_->fd.get(), HFTMON_IOC_SPIKES, argument, "cannot ask for spikes"); !status)
        return status.error();
    return Spikes{
        argument.hits, argument.held,
        Event{{TscTime{argument.tsc}, CpuId{argument.cpu}},
              SpikeEvent{{static_cast<DurationKind>(argument.kind), TscTicks{static_cast<std::int64_t>(argument.ticks)},
                          Tid{argument.tid}, argument.cause}}}};
}

Status Session::start() {
    if (::ioctl(impl_->fd.get(), HFTMON_IOC_START) != 0) return ioctl_error("cannot start the session");
    for (detail::MappedHistograms& histograms : impl_->histograms) {
        histograms.at_start = std::make_unique<DurationHistograms>();
        histograms.read(*histograms.at_start);
    }
    if (impl_->thread_histograms) impl_->thread_histograms->at_start = impl_->thread_histograms->read();
    if (impl_->histograms.empty()) return ok();
    const auto info = this->info();
    if (!info) return info.error();
    impl_->durations = info->durations_active;
    return ok();
}

Status Session::stop() {
    if (::ioctl(impl_->fd.get(), HFTMON_IOC_STOP) != 0) return ioctl_error("cannot stop the session");
    for (RingReader& reader : impl_->readers) reader.freeze();
    // Others may count on.
    for (detail::MappedHistograms& histograms : impl_->histograms) {
        histograms.at_stop = std::make_unique<DurationHistograms>();
        histograms.read(*histograms.at_stop);
    }
    if (impl_->thread_histograms) impl_->thread_histograms->at_stop = impl_->thread_histograms->read();
    return ok();
}

std::span<RingReader> Session::rings() noexcept { return impl_->readers; }

std::span<const DurationThreshold> Session::minimums() const noexcept { return impl_->minimums; }

std::span<const CpuId> Session::partial_cpus() const noexcept { return impl_->partial_cpus; }

int Session::fd() const noexcept { return impl_->fd.get(); }

Result<bool> Session::wait(std::chrono::milliseconds timeout) const {
    pollfd poll_fd{.fd = impl_->fd.get(), .events = POLLIN | POLLPRI, .revents = 0};
    const auto limit = std::clamp<std::chrono::milliseconds::rep>(timeout.count(), 0, std::numeric_limits<int>::max());
    const int ready = ::poll(&poll_fd, 1, static_cast<int>(limit));
    if (ready < 0 && errno != EINTR) return Error{ErrorCode::kSystem, errno, "cannot wait for records", ""};
    return ready > 0 && (poll_fd.revents & POLLIN) != 0;
}

Result<CpuStats> Session::cpu_stats(CpuId cpu) const {
    CpuStats stats{};
    stats.cpu = cpu.value;
    if (auto status = command(impl_->fd.get(), HFTMON_IOC_CPU_STATS, stats, "cannot read a CPU's counts"); !status) {
        return status.error();
    }
    return stats;
}

Result<CpuCosts> Session::costs(CpuId cpu) const {
    CpuCosts costs;
    ::hftmon_costs argument{};
    argument.cpu = cpu.value;
    argument.count = static_cast<__u32>(costs.by_source.size());
    argument.entries = reinterpret_cast<__u64>(costs.by_source.data());
    if (auto status = command(impl_->fd.get(), HFTMON_IOC_COSTS, argument, "cannot read what events cost"); !status)
        return status.error();
    costs.cpu = cpu;
    costs.budget_ppm = argument.budget_ppm;
    costs.spent_ppm = argument.spent_ppm;
    costs.events = argument.events;
    costs.timed = {.samples = argument.samples, .ticks = argument.ticks};
    costs.shed = argument.shed;
    return costs;
}

Status Session::durations(CpuId cpu, DurationHistograms& counted) const {
    const auto found = std::ranges::find(impl_->histograms, cpu, &detail::MappedHistograms::cpu);
    if (found == impl_->histograms.end() || !found->at_start) {
        return Error{ErrorCode::kNotFound, 0, fmt::format("no durations are counted on CPU {}", cpu.value), ""};
    }
    if (found->at_stop)
        counted = *found->at_stop;
    else
        found->read(counted);
    counted.subtract(*found->at_start);
    for (std::uint32_t kind = 0; kind < kDurationKinds; ++kind) {
        if ((impl_->durations & HFTMON_DURATION_BIT(kind)) == 0) counted.of[kind] = {};
    }
    return ok();
}

Result<std::vector<ThreadHistograms>> Session::thread_durations() const {
    const auto& mapped = impl_->thread_histograms;
    if (!mapped || mapped->at_start.empty())
        return Error{ErrorCode::kNotFound, 0, "no durations are counted by thread", ""};
    auto threads = mapped->at_stop.empty() ? mapped->read() : mapped->at_stop;
    std::vector<ThreadHistograms> counted;
    for (std::size_t slot = 0; slot < threads.size(); ++slot) {
        ThreadHistograms& thread = threads[slot];
        if (thread.tid == Tid{}) continue;
        std::uint64_t count = 0;
        for (std::uint32_t i = 0; i < thread.of.size(); ++i) {
            const bool is_counted = (impl_->durations >> (HFTMON_THREAD_DURATION_FIRST + i) & 1) != 0;
            if (is_counted)
                thread.of[i].subtract(mapped->at_start[slot].of[i]);
            else
                thread.of[i] = {};
            count += thread.of[i].count();
        }
        if (count != 0) counted.push_back(thread);
    }
    return counted;
}

Result<StacksInfo> Session::stacks_info() const {
    StacksInfo info{};
    if (auto status = command(impl_->fd.get(), HFTMON_IOC_STACKS, info, "cannot ask for stacks"); !status)
        return status.error();
    return info;
}

std::optional<Stack> Session::stack(StackPart part, std::uint32_t id) const {
    return (part == StackPart::kKernel ? impl_->kernel_stacks : impl_->user_stacks).find(part, id);
}

Result<ClockSync> Session::clock_sync() const {
    ClockSync sync{};
    if (auto status = command(impl_->fd.get(), HFTMON_IOC_CLOCK_SYNC, sync, "cannot read the clocks"); !status) {
        return status.error();
    }
    return sync;
}

Result<CaptureThreads> Session::threads() const {
    CaptureThreads list;
    std::size_t room = 1024;
    for (;;) {
        list.entries.resize(room);
        ::hftmon_threads argument{};
        argument.count = static_cast<__u32>(room);
        argument.entries = reinterpret_cast<__u64>(list.entries.data());
        if (auto status = command(impl_->fd.get(), HFTMON_IOC_THREADS, argument, "cannot list the threads"); !status) {
            return status.error();
        }
        list.from = TscTime{argument.tsc};
        list.to = TscTime{argument.tsc_end};
        if (argument.count <= room) {
            list.entries.resize(argument.count);
            return list;
        }
        room = argument.count + argument.count / 4;  // threads may start between two calls
    }
}

}  // namespace hftmon
