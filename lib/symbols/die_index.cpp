// SPDX-License-Identifier: MIT
#include "lib/symbols/die_index.hpp"

#include <dwarf.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace hftmon::detail {

void DieIndex::add(Dwarf_Die& die, Dwarf_Addr first_code) {
    Dwarf_Addr base = 0, begin = 0, end = 0;
    for (std::ptrdiff_t at = 0; (at = ::dwarf_ranges(&die, at, &base, &begin, &end)) > 0;) {
        if (begin >= first_code)
            entries_.push_back({begin, end, die});
        else
            end_of_left_out_ = std::max(end_of_left_out_, end);
    }
}

void DieIndex::sort() { std::ranges::sort(entries_, {}, &Entry::begin); }

std::optional<Dwarf_Die> DieIndex::find(Dwarf_Addr address) const {
    const auto after = std::ranges::upper_bound(entries_, address, {}, &Entry::begin);
    if (after == entries_.begin() || address >= (after - 1)->end) return std::nullopt;
    return (after - 1)->die;
}

DieIndex DieIndex::of_units(Dwarf* dwarf, Dwarf_Addr first_code) {
    DieIndex index;
    Dwarf_CU* unit = nullptr;
    Dwarf_Die die, split;
    std::uint8_t type = 0;
    while (::dwarf_get_units(dwarf, unit, &unit, nullptr, &type, &die, &split) == 0) {
        if (type == DW_UT_compile) index.add(die, first_code);
        // The rest of a skeleton is in a .dwo file, which may be missing.
        if (type == DW_UT_skeleton && ::dwarf_tag(&split) != DW_TAG_invalid) index.add(split, first_code);
    }
    index.sort();
    return index;
}

DieIndex DieIndex::of_functions(Dwarf_Die* unit, Dwarf_Addr first_code) {
    DieIndex index;
    // One for each depth: nesting may be as deep as the file likes.
    std::vector<Dwarf_Die> levels(1);
    if (::dwarf_child(unit, &levels.back()) != 0) levels.clear();
    while (!levels.empty()) {
        Dwarf_Die& die = levels.back();
        if (::dwarf_tag(&die) == DW_TAG_subprogram) index.add(die, first_code);
        Dwarf_Die child;
        const bool has_child = ::dwarf_child(&die, &child) == 0;
        if (::dwarf_siblingof(&die, &die) != 0) levels.pop_back();
        if (has_child) levels.push_back(child);
    }
    index.sort();
    return index;
}

}  // namespace hftmon::detail
