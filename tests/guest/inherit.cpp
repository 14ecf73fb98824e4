// SPDX-License-Identifier: MIT
// Priority inheritance, planted: on one CPU a low thread holds a lock, a high
// one waits for it and lends its priority, and a middle one that becomes ready
// meanwhile must wait until the lock is free.
//
// usage: inherit CPU ROUNDS
//
// Prints "low=TID middle=TID high=TID held_us=N", N being the shortest time for
// which the lock was held, by the low thread's clock.
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>

namespace {

constexpr int kLow = 10, kMiddle = 30, kHigh = 50;
constexpr long kHoldNs = 3'000'000;

unsigned cpu = 0;
int rounds = 0;
pthread_mutex_t lock;
sem_t low_may, middle_may, high_may, round_over;
std::atomic<int> low_tid, middle_tid, high_tid;
std::atomic<long> held_ns = 1L << 60;

long now_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

void* low(void*) {
    low_tid = ::gettid();
    for (int i = 0; i < rounds; ++i) {
        ::sem_wait(&low_may);
        ::pthread_mutex_lock(&lock);
        ::sem_post(&high_may);  // it takes the CPU, and gives it back at the lock
        const long start = now_ns();
        ::sem_post(&middle_may);  // it must wait: the holder runs as high
        while (now_ns() - start < kHoldNs) {
        }
        held_ns = std::min(held_ns.load(), now_ns() - start);
        ::pthread_mutex_unlock(&lock);
        ::sem_post(&round_over);
    }
    return nullptr;
}

void* middle(void*) {
    middle_tid = ::gettid();
    for (int i = 0; i < rounds; ++i) ::sem_wait(&middle_may);
    return nullptr;
}

void* high(void*) {
    high_tid = ::gettid();
    for (int i = 0; i < rounds; ++i) {
        ::sem_wait(&high_may);
        ::pthread_mutex_lock(&lock);
        ::pthread_mutex_unlock(&lock);
    }
    return nullptr;
}

pthread_t begin(void* (*body)(void*), int priority) {
    pthread_attr_t attributes;
    cpu_set_t set;
    const sched_param parameter{priority};
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    ::pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
    ::pthread_attr_setschedparam(&attributes, &parameter);
    ::pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
    pthread_t thread{};
    if (::pthread_create(&thread, &attributes, body, nullptr) != 0) {
        fmt::print(stderr, "inherit: cannot make a real-time thread on CPU {}\n", cpu);
        std::exit(1);
    }
    return thread;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: inherit CPU ROUNDS\n");
        return 2;
    }
    cpu = static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10));
    rounds = std::atoi(argv[2]);
    pthread_mutexattr_t kind;
    ::pthread_mutexattr_init(&kind);
    ::pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
    ::pthread_mutex_init(&lock, &kind);
    for (sem_t* semaphore : {&low_may, &middle_may, &high_may, &round_over}) ::sem_init(semaphore, 0, 0);
    const pthread_t threads[] = {begin(low, kLow), begin(middle, kMiddle), begin(high, kHigh)};
    for (int i = 0; i < rounds; ++i) {
        ::usleep(2000);
        ::sem_post(&low_may);
        ::sem_wait(&round_over);
    }
    for (const pthread_t thread : threads) ::pthread_join(thread, nullptr);
    fmt::print("low={} middle={} high={} held_us={}\n", low_tid.load(), middle_tid.load(), high_tid.load(),
               held_ns.load() / 1000);
    return 0;
}
