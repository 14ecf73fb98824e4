// SPDX-License-Identifier: MIT
#include "hftmon/programs.hpp"

#include <algorithm>
#include <utility>

namespace hftmon {

namespace {

constexpr auto key = [](const ProgramMap& map) { return std::pair(map.process, map.time); };

ProgramPlace place_in(const Mapping& mapping, std::uint64_t address) noexcept {
    return {&mapping.file, address - mapping.begin + mapping.place};
}

}  // namespace

const Mapping* find_mapping(std::span<const Mapping> mappings, std::uint64_t address) noexcept {
    const auto after = std::ranges::upper_bound(mappings, address, {}, &Mapping::begin);
    if (after == mappings.begin()) return nullptr;
    const Mapping& mapping = *(after - 1);
    return address < mapping.end ? &mapping : nullptr;
}

void ProgramMaps::learn(std::span<const ProgramMap> maps) {
    maps_.insert(maps_.end(), maps.begin(), maps.end());
    std::ranges::stable_sort(maps_, {}, key);
}

std::optional<ProgramPlace> ProgramMaps::lookup(Tid process, TscTime time, std::uint64_t address) const noexcept {
    const auto next = std::ranges::upper_bound(maps_, std::pair(process, time), {}, key);
    // A map without mappings begins a program: what is known beyond it is another's.
    const bool has_before = next != maps_.begin() && (next - 1)->process == process && !(next - 1)->mappings.empty();
    const bool has_after = next != maps_.end() && next->process == process && !next->mappings.empty();
    const Mapping* before = has_before ? find_mapping((next - 1)->mappings, address) : nullptr;
    const Mapping* after = has_after ? find_mapping(next->mappings, address) : nullptr;
    if (before == nullptr && after == nullptr) return std::nullopt;
    // Mapped or unmapped meanwhile: it was executed, so it was there.
    if (before == nullptr) return place_in(*after, address);
    const ProgramPlace place = place_in(*before, address);
    if (after == nullptr) return place;
    const ProgramPlace other = place_in(*after, address);
    if (*place.file != *other.file || place.address != other.address) return std::nullopt;
    return place;
}

}  // namespace hftmon
