// SPDX-License-Identifier: MIT
/// Which threads of a capture have histograms of their own, and their names.
#pragma once

#include <optional>
#include <vector>

#include "hftmon/capture.hpp"
#include "hftmon/durations.hpp"
#include "hftmon/names.hpp"

namespace hftctl {

/// Name of a thread at that time; nothing when it never had one.
std::optional<hftmon::Comm> name_of(const hftmon::NameTable& names, hftmon::Tid tid, hftmon::TscTime time);

/// Tells a counter whom to follow: threads, and those of processes, that were asked for.
class Followed {
public:
    /// Borrows the capture.
    Followed(const hftmon::CaptureReader& capture, std::vector<hftmon::Tid> asked);
    /// Those that there are when the events begin.
    void begin(hftmon::TscTime time, hftmon::DurationCounter& counter);
    /// After the counter has seen the event.
    void look(const hftmon::Event& event, hftmon::DurationCounter& counter);
    /// All that were followed, and the name of each.
    void finish(const hftmon::DurationCounter& counter, hftmon::TscTime last,
                std::vector<hftmon::ThreadHistograms>& threads, std::vector<std::optional<hftmon::Comm>>& names);
    /// Nobody of those that were asked for was there.
    [[nodiscard]] bool none() const noexcept { return !asked_.empty() && !any_; }

private:
    [[nodiscard]] bool is_asked(hftmon::Tid tid) const noexcept;
    void follow(hftmon::Tid tid, hftmon::DurationCounter& counter);

    const hftmon::CaptureReader& capture_;
    std::vector<hftmon::Tid> asked_;
    hftmon::NameTable names_;
    std::vector<std::optional<hftmon::Comm>> comms_;  // of counter.ended()
    bool any_ = false;
};

}  // namespace hftctl
