// SPDX-License-Identifier: MIT
/// One schedule of a scenario: the ring, what is known about it, the checks.
#pragma once

#include <array>
#include <atomic>
#include <stdexcept>
#include <string>

#include "tests/ring/explore/choices.hpp"
#include "tests/ring/explore/codes.hpp"
#include "tests/ring/explore/memory.hpp"
#include "tests/ring/explore/scenario.hpp"
#include "tests/ring/explore/steps.hpp"

namespace ringtest {

inline constexpr unsigned kMaxCapacity = 8;
inline constexpr unsigned kMaxPositions = 48;  ///< written in one schedule
inline constexpr unsigned kLevels = 3;         ///< task, irq, nmi

/// The words of a slot, in the order of the record; type and flags are written as one.
enum Word : unsigned { kTsc, kSeq, kKind, kPayload0, kPayload1, kWords };
inline constexpr unsigned kHeadLocation = kMaxCapacity * kWords;
inline constexpr unsigned kLostLocation = kHeadLocation + 1;
inline constexpr unsigned kLocations = kHeadLocation + 2;
inline constexpr unsigned kNowhere = ~0u;
inline constexpr unsigned kIdle = ~0u;

/// What the record of a call carries: such that a mixture of two shows.
constexpr std::uint64_t payload_of(unsigned call) { return (call + 1) * 0x9e3779b97f4a7c15u; }
constexpr std::array<char, HFTMON_COMM_LEN> comm_of(unsigned call) {
    std::array<char, HFTMON_COMM_LEN> comm;
    comm.fill(static_cast<char>('A' + call));
    comm.back() = '!';  // to be replaced by the writer
    return comm;
}

class Violation : public std::runtime_error {
public:
    Violation(Rule broken, const std::string& what) : std::runtime_error(what), rule(broken) {}
    Rule rule;
};

class World {
public:
    World(const Scenario& scenario, const WriterCode& writer, const ReaderCode& reader,
          const std::vector<Rule>& ignored);
    /// One schedule. Throws Violation. With `trace`, says what happens in it.
    void run(Choices& choices, std::string* trace = nullptr);
    [[nodiscard]] std::uint64_t steps() const { return steps_; }

    // The writer's primitives (steps.hpp).
    void step(const char* what);
    void storing(const void* where, std::uint64_t value, steps::Order order);
    std::uint64_t loading(const void* where, std::uint64_t value, steps::Order order);
    void fence() { fenced_ = stamp_; }
    std::uint64_t clock();
    void exchanged(const void* where, std::uint64_t first, std::uint64_t end);
    void lost(std::uint64_t count);
    void between();
    [[nodiscard]] std::uint32_t thread() const { return level_; }

    // The reader's (reader_loads.hpp).
    std::uint64_t reader_load(const volatile void* where, std::memory_order order) noexcept;
    void reader_store(std::uint64_t value, std::memory_order order) noexcept;
    void reader_fence() noexcept { reader_view_.fence(); }

private:
    enum class Kind : std::uint8_t { kGap, kRecord, kComm };
    /// What is known about a position.
    struct Place {
        Kind kind;
        bool committed;
        bool last_of_run;
        unsigned call;
        ::hftmon_record record;
    };
    /// One call of the writer.
    struct Call {
        unsigned size;
        unsigned level;
        bool reserved;
        std::uint64_t first;  ///< reserved positions
        std::uint64_t end;
        std::uint64_t lost_before;  ///< sum when it reserved
        std::uint64_t began;
    };
    struct Loss {
        std::uint64_t time;
        std::uint64_t settled;  ///< when every other writer has to know of it
        std::uint64_t total;
        unsigned level;
    };

    [[noreturn]] void fail(Rule rule, const std::string& what) const { throw Violation(rule, what); }
    void check(bool holds, Rule rule, const char* what) const;
    void say(const std::string& what);

    void reset();
    void write(unsigned size);
    void interrupt(unsigned level, const Program& program);
    void interrupts();
    void poll();
    void freeze_or_thaw();
    [[nodiscard]] unsigned location_of(const volatile void* where) const;
    [[nodiscard]] unsigned slot_of(std::uint64_t position) const;
    [[nodiscard]] Place& place(std::uint64_t position);
    /// First position of the outermost writer that is not done, else end_.
    [[nodiscard]] std::uint64_t first_unfinished() const;
    [[nodiscard]] std::uint64_t lost_until(std::uint64_t time) const;
    [[nodiscard]] std::uint64_t settled_until(std::uint64_t time) const;

    // checks.cpp
    void check_store(unsigned slot, Word word, std::uint64_t value);
    void check_commit(std::uint64_t position);
    void check_published(std::uint64_t head, Stamp released);
    void check_no_room(std::uint64_t count);
    void check_end();
    void check_positions();
    void check_gaps();
    void check_wakeups();

    // reading.cpp
    bool read_batch(bool all);
    void read_record(std::uint64_t position, unsigned slot);
    void read_running();
    void read_frozen();
    void synchronize();
    std::uint64_t hostile_tail(std::uint64_t honest);

    const Scenario& scenario_;
    const WriterCode& writer_;
    const ReaderCode& reader_;
    std::array<bool, 32> ignored_{};
    Choices* choices_ = nullptr;
    std::string* trace_ = nullptr;
    std::uint64_t steps_ = 0;  ///< of all schedules

    // Shared with the code under test.
    alignas(64) std::array<::hftmon_record, 2 * kMaxCapacity> slots_{};
    ::hftmon_ring_control control_{};
    ::hftmon_ring_reader page_{};

    // Memory.
    std::array<History, kLocations> histories_;
    Stamp stamp_ = 0;   ///< stores of the writer so far
    Stamp fenced_ = 0;  ///< stores before its last write barrier
    View<kLocations> reader_view_;
    bool reader_sees_all_ = false;
    History tails_;
    Stamp reader_clock_ = 0;  ///< release stores of the reader so far
    View<1> writer_view_;
    std::array<Stamp, kMaxCapacity> last_read_{};  ///< of a slot, on reader_clock_

    // The schedule.
    bool armed_ = false;
    unsigned level_ = 0;
    unsigned next_irq_ = 0;
    unsigned next_nmi_ = 0;
    unsigned rounds_ = 0;
    bool interrupted_ = false;  ///< something has nested so far
    std::uint64_t now_ = 0;

    // What is known.
    std::array<Place, kMaxPositions> places_;
    std::array<Call, 32> calls_;
    unsigned call_count_ = 0;
    std::array<unsigned, kLevels> current_{};  ///< call that runs at each level, or kIdle
    std::array<Loss, 32> losses_;
    unsigned loss_count_ = 0;
    std::uint64_t lost_total_ = 0;
    std::uint64_t produced_ = 0;
    std::uint64_t end_ = 0;        ///< of what was reserved
    std::uint64_t published_ = 0;  ///< largest
    std::uint64_t true_tail_ = 0;  ///< largest that the writer loaded and that could be true
    std::array<std::uint64_t, kLevels> tail_seen_{};
    std::uint64_t released_ = 0;  ///< by the reader
    bool polling_ = false;        ///< the poller, or who freezes, runs, not the writer
    bool asleep_ = false;         ///< the poller waits for a wake
    unsigned polls_ = 0;
    bool frozen_ = false;  ///< a freeze is asked for
    unsigned freezes_ = 0;
    std::uint64_t froze_ = 0, thawed_ = 0;  ///< when
    std::uint64_t passed_ = 0;              ///< records of writers that began after the freeze
    bool told_nested_ = false;              ///< a GAP was written inside the writing of another
    std::uint64_t read_ = 0;
    Rule reader_failed_ = Rule::kNone;
};

}  // namespace ringtest
