// SPDX-License-Identifier: MIT
// System calls of 32-bit programs.
#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>

#include "checks.hpp"
#include "device.hpp"
#include "verdict.hpp"

namespace abi_abuse {

void compat() {
#if defined(__x86_64__)
    Device device;
    auto* info = static_cast<hftmon_info*>(
        ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
    if (info == MAP_FAILED) return;
    *info = sized<hftmon_info>();
    long result = 54;  // ioctl
    asm volatile("int $0x80"
                 : "+a"(result)
                 : "b"(static_cast<long>(device.fd())), "c"(HFTMON_IOC_INFO), "d"(info)
                 : "memory", "r8", "r9", "r10", "r11");
    if (result == -ENOSYS) {
        fmt::print("  this kernel has no 32-bit system calls\n");
    } else {
        verdict(result == -ENOTTY, "INFO by a 32-bit system call: ENOTTY");
    }
    ::munmap(info, kPage);
#endif
}

}  // namespace abi_abuse
