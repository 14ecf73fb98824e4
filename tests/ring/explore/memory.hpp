// SPDX-License-Identifier: MIT
/// The memory between the writer's CPU and the reader's, as weak as C11 and the
/// kernel allow.
///
/// All stores to a ring are made by one CPU, so "what a store is ordered after"
/// is a number: of the stores made before it, how many are visible to whoever
/// acquires it. A location keeps every value that it had. A load of the reader
/// may return any that is not older than what the reader has to know by then:
/// the one place where the reader's choices branch. Interleavings proper are
/// the special case of returning the newest.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace ringtest {

using Stamp = std::uint32_t;

struct Store {
    std::uint64_t value;
    Stamp stamp;     ///< the how-manieth store of its CPU
    Stamp released;  ///< stores up to this one are visible to an acquire of it
};

/// Every value that one location had.
class History {
public:
    void reset(std::uint64_t value) {
        count_ = 1;
        stores_[0] = {value, 0, 0};
    }
    /// False when the explorer's own limit is reached.
    [[nodiscard]] bool add(const Store& store) {
        if (count_ == stores_.size()) return false;
        stores_[count_++] = store;
        return true;
    }
    [[nodiscard]] const Store& newest() const { return stores_[count_ - 1]; }
    [[nodiscard]] const Store& operator[](unsigned index) const { return stores_[index]; }
    [[nodiscard]] unsigned size() const { return count_; }
    /// Oldest that a load may return which has to see all stores up to `known`.
    [[nodiscard]] unsigned oldest(Stamp known) const {
        unsigned index = count_ - 1;
        while (stores_[index].stamp > known) --index;
        return index;
    }

private:
    std::array<Store, 48> stores_;
    unsigned count_ = 0;
};

/// What one side has to know of the other's stores.
template <unsigned kLocations>
struct View {
    Stamp known = 0;                               ///< by acquire
    Stamp seen = 0;                                ///< by relaxed loads: known after the next fence
    std::array<std::uint8_t, kLocations> floor{};  ///< per location, index of the last one loaded

    /// Loads that may be returned: [first, history.size()).
    [[nodiscard]] unsigned first(unsigned location, const History& history) const {
        return std::max<unsigned>(floor[location], history.oldest(known));
    }
    void load(unsigned location, unsigned index, const Store& store, bool acquire) {
        floor[location] = static_cast<std::uint8_t>(index);
        seen = std::max(seen, store.released);
        if (acquire) known = std::max(known, store.released);
    }
    void fence() { known = std::max(known, seen); }
};

}  // namespace ringtest
