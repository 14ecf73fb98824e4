// SPDX-License-Identifier: MIT
// Records one interval with hftmon and with the kernel's own ftrace at once,
// and compares the two CPU by CPU, event by event, field by field.
//
// usage: ftrace_compare [--events N] [--seconds S] [--median-ns N] FILE
//
// hftmon's capture goes to FILE. At least N events (default 100000) and S
// seconds (default 5) are recorded, under whatever load the caller has started.
// ftrace's events are read in binary from an instance of its own, with the TSC
// as its clock.
//
// The same tracepoint calls ftrace's probe first and hftmon's second. Where
// interrupts are enabled (softirq_entry and _exit, fork, exec, exit, rename),
// an interrupt may come between the two: then all of its events stand before
// that one event in hftmon's stream and behind it in ftrace's. Exactly this
// transposition is recognised and counted; everything else is a difference.
//
// Exit status: 0 all equal, 1 a difference or a loss, 2 wrong use.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "hftmon/capture.hpp"
#include "hftmon/decode.hpp"
#include "hftmon/names.hpp"
#include "hftmon/recorder.hpp"

namespace {

using namespace hftmon;

[[noreturn]] void fail(const std::string& text) { throw std::runtime_error(text); }

using Name = std::array<char, HFTMON_COMM_LEN>;

Name name_of(std::string_view text) {
    Name name{};
    std::copy_n(text.data(), std::min(text.size(), name.size() - 1), name.data());
    return name;
}

std::string_view view(const Name& name) { return {name.data(), ::strnlen(name.data(), name.size())}; }

// ftrace's common_flags.
enum : std::uint8_t { kIrqsOff = 0x01, kHardirq = 0x08, kSoftirq = 0x10, kNmi = 0x40 };

/// One event as both sides can express it.
struct Item {
    std::uint64_t tsc = 0;
    std::uint16_t type = 0;     ///< enum hftmon_record_type
    std::uint8_t flags = 0;     ///< ftrace only: the context
    std::uint32_t current = 0;  ///< who ran here
    std::array<std::int64_t, 6> field{};
    Name first{}, second{};  ///< names that the event mentions
};

/// Names of a type's fields, for the report.
struct Kind {
    std::uint16_t type;
    const char* name;
    std::array<const char*, 6> fields;
};

constexpr std::array kKinds = std::to_array<Kind>({
    {HFTMON_REC_SCHED_SWITCH, "sched_switch", {"prev_pid", "prev_prio", "prev_state", "next_pid", "next_prio", ""}},
    {HFTMON_REC_SCHED_WAKING, "sched_waking", {"pid", "prio", "target_cpu", "context", "", ""}},
    {HFTMON_REC_SCHED_WAKEUP, "sched_wakeup", {"pid", "prio", "target_cpu", "context", "", ""}},
    {HFTMON_REC_SCHED_WAKEUP_NEW, "sched_wakeup_new", {"pid", "prio", "target_cpu", "context", "", ""}},
    {HFTMON_REC_SCHED_MIGRATE, "sched_migrate_task", {"pid", "prio", "orig_cpu", "dest_cpu", "", ""}},
    {HFTMON_REC_FORK, "sched_process_fork", {"parent_pid", "child_pid", "", "", "", ""}},
    {HFTMON_REC_EXEC, "sched_process_exec", {"pid", "old_pid", "", "", "", ""}},
    {HFTMON_REC_EXIT, "sched_process_exit", {"pid", "prio", "", "", "", ""}},
    {HFTMON_REC_RENAME, "task_rename", {"pid", "", "", "", "", ""}},
    {HFTMON_REC_IRQ_ENTRY, "irq_handler_entry", {"irq", "", "", "", "", ""}},
    {HFTMON_REC_IRQ_EXIT, "irq_handler_exit", {"irq", "ret", "", "", "", ""}},
    {HFTMON_REC_SOFTIRQ_RAISE, "softirq_raise", {"vec", "", "", "", "", ""}},
    {HFTMON_REC_SOFTIRQ_ENTRY, "softirq_entry", {"vec", "", "", "", "", ""}},
    {HFTMON_REC_SOFTIRQ_EXIT, "softirq_exit", {"vec", "", "", "", "", ""}},
    {HFTMON_REC_VECTOR_ENTRY, "vector_entry", {"vector", "kind", "", "", "", ""}},
    {HFTMON_REC_VECTOR_EXIT, "vector_exit", {"vector", "kind", "", "", "", ""}},
    {HFTMON_REC_PAGE_FAULT_USER, "page_fault_user", {"address", "ip", "error_code", "", "", ""}},
    {HFTMON_REC_PAGE_FAULT_KERNEL, "page_fault_kernel", {"address", "ip", "error_code", "", "", ""}},
    {HFTMON_REC_CPU_IDLE, "cpu_idle", {"state", "", "", "", "", ""}},
    {HFTMON_REC_HRTIMER_EXPIRE_ENTRY, "hrtimer_expire_entry", {"", "", "", "", "", ""}},
    {HFTMON_REC_HRTIMER_EXPIRE_EXIT, "hrtimer_expire_exit", {"", "", "", "", "", ""}},
});

const Kind* kind_of(std::uint16_t type) {
    const auto found = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& k) { return k.type == type; });
    return found == kKinds.end() ? nullptr : &*found;
}

bool is_entry(std::uint16_t type) {
    return type == HFTMON_REC_IRQ_ENTRY || type == HFTMON_REC_VECTOR_ENTRY || type == HFTMON_REC_SOFTIRQ_ENTRY;
}
bool is_exit(std::uint16_t type) {
    return type == HFTMON_REC_IRQ_EXIT || type == HFTMON_REC_VECTOR_EXIT || type == HFTMON_REC_SOFTIRQ_EXIT;
}

// ---- ftrace ----------------------------------------------------------------

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

/// Where the fields of one ftrace event lie.
class Format {
public:
    Format() = default;
    explicit Format(const std::string& text) {
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with("ID: ")) id_ = static_cast<std::uint16_t>(std::stoi(line.substr(4)));
            const auto begin = line.find("field:");
            if (begin == std::string::npos) continue;
            const std::string declaration = line.substr(begin + 6, line.find(';', begin) - begin - 6);
            std::string field = declaration.substr(declaration.rfind(' ') + 1);
            field.resize(std::min(field.size(), field.find('[')));
            fields_[field] = {number(line, "offset:"), number(line, "size:"), number(line, "signed:") != 0,
                              declaration.find("__data_loc") != std::string::npos};
        }
    }
    [[nodiscard]] std::uint16_t id() const { return id_; }

    [[nodiscard]] std::int64_t integer(const std::uint8_t* data, const std::string& name) const {
        const Field& field = at(name);
        std::uint64_t value = 0;
        std::memcpy(&value, data + field.offset, std::min<std::size_t>(field.size, 8));
        if (field.is_signed && field.size < 8) {
            const unsigned shift = 64 - 8 * field.size;
            return static_cast<std::int64_t>(value << shift) >> shift;
        }
        return static_cast<std::int64_t>(value);
    }
    [[nodiscard]] Name text(const std::uint8_t* data, const std::string& name) const {
        const Field& field = at(name);
        const char* begin = reinterpret_cast<const char*>(data + field.offset);
        std::size_t size = field.size;
        if (field.elsewhere) {
            std::uint32_t where = 0;
            std::memcpy(&where, begin, sizeof(where));
            begin = reinterpret_cast<const char*>(data + (where & 0xffff));
            size = where >> 16;
        }
        return name_of({begin, ::strnlen(begin, size)});
    }

private:
    struct Field {
        unsigned offset = 0, size = 0;
        bool is_signed = false, elsewhere = false;
    };
    static unsigned number(const std::string& line, const char* key) {
        const auto at = line.find(key);
        return at == std::string::npos ? 0 : static_cast<unsigned>(std::stoul(line.substr(at + std::strlen(key))));
    }
    [[nodiscard]] const Field& at(const std::string& name) const {
        const auto found = fields_.find(name);
        if (found == fields_.end()) fail("ftrace's event has no field " + name);
        return found->second;
    }
    std::uint16_t id_ = 0;
    std::map<std::string, Field> fields_;
};

using Fill = std::function<void(const Format&, const std::uint8_t*, Item&)>;

struct FtraceEvent {
    std::string path;  ///< system/name
    std::uint16_t type;
    Fill fill;
    Format format;
};

std::int64_t context_of(std::uint8_t flags) {
    if ((flags & kNmi) != 0) return HFTMON_CONTEXT_NMI;
    if ((flags & kHardirq) != 0) return HFTMON_CONTEXT_HARDIRQ;
    return (flags & kSoftirq) != 0 ? HFTMON_CONTEXT_SOFTIRQ : HFTMON_CONTEXT_TASK;
}

/// Copies the named integer fields, in order.
Fill integers(std::vector<std::string> names) {
    return [names](const Format& f, const std::uint8_t* data, Item& item) {
        for (std::size_t i = 0; i < names.size(); ++i) item.field[i] = f.integer(data, names[i]);
    };
}

void fill_wake(const Format& f, const std::uint8_t* data, Item& item) {
    item.field = {f.integer(data, "pid"), f.integer(data, "prio"), f.integer(data, "target_cpu"),
                  context_of(item.flags)};
    item.first = f.text(data, "comm");
}

void fill_switch(const Format& f, const std::uint8_t* data, Item& item) {
    item.field = {f.integer(data, "prev_pid"), f.integer(data, "prev_prio"), f.integer(data, "prev_state"),
                  f.integer(data, "next_pid"), f.integer(data, "next_prio")};
    item.first = f.text(data, "prev_comm");
    item.second = f.text(data, "next_comm");
}

constexpr std::uint64_t kUserTop = 0x00007ffffffff000;  // x86: TASK_SIZE_MAX with 4 levels

std::int64_t user_part(std::int64_t address) { return static_cast<std::uint64_t>(address) < kUserTop ? address : 0; }

std::vector<FtraceEvent> ftrace_events() {
    std::vector<FtraceEvent> events = {
        {"sched/sched_switch", HFTMON_REC_SCHED_SWITCH, fill_switch, {}},
        {"sched/sched_waking", HFTMON_REC_SCHED_WAKING, fill_wake, {}},
        {"sched/sched_wakeup", HFTMON_REC_SCHED_WAKEUP, fill_wake, {}},
        {"sched/sched_wakeup_new", HFTMON_REC_SCHED_WAKEUP_NEW, fill_wake, {}},
        {"sched/sched_migrate_task",
         HFTMON_REC_SCHED_MIGRATE,
         [](const Format& f, const std::uint8_t* data, Item& item) {
             integers({"pid", "prio", "orig_cpu", "dest_cpu"})(f, data, item);
             item.first = f.text(data, "comm");
         },
         {}},
        {"sched/sched_process_fork",
         HFTMON_REC_FORK,
         [](const Format& f, const std::uint8_t* data, Item& item) {
             integers({"parent_pid", "child_pid"})(f, data, item);
             item.first = f.text(data, "child_comm");
         },
         {}},
        {"sched/sched_process_exec", HFTMON_REC_EXEC, integers({"pid", "old_pid"}), {}},
        {"sched/sched_process_exit",
         HFTMON_REC_EXIT,
         [](const Format& f, const std::uint8_t* data, Item& item) {
             integers({"pid", "prio"})(f, data, item);
             item.first = f.text(data, "comm");
         },
         {}},
        {"task/task_rename",
         HFTMON_REC_RENAME,
         [](const Format& f, const std::uint8_t* data, Item& item) {
             // Older kernels name the thread, newer ones leave it to common_pid.
             item.field[0] = f.integer(data, "pid");
             item.first = f.text(data, "newcomm");
         },
         {}},
        {"irq/irq_handler_entry", HFTMON_REC_IRQ_ENTRY, integers({"irq"}), {}},
        {"irq/irq_handler_exit", HFTMON_REC_IRQ_EXIT, integers({"irq", "ret"}), {}},
        {"irq/softirq_raise", HFTMON_REC_SOFTIRQ_RAISE, integers({"vec"}), {}},
        {"irq/softirq_entry", HFTMON_REC_SOFTIRQ_ENTRY, integers({"vec"}), {}},
        {"irq/softirq_exit", HFTMON_REC_SOFTIRQ_EXIT, integers({"vec"}), {}},
        {"power/cpu_idle", HFTMON_REC_CPU_IDLE, integers({"state"}), {}},
        {"timer/hrtimer_expire_entry", HFTMON_REC_HRTIMER_EXPIRE_ENTRY, integers({}), {}},
        {"timer/hrtimer_expire_exit", HFTMON_REC_HRTIMER_EXPIRE_EXIT, integers({}), {}},
    };
    for (const auto& [name, type] : {std::pair<std::string, std::uint16_t>{"user", HFTMON_REC_PAGE_FAULT_USER},
                                     {"kernel", HFTMON_REC_PAGE_FAULT_KERNEL}}) {
        events.push_back({"exceptions/page_fault_" + name,
                          type,
                          [](const Format& f, const std::uint8_t* data, Item& item) {
                              item.field = {user_part(f.integer(data, "address")), user_part(f.integer(data, "ip")),
                                            f.integer(data, "error_code") & 0xffff};
                          },
                          {}});
    }
    for (int kind = 0; kind < HFTMON_VECTOR_KIND_END; ++kind) {
        const std::string name(vector_name(static_cast<VectorKind>(kind)));
        const Fill fill = [kind](const Format& f, const std::uint8_t* data, Item& item) {
            item.field = {f.integer(data, "vector"), kind};
        };
        events.push_back({"irq_vectors/" + name + "_entry", HFTMON_REC_VECTOR_ENTRY, fill, {}});
        events.push_back({"irq_vectors/" + name + "_exit", HFTMON_REC_VECTOR_EXIT, fill, {}});
    }
    return events;
}

/// An ftrace instance of our own; gone with this object.
class Ftrace {
public:
    explicit Ftrace(unsigned kilobytes_per_cpu) : events_(ftrace_events()) {
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
    ~Ftrace() {
        try {
            write_file(path_ + "/tracing_on", "0");
            write_file(path_ + "/events/enable", "0");
        } catch (const std::exception&) {
        }
        ::rmdir(path_.c_str());
    }
    Ftrace(const Ftrace&) = delete;
    Ftrace& operator=(const Ftrace&) = delete;

    void on(bool value) { write_file(path_ + "/tracing_on", value ? "1" : "0"); }
    [[nodiscard]] const std::vector<std::string>& absent() const { return absent_; }

    /// Events that ftrace itself says it has lost on a CPU.
    [[nodiscard]] std::uint64_t lost(unsigned cpu) const {
        std::istringstream lines(read_file(fmt::format("{}/per_cpu/cpu{}/stats", path_, cpu)));
        std::uint64_t sum = 0;
        for (std::string line; std::getline(lines, line);) {
            for (const char* key : {"overrun: ", "commit overrun: ", "dropped events: "}) {
                if (line.starts_with(key)) sum += std::stoull(line.substr(std::strlen(key)));
            }
        }
        return sum;
    }

    [[nodiscard]] std::vector<Item> read(unsigned cpu) const {
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

private:
    template <class T>
    static T load(const std::uint8_t* at) {
        T value;
        std::memcpy(&value, at, sizeof(value));
        return value;
    }

    // One sub-buffer: Documentation/trace/ring-buffer-design.rst, include/linux/ring_buffer.h.
    void read_page(const std::uint8_t* page, std::size_t size, std::vector<Item>& items) const {
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

    void read_event(const std::uint8_t* data, std::uint64_t time, std::vector<Item>& items) const {
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

    std::string path_;
    std::vector<FtraceEvent> events_;
    std::vector<std::string> absent_;
    std::map<std::uint16_t, const FtraceEvent*> by_id_;
};

// ---- hftmon ----------------------------------------------------------------

/// The capture, in ftrace's terms, per CPU.
class Ours {
public:
    explicit Ours(const CaptureReader& capture) {
        for (const auto& list : capture.threads()) names_.learn(list.entries, list.from, list.to);
        for_each(capture, [&](const Event& event) {
            if (const auto* e = std::get_if<ThreadEvent>(&event.body)) names_.learn(event.header.time, *e);
        });
        for_each(capture, [&](const Event& event) { add(event); });
    }
    [[nodiscard]] const std::vector<Item>& cpu(unsigned id) const {
        static const std::vector<Item> none;
        const auto found = items_.find(id);
        return found == items_.end() ? none : found->second;
    }

private:
    template <class Fn>
    static void for_each(const CaptureReader& capture, Fn&& fn) {
        auto streams = capture.streams();
        for (CaptureStream& stream : streams) {
            for (auto records = stream.peek(); !records.empty(); records = stream.peek()) {
                for (std::size_t i = 0; i < records.size();) {
                    Event event;
                    const auto decoded = decode(records.subspan(i), stream.cpu(), stream.position() + i, event);
                    if (decoded.status != DecodeStatus::kOk) fail("a record of the capture does not decode");
                    fn(event);
                    i += decoded.records;
                }
                stream.release(records.size());
            }
        }
    }

    [[nodiscard]] Name name(Tid tid, const EventHeader& header) const {
        if (tid == kIdleTid) return NameTable::idle_name(header.cpu).bytes;
        const auto info = names_.lookup(tid, header.time);
        return info ? info->comm.bytes : name_of("?");
    }

    void add(const Event& event) {
        const std::uint32_t cpu = event.header.cpu.value;
        Item item;
        item.tsc = event.header.time.value;
        item.current = current_[cpu];
        std::visit([&](const auto& body) { fill(event.header, body, item); }, event.body);
        if (item.type != 0) items_[cpu].push_back(item);
    }

    void fill(const EventHeader& h, const GapEvent&, Item&) { fail(fmt::format("a gap on CPU {}", h.cpu.value)); }
    void fill(const EventHeader& h, const CpuStateEvent& e, Item&) { current_[h.cpu.value] = e.current.value; }
    void fill(const EventHeader& h, const SchedSwitchEvent& e, Item& item) {
        item.type = HFTMON_REC_SCHED_SWITCH;
        item.field = {e.prev.value, e.prev_prio, e.prev_state, e.next.value, e.next_prio, e.preempt};
        item.first = name(e.prev, h);
        item.second = name(e.next, h);
        current_[h.cpu.value] = e.next.value;
    }
    void fill(const EventHeader& h, const SchedWakeEvent& e, Item& item) {
        constexpr std::uint16_t kTypes[] = {HFTMON_REC_SCHED_WAKING, HFTMON_REC_SCHED_WAKEUP,
                                            HFTMON_REC_SCHED_WAKEUP_NEW};
        item.type = kTypes[static_cast<std::size_t>(e.stage)];
        item.field = {e.tid.value, e.prio, e.target.value, static_cast<std::int64_t>(e.context)};
        item.first = name(e.tid, h);
        item.current = e.waker.value;
    }
    void fill(const EventHeader& h, const SchedMigrateEvent& e, Item& item) {
        item.type = HFTMON_REC_SCHED_MIGRATE;
        item.field = {e.tid.value, e.prio, e.from.value, e.to.value};
        item.first = name(e.tid, h);
    }
    void fill(const EventHeader&, const ThreadEvent& e, Item& item) {
        switch (e.change) {
            case IdentityChange::kThread:
            case IdentityChange::kDead: return;
            case IdentityChange::kFork:
                item.type = HFTMON_REC_FORK;
                item.field = {e.related.value, e.tid.value};
                break;
            case IdentityChange::kExec:
                item.type = HFTMON_REC_EXEC;
                item.field = {e.tid.value, e.related.value};
                return;  // ftrace has no name there
            case IdentityChange::kExit:
                item.type = HFTMON_REC_EXIT;
                item.field = {e.tid.value, e.prio};
                break;
            case IdentityChange::kRename:
                item.type = HFTMON_REC_RENAME;
                item.field = {e.tid.value};
                break;
        }
        item.first = e.comm.bytes;
    }
    void fill(const EventHeader&, const IrqEvent& e, Item& item) {
        item.type = e.entry ? HFTMON_REC_IRQ_ENTRY : HFTMON_REC_IRQ_EXIT;
        item.field = {e.irq, e.entry ? 0 : e.ret};
    }
    void fill(const EventHeader&, const SoftirqEvent& e, Item& item) {
        constexpr std::uint16_t kTypes[] = {HFTMON_REC_SOFTIRQ_RAISE, HFTMON_REC_SOFTIRQ_ENTRY,
                                            HFTMON_REC_SOFTIRQ_EXIT};
        item.type = kTypes[static_cast<std::size_t>(e.stage)];
        item.field = {e.vec};
    }
    void fill(const EventHeader&, const VectorEvent& e, Item& item) {
        item.type = e.entry ? HFTMON_REC_VECTOR_ENTRY : HFTMON_REC_VECTOR_EXIT;
        item.field = {e.vector, e.kind};
    }
    void fill(const EventHeader&, const NmiEvent&, Item&) {}
    void fill(const EventHeader&, const PageFaultEvent& e, Item& item) {
        item.type = e.user ? HFTMON_REC_PAGE_FAULT_USER : HFTMON_REC_PAGE_FAULT_KERNEL;
        item.field = {static_cast<std::int64_t>(e.address), static_cast<std::int64_t>(e.ip), e.error_code};
    }
    void fill(const EventHeader&, const CpuIdleEvent& e, Item& item) {
        item.type = HFTMON_REC_CPU_IDLE;
        item.field = {e.enter ? e.state : HFTMON_IDLE_EXIT};
    }
    void fill(const EventHeader&, const HrtimerEvent& e, Item& item) {
        item.type = e.entry ? HFTMON_REC_HRTIMER_EXPIRE_ENTRY : HFTMON_REC_HRTIMER_EXPIRE_EXIT;
    }

    NameTable names_;
    std::map<std::uint32_t, std::uint32_t> current_;
    std::map<std::uint32_t, std::vector<Item>> items_;
};

// ---- comparing -------------------------------------------------------------

std::string describe(const Item& item) {
    const Kind* kind = kind_of(item.type);
    std::string text = fmt::format("{} {} current={}", item.tsc, kind ? kind->name : "?", item.current);
    for (std::size_t i = 0; kind && i < item.field.size(); ++i) {
        if (*kind->fields[i] != '\0') text += fmt::format(" {}={:#x}", kind->fields[i], item.field[i]);
    }
    if (item.first[0] != '\0') text += fmt::format(" '{}'", view(item.first));
    if (item.second[0] != '\0') text += fmt::format(" '{}'", view(item.second));
    if (item.flags != 0) text += fmt::format(" flags={:#x}", item.flags);
    return text;
}

/// What ftrace makes of a task state: __trace_sched_switch_state() of the kernel.
bool same_state(const Item& theirs, const Item& ours) {
    constexpr std::int64_t kReportMax = 0x100, kReportIdle = 0x80;
    const std::int64_t told = theirs.field[2];
    if (ours.field[5] != 0) return told == kReportMax;
    const auto state = static_cast<std::uint32_t>(ours.field[2]);
    // A thread that ends: its exit_state is not in the scheduler's state.
    if ((told == 0x10 || told == 0x20) && (state & 0x80) != 0) return true;
    std::uint32_t report = state & 0x7f;
    if ((state & 0x402) == 0x402) {
        report = kReportIdle;
    } else if ((state & (0x1000 | 0x8000)) != 0) {  // waits for a lock of PREEMPT_RT, or is frozen
        report = 2;
    }
    while ((report & (report - 1)) != 0) report &= report - 1;  // its highest bit
    return told == report;
}

bool same(const Item& theirs, const Item& ours) {
    if (theirs.type != ours.type || theirs.current != ours.current) return false;
    if (theirs.first != ours.first || theirs.second != ours.second) return false;
    for (std::size_t i = 0; i < theirs.field.size(); ++i) {
        if (theirs.type == HFTMON_REC_SCHED_SWITCH && (i == 2 || i == 5)) continue;
        if (theirs.field[i] != ours.field[i]) return false;
    }
    return theirs.type != HFTMON_REC_SCHED_SWITCH || same_state(theirs, ours);
}

struct Result {
    std::uint64_t compared = 0;
    std::uint64_t differences = 0;
    std::uint64_t transpositions = 0;
    std::uint64_t transposed_events = 0;  ///< in the blocks that changed sides
    std::map<std::uint16_t, std::uint64_t> by_type;
    std::map<std::uint16_t, std::uint64_t> transposed_by_type;
    std::vector<std::int64_t> deltas;  ///< ticks, ours - theirs
};

/// Is F[i] an event with interrupts enabled that an interrupt separated from
/// O[j..]? Then the length of that interrupt's block, else 0.
std::size_t transposed_block(std::span<const Item> theirs, std::span<const Item> ours) {
    const Item& event = theirs.front();
    if ((event.flags & kIrqsOff) != 0) return 0;
    // It begins in a context above that of the event; what it does on its way
    // out (waking ksoftirqd, say) it does with interrupts off. Nobody else runs.
    const std::uint8_t above = (event.flags & (kHardirq | kSoftirq)) != 0 ? kHardirq : kHardirq | kSoftirq;
    std::int64_t depth = 0;
    for (std::size_t n = 0; n + 1 < theirs.size() && n < ours.size(); ++n) {
        if (n != 0 && depth == 0 && same(event, ours[n])) return n;
        const Item& item = theirs[n + 1];
        if ((item.flags & above) == 0 && (n == 0 || (item.flags & kIrqsOff) == 0)) return 0;
        if (item.type == HFTMON_REC_SCHED_SWITCH || !same(item, ours[n])) return 0;
        depth += is_entry(item.type) - is_exit(item.type);
        if (depth < 0) return 0;
    }
    return 0;
}

void compare_cpu(unsigned cpu, std::span<const Item> theirs, std::span<const Item> all_ours, Result& result) {
    if (theirs.empty()) return;
    // Our probe runs second: the first event of ftrace's interval cannot be earlier here.
    const auto begin = std::partition_point(all_ours.begin(), all_ours.end(),
                                            [&](const Item& item) { return item.tsc < theirs.front().tsc; });
    std::span<const Item> ours(begin, all_ours.end());
    std::uint64_t shown = 0;
    for (std::size_t i = 0, j = 0; i < theirs.size();) {
        if (j < ours.size() && same(theirs[i], ours[j])) {
            result.deltas.push_back(static_cast<std::int64_t>(ours[j].tsc - theirs[i].tsc));
            ++result.by_type[theirs[i].type];
            ++result.compared;
            ++i, ++j;
            continue;
        }
        const std::size_t block = j < ours.size() ? transposed_block(theirs.subspan(i), ours.subspan(j)) : 0;
        if (block != 0) {
            ++result.transpositions;
            ++result.transposed_by_type[theirs[i].type];
            result.transposed_events += block;
            for (std::size_t k = 0; k <= block; ++k) ++result.by_type[theirs[i + k].type];
            result.compared += block + 1;
            i += block + 1;
            j += block + 1;
            continue;
        }
        ++result.differences;
        if (++shown <= 5) {
            fmt::print("CPU {}: difference at event {}:\n", cpu, i);
            for (std::size_t k = i - std::min<std::size_t>(i, 2); k < std::min(theirs.size(), i + 4); ++k) {
                fmt::print("  ftrace {}{}\n", k == i ? "* " : "  ", describe(theirs[k]));
            }
            for (std::size_t k = j - std::min<std::size_t>(j, 2); k < std::min(ours.size(), j + 4); ++k) {
                fmt::print("  hftmon {}{}\n", k == j ? "* " : "  ", describe(ours[k]));
            }
        }
        if (shown > 50) {
            fmt::print("CPU {}: given up after event {} of {}\n", cpu, i, theirs.size());
            return;
        }
        // Go on behind it: the nearest place where both agree again.
        std::size_t skip_theirs = 1, skip_ours = 1;
        for (std::size_t sum = 1, found = 0; sum < 64 && found == 0; ++sum) {
            for (std::size_t a = 0; a <= sum && found == 0; ++a) {
                const std::size_t b = sum - a;
                if (i + a >= theirs.size() || j + b >= ours.size() || !same(theirs[i + a], ours[j + b])) continue;
                skip_theirs = a, skip_ours = b, found = 1;
            }
        }
        i += skip_theirs;
        j += skip_ours;
    }
}

struct Options {
    std::uint64_t events = 100000;
    double seconds = 5;
    std::int64_t median_ns = 20000;
    std::string path;
};

std::vector<unsigned> online_cpus() {
    std::vector<unsigned> cpus;
    for (unsigned cpu = 0; cpu < 8192; ++cpu) {
        if (::access(fmt::format("/sys/kernel/tracing/per_cpu/cpu{}", cpu).c_str(), F_OK) == 0) cpus.push_back(cpu);
    }
    return cpus;
}

/// Both at once; what ftrace saw, per CPU.
std::map<unsigned, std::vector<Item>> record(const Options& options, const std::vector<unsigned>& cpus, bool& good) {
    using Clock = std::chrono::steady_clock;
    Ftrace ftrace(24576);
    for (const std::string& path : ftrace.absent()) fmt::print("this kernel's ftrace has no {}\n", path);

    Recorder::Options recording;
    recording.path = options.path;
    recording.session.ring_records = 1u << 19;
    recording.session.wakeup_records = 1u << 13;
    auto recorder = Recorder::start(recording);
    if (!recorder) fail(recorder.error().message());
    const auto pump = [&](int ms) {
        if (auto status = recorder->pump(std::chrono::milliseconds(ms)); !status) fail(status.error().message());
    };
    pump(50);
    ftrace.on(true);
    const auto start = Clock::now();
    const std::uint64_t wanted = recorder->bytes() + options.events * 5 / 4 * HFTMON_RECORD_SIZE;
    const auto limit = std::chrono::duration<double>(std::max(60.0, options.seconds));
    while (Clock::now() - start < limit &&
           (recorder->bytes() < wanted || Clock::now() - start < std::chrono::duration<double>(options.seconds))) {
        pump(20);
    }
    ftrace.on(false);
    pump(50);
    const auto stats = recorder->finish();
    if (!stats) fail(stats.error().message());

    std::map<unsigned, std::vector<Item>> theirs;
    for (const unsigned cpu : cpus) {
        if (const auto lost = ftrace.lost(cpu); lost != 0) {
            fmt::print("CPU {}: ftrace lost {} events\n", cpu, lost);
            good = false;
        }
        theirs[cpu] = ftrace.read(cpu);
    }
    for (const CaptureCpuStats& cpu : stats->cpus) {
        if (cpu.lost != 0) {
            fmt::print("CPU {}: hftmon lost {} records\n", cpu.cpu.value, cpu.lost);
            good = false;
        }
    }
    return theirs;
}

bool report(Result& result, const TscClock& clock, const Options& options) {
    bool good = true;
    for (const auto& [type, count] : result.by_type) fmt::print("  {:<22} {:>9}\n", kind_of(type)->name, count);
    for (const auto& [type, count] : result.transposed_by_type) {
        fmt::print("  {:<22} {:>9} transposed with an interrupt\n", kind_of(type)->name, count);
    }
    fmt::print("events compared: {}\ndifferences: {}\ntranspositions: {} (interrupt blocks of {} events)\n",
               result.compared, result.differences, result.transpositions, result.transposed_events);
    if (result.differences != 0) good = false;
    if (result.compared < options.events) {
        fmt::print("too few: {} events were wanted\n", options.events);
        good = false;
    }
    if (result.deltas.empty()) return false;
    std::sort(result.deltas.begin(), result.deltas.end());
    const auto quantile = [&](double q) {
        const auto index = static_cast<std::size_t>(q * static_cast<double>(result.deltas.size() - 1));
        return clock.to_ns({result.deltas[index]}).count();
    };
    fmt::print("time stamps, hftmon - ftrace, ns: min {} p50 {} p90 {} p99 {} p99.9 {} max {}\n", quantile(0),
               quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999), quantile(1));
    if (result.deltas.front() < 0) {
        fmt::print("a record of hftmon is older than ftrace's, whose probe ran first\n");
        good = false;
    }
    if (quantile(0.5) > options.median_ns) {
        fmt::print("the median is above {} ns\n", options.median_ns);
        good = false;
    }
    return good;
}

bool run(const Options& options) {
    bool good = true;
    const auto cpus = online_cpus();
    const auto theirs = record(options, cpus, good);
    const auto capture = CaptureReader::open(options.path);
    if (!capture) fail(capture.error().message());
    const Ours ours(*capture);
    Result result;
    for (const unsigned cpu : cpus) {
        const auto& items = theirs.at(cpu);
        fmt::print("CPU {}: {} events of ftrace, {} of hftmon\n", cpu, items.size(), ours.cpu(cpu).size());
        if (items.empty()) {
            fmt::print("CPU {}: ftrace saw nothing\n", cpu);
            good = false;
        }
        compare_cpu(cpu, items, ours.cpu(cpu), result);
    }
    return report(result, capture->clock(), options) && good;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--events" && i + 1 < argc) {
            options.events = std::strtoull(argv[++i], nullptr, 10);
        } else if (word == "--seconds" && i + 1 < argc) {
            options.seconds = std::atof(argv[++i]);
        } else if (word == "--median-ns" && i + 1 < argc) {
            options.median_ns = std::atoll(argv[++i]);
        } else if (!word.starts_with("-") && options.path.empty()) {
            options.path = word;
        } else {
            fmt::print(stderr, "usage: ftrace_compare [--events N] [--seconds S] [--median-ns N] FILE\n");
            return 2;
        }
    }
    if (options.path.empty()) {
        fmt::print(stderr, "ftrace_compare: which file?\n");
        return 2;
    }
    try {
        return run(options) ? 0 : 1;
    } catch (const std::exception& error) {
        fmt::print("ftrace_compare: {}\n", error.what());
        return 1;
    }
}
