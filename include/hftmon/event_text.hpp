// SPDX-License-Identifier: MIT
/// One event as one line of text, for people, grep and scripts.
#pragma once

#include <string>

#include "hftmon/event.hpp"
#include "hftmon/functions.hpp"
#include "hftmon/names.hpp"

namespace hftmon {

/// Appends "event_name key=value ..." to `out`. Event names are the kernel's
/// tracepoint names. Values never hold a space, but for names of threads,
/// which stand in double quotes with \xHH for bytes that are not printable
/// ASCII, for quotes and for backslashes. A function whose name is not known is
/// told by its address.
void append_event_text(const Event& event, const NameTable& names, const FunctionNames& functions, std::string& out);

/// A thread's name in the quotes described above.
[[nodiscard]] std::string quote_comm(std::string_view comm);

}  // namespace hftmon
