// SPDX-License-Identifier: MIT
/// Opening a capture the way every command does.
#pragma once

#include <string>

#include "hftmon/capture.hpp"
#include "hftmon/result.hpp"

namespace hftctl {

/// Opens it and warns on standard error about what is missing in it.
hftmon::Result<hftmon::CaptureReader> open_capture(const std::string& path);

}  // namespace hftctl
