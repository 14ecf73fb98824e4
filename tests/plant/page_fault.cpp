// SPDX-License-Identifier: MIT
// page-fault: a thread of higher priority that does nothing but touch new
// pages. (A fair thread cannot hold a victim up by faulting: the kernel offers
// to reschedule between the pages, even within one huge page.)
#include <sys/mman.h>
#include <sys/resource.h>

#include "victim.hpp"

namespace plant {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kTimed = 512;  // faults of a delay whose moment is told
constexpr Tsc kLongest = 500'000;    // 150 to 250 us: no fault takes that long, emulated or not

std::uint64_t minor_faults() {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return static_cast<std::uint64_t>(usage.ru_minflt);
}

/// Memory in small pages that is not there until it is touched.
class FreshPages {
public:
    FreshPages() {
        // NORESERVE and munlock undo, for this area, what mlockall has set.
        void* area = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (area == MAP_FAILED) throw_errno("map memory to fault on");
        base_ = static_cast<volatile char*>(area);
        if (munlock(area, kBytes) != 0 || mprotect(area, kBytes, PROT_READ | PROT_WRITE) != 0) {
            throw_errno("prepare memory to fault on");
        }
        madvise(area, kBytes, MADV_NOHUGEPAGE);  // refused by kernels that have none
    }
    ~FreshPages() { munmap(const_cast<char*>(base_), kBytes); }
    FreshPages(const FreshPages&) = delete;
    FreshPages& operator=(const FreshPages&) = delete;

    void drop() {
        madvise(const_cast<char*>(base_), kBytes, MADV_DONTNEED);
        next_ = 0;
    }
    void touch_next() {
        if (next_ == kBytes) drop();
        base_[next_] = 1;
        next_ += kPage;
    }

private:
    static constexpr std::size_t kBytes = std::size_t{256} << 20;
    volatile char* base_ = nullptr;
    std::size_t next_ = 0;
};

class PageFault : public Scenario {
public:
    explicit PageFault(const Setting& setting) : victim_(setting), faulter_("plant-fault", setting.cpu, kHigher) {}

    Delay plant(const Round& round) override {
        Cause cause{.kind = "page-fault", .name = faulter_.name(), .cpu = faulter_.cpu(), .tid = faulter_.tid()};
        std::uint64_t counted = 0;
        victim_.start(round);
        auto faulting = faulter_.run([&] {
            counted = fault(round, cause);
            victim_.let_go();
        });
        faulting.get();
        Delay delay = victim_.finish(round);
        delay.causes.push_back(cause);
        if (counted < cause.faults.value_or(0)) delay.fault = "the kernel counted fewer page faults than pages";
        return delay;
    }

private:
    /// Returns the faults that the kernel counted, those of the lead included.
    std::uint64_t fault(const Round& round, Cause& cause) {
        pages_.drop();
        cause.faults_tsc.reserve(kTimed);
        cause.gaps.reserve(kTimed);
        const Tsc wake = round.wake_tsc();
        std::uint64_t in_delay = 0;
        victim_.await(round);
        const std::uint64_t before = minor_faults();
        cause.start = tsc_now();
        const Tsc until = round.until(cause.start);
        Tsc last = cause.start;
        for (Tsc now = cause.start; now < until; now = tsc_now()) {
            if (now - last > kLongest) cause.gaps.push_back({last, now});
            last = now;
            pages_.touch_next();
            if (now < wake) continue;
            ++in_delay;
            if (cause.faults_tsc.size() < kTimed) cause.faults_tsc.push_back(now);
        }
        cause.end = tsc_now();
        cause.faults = in_delay;
        return minor_faults() - before;
    }

    Victim victim_;
    FreshPages pages_;
    Worker faulter_;
};

}  // namespace

std::unique_ptr<Scenario> make_page_fault(const Setting& setting) { return std::make_unique<PageFault>(setting); }

}  // namespace plant
