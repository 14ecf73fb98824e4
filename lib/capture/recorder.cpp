// SPDX-License-Identifier: MIT
#include "hftmon/recorder.hpp"

#include <sys/resource.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <utility>

#include "hftmon/clock.hpp"
#include "lib/capture/told.hpp"

namespace hftmon {

namespace {

using SteadyClock = std::chrono::steady_clock;

/// What a recorder that is killed may lose. Saving is an ioctl and a write.
constexpr std::chrono::seconds kSaveInterval(1);

}  // namespace

struct Recorder::Impl {
    Session session;
    CaptureWriter writer;
    CaptureMeta meta;
    TscTime start;
    Nanoseconds cpu_at_start;
    capture::ToldByNumber told;
    SteadyClock::time_point saved = SteadyClock::now();

    Status save_if_due();
    Status write_programs(bool all = false);
    Status write_stacks();
};

namespace {

Nanoseconds own_cpu_time() {
    ::rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto ns = [](const ::timeval& time) {
        return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
    };
    return ns(usage.ru_utime) + ns(usage.ru_stime);
}

/// The clocks, threads and interrupts of one moment.
struct Anchor {
    ClockSync sync;
    CaptureThreads threads;
    std::vector<IrqName> irqs;
};

Result<Anchor> take_anchor(const Session& session) {
    const auto sync = session.clock_sync();
    if (!sync) return sync.error();
    auto threads = session.threads();
    if (!threads) return threads.error();
    return Anchor{*sync, *std::move(threads), read_irq_names()};
}

Status write_anchor(CaptureWriter& writer, const Anchor& anchor) {
    if (auto status = writer.clock(anchor.sync); !status) return status;
    if (auto status = writer.threads(anchor.threads); !status) return status;
    return writer.irqs(anchor.irqs);
}

Status drain(Session& session, CaptureWriter& writer, capture::ToldByNumber& told) {
    for (RingReader& ring : session.rings()) {
        // One look per ring: a busy CPU must not keep us from the others.
        const auto records = ring.peek();
        if (records.empty()) continue;
        if (auto status = writer.records(ring.cpu(), ring.position(), records); !status) return status;
        told.look(records);
        ring.release(records.size());
    }
    return ok();
}

}  // namespace

std::vector<IrqName> read_irq_names() {
    std::vector<IrqName> names;
    std::error_code error;
    // By hand: the range-based loop would throw.
    for (std::filesystem::directory_iterator entry("/sys/kernel/irq", error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string number = entry->path().filename();
        IrqName name;
        if (std::from_chars(number.data(), number.data() + number.size(), name.irq).ec != std::errc{}) continue;
        std::ifstream actions(entry->path() / "actions");
        std::getline(actions, name.name);
        if (!name.name.empty()) names.push_back(std::move(name));
    }
    return names;
}

Recorder::Recorder(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Recorder::Recorder(Recorder&&) noexcept = default;
Recorder& Recorder::operator=(Recorder&&) noexcept = default;
Recorder::~Recorder() = default;

Result<Recorder> Recorder::start(const Options& options) {
    auto session = Session::open();
    if (!session) return session.error();
    if (auto status = session->setup(options.session); !status) return status.error();
    if (options.trigger) {
        if (auto status = session->set_trigger(*options.trigger); !status) return status.error();
    }

    if (auto status = CaptureWriter::check(options.path); !status) return status.error();
    const auto anchor = take_anchor(*session);
    if (!anchor) return anchor.error();
    const Nanoseconds cpu_at_start = own_cpu_time();
    if (auto status = session->start(); !status) return status.error();
    // Names of the threads that began between the first list and the hooks.
    const auto threads = session->threads();
    if (!threads) return threads.error();

    // Only now, when recording goes, is an older file at that path given up.
    auto meta = session->describe();
    if (!meta) return meta.error();
    meta->subjects = options.subjects;
    meta->command_line = options.command_line;
    auto writer = CaptureWriter::create(options.path, *meta);
    if (!writer) return writer.error();
    if (auto status = write_anchor(*writer, *anchor); !status) return status.error();
    if (auto status = writer->threads(*threads); !status) return status.error();
    const bool has_stacks = (options.session.sources & HFTMON_SOURCE_STACKS) != 0;
    Impl impl{*std::move(session),       *std::move(writer), *std::move(meta),
              TscTime{anchor->sync.tsc}, cpu_at_start,       capture::ToldByNumber(has_stacks)};
    // In flight mode nobody looks at stacks before the end, and who was there may be gone then.
    if (has_stacks && impl.meta.ring_mode == HFTMON_MODE_FLIGHT) {
        const auto programs = impl.told.all_programs(impl.session);
        if (auto status = impl.writer.programs(programs); !status) return status.error();
    }
    if (auto status = impl.writer.flush(); !status) return status.error();
    return Recorder(std::make_unique<Impl>(std::move(impl)));
}

/// A file that is cut can be read up to here, and has a second reading of the
/// clocks: with one alone its times would go by the stated frequency.
Status Recorder::Impl::save_if_due() {
    const auto now = SteadyClock::now();
    if (now - saved < kSaveInterval) return ok();
    saved = now;
    const auto sync = session.clock_sync();
    if (!sync) return sync.error();
    if (meta.ring_mode == HFTMON_MODE_FLIGHT) return ok();  // nothing is in the file yet
    if (auto status = writer.clock(*sync); !status) return status;
    if (auto status = write_programs(); !status) return status;
    if (auto status = write_stacks(); !status) return status;
    return writer.flush();
}

Status Recorder::Impl::write_programs(bool all) {
    const auto programs = told.take_programs(session, all);
    return programs.empty() ? ok() : writer.programs(programs);
}

/// Stacks that the records so far name.
Status Recorder::Impl::write_stacks() {
    const auto stacks = told.take_stacks(session);
    return stacks.empty() ? ok() : writer.stacks(stacks);
}

Status Recorder::pump(std::chrono::milliseconds timeout) {
    const auto ready = impl_->session.wait(timeout);
    if (!ready) return ready.error();
    if (auto status = drain(impl_->session, impl_->writer, impl_->told); !status) return status;
    if (impl_->told.has_new_threads()) {  // their programs may end soon
        if (auto status = impl_->write_programs(); !status) return status;
    }
    return impl_->save_if_due();
}

Result<CaptureStats> Recorder::finish() {
    Session& session = impl_->session;
    CaptureWriter& writer = impl_->writer;
    // Where the clock is no longer good, what was captured before is kept.
    const auto sync = session.clock_sync();
    CaptureStats stats;
    stats.collector_cpu = own_cpu_time() - impl_->cpu_at_start;
    if (sync) stats.observed = TscClock::from_khz(impl_->meta.tsc_khz).to_ns(TscTime{sync->tsc} - impl_->start);
    // As long as it is told who begins another program.
    if (auto status = impl_->write_programs(true); !status) return status.error();
    if (auto status = session.stop(); !status) return status.error();
    // One peek of a stopped ring is all that it holds.
    if (auto status = drain(session, writer, impl_->told); !status) return status.error();
    if (auto status = impl_->write_programs(true); !status) return status.error();
    if (auto status = impl_->write_stacks(); !status) return status.error();
    if (auto status = writer.functions(impl_->told.names()); !status) return status.error();
    if (!sync) {
        if (auto status = writer.flush(); !status) return status.error();
        return sync.error();
    }
    const auto anchor = take_anchor(session);
    if (!anchor) return anchor.error();
    if (auto status = write_anchor(writer, *anchor); !status) return status.error();

    for (const RingReader& ring : session.rings()) {
        const auto kernel = session.cpu_stats(ring.cpu());
        if (!kernel) return kernel.error();
        const RingCounts counts = ring.counts();
        stats.cpus.push_back({.cpu = ring.cpu(),
                              .head = kernel->head,
                              .lost = kernel->lost,
                              .overwritten = counts.overwritten,
                              .read = counts.read,
                              .probes = kernel->probes,
                              .self_samples = kernel->self_samples,
                              .self_ticks = kernel->self_ticks,
                              .ever_shed = kernel->ever_shed});
    }
    if (auto status = writer.stats(stats); !status) return status.error();
    impl_->meta.end_realtime = Nanoseconds(static_cast<std::int64_t>(sync->realtime_ns));
    if (auto status = writer.finish(impl_->meta.end_realtime); !status) return status.error();
    return stats;
}

std::uint64_t Recorder::bytes() const noexcept { return impl_->writer.bytes(); }
const CaptureMeta& Recorder::meta() const noexcept { return impl_->meta; }
Session& Recorder::session() noexcept { return impl_->session; }

}  // namespace hftmon
