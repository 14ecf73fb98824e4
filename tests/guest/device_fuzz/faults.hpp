// SPDX-License-Identifier: MIT
/// Allocations that fail: /proc/thread-self/fail-nth, of a kernel built for it.
#pragma once

namespace device_fuzz {

/// Of the thread that has made it.
class Faults {
public:
    Faults();
    ~Faults();
    Faults(const Faults&) = delete;
    Faults& operator=(const Faults&) = delete;

    [[nodiscard]] bool available() const { return fd_ >= 0; }
    /// The n-th allocation from now on fails, n > 0.
    void arm(int n) const;
    /// Whether one has.
    [[nodiscard]] bool disarm() const;

private:
    int fd_;
};

/// Each allocation of each step of a session fails once, in a session of its own: the step
/// must say ENOMEM, or do without; done again, it must succeed. 0, or 1 when not; 77
/// where faults cannot be injected.
int every_allocation();

}  // namespace device_fuzz
