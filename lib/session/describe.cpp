// SPDX-License-Identifier: MIT
// What a session and its machine say of themselves, for people and captures.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>

#include "hftmon/session.hpp"

namespace hftmon {

namespace {

std::string cpu_model() {
    std::ifstream cpuinfo("/proc/cpuinfo");
    for (std::string line; std::getline(cpuinfo, line);) {
        if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
    }
    return "unknown CPU";
}

}  // namespace

std::string source_reason(const SourceStatus& status) {
    switch (status.state) {
        case HFTMON_SOURCE_AVAILABLE: return "";
        case HFTMON_SOURCE_MISSING: return "this kernel has no such tracepoint or function";
        case HFTMON_SOURCE_MISMATCH: return "the kernel's prototype is not one that the module was built for";
        case HFTMON_SOURCE_FAILED:
            return fmt::format("hooking it failed: {}",
                               std::generic_category().message(static_cast<int>(status.error)));
        default: return "unknown state";
    }
}

Result<CaptureMeta> Session::describe() const {
    const auto info = this->info();
    if (!info) return info.error();
    const auto sources = this->sources();
    if (!sources) return sources.error();

    ::utsname uts{};
    ::uname(&uts);
    CaptureMeta meta;
    meta.hostname = uts.nodename;
    meta.kernel_release = uts.release;
    meta.online_cpus = static_cast<std::uint32_t>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 0L));
    meta.machine = fmt::format("{}, {} CPUs", cpu_model(), meta.online_cpus);
    meta.abi_version = info->abi_version;
    meta.schema_version = info->schema_version;
    meta.clock = info->clock;
    meta.tsc_khz = info->tsc_khz;
    meta.tsc_invariant = (info->flags & HFTMON_INFO_TSC_INVARIANT) != 0;
    meta.ring_mode = info->mode;
    meta.ring_records = info->ring_records;
    for (std::uint32_t cpu = 0; cpu < info->nr_cpu_ids; ++cpu) {
        if (cpu_stats(CpuId{cpu})) meta.cpus.push_back(CpuId{cpu});
    }
    const auto partial = partial_cpus();
    meta.partial_cpus.assign(partial.begin(), partial.end());
    std::ranges::copy_if(minimums(), std::back_inserter(meta.minimums), [&](const DurationThreshold& minimum) {
        return (info->durations_active & HFTMON_DURATION_BIT(minimum.kind)) != 0;
    });
    for (const SourceStatus& status : *sources) {
        meta.sources.push_back({.id = status.source,
                                .name = std::string(source_name(status.source)),
                                .state = status.state,
                                .error = status.error,
                                .active = (info->sources_active & HFTMON_SOURCE_BIT(status.source)) != 0});
    }
    const auto sync = clock_sync();
    if (!sync) return sync.error();
    meta.start_realtime = Nanoseconds(static_cast<std::int64_t>(sync->realtime_ns));
    return meta;
}

}  // namespace hftmon
