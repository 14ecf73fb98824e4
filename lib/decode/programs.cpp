// SPDX-License-Identifier: MIT
#include "hftmon/programs.hpp"

#include <algorithm>
#include <vector>

namespace hftmon {

namespace {

bool is_beginning(const ProgramMap& map) noexcept { return map.mappings.empty(); }

ProgramPlace place_in(const Mapping& mapping, std::uint64_t address) noexcept {
    return {&mapping.file, address - mapping.begin + mapping.place};
}

/// A file may be renamed or touched while it is executed.
bool is_same(const ProgramPlace& a, const ProgramPlace& b) noexcept {
    const bool have_ids = !a.file->build_id.empty() && !b.file->build_id.empty();
    return a.address == b.address && (have_ids ? a.file->build_id == b.file->build_id : *a.file == *b.file);
}

/// Of what was read while another program was begun nobody knows which one it is of.
bool is_split_by(const ProgramMap& map, const ProgramMap& beginning) noexcept {
    return !is_beginning(map) && map.from <= beginning.from && beginning.from <= map.until;
}

}  // namespace

const Mapping* find_mapping(std::span<const Mapping> mappings, std::uint64_t address) noexcept {
    const auto after = std::ranges::upper_bound(mappings, address, {}, &Mapping::begin);
    if (after == mappings.begin()) return nullptr;
    const Mapping& mapping = *(after - 1);
    return address < mapping.end ? &mapping : nullptr;
}

void ProgramMaps::learn(std::span<const ProgramMap> maps) {
    for (const ProgramMap& map : maps) {
        std::vector<ProgramMap>& known = maps_[map.process.value];
        if (is_beginning(map)) {
            std::erase_if(known, [&](const ProgramMap& other) { return is_split_by(other, map); });
            // Of a process of which nothing else is known the last beginning is enough.
            if (known.size() == 1 && is_beginning(known.front()) && known.front().from <= map.from) known.clear();
        } else if (std::ranges::any_of(known, [&](const ProgramMap& other) {
                       return is_beginning(other) && is_split_by(map, other);
                   })) {
            continue;
        }
        known.insert(std::ranges::upper_bound(known, map.from, {}, &ProgramMap::from), map);
    }
}

std::optional<ProgramPlace> ProgramMaps::lookup(Tid process, TscTime time, std::uint64_t address) const noexcept {
    const auto found = maps_.find(process.value);
    if (found == maps_.end()) return std::nullopt;
    const std::vector<ProgramMap>& known = found->second;
    const auto next = std::ranges::upper_bound(known, time, {}, &ProgramMap::from);
    const Mapping* before = next == known.begin() ? nullptr : find_mapping((next - 1)->mappings, address);
    const Mapping* after = next == known.end() ? nullptr : find_mapping(next->mappings, address);
    if (before == nullptr && after == nullptr) return std::nullopt;
    // Mapped or unmapped meanwhile: it was executed, so it was there.
    if (before == nullptr) return place_in(*after, address);
    const ProgramPlace place = place_in(*before, address);
    if (after != nullptr && !is_same(place, place_in(*after, address))) return std::nullopt;
    return place;
}

}  // namespace hftmon
