// SPDX-License-Identifier: MIT
/// What these tests have found and is not mended yet. A test says so when an
/// entry can be set; when all are set, this file and its uses go.
#pragma once

namespace ringtest {

/// RingReader of a ring that has been read before starts at reader->tail, not at 0.
inline constexpr bool kReaderResumes = false;

}  // namespace ringtest
