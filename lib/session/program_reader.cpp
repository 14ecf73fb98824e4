// SPDX-License-Identifier: MIT
#include "hftmon/program_reader.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

#include "lib/symbols/elf_file.hpp"

namespace hftmon {

namespace {

constexpr std::size_t kMostReads = 64, kMostLooks = 1000;  ///< in a second
constexpr std::chrono::seconds kSecond(1);

/// The process of a thread that exists.
std::optional<Tid> process_of(Tid thread) {
    std::ifstream status(fmt::format("/proc/{}/status", thread.value));
    constexpr std::string_view kKey = "Tgid:\t";
    for (std::string line; std::getline(status, line);) {
        if (!line.starts_with(kKey)) continue;
        Tid process;
        std::from_chars(line.data() + kKey.size(), line.data() + line.size(), process.value);
        return process;
    }
    return std::nullopt;
}

/// A line of /proc/PID/maps: "begin-end perms offset dev inode   path".
struct Line {
    Mapping mapping;
    std::uint64_t inode = 0, offset = 0;
};

std::optional<Line> parse(std::string_view text) {
    Line line;
    const auto number = [&](std::uint64_t& value, int base, char behind) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
        if (error != std::errc{} || end == text.data() + text.size() || *end != behind) return false;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
        return true;
    };
    if (!number(line.mapping.begin, 16, '-') || !number(line.mapping.end, 16, ' ')) return std::nullopt;
    if (text.size() < 5 || text[2] != 'x') return std::nullopt;
    text.remove_prefix(5);
    if (!number(line.offset, 16, ' ')) return std::nullopt;
    text.remove_prefix(std::min(text.find(' ') + 1, text.size()));  // the device
    if (!number(line.inode, 10, ' ')) return std::nullopt;
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    constexpr std::string_view kDeleted = " (deleted)";  // its name is another's now, or nobody's
    if (text.ends_with(kDeleted)) text.remove_suffix(kDeleted.size());
    line.mapping.file.path = text.empty() ? "[anonymous]" : text;
    return line;
}

std::int64_t mtime_of(const struct ::stat& status) {
    return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

}  // namespace

bool proc_is_of_records() noexcept {
    constexpr ino_t kInitial = 0xeffffffc;  // PROC_PID_INIT_INO of the kernel
    struct ::stat status {};
    return ::stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == kInitial;
}

void ProgramReader::began(Tid process, TscTime time) {
    processes_.erase(process.value);
    learnt_.push_back({process, time, time, {}});
}

void ProgramReader::learn(const Record& record) {
    const Tid process{record.thread.tgid};
    const bool is_leader = record.thread.tid == record.thread.tgid;
    switch (record.type) {
        case HFTMON_REC_FORK:
            if (is_leader) began(process, TscTime{record.tsc});
            break;
        case HFTMON_REC_EXEC: began(process, TscTime{record.tsc}); break;
        case HFTMON_REC_EXIT:
            if (is_leader) processes_.erase(process.value);  // there will be few more stacks of it
            break;
        case HFTMON_REC_GAP: processes_.clear(); break;  // anybody may have begun another program
        default: break;
    }
}

bool ProgramReader::look(Tid thread, std::span<const std::uint64_t> frames, SteadyClock::time_point seen,
                         const RecordClock& now) {
    const auto time = SteadyClock::now();
    if (time - second_ >= kSecond) second_ = time, looks_ = reads_ = 0;
    if (is_limited_ && ++looks_ > kMostLooks) return false;
    const auto process = process_of(thread);
    if (!process) return true;  // it has ended
    const Process& known = processes_[process->value];
    const auto is_known = [&](std::uint64_t frame) { return find_mapping(known.mappings, frame) != nullptr; };
    if (std::ranges::all_of(frames, is_known)) return true;
    // A map that was read later than this stack was seen says all that there is to say.
    if (known.read_at && *known.read_at >= seen) return true;
    if (is_limited_ && ((known.read_at && time - *known.read_at < kSecond) || ++reads_ > kMostReads)) return false;
    read(*process, now);
    return true;
}

void ProgramReader::look_at_all(const RecordClock& now) {
    std::error_code error;
    // By hand: the range-based loop would throw.
    for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string name = entry->path().filename();
        Tid process;
        const auto [last, bad] = std::from_chars(name.data(), name.data() + name.size(), process.value);
        if (bad == std::errc{} && last == name.data() + name.size()) read(process, now);
    }
}

std::vector<ProgramMap> ProgramReader::take() { return std::exchange(learnt_, {}); }

void ProgramReader::read(Tid process, const RecordClock& now) {
    const auto from = now();
    std::ifstream maps(fmt::format("/proc/{}/maps", process.value));
    std::vector<Mapping> mappings;
    for (std::string text; std::getline(maps, text);) {
        auto line = parse(text);
        if (!line) continue;
        if (line->inode != 0 && !identify(process, line->inode, line->offset, line->mapping))
            line->mapping.file = {"[unknown]", "", 0};
        mappings.push_back(std::move(line->mapping));
    }
    const auto until = now();
    Process& known = processes_[process.value];
    known.read_at = SteadyClock::now();
    // Of the kernel, not ours to see, or as it was.
    if (!from || !until || mappings.empty() || mappings == known.mappings) return;
    known.mappings = mappings;
    learnt_.push_back({process, *from, *until, std::move(mappings)});
}

/// Which file it is, and what that calls its addresses; false where it cannot be told.
bool ProgramReader::identify(Tid process, std::uint64_t inode, std::uint64_t offset, Mapping& mapping) {
    struct ::stat status {};
    // The very file, even if its name is gone; else what has the name now, if it is the same.
    std::string path = fmt::format("/proc/{}/map_files/{:x}-{:x}", process.value, mapping.begin, mapping.end);
    if (::stat(path.c_str(), &status) != 0) {
        path = fmt::format("/proc/{}/root{}", process.value, mapping.file.path);
        if (::stat(path.c_str(), &status) != 0 || status.st_ino != inode) return false;
    }
    const FileKey key{status.st_dev, status.st_ino, mtime_of(status)};
    auto file = files_.find(key);
    if (file == files_.end() || !file->second.places.contains(offset)) {
        const auto elf = detail::ElfFile::open(path);
        const auto place = elf ? elf->address_of_page(offset) : std::nullopt;
        if (!place || elf->mtime_ns() != mtime_of(status)) return false;
        file = files_.try_emplace(key, File{elf->build_id(), {}}).first;
        file->second.places[offset] = *place;
    }
    mapping.file.mtime_ns = mtime_of(status);
    mapping.file.build_id = file->second.build_id;
    mapping.place = file->second.places[offset];
    return true;
}

}  // namespace hftmon
