// SPDX-License-Identifier: MIT
/// The same choices for the same seed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>

namespace device_fuzz {

class Random {
public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}

    std::uint64_t word() { return engine_(); }
    /// 0 .. bound - 1
    std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    template <class T, std::size_t N>
    const T& any_of(const std::array<T, N>& list) {
        return list[below(N)];
    }
    /// A number at which something often changes; as an address, nothing is there.
    std::uint64_t edge() {
        static constexpr std::array<std::uint64_t, 20> kEdges{
            0,    1,      2,          3,           7,           8,          63,         64,         65,         4095,
            4096, 65'536, 0x7fffffff, 0x80000000u, 0xffffffffu, 1ull << 32, 1ull << 44, 1ull << 62, 1ull << 63, ~0ull};
        return one_in(4) ? below(1u << 20) : any_of(kEdges);
    }

private:
    std::mt19937_64 engine_;
};

}  // namespace device_fuzz
