// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

namespace ringtest {

/// A walk through all sequences of choices, depth first. A schedule is a run
/// of the program from its start that asks pick() wherever it could go on in
/// more than one way; next() prepares the following schedule.
class Choices {
public:
    /// One of 0 .. ways-1.
    unsigned pick(unsigned ways) {
        if (ways < 2) return 0;
        if (depth_ == path_.size()) path_.push_back({0, ways});
        return path_[depth_++].taken;
    }

    /// False when all schedules have been run.
    bool next() {
        path_.resize(depth_);  // what an aborted schedule did not reach
        depth_ = 0;
        while (!path_.empty()) {
            if (++path_.back().taken < path_.back().ways) return true;
            path_.pop_back();
        }
        return false;
    }

    /// The same schedule again.
    void repeat() {
        path_.resize(depth_);
        depth_ = 0;
    }

private:
    struct Choice {
        unsigned taken;
        unsigned ways;
    };
    std::vector<Choice> path_;
    std::size_t depth_ = 0;
};

}  // namespace ringtest
