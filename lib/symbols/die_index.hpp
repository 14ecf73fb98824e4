// SPDX-License-Identifier: MIT
/// Debug information by the addresses of its code.
#pragma once

#include <elfutils/libdw.h>

#include <optional>
#include <vector>

namespace hftmon::detail {

/// Units or functions. What the linker has left out of a program is still in its debug
/// information, from address 0 on: it begins before all code, and is not believed.
class DieIndex {
public:
    /// All units. elfutils' own index is one that clang(1) does not write, and knows what was left out.
    static DieIndex of_units(Dwarf* dwarf, Dwarf_Addr first_code);
    /// The functions of a unit. To walk it once takes as long as dwarf_getscopes(3) takes for each address.
    static DieIndex of_functions(Dwarf_Die* unit, Dwarf_Addr first_code);

    [[nodiscard]] std::optional<Dwarf_Die> find(Dwarf_Addr address) const;
    /// Lines at this address may be of what was left out.
    [[nodiscard]] bool is_doubtful(Dwarf_Addr address) const noexcept { return address < end_of_left_out_; }

private:
    struct Entry {
        Dwarf_Addr begin, end;
        Dwarf_Die die;
    };
    void add(Dwarf_Die& die, Dwarf_Addr first_code);
    void sort();

    Dwarf_Addr end_of_left_out_ = 0;
    std::vector<Entry> entries_;  ///< by address
};

}  // namespace hftmon::detail
