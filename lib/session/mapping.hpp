// SPDX-License-Identifier: MIT
/// Owners of a descriptor and of the mapped regions of one ring.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "hftmon/abi/ioctl.h"
#include "hftmon/histogram.hpp"
#include "hftmon/result.hpp"
#include "hftmon/ring_reader.hpp"
#include "hftmon/stacks.hpp"

namespace hftmon::detail {

class FileDescriptor {
public:
    explicit FileDescriptor(int fd = -1) noexcept : fd_(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~FileDescriptor();
    [[nodiscard]] int get() const noexcept { return fd_; }

private:
    int fd_;
};

class MappedRegion {
public:
    MappedRegion() noexcept = default;
    MappedRegion(void* address, std::size_t length) noexcept : address_(address), length_(length) {}
    MappedRegion(MappedRegion&& other) noexcept
        : address_(std::exchange(other.address_, nullptr)), length_(std::exchange(other.length_, 0)) {}
    MappedRegion& operator=(MappedRegion&& other) noexcept {
        std::swap(address_, other.address_);
        std::swap(length_, other.length_);
        return *this;
    }
    ~MappedRegion();
    [[nodiscard]] void* get() const noexcept { return address_; }

private:
    void* address_ = nullptr;
    std::size_t length_ = 0;
};

/// The mappings of one ring, their geometry checked against what the control
/// page says.
struct MappedRing {
    MappedRegion control, data, reader;
    RingMapping view;
    static Result<MappedRing> map(int fd, CpuId cpu, std::uint32_t ring_records);
};

/// What the kernel counts of durations on one CPU, for all sessions.
struct MappedHistograms {
    CpuId cpu;
    MappedRegion region;
    /// What there was when the session started, and when it had stopped.
    std::unique_ptr<DurationHistograms> at_start, at_stop;
    static Result<MappedHistograms> map(int fd, CpuId cpu);
    /// All that was ever counted.
    void read(DurationHistograms& copy) const noexcept;
};

/// What the kernel counts of watched threads, those of other sessions, too.
struct MappedThreadHistograms {
    MappedRegion region;
    std::uint32_t slots = 0, bit = 0;
    /// By slot: when the session started, and when it had stopped.
    std::vector<ThreadHistograms> at_start, at_stop;
    static Result<MappedThreadHistograms> map(int fd, const ::hftmon_info& info);
    /// All that was ever counted, by slot; tid 0: of nobody whom this session watches.
    [[nodiscard]] std::vector<ThreadHistograms> read() const;
};

/// One of the tables of stacks, which the kernel fills meanwhile.
struct MappedStacks {
    MappedRegion region;
    std::uint32_t slots = 0;
    static Result<MappedStacks> map(int fd, ::hftmon_mmap_region region, std::uint32_t slots);
    [[nodiscard]] std::optional<Stack> find(StackPart part, std::uint32_t id) const;
};

}  // namespace hftmon::detail
