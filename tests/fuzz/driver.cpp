// SPDX-License-Identifier: MIT
/// A small deterministic fuzzer, for compilers without libFuzzer and for runs
/// that must be the same everywhere. Mutates good captures and one another.
///
///     capture_fuzz [--runs N] [--seed S] [--only RUN] [--trace 1] [--write-seeds FOLDER]
///
/// --trace 1 prints the number of each run before it starts; a failing one is
/// repeated with --only and the same --seed.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <string_view>

#include "lib/capture/format.hpp"
#include "tests/fuzz/seeds.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using hftmon::format::ChunkHeader;
using hftmon::fuzz::Input;
using Random = std::mt19937_64;

/// Values at the edges of what lengths, counts and times may be.
constexpr std::uint64_t kEdges[] = {0,
                                    1,
                                    2,
                                    31,
                                    32,
                                    33,
                                    63,
                                    64,
                                    65535,
                                    65536,
                                    0x7fff'ffff,
                                    0x8000'0000,
                                    0xffff'ffff,
                                    0x1'0000'0000,
                                    0x7fff'ffff'ffff'ffff,
                                    0x8000'0000'0000'0000,
                                    0xffff'ffff'ffff'ffe0,
                                    0xffff'ffff'ffff'ffff};

std::size_t below(Random& random, std::size_t limit) { return static_cast<std::size_t>(random() % limit); }

/// An edge value, or a small step from what was there.
std::uint64_t new_value(Random& random, std::uint64_t old) {
    switch (random() % 3) {
        case 0: return kEdges[below(random, std::size(kEdges))];
        case 1: return old + random() % 65 - 32;
        default: return random();
    }
}

/// Overwrites 1, 2, 4 or 8 bytes at `at`.
void poke(Random& random, Input& input, std::size_t at) {
    const std::size_t width = std::min<std::size_t>(std::size_t{1} << random() % 4, input.size() - at);
    std::uint64_t value = 0;
    std::memcpy(&value, input.data() + at, width);
    value = new_value(random, value);
    std::memcpy(input.data() + at, &value, width);
}

/// Offsets that hold a chunk header now; without any, 0.
std::vector<std::size_t> chunks_of(const Input& input) {
    std::vector<std::size_t> offsets;
    for (std::size_t at = sizeof(hftmon::format::FileHeader); at + sizeof(ChunkHeader) <= input.size();
         at += hftmon::format::kAlign) {
        std::uint32_t magic = 0;
        std::memcpy(&magic, input.data() + at, sizeof magic);
        if (magic == hftmon::format::kChunkMagic) offsets.push_back(at);
    }
    if (offsets.empty()) offsets.push_back(0);
    return offsets;
}

/// Copies, moves or removes a piece that begins at a chunk, or anywhere.
void move_piece(Random& random, Input& input, const Input& other) {
    const auto chunks = chunks_of(other);
    const std::size_t from = random() % 4 != 0 ? chunks[below(random, chunks.size())] : below(random, other.size());
    const std::size_t length = std::min(other.size() - from, std::size_t{1} + below(random, 600));
    const auto own = chunks_of(input);
    const std::size_t to = std::min(input.size(), own[below(random, own.size())]);
    if (random() % 3 == 0) {
        const std::size_t end = std::min(input.size(), to + length);
        input.erase(input.begin() + static_cast<std::ptrdiff_t>(to), input.begin() + static_cast<std::ptrdiff_t>(end));
    } else {
        const Input piece(other.begin() + static_cast<std::ptrdiff_t>(from),
                          other.begin() + static_cast<std::ptrdiff_t>(from + length));
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(to), piece.begin(), piece.end());
    }
}

Input mutated(Random& random, const std::vector<Input>& seeds) {
    Input input = seeds[below(random, seeds.size())];
    for (std::uint64_t steps = 1 + random() % 6; steps > 0 && !input.empty(); --steps) {
        switch (random() % 8) {
            case 0:
            case 1:
            case 2: poke(random, input, below(random, input.size())); break;
            case 3:
            case 4:
            case 5: {  // where the structure is: a chunk's header or the start of its body
                const auto chunks = chunks_of(input);
                poke(random, input,
                     std::min(input.size() - 1, chunks[below(random, chunks.size())] + 4 * below(random, 16)));
                break;
            }
            case 6: move_piece(random, input, seeds[below(random, seeds.size())]); break;
            default: input.resize(below(random, input.size() + 1)); break;
        }
    }
    return input;
}

int usage() {
    std::fputs("usage: capture_fuzz [--runs N] [--seed S] [--only RUN] [--trace 1] [--write-seeds FOLDER]\n", stderr);
    return 2;
}

int write_seeds(const std::string& folder, const std::vector<Input>& seeds) {
    for (std::size_t i = 0; i < seeds.size(); ++i) {
        std::ofstream out(folder + "/seed" + std::to_string(i), std::ios::binary);
        out.write(reinterpret_cast<const char*>(seeds[i].data()), static_cast<std::streamsize>(seeds[i].size()));
        if (!out.flush()) {
            std::fprintf(stderr, "capture_fuzz: cannot write to %s\n", folder.c_str());
            return 1;
        }
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t runs = 100'000;
    std::uint64_t seed = 1;
    std::uint64_t first = 0;
    bool trace = false;
    const auto seeds = hftmon::fuzz::make_seeds();
    for (int i = 1; i < argc; i += 2) {
        const std::string_view option = argv[i];
        if (i + 1 == argc) return usage();
        if (option == "--runs")
            runs = std::strtoull(argv[i + 1], nullptr, 0);
        else if (option == "--seed")
            seed = std::strtoull(argv[i + 1], nullptr, 0);
        else if (option == "--only") {
            first = std::strtoull(argv[i + 1], nullptr, 0);
            runs = first + 1;
        } else if (option == "--trace")
            trace = argv[i + 1][0] == '1';
        else if (option == "--write-seeds")
            return write_seeds(argv[i + 1], seeds);
        else
            return usage();
    }

    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t run = first; run < runs; ++run) {
        // Its own generator: any run can be repeated alone.
        Random random(seed * 0x9e37'79b9'7f4a'7c15 + run);
        if (trace) std::fprintf(stderr, "run %llu\n", static_cast<unsigned long long>(run));
        const Input input = mutated(random, seeds);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("%llu runs, seed %llu, %.0f runs/s\n", static_cast<unsigned long long>(runs - first),
                static_cast<unsigned long long>(seed), static_cast<double>(runs - first) / took.count());
    return 0;
}
