// SPDX-License-Identifier: MIT
/// One event as one line of text, for people, grep and scripts.
#pragma once

#include <string>

#include "hftmon/event.hpp"
#include "hftmon/names.hpp"
#include "hftmon/stack_namer.hpp"

namespace hftmon {

/// What the numbers in events are called; all outlive this.
struct EventNames {
    const NameTable& threads;
    StackNamer& stacks;  ///< and functions
};

/// Appends "event_name key=value ..." to `out`. Event names are the kernel's
/// tracepoint names. Values never hold a space, but for names of threads,
/// which stand in double quotes with \xHH for bytes that are not printable
/// ASCII, for quotes and for backslashes. A function whose name is not known is
/// told by its address.
/// Stacks are the names of their functions without arguments, or addresses where those are
/// not known, the innermost first, joined by ';', with ";..." where the stack was deeper; what
/// is not printable ASCII in a name, and a space, is told as '_'.
void append_event_text(const Event& event, const EventNames& names, std::string& out);

/// A thread's name in the quotes described above.
[[nodiscard]] std::string quote_comm(std::string_view comm);

}  // namespace hftmon
