/* SPDX-License-Identifier: MIT */
/* The words of the kernel that both bindings of kmod/ring_core.h have in common. */
#ifndef HFTMON_TESTS_RING_CORE_WORDS_H
#define HFTMON_TESTS_RING_CORE_WORDS_H

#include <stdbool.h>
#include <string.h>

#include "hftmon/abi/record.h"
#include "hftmon/abi/ring.h"

typedef __s64 s64;
typedef __u64 u64;
typedef __u32 u32;
typedef __u16 u16;

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
/* One clock for all. */
#define hftmon_hot_clock() hftmon_clock()
#define noinline __attribute__((noinline))
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#if defined(__SANITIZE_THREAD__)
#define HFTMON_TESTS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HFTMON_TESTS_TSAN 1
#endif
#endif

/* The header is plain C: what an initializer leaves out is zero, a count may be an int. */
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#ifdef __cplusplus
#pragma GCC diagnostic ignored "-Wpedantic"
#endif

#endif /* HFTMON_TESTS_RING_CORE_WORDS_H */
