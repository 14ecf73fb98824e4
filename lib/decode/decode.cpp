// SPDX-License-Identifier: MIT
#include "hftmon/decode.hpp"

namespace hftmon {

Decoded decode(std::span<const Record> records, CpuId cpu, std::uint64_t position, Event& out) noexcept {
    return visit_record(records, cpu, position, [&out](const EventHeader& header, const auto& body) noexcept {
        out.header = header;
        out.body = body;
    });
}

}  // namespace hftmon
