// SPDX-License-Identifier: MIT
/// What one thread has mapped of sessions, and what it does to that.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "counts.hpp"
#include "random.hpp"

namespace device_fuzz {

struct Mapping {
    std::byte* base = nullptr;
    std::size_t length = 0;
    int protection = 0;
    bool ours_to_write = false;  ///< the READER region
};

/// Not shared between threads. Reading and writing go on when memory is not there (SIGBUS, SIGSEGV).
class Mappings {
public:
    explicit Mappings(Counts& counts) : counts_(counts) {}
    Mappings(const Mappings&) = delete;
    Mappings& operator=(const Mappings&) = delete;
    ~Mappings();

    void map(Random& random, int fd);
    /// All regions of CPUs 0 to 3 and all tables, as a reader would; in place of the last session's.
    void map_session(int fd, std::uint32_t ring_records);
    /// Where something is mapped, or was.
    [[nodiscard]] void* any(Random& random) { return slot(random).base; }
    /// In a child: none of them is there (VM_DONTCOPY).
    void forget() { all_ = {}; }
    void unmap(Random& random);
    void remap(Random& random);
    void protect(Random& random);
    /// Hostile words into whatever can be written.
    void write(Random& random);
    void read(Random& random);
    /// Into what must not be written, past its protection (/proc/self/mem).
    void force(Random& random);

    /// Once per process, before the first.
    static void catch_faults();

private:
    Mapping& slot(Random& random) { return all_[random.below(all_.size())]; }
    void map(Mapping& place, int fd, std::uint64_t offset, std::size_t length, int protection, int flags);
    void violation(const char* what);

    Counts& counts_;
    static constexpr std::size_t kOfSession = 4 * 4 + 3;
    std::array<Mapping, kOfSession + 13> all_{};
};

}  // namespace device_fuzz
