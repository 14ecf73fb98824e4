// SPDX-License-Identifier: MIT
// tracefs, and the format of its trace_pipe_raw.
#include "ftrace.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fstream>
#include <sstream>
#include <string_view>

#include "fail.hpp"

namespace ftrace_compare {

namespace {

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) fail("cannot read " + path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

void write_file(const std::string& path, std::string_view text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_TRUNC);
    if (fd < 0) fail(fmt::format("cannot open {}: {}", path, std::strerror(errno)));
    const auto written = ::write(fd, text.data(), text.size());
    const int error = errno;
    ::close(fd);
    if (written != static_cast<ssize_t>(text.size())) {
        fail(fmt::format("cannot write '{}' to {}: {}", text, path, std::strerror(error)));
    }
}

template <class T>
T load(const std::uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}

}  // namespace

Ftrace::Ftrace(unsigned kilobytes_per_cpu) : events_(ftrace_events()) {
    path_ = "/sys/kernel/tracing/instances/hftmon-compare";
    ::rmdir(path_.c_str());
    if (::mkdir(path_.c_str(), 0700) != 0) fail(fmt::format("cannot make {}: {}", path_, std::strerror(errno)));
    write_file(path_ + "/tracing_on", "0");
    write_file(path_ + "/trace_clock", "x86-tsc");
    write_file(path_ + "/buffer_size_kb", std::to_string(kilobytes_per_cpu));
    std::erase_if(events_, [&](FtraceEvent& event) {
        const std::string folder = path_ + "/events/" + event.path;
        if (::access(folder.c_str(), F_OK) != 0) {
            absent_.push_back(event.path);
            return true;
        }
        event.format = Format(read_file(folder + "/format"));
        write_file(folder + "/enable", "1");
        return false;
    });
    for (const FtraceEvent& event : events_) by_id_[event.format.id()] = &event;
}

Ftrace::~Ftrace() {
    try {
        write_file(path_ + "/tracing_on", "0");
        write_file(path_ + "/events/enable", "0");
    } catch (const std::exception&) {
    }
    ::rmdir(path_.c_str());
}

void Ftrace::on(bool value) { write_file(path_ + "/tracing_on", value ? "1" : "0"); }

std::uint64_t Ftrace::lost(unsigned cpu) const {
    std::istringstream lines(read_file(fmt::format("{}/per_cpu/cpu{}/stats", path_, cpu)));
    std::uint64_t sum = 0;
    for (std::string line; std::getline(lines, line);) {
        for (const char* key : {"overrun: ", "commit overrun: ", "dropped events: "}) {
            if (line.starts_with(key)) sum += std::stoull(line.substr(std::strlen(key)));
        }
    }
    return sum;
}

std::vector<Item> Ftrace::read(unsigned cpu) const {
    const std::string path = fmt::format("{}/per_cpu/cpu{}/trace_pipe_raw", path_, cpu);
    const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
    if (fd < 0) fail("cannot open " + path);
    std::vector<Item> items;
    alignas(8) std::array<std::uint8_t, 4096> page{};
    for (;;) {
        const auto got = ::read(fd, page.data(), page.size());
        if (got <= 0) break;
        read_page(page.data(), static_cast<std::size_t>(got), items);
    }
    ::close(fd);
    return items;
}

// One sub-buffer: Documentation/trace/ring-buffer-design.rst, include/linux/ring_buffer.h.
void Ftrace::read_page(const std::uint8_t* page, std::size_t size, std::vector<Item>& items) const {
    constexpr std::size_t kHeader = 16;
    if (size < kHeader) fail("ftrace gave a short page");
    std::uint64_t time = load<std::uint64_t>(page);
    const auto commit = load<std::uint64_t>(page + 8);
    if ((commit & (1u << 31)) != 0) fail("ftrace says that events are missing before a page");
    const std::size_t end = kHeader + (commit & 0xfffff);
    if (end > size) fail("ftrace's page is longer than what was read");
    for (std::size_t at = kHeader; at < end;) {
        const auto word = load<std::uint32_t>(page + at);
        const std::uint32_t type_len = word & 31, delta = word >> 5;
        const auto extra = at + 8 <= end ? load<std::uint32_t>(page + at + 4) : 0;
        if (type_len == 29) {  // padding
            if (delta == 0) break;
            at += 4 + extra;
            continue;
        }
        if (type_len == 30) {
            time += (std::uint64_t{extra} << 27) + delta;
            at += 8;
            continue;
        }
        if (type_len == 31) {
            time = (time & ~((std::uint64_t{1} << 59) - 1)) | ((std::uint64_t{extra} << 27) + delta);
            at += 8;
            continue;
        }
        time += delta;
        const std::size_t data = type_len == 0 ? at + 8 : at + 4;
        const std::size_t next = type_len == 0 ? at + 4 + extra : data + type_len * 4;
        read_event(page + data, time, items);
        at = next;
    }
}

void Ftrace::read_event(const std::uint8_t* data, std::uint64_t time, std::vector<Item>& items) const {
    const auto found = by_id_.find(load<std::uint16_t>(data));
    if (found == by_id_.end()) fail(fmt::format("ftrace event of unknown id {}", load<std::uint16_t>(data)));
    const FtraceEvent& event = *found->second;
    Item item;
    item.tsc = time;
    item.type = event.type;
    item.flags = data[2];
    item.current = load<std::uint32_t>(data + 4);
    event.fill(event.format, data, item);
    items.push_back(item);
}

}  // namespace ftrace_compare
