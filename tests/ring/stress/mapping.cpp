// SPDX-License-Identifier: MIT
#include "tests/ring/stress/mapping.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ringtest {

namespace {

constexpr std::size_t kPage = 4096;

void* checked(void* address) {
    if (address == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    return address;
}

}  // namespace

HandMadeRing::HandMadeRing(bool flight, std::uint32_t capacity)
    : control(nullptr), reader(nullptr), slots(nullptr), bytes_(std::size_t{capacity} * HFTMON_RECORD_SIZE) {
    const int fd = ::memfd_create("ring", 0);
    if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(bytes_)) != 0) {
        throw std::system_error(errno, std::generic_category(), "memfd");
    }
    constexpr int kBoth = PROT_READ | PROT_WRITE;
    char* const data =
        static_cast<char*>(checked(::mmap(nullptr, 2 * bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    checked(::mmap(data, bytes_, kBoth, MAP_SHARED | MAP_FIXED, fd, 0));
    checked(::mmap(data + bytes_, bytes_, kBoth, MAP_SHARED | MAP_FIXED, fd, 0));
    ::close(fd);
    slots = reinterpret_cast<::hftmon_record*>(data);

    char* const pages =
        static_cast<char*>(checked(::mmap(nullptr, 2 * kPage, kBoth, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    control = reinterpret_cast<::hftmon_ring_control*>(pages);
    reader = reinterpret_cast<::hftmon_ring_reader*>(pages + kPage);
    control->mode = flight ? HFTMON_MODE_FLIGHT : HFTMON_MODE_STREAM;
    control->capacity = capacity;
    control->record_size = HFTMON_RECORD_SIZE;
}

HandMadeRing::~HandMadeRing() {
    ::munmap(slots, 2 * bytes_);
    ::munmap(control, 2 * kPage);
}

hftmon::RingReader resume(const HandMadeRing& ring) {
    hftmon::RingReader reader(ring.mapping());
    // RingReader starts at 0: see kReaderResumes in stress_test.cpp.
    if (reader.position() != ring.reader->tail) reader.release(ring.reader->tail - reader.position());
    return reader;
}

}  // namespace ringtest
