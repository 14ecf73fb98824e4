// SPDX-License-Identifier: MIT
#include "tests/ring/explore/world.hpp"

#include <chrono>
#include <cstring>

#include "tests/ring/explore/reader_loads.hpp"

namespace ringtest {

namespace {

World* world = nullptr;  // the one that runs

constexpr unsigned kMaxSteps = 3000;  // of one schedule; all of ours end far below

}  // namespace

// What the codes under test call.
namespace steps {
void step(const char* what) { world->step(what); }
void storing(const void* where, std::uint64_t value, Order order) { world->storing(where, value, order); }
std::uint64_t loading(const void* where, std::uint64_t value, Order order) {
    return world->loading(where, value, order);
}
void fence() {
    world->step("write barrier");
    world->fence();
}
std::uint64_t clock() { return world->clock(); }
void exchanged(const void* where, std::uint64_t expected, std::uint64_t desired) {
    world->exchanged(where, expected, desired);
}
void lost(std::uint64_t count) { world->lost(count); }
void between() { world->between(); }
std::uint32_t thread() { return world->thread(); }
}  // namespace steps

std::uint64_t reader_load(const volatile void* where, std::memory_order order) noexcept {
    return world->reader_load(where, order);
}
void reader_store(volatile void*, std::uint64_t value, std::memory_order order) noexcept {
    world->reader_store(value, order);
}
void reader_fence() noexcept { world->reader_fence(); }

std::vector<const WriterCode*>& writer_codes() {
    static std::vector<const WriterCode*> all;
    return all;
}
std::vector<const ReaderCode*>& reader_codes() {
    static std::vector<const ReaderCode*> all;
    return all;
}

World::World(const Scenario& scenario, const WriterCode& writer, const ReaderCode& reader,
             const std::vector<Rule>& ignored)
    : scenario_(scenario), writer_(writer), reader_(reader) {
    for (const Rule rule : ignored) ignored_[static_cast<unsigned>(rule)] = true;
}

void World::check(bool holds, Rule rule, const char* what) const {
    if (!holds && !ignored_[static_cast<unsigned>(rule)]) fail(rule, what);
}

void World::say(const std::string& what) {
    static constexpr std::array<const char*, kLevels> names = {"task ", "  irq ", "    nmi "};
    if (trace_ != nullptr && call_count_ > scenario_.filled) *trace_ += "  " + std::string(names[level_]) + what + "\n";
}

unsigned World::slot_of(std::uint64_t position) const {
    return static_cast<unsigned>(position & (scenario_.capacity - 1));
}

World::Place& World::place(std::uint64_t position) {
    const std::uint64_t index = position - scenario_.base;
    if (index >= kMaxPositions) fail(Rule::kOutside, "a position that was never reserved");
    return places_[index];
}

unsigned World::location_of(const volatile void* where) const {
    const auto address = reinterpret_cast<std::uintptr_t>(where);
    if (where == &control_.head) return kHeadLocation;
    if (where == &control_.lost) return kLostLocation;
    const auto offset = address - reinterpret_cast<std::uintptr_t>(slots_.data());
    if (offset >= scenario_.capacity * sizeof(::hftmon_record)) return kNowhere;
    const auto slot = static_cast<unsigned>(offset / sizeof(::hftmon_record));
    switch (offset % sizeof(::hftmon_record)) {
        case offsetof(::hftmon_record, tsc): return slot * kWords + kTsc;
        case offsetof(::hftmon_record, seq): return slot * kWords + kSeq;
        case offsetof(::hftmon_record, type): return slot * kWords + kKind;
        case offsetof(::hftmon_record, payload): return slot * kWords + kPayload0;
        case offsetof(::hftmon_record, payload) + 8: return slot * kWords + kPayload1;
        default: return kNowhere;
    }
}

void World::reset() {
    const std::uint64_t base = scenario_.base;
    std::memset(slots_.data(), 0, sizeof(slots_));
    control_ = {};
    control_.capacity = scenario_.capacity;
    control_.mode = scenario_.flight ? HFTMON_MODE_FLIGHT : HFTMON_MODE_STREAM;
    control_.head = base;
    page_ = {};
    page_.tail = base;
    // Slots of a ring that has run before hold its last lap.
    for (unsigned back = 1; back <= scenario_.capacity && back <= base; ++back) {
        slots_[slot_of(base - back)].seq = static_cast<std::uint32_t>(base - back + 1);
    }
    for (unsigned location = 0; location < scenario_.capacity * kWords; ++location) histories_[location].reset(0);
    for (unsigned slot = 0; slot < scenario_.capacity; ++slot) histories_[slot * kWords + kSeq].reset(slots_[slot].seq);
    histories_[kHeadLocation].reset(base);
    histories_[kLostLocation].reset(0);
    tails_.reset(base);
    stamp_ = fenced_ = reader_clock_ = 0;
    reader_view_ = {};
    reader_sees_all_ = false;
    writer_view_ = {};
    last_read_ = {};

    armed_ = interrupted_ = told_nested_ = false;
    level_ = next_irq_ = next_nmi_ = rounds_ = 0;
    call_count_ = loss_count_ = 0;
    now_ = lost_total_ = produced_ = read_ = 0;
    current_.fill(kIdle);
    end_ = published_ = true_tail_ = released_ = base;
    polling_ = asleep_ = false;
    polls_ = freezes_ = 0;
    frozen_ = false;
    froze_ = thawed_ = passed_ = 0;
    reader_failed_ = Rule::kNone;
}

void World::run(Choices& choices, std::string* trace) {
    world = this;
    choices_ = &choices;
    trace_ = trace;
    reset();
    writer_.open(slots_.data(), &control_, &page_, scenario_.flight, scenario_.capacity, scenario_.base);
    reader_.open(slots_.data(), &control_, &page_);
    // A reader of a ring that has run before takes up where the last one ended.
    if (reader_.position() != scenario_.base) reader_.release(scenario_.base - reader_.position());

    for (unsigned i = 0; i < scenario_.filled; ++i) write(1);
    armed_ = true;
    for (const unsigned size : scenario_.task) write(size);
    // Interrupts that did not come in between come now, one after the other.
    while (next_irq_ < scenario_.irqs.size()) interrupt(1, scenario_.irqs[next_irq_++]);
    while (next_nmi_ < scenario_.nmis.size()) interrupt(2, scenario_.nmis[next_nmi_++]);
    armed_ = false;
    check_end();
    steps_ += now_;
}

void World::write(unsigned size) {
    if (call_count_ == calls_.size()) fail(Rule::kOutside, "too many calls for the explorer");
    const unsigned id = call_count_++;
    calls_[id] = {
        .size = size, .level = level_, .reserved = false, .first = 0, .end = 0, .lost_before = 0, .began = now_};
    current_[level_] = id;
    tail_seen_[level_] = scenario_.base - 1 - scenario_.capacity;  // none
    produced_ += size;

    const std::uint64_t payload = payload_of(id);
    if (trace_ != nullptr) say("-- write, call " + std::to_string(id) + ", records " + std::to_string(size));
    const bool wake =
        writer_.write(static_cast<std::uint16_t>(HFTMON_REC_IRQ_ENTRY + id % 8), static_cast<std::uint16_t>(id + 1),
                      payload, ~payload, size == 2 ? comm_of(id).data() : nullptr);
    if (wake) asleep_ = false;
    if (trace_ != nullptr) say(wake ? "-- done, wakes" : "-- done");
    current_[level_] = kIdle;
}

void World::interrupt(unsigned level, const Program& program) {
    const unsigned outer = level_;
    level_ = level;
    for (const unsigned size : program) write(size);
    level_ = outer;
}

/// Whatever interrupts what runs now may come here, any number of times.
void World::interrupts() {
    while (true) {
        const bool irq = level_ < 1 && next_irq_ < scenario_.irqs.size();
        const bool nmi = level_ < 2 && next_nmi_ < scenario_.nmis.size();
        const unsigned taken = choices_->pick(1 + irq + nmi);
        if (taken == 0) return;
        interrupted_ = true;
        if (irq && taken == 1) {
            interrupt(1, scenario_.irqs[next_irq_++]);
        } else {
            interrupt(2, scenario_.nmis[next_nmi_++]);
        }
    }
}

/// A poller, on another CPU, finds too little and goes to sleep. It runs whole:
/// the full barrier between its store and its look is taken for granted, and so
/// is that the writer's own two pass each other at most once (ring_core.h).
void World::poll() {
    if (trace_ != nullptr) say("  poller arms, and looks");
    ++polls_;
    polling_ = true;
    writer_.arm(scenario_.capacity / 2);
    polling_ = false;
    asleep_ = control_.head - page_.tail < scenario_.capacity / 2;
}

/// From another CPU, or from what interrupts the writer: it runs whole. Its two
/// stores may lie apart; what the writer does in between, it does as well before or
/// after them (ring_core.h).
void World::freeze_or_thaw() {
    if (!armed_ || freezes_ == scenario_.freezes || choices_->pick(2) == 0) return;
    polling_ = true;
    if (frozen_) {
        if (trace_ != nullptr) say("  thaw");
        ++freezes_;
        thawed_ = now_ + 1;
        writer_.thaw();
    } else {
        if (trace_ != nullptr) say("  freeze");
        froze_ = now_ + 1;
        passed_ = 0;
        writer_.freeze(now_ + 1, scenario_.tail);
    }
    frozen_ = !frozen_;
    polling_ = false;
}

/// The writer's read-modify-writes are whole towards what interrupts it, not
/// towards other CPUs.
void World::between() {
    if (!polling_) freeze_or_thaw();
}

void World::step(const char* what) {
    if (polling_) return;
    if (armed_) {
        interrupts();
        freeze_or_thaw();
        if (polls_ < scenario_.polls && choices_->pick(2) != 0) poll();
        if (scenario_.eager && scenario_.reading == Reading::kHonest && !scenario_.flight &&
            rounds_ < scenario_.rounds && choices_->pick(2) != 0) {
            ++rounds_;
            read_batch(false);
        }
    }
    if (++now_ > kMaxSteps) fail(Rule::kBlocked, "the writer does not come to an end");
    if (trace_ != nullptr) say(what);
}

std::uint64_t World::clock() {
    step("clock");
    return now_;
}

void World::storing(const void* where, std::uint64_t value, steps::Order order) {
    const auto offset = reinterpret_cast<std::uintptr_t>(where) - reinterpret_cast<std::uintptr_t>(writer_.core);
    if (polling_ || offset < writer_.core_size) {
        // A loss is settled once the loser has made its next store.
        for (unsigned i = 0; i < loss_count_; ++i) {
            if (losses_[i].level == level_ && losses_[i].settled == 0) losses_[i].settled = now_;
        }
        return;  // private
    }
    const unsigned location = location_of(where);
    if (location == kNowhere) fail(Rule::kOutside, "a store outside of the ring");
    ++stamp_;
    const Stamp released = order == steps::Order::kOrdered ? stamp_ : fenced_;
    if (location < kHeadLocation) check_store(location / kWords, static_cast<Word>(location % kWords), value);
    if (!histories_[location].add({value, stamp_, released})) fail(Rule::kBlocked, "too many stores to one word");
    if (location == kHeadLocation) check_published(value, released);
}

std::uint64_t World::loading(const void* where, std::uint64_t value, steps::Order order) {
    if (where != &page_.tail || polling_) return value;
    const bool acquire = order == steps::Order::kOrdered;
    // Only here does the writer learn of the reader, so whatever the reader
    // does between two such loads may as well be done at the second.
    while (armed_ && scenario_.reading == Reading::kHonest && rounds_ < scenario_.rounds && choices_->pick(2) != 0) {
        ++rounds_;
        if (!read_batch(false)) break;
    }
    const unsigned first = writer_view_.first(0, tails_);
    const unsigned index = armed_ ? first + choices_->pick(tails_.size() - first) : tails_.size() - 1;
    writer_view_.load(0, index, tails_[index], acquire);
    std::uint64_t tail = tails_[index].value;
    if (armed_ && scenario_.reading == Reading::kHostile) tail = hostile_tail(tail);
    if (trace_ != nullptr) say("  tail is " + std::to_string(tail));
    if (!interrupted_ && loss_count_ == 0 && scenario_.reading != Reading::kHostile) {
        const std::uint64_t want = calls_[current_[level_]].size + 1;
        check(writer_.head() + want > true_tail_ + scenario_.capacity, Rule::kSlowPath,
              "the writer looks at the tail although it knows of room");
    }
    if (writer_.head() - tail <= scenario_.capacity) {
        if (static_cast<std::int64_t>(tail - true_tail_) > 0) true_tail_ = tail;
    }
    tail_seen_[level_] = tail;
    return tail;
}

void World::exchanged(const void* where, std::uint64_t first, std::uint64_t end) {
    if (where != writer_.head_word) return;
    Call& call = calls_[current_[level_]];
    check(first == end_, Rule::kOwner, "positions handed out twice");
    const bool gap = end - first == call.size + 1;
    check(gap || end - first == call.size, Rule::kOwner, "a wrong number of positions");
    check(!call.reserved, Rule::kOwner, "one call reserves twice");
    if (!scenario_.flight) {
        check(static_cast<std::int64_t>(end - true_tail_) <= static_cast<std::int64_t>(scenario_.capacity),
              scenario_.reading == Reading::kHostile ? Rule::kUntrueTail : Rule::kUnread,
              "reserved more than what the reader has released");
    }
    if (frozen_ && call.began >= froze_) {
        check(passed_ < scenario_.tail, Rule::kFrozen, "a record passed a freeze");
        passed_ += end - first;
    }
    call.reserved = true;
    call.first = first;
    call.end = end;
    call.lost_before = lost_total_;
    end_ = end;
    for (std::uint64_t p = first; p != end; ++p) {
        Kind kind = p == end - call.size ? Kind::kRecord : Kind::kComm;
        if (gap && p == first) kind = Kind::kGap;
        place(p) = {
            .kind = kind, .committed = false, .last_of_run = p + 1 == end, .call = current_[level_], .record = {}};
    }
    for (unsigned level = 0; gap && level < level_; ++level) {
        if (current_[level] == kIdle) continue;
        const Call& outer = calls_[current_[level]];
        if (outer.reserved && outer.end - outer.first > outer.size) told_nested_ = true;
    }
    if (trace_ != nullptr) say("  reserved " + std::to_string(first) + " up to " + std::to_string(end));
}

void World::lost(std::uint64_t count) {
    check_no_room(count);
    lost_total_ += count;
    if (loss_count_ == losses_.size()) fail(Rule::kBlocked, "too many losses for the explorer");
    losses_[loss_count_++] = {.time = now_, .settled = 0, .total = lost_total_, .level = level_};
}

Outcome explore(const Scenario& scenario, const WriterCode& writer, const ReaderCode& reader,
                const std::vector<Rule>& ignored) {
    const auto start = std::chrono::steady_clock::now();
    World world_of_scenario(scenario, writer, reader, ignored);
    Choices choices;
    Outcome outcome;
    do {
        ++outcome.schedules;
        try {
            world_of_scenario.run(choices);
        } catch (const Violation& violation) {
            outcome.violated = violation.rule;
            outcome.what = violation.what();
            break;
        }
    } while (choices.next());
    if (outcome.violated != Rule::kNone) {
        choices.repeat();
        try {
            world_of_scenario.run(choices, &outcome.schedule);
        } catch (const Violation&) {
            outcome.schedule += "  => " + outcome.what + "\n";
        }
    }
    outcome.steps = world_of_scenario.steps();
    outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return outcome;
}

}  // namespace ringtest
