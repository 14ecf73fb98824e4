// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace device_fuzz {

namespace {

constexpr std::size_t kPage = 4096;

/// A page that can be read and not written; and the last bytes before nothing.
struct Traps {
    std::byte* read_only;
    std::byte* end;
    Traps() {
        auto* pages = static_cast<std::byte*>(
            ::mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        read_only = pages;
        end = pages + 2 * kPage;
        ::mprotect(pages, kPage, PROT_READ);
        ::munmap(end, kPage);
    }
};

const Traps& traps() {
    static const Traps traps;
    return traps;
}

void* bad_pointer(Random& random) {
    switch (random.below(5)) {
        case 0: return nullptr;
        case 1: return traps().read_only;
        case 2: return traps().end - random.below(64);
        case 3: return reinterpret_cast<void*>(0xffff888000000000u + random.below(1u << 30));
        default: return reinterpret_cast<void*>(random.edge());
    }
}

std::uint64_t pointer(Random& random, const Arena& arena, void* good) {
    void* where = random.one_in(24) ? arena.mapped : random.one_in(12) ? bad_pointer(random) : good;
    return reinterpret_cast<std::uint64_t>(where);
}

std::uint32_t tid(Random& random) {
    switch (random.below(5)) {
        case 0: return static_cast<std::uint32_t>(::gettid());
        case 1: return static_cast<std::uint32_t>(::getppid());
        case 2: return static_cast<std::uint32_t>(1 + random.below(400));
        case 3: return static_cast<std::uint32_t>(::getpid() + static_cast<int>(random.below(16)));
        default: return static_cast<std::uint32_t>(random.edge());
    }
}

template <class T>
Call good_call(Arena& arena, unsigned long request, T argument) {
    static_assert(sizeof(T) <= sizeof(arena.argument));
    argument.size = sizeof(T);
    std::memcpy(arena.argument.data(), &argument, sizeof(T));
    return {request, arena.argument.data()};
}

/// Fills the argument of one command, and may spoil it.
template <class T, class Fill>
Call call(Random& random, Arena& arena, unsigned long request, Fill&& fill) {
    T argument{};
    fill(argument);
    good_call(arena, request, argument);
    for (std::uint64_t spoil = random.one_in(3) ? 1 + random.below(3) : 0; spoil > 0; --spoil) {
        const std::uint64_t value = random.edge();
        const std::size_t bytes = random.one_in(2) ? 4 : 8;
        std::memcpy(arena.argument.data() + random.below(sizeof(T) / bytes) * bytes, &value, bytes);
    }
    return {request, arena.argument.data()};
}

void fill_masks(Random& random, Arena& arena, hftmon_setup& setup) {
    if (random.one_in(3)) return;
    for (auto& word : arena.cpus) word = 0;
    arena.cpus[0] = random.one_in(8) ? random.word() : 1 + random.below(15);
    arena.whole[0] = random.one_in(8) ? random.word() : arena.cpus[0] & random.word();
    setup.cpu_mask = pointer(random, arena, arena.cpus.data());
    setup.cpu_mask_bytes = random.one_in(8) ? static_cast<std::uint32_t>(random.edge()) : 8;
    if ((setup.flags & HFTMON_SETUP_WATCH) != 0 && (setup.flags & HFTMON_SETUP_WHOLE) == 0) {
        setup.whole_mask = pointer(random, arena, arena.whole.data());
        setup.whole_mask_bytes = 8;
    }
}

void fill_thresholds(Random& random, std::uint32_t among, std::uint32_t& kinds, __u64 (&over)[HFTMON_THRESHOLD_KINDS]) {
    for (std::uint64_t n = 1 + random.below(3); n > 0; --n)
        kinds |= HFTMON_DURATION_BIT(random.below(HFTMON_DURATION_COUNT)) & among;
    for (auto& ticks : over) ticks = random.one_in(16) ? random.edge() : random.below(1u << (8 + random.below(16)));
}

void fill(Random& random, std::uint32_t among, hftmon_trigger& trigger) {
    fill_thresholds(random, among, trigger.kinds, trigger.over);
    if (random.one_in(2)) trigger.flags = static_cast<std::uint32_t>(random.below(16));
    trigger.tail_records = static_cast<std::uint32_t>(random.below(2000));
    trigger.tail_ticks = random.below(1u << 24);
    if (!random.one_in(4)) trigger.holdoff_ticks = random.below(1u << 22);
}

void fill(Random& random, hftmon_watch& watch) {
    watch.op = random.one_in(4) ? HFTMON_WATCH_REMOVE : HFTMON_WATCH_ADD;
    watch.tid = tid(random);
    watch.flags = random.one_in(2) ? HFTMON_WATCH_PROCESS : 0;
}

}  // namespace

hftmon_setup good_setup(Random& random, Arena& arena) {
    hftmon_setup setup{};
    setup.size = sizeof(setup);
    setup.mode = random.one_in(2) ? HFTMON_MODE_STREAM : HFTMON_MODE_FLIGHT;
    setup.sources = HFTMON_SOURCE_ALL;
    if (!random.one_in(3)) setup.sources &= random.word() | 1;
    setup.ring_records = HFTMON_RING_MIN_RECORDS << random.below(3);
    setup.wakeup_records = HFTMON_MIN_WAKEUP_RECORDS << random.below(3);
    if (!random.one_in(3)) setup.durations = HFTMON_DURATION_ALL;
    if (random.one_in(3)) setup.durations &= static_cast<std::uint32_t>(random.word());
    if (!random.one_in(3)) {
        setup.flags = HFTMON_SETUP_WATCH;
        for (const std::uint32_t flag :
             {HFTMON_SETUP_INHERIT_THREADS, HFTMON_SETUP_INHERIT_PROCESSES, HFTMON_SETUP_WHOLE, HFTMON_SETUP_THREADS}) {
            if (random.one_in(2)) setup.flags |= flag;
        }
    }
    fill_masks(random, arena, setup);
    return setup;
}

Call fitting_call(Random& random, Arena& arena, const hftmon_setup& setup) {
    const std::uint64_t choice = random.below((setup.flags & HFTMON_SETUP_WATCH) != 0 ? 3 : 2);
    if (choice == 2) {
        hftmon_watch watch{};
        watch.tid = static_cast<std::uint32_t>(random.one_in(2) ? ::getpid() : ::gettid());
        watch.flags = random.one_in(2) ? HFTMON_WATCH_PROCESS : 0;
        return good_call(arena, HFTMON_IOC_WATCH, watch);
    }
    if (choice == 1) {
        hftmon_minimum minimum{};
        fill_thresholds(random, setup.durations, minimum.kinds, minimum.over);
        return good_call(arena, HFTMON_IOC_MINIMUM, minimum);
    }
    hftmon_trigger trigger{};
    fill(random, setup.durations, trigger);
    if (setup.mode == HFTMON_MODE_STREAM) trigger.flags = 0;
    if ((setup.flags & HFTMON_SETUP_WATCH) == 0) trigger.flags &= ~HFTMON_TRIGGER_WATCHED;
    return good_call(arena, HFTMON_IOC_TRIGGER, trigger);
}

void prepare_arguments() { (void)traps(); }

Call any_call(Random& random, Arena& arena) {
    const auto with_answers = [&](auto& argument, std::size_t entry) {
        argument.count = static_cast<std::uint32_t>(random.one_in(4) ? random.below(8) : sizeof(arena.answers) / entry);
        argument.entries = pointer(random, arena, arena.answers.data());
    };
    const auto nothing = [](auto&) {};
    Call made{};
    switch (random.below(18)) {
        case 0: made = call<hftmon_info>(random, arena, HFTMON_IOC_INFO, nothing); break;
        case 1:
            made = call<hftmon_setup>(random, arena, HFTMON_IOC_SETUP,
                                      [&](hftmon_setup& setup) { setup = good_setup(random, arena); });
            break;
        case 2:
        case 3: made = {HFTMON_IOC_START, nullptr}; break;
        case 4: made = {HFTMON_IOC_STOP, nullptr}; break;
        case 5:
            made = call<hftmon_sources>(random, arena, HFTMON_IOC_SOURCES, [&](hftmon_sources& sources) {
                with_answers(sources, sizeof(hftmon_source_status));
            });
            break;
        case 6:
            made = call<hftmon_cpu_stats>(random, arena, HFTMON_IOC_CPU_STATS, [&](hftmon_cpu_stats& stats) {
                stats.cpu = static_cast<std::uint32_t>(random.below(6));
            });
            break;
        case 7: made = call<hftmon_clock_sync>(random, arena, HFTMON_IOC_CLOCK_SYNC, nothing); break;
        case 8:
            made = call<hftmon_threads>(random, arena, HFTMON_IOC_THREADS, [&](hftmon_threads& threads) {
                with_answers(threads, sizeof(hftmon_thread_entry));
            });
            break;
        case 9:
        case 10:
        case 11:
            made =
                call<hftmon_watch>(random, arena, HFTMON_IOC_WATCH, [&](hftmon_watch& watch) { fill(random, watch); });
            break;
        case 12:
        case 13:
            made = call<hftmon_trigger>(random, arena, HFTMON_IOC_TRIGGER,
                                        [&](hftmon_trigger& trigger) { fill(random, HFTMON_DURATION_ALL, trigger); });
            break;
        case 14:
            made = call<hftmon_spikes>(random, arena, HFTMON_IOC_SPIKES, [&](hftmon_spikes& spikes) {
                spikes.flags = static_cast<std::uint32_t>(random.below(2));
            });
            break;
        case 15:
            made = call<hftmon_costs>(random, arena, HFTMON_IOC_COSTS, [&](hftmon_costs& costs) {
                costs.cpu = static_cast<std::uint32_t>(random.below(6));
                with_answers(costs, sizeof(hftmon_source_cost));
            });
            break;
        case 16: made = call<hftmon_stacks>(random, arena, HFTMON_IOC_STACKS, nothing); break;
        default:
            made = call<hftmon_minimum>(random, arena, HFTMON_IOC_MINIMUM, [&](hftmon_minimum& minimum) {
                fill_thresholds(random, HFTMON_DURATION_ALL, minimum.kinds, minimum.over);
            });
            break;
    }
    if (random.one_in(24)) made.argument = bad_pointer(random);
    if (random.one_in(48)) made.request ^= 1ul << random.below(32);
    return made;
}

}  // namespace device_fuzz
