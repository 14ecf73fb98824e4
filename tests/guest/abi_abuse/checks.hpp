// SPDX-License-Identifier: MIT
/// The checks, in the order in which they run.
#pragma once

namespace abi_abuse {

// arguments.cpp
void arguments();
void setups();
void lists();

// states.cpp
void states();

// mappings.cpp
void mappings();
/// Mappings that outlive what they belong to.
void stack_tables();
void thread_tables();
void afterlife();
/// Those of durations that the kernel counts.
void histograms();

// reader.cpp
/// A reader that lies about its position: the kernel must not care.
void lying_reader();

// stress.cpp
/// Threads that call every command on shared descriptors without order.
void storm();
/// Memory that there may not be: refused or given, never half.
void memory();
/// SIGKILL at any moment of a session's life.
void killed();

// compat.cpp
/// A 32-bit program's system call (int 0x80): the ABI says that there is none.
void compat();

}  // namespace abi_abuse
