/* SPDX-License-Identifier: MIT */
/*
 * kmod/ring_core.h bound to the compiler's atomics: what the stress test and
 * the benchmark run. Good as C11 and as C++20.
 *
 * Words of the owning CPU belong to one thread here, and what nests is a signal
 * handler of that thread. On x86 the two read-modify-writes are then the single
 * unlocked instructions that the kernel's local_t has, so that the benchmark
 * tells the kernel's cost; elsewhere, and under ThreadSanitizer, they are
 * relaxed atomics.
 */
#ifndef HFTMON_TESTS_RING_CORE_ATOMICS_H
#define HFTMON_TESTS_RING_CORE_ATOMICS_H

#include "tests/ring/core_words.h"

#ifdef __x86_64__
#include <x86intrin.h>
#else
#include <time.h>
#endif

/* ThreadSanitizer does not model fences; what this one orders is atomic throughout. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif

/* For who wants an interrupt in the middle of a write, called and not signalled. */
#ifndef hftmon_tests_between
#define hftmon_tests_between() ((void)0)
#endif

#define hftmon_local_t u64
#define hftmon_local_read(word) __atomic_load_n(word, __ATOMIC_RELAXED)
#define hftmon_local_set(word, value) __atomic_store_n(word, value, __ATOMIC_RELAXED)
#define hftmon_read(lvalue) __atomic_load_n(&(lvalue), __ATOMIC_RELAXED)
#define hftmon_write(lvalue, value) __atomic_store_n(&(lvalue), value, __ATOMIC_RELAXED)
#define hftmon_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define hftmon_store_release(p, value) __atomic_store_n(p, value, __ATOMIC_RELEASE)
#define hftmon_wmb() (hftmon_tests_between(), __atomic_thread_fence(__ATOMIC_RELEASE))
#define hftmon_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define hftmon_barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define hftmon_current_tid() 1u

#if defined(__x86_64__) && !defined(HFTMON_TESTS_TSAN)
static inline void hftmon_local_add(u64 *word, u64 n)
{
	__asm__ volatile("addq %1, %0" : "+m"(*word) : "er"(n) : "memory", "cc");
}

static inline bool hftmon_local_try_cmpxchg(u64 *word, u64 expected, u64 desired)
{
	bool done;

	__asm__ volatile("cmpxchgq %3, %1"
			 : "=@ccz"(done), "+m"(*word), "+a"(expected)
			 : "r"(desired)
			 : "memory");
	return done;
}
#else
static inline void hftmon_local_add(u64 *word, u64 n)
{
	__atomic_fetch_add(word, n, __ATOMIC_RELAXED);
}

static inline bool hftmon_local_try_cmpxchg(u64 *word, u64 expected, u64 desired)
{
	return __atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}
#endif

static inline u64 hftmon_cmpxchg(u64 *word, u64 expected, u64 desired)
{
	__atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	return expected;
}

/* Ordered as rdtsc_ordered() of the kernel is. */
static inline u64 hftmon_clock(void)
{
	hftmon_tests_between();
#ifdef __x86_64__
	_mm_lfence();
	return __rdtsc();
#else
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
#endif
}

#include "kmod/ring_core.h"

#endif /* HFTMON_TESTS_RING_CORE_ATOMICS_H */
