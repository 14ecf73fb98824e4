// SPDX-License-Identifier: MIT
#include "tools/hftctl/capture_input.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace hftctl {

hftmon::Result<hftmon::CaptureReader> open_capture(const std::string& path) {
    auto capture = hftmon::CaptureReader::open(path);
    if (!capture) return capture;
    const std::uint64_t unread = capture->file_bytes() - capture->readable_bytes();
    if (capture->broken()) {
        fmt::print(stderr, "note: {} is damaged at byte {}; the {} bytes from there on are not read\n", path,
                   capture->readable_bytes(), unread);
    } else if (!capture->truncated() && unread != 0) {
        fmt::print(stderr, "note: {} bytes behind the end of {} are not read\n", unread, path);
    } else if (capture->truncated()) {
        fmt::print(stderr, "note: {} was cut short; reading it up to the cut ({} records)\n", path, capture->slots());
    }
    if (capture->damaged_chunks() != 0) {
        fmt::print(stderr, "note: {} parts of {} are damaged and left out\n", capture->damaged_chunks(), path);
    }
    if (capture->unknown_chunks() != 0) {
        fmt::print(stderr, "note: {} parts of {} are unknown to this version and left out\n", capture->unknown_chunks(),
                   path);
    }
    return capture;
}

}  // namespace hftctl
