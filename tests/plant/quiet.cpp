// SPDX-License-Identifier: MIT
// quiet: a periodic victim and nothing else. Whatever is late here was not
// planted.
#include "victim.hpp"

namespace plant {

namespace {

class Quiet : public Scenario {
public:
    explicit Quiet(const Setting& setting) : victim_(setting) {}

    Delay plant(const Round& round) override {
        victim_.start(round);
        return victim_.finish(round);
    }

private:
    Victim victim_;
};

}  // namespace

std::unique_ptr<Scenario> make_quiet(const Setting& setting) { return std::make_unique<Quiet>(setting); }

}  // namespace plant
