// SPDX-License-Identifier: MIT
/// The primitives that kmod/ring_core.h asks for, each a step of the explorer:
/// before it, an interrupt may come. Small, because every mutant includes it.
#pragma once

#include <cstdint>
#include <type_traits>

#include "tests/ring/core_words.h"

namespace ringtest::steps {

enum class Order : bool { kRelaxed, kOrdered };

/// A place where an interrupt may come. `what` names it in a printed schedule.
void step(const char* what);
/// A store of the writer, about to be done; checks where it goes.
void storing(const void* where, std::uint64_t value, Order order);
/// What a load of the writer yields: `value`, except for the reader's tail.
std::uint64_t loading(const void* where, std::uint64_t value, Order order);
void fence();
std::uint64_t clock();
/// A compare-and-exchange has succeeded: of `head`, it has reserved.
void exchanged(const void* where, std::uint64_t expected, std::uint64_t desired);
void lost(std::uint64_t count);
/// In the middle of a read-modify-write, where another CPU may store.
void between();
/// Thread running on the writer's CPU.
std::uint32_t thread();

template <class T>
T load(const T& word, Order order, const char* what) {
    step(what);
    return static_cast<T>(loading(&word, word, order));
}

template <class T>
void store(T& word, std::type_identity_t<T> value, Order order, const char* what) {
    step(what);
    storing(&word, value, order);
    word = value;
}

inline bool try_exchange(u64* word, u64 expected, u64 desired, const char* what) {
    step(what);
    if (*word != expected) return false;
    between();
    *word = desired;
    exchanged(word, expected, desired);
    return true;
}

/// Whole towards other CPUs, too.
inline u64 locked_exchange(u64* word, u64 expected, u64 desired, const char* what) {
    step(what);
    const u64 old = *word;
    if (old == expected) *word = desired;
    return old;
}

inline void set(u64* word, u64 value, const char* what) {
    step(what);
    storing(word, value, Order::kRelaxed);
    *word = value;
}

inline void add(u64* word, u64 n, const char* what) {
    step(what);
    *word += n;
    lost(n);
}

// The same in two steps, for mutants.
inline bool try_exchange_torn(u64* word, u64 expected, u64 desired) {
    step("compare");
    if (*word != expected) return false;
    step("exchange");
    *word = desired;
    exchanged(word, expected, desired);
    return true;
}

inline void add_torn(u64* word, u64 n) {
    step("load, to add");
    const u64 old = *word;
    lost(n);
    step("store what was added");
    *word = old + n;
}

}  // namespace ringtest::steps

#define hftmon_local_t u64
#define hftmon_local_read(word) (::ringtest::steps::load(*(word), ::ringtest::steps::Order::kRelaxed, "load " #word))
#define hftmon_local_set(word, value) (::ringtest::steps::set(word, value, "store " #word))
#define hftmon_local_add(word, n) (::ringtest::steps::add(word, n, "add to " #word))
#define hftmon_local_try_cmpxchg(word, old, desired) \
    (::ringtest::steps::try_exchange(word, old, desired, "compare-and-exchange " #word))
#define hftmon_read(lvalue) (::ringtest::steps::load(lvalue, ::ringtest::steps::Order::kRelaxed, "load " #lvalue))
#define hftmon_write(lvalue, value) \
    (::ringtest::steps::store(lvalue, value, ::ringtest::steps::Order::kRelaxed, "store " #lvalue))
#define hftmon_load_acquire(p) (::ringtest::steps::load(*(p), ::ringtest::steps::Order::kOrdered, "load-acquire " #p))
#define hftmon_store_release(p, value) \
    (::ringtest::steps::store(*(p), value, ::ringtest::steps::Order::kOrdered, "store-release " #p))
#define hftmon_wmb() (::ringtest::steps::fence())
#define hftmon_mb() (::ringtest::steps::fence())
#define hftmon_cmpxchg(p, old, desired) \
    (::ringtest::steps::locked_exchange(p, old, desired, "locked compare-and-exchange " #p))
#define hftmon_barrier() ((void)0)
#define hftmon_clock() (::ringtest::steps::clock())
#define hftmon_current_tid() (::ringtest::steps::thread())
