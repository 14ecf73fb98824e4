// SPDX-License-Identifier: MIT
#include "lib/session/mapping.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace hftmon::detail {

FileDescriptor::~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
}

MappedRegion::~MappedRegion() {
    if (address_ != nullptr) ::munmap(address_, length_);
}

namespace {

Result<MappedRegion> map_region(int fd, CpuId cpu, ::hftmon_mmap_region region, std::size_t length, int protection) {
    const auto offset = static_cast<off_t>(HFTMON_MMAP_OFFSET(cpu.value, region));
    void* address = ::mmap(nullptr, length, protection, MAP_SHARED, fd, offset);
    if (address == MAP_FAILED) {
        return Error{ErrorCode::kSystem, errno,
                     fmt::format("cannot map region {} of CPU {}", static_cast<int>(region), cpu.value), ""};
    }
    return MappedRegion(address, length);
}

}  // namespace

Result<MappedRing> MappedRing::map(int fd, CpuId cpu, std::uint32_t ring_records) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t bytes = std::size_t{ring_records} * HFTMON_RECORD_SIZE;

    auto control = map_region(fd, cpu, HFTMON_MMAP_CONTROL, page, PROT_READ);
    if (!control) return control.error();
    auto data = map_region(fd, cpu, HFTMON_MMAP_DATA, 2 * bytes, PROT_READ);
    if (!data) return data.error();
    auto reader = map_region(fd, cpu, HFTMON_MMAP_READER, page, PROT_READ | PROT_WRITE);
    if (!reader) return reader.error();

    MappedRing ring;
    ring.control = *std::move(control);
    ring.data = *std::move(data);
    ring.reader = *std::move(reader);
    ring.view = {.cpu = cpu,
                 .control = static_cast<const ::hftmon_ring_control*>(ring.control.get()),
                 .slots = static_cast<const Record*>(ring.data.get()),
                 .reader = static_cast<::hftmon_ring_reader*>(ring.reader.get())};
    const auto& page_says = *ring.view.control;
    if (page_says.cpu != cpu.value || page_says.capacity != ring_records ||
        page_says.record_size != HFTMON_RECORD_SIZE) {
        return Error{ErrorCode::kVersionMismatch, 0,
                     fmt::format("the ring of CPU {} is not what was asked for", cpu.value),
                     "module and library are of different versions: reload the module"};
    }
    return ring;
}

Result<MappedHistograms> MappedHistograms::map(int fd, CpuId cpu) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t length = (sizeof(::hftmon_histograms) + page - 1) / page * page;
    auto region = map_region(fd, cpu, HFTMON_MMAP_HISTOGRAMS, length, PROT_READ);
    if (!region) return region.error();
    return MappedHistograms{cpu, *std::move(region), {}, {}};
}

Result<MappedThreadHistograms> MappedThreadHistograms::map(int fd, const ::hftmon_info& info) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t length = (info.thread_slots * sizeof(::hftmon_thread_histograms) + page - 1) / page * page;
    auto region = map_region(fd, CpuId{0}, HFTMON_MMAP_THREAD_HISTOGRAMS, length, PROT_READ);
    if (!region) return region.error();
    return MappedThreadHistograms{*std::move(region), info.thread_slots, info.thread_bit, {}, {}};
}

std::vector<ThreadHistograms> MappedThreadHistograms::read() const {
    std::vector<ThreadHistograms> threads(slots);
    const auto* shared = static_cast<const ::hftmon_thread_histograms*>(region.get());
    for (std::uint32_t i = 0; i < slots; ++i) {
        // Pairs with the release of take() in kmod/thread_histograms.c.
        const auto state = __atomic_load_n(&shared[i].state, __ATOMIC_ACQUIRE);
        if (state != HFTMON_THREAD_LIVE && state != HFTMON_THREAD_ENDED) continue;
        if ((__atomic_load_n(&shared[i].sessions, __ATOMIC_RELAXED) >> bit & 1) != 0)
            threads[i].tid = Tid{shared[i].tid};
        threads[i].ended = state == HFTMON_THREAD_ENDED;
        for (std::size_t kind = 0; kind < threads[i].of.size(); ++kind) threads[i].of[kind].copy(shared[i].of[kind]);
    }
    return threads;
}

Result<MappedStacks> MappedStacks::map(int fd, ::hftmon_mmap_region region, std::uint32_t slots) {
    auto mapped = map_region(fd, CpuId{0}, region, std::size_t{slots} * sizeof(::hftmon_stack), PROT_READ);
    if (!mapped) return mapped.error();
    return MappedStacks{*std::move(mapped), slots};
}

std::optional<Stack> MappedStacks::find(StackPart part, std::uint32_t id) const {
    if (id == 0 || id > slots) return std::nullopt;
    const ::hftmon_stack& entry = static_cast<const ::hftmon_stack*>(region.get())[id - 1];
    // Pairs with the release of keep() in kmod/stack.c.
    if (__atomic_load_n(&entry.state, __ATOMIC_ACQUIRE) != HFTMON_STACK_WHOLE) return std::nullopt;
    const auto depth = std::min<std::uint32_t>(entry.depth, HFTMON_STACK_DEPTH);
    return Stack{part, id, (entry.flags & HFTMON_STACK_CUT) != 0, {entry.frames, entry.frames + depth}};
}

void MappedHistograms::read(DurationHistograms& copy) const noexcept {
    const auto& shared = *static_cast<const ::hftmon_histograms*>(region.get());
    for (std::size_t kind = 0; kind < kDurationKinds; ++kind) copy.of[kind].copy(shared.of[kind]);
    copy.missed = __atomic_load_n(&shared.missed, __ATOMIC_RELAXED);
    copy.no_slot = __atomic_load_n(&shared.no_slot, __ATOMIC_RELAXED);
}

}  // namespace hftmon::detail
