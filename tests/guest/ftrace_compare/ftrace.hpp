// SPDX-License-Identifier: MIT
/// ftrace at work: an instance with our events on, and its binary ring read into Items.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "events.hpp"
#include "item.hpp"

namespace ftrace_compare {

/// An ftrace instance of our own; gone with this object.
class Ftrace {
public:
    explicit Ftrace(unsigned kilobytes_per_cpu);
    ~Ftrace();
    Ftrace(const Ftrace&) = delete;
    Ftrace& operator=(const Ftrace&) = delete;

    void on(bool value);
    [[nodiscard]] const std::vector<std::string>& absent() const { return absent_; }

    /// Events that ftrace itself says it has lost on a CPU.
    [[nodiscard]] std::uint64_t lost(unsigned cpu) const;

    [[nodiscard]] std::vector<Item> read(unsigned cpu) const;

private:
    void read_page(const std::uint8_t* page, std::size_t size, std::vector<Item>& items) const;
    void read_event(const std::uint8_t* data, std::uint64_t time, std::vector<Item>& items) const;

    std::string path_;
    std::vector<FtraceEvent> events_;
    std::vector<std::string> absent_;
    std::map<std::uint16_t, const FtraceEvent*> by_id_;
};

}  // namespace ftrace_compare
