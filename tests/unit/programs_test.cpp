// SPDX-License-Identifier: MIT
#include "hftmon/programs.hpp"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include "hftmon/program_reader.hpp"
#include "support.hpp"

using namespace hftmon;

namespace {

constexpr Tid kProcess{7}, kOther{8};

Mapping mapping(std::uint64_t begin, std::uint64_t end, std::uint64_t place, const char* path) {
    return {begin, end, place, {path, path, 1}};  // a build id for each
}

/// "PATH+ADDRESS", or "?".
std::string lookup(const ProgramMaps& maps, std::uint64_t time, std::uint64_t address, Tid process = kProcess) {
    const auto place = maps.lookup(process, TscTime{time}, address);
    return place ? place->file->path + "+" + std::to_string(place->address) : "?";
}

std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

}  // namespace

BOOST_AUTO_TEST_SUITE(programs_test)

BOOST_AUTO_TEST_CASE(an_address_is_in_the_mapping_that_holds_it) {
    ProgramMaps maps;
    maps.learn(std::vector<ProgramMap>{
        {kProcess, TscTime{10}, TscTime{10}, {mapping(100, 200, 5, "a"), mapping(300, 400, 0, "b")}},
        {kOther, TscTime{10}, TscTime{10}, {mapping(100, 200, 0, "c")}}});
    for (const std::uint64_t time : {0, 10, 1000}) {
        BOOST_TEST(lookup(maps, time, 99) == "?");
        BOOST_TEST(lookup(maps, time, 100) == "a+5");
        BOOST_TEST(lookup(maps, time, 199) == "a+104");
        BOOST_TEST(lookup(maps, time, 200) == "?");
        BOOST_TEST(lookup(maps, time, 300) == "b+0");
        BOOST_TEST(lookup(maps, time, 150, kOther) == "c+50");
        BOOST_TEST(lookup(maps, time, 350, kOther) == "?");
        BOOST_TEST(lookup(maps, time, 150, Tid{9}) == "?");
    }
}

BOOST_AUTO_TEST_CASE(maps_before_and_after) {
    ProgramMaps maps;
    // Later ones first: they may come in any order.
    maps.learn(std::vector<ProgramMap>{
        {kProcess, TscTime{20}, TscTime{20}, {mapping(100, 200, 0, "a"), mapping(500, 600, 0, "new")}}});
    maps.learn(std::vector<ProgramMap>{
        {kProcess, TscTime{10}, TscTime{10}, {mapping(100, 200, 0, "a"), mapping(300, 400, 0, "old")}}});
    maps.learn(std::vector<ProgramMap>{{kProcess, TscTime{30}, TscTime{30}, {mapping(500, 600, 0, "other")}}});
    BOOST_TEST(lookup(maps, 15, 150) == "a+50");
    // It was executed between the two: so it was there.
    BOOST_TEST(lookup(maps, 15, 550) == "new+50");
    BOOST_TEST(lookup(maps, 15, 350) == "old+50");
    // Which of the two it was, nobody can say.
    BOOST_TEST(lookup(maps, 25, 550) == "?");
    BOOST_TEST(lookup(maps, 30, 550) == "other+50");
    BOOST_TEST(lookup(maps, 25, 350) == "?");
}

BOOST_AUTO_TEST_CASE(another_program_ends_what_was_known) {
    ProgramMaps maps;
    maps.learn(std::vector<ProgramMap>{{kProcess, TscTime{10}, TscTime{10}, {mapping(100, 200, 0, "a")}},
                                       {kProcess, TscTime{20}, TscTime{20}, {}},
                                       {kProcess, TscTime{30}, TscTime{30}, {mapping(100, 200, 0, "b")}},
                                       {kProcess, TscTime{40}, TscTime{40}, {}}});
    BOOST_TEST(lookup(maps, 19, 150) == "a+50");
    BOOST_TEST(lookup(maps, 20, 150) == "b+50");
    BOOST_TEST(lookup(maps, 39, 150) == "b+50");
    BOOST_TEST(lookup(maps, 40, 150) == "?");
}

/// It may be of the one program or of the other.
BOOST_AUTO_TEST_CASE(what_was_read_while_another_program_was_begun) {
    const ProgramMap begun{kProcess, TscTime{20}, TscTime{20}, {}};
    const ProgramMap read{kProcess, TscTime{15}, TscTime{25}, {mapping(100, 200, 0, "a")}};
    const ProgramMap later{kProcess, TscTime{30}, TscTime{31}, {mapping(100, 200, 0, "b")}};
    for (const auto& order : {std::vector{begun, read, later}, std::vector{later, read, begun}}) {
        ProgramMaps maps;
        for (const ProgramMap& map : order) maps.learn(std::span(&map, 1));
        BOOST_TEST(lookup(maps, 17, 150) == "?");
        BOOST_TEST(lookup(maps, 22, 150) == "b+50");
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_was_renamed_or_touched) {
    ProgramMaps maps;
    const ProgramFile old{"/opt/engine", "abcd", 1}, renamed{"/opt/engine.old", "abcd", 2};
    maps.learn(std::vector<ProgramMap>{{kProcess, TscTime{10}, TscTime{10}, {{100, 200, 0, old}}},
                                       {kProcess, TscTime{20}, TscTime{20}, {{100, 200, 0, renamed}}}});
    BOOST_TEST(lookup(maps, 15, 150) == "/opt/engine+50");
}

/// Looks at this process's stack, and tells the maps that were learnt.
struct Self {
    ProgramReader reader;
    std::uint64_t time = 0;
    Tid self{static_cast<std::uint32_t>(::getpid())};
    std::uint64_t here = address_of(reinterpret_cast<const void*>(&lookup));

    bool look(std::uint64_t frame, ProgramReader::SteadyClock::time_point seen = ProgramReader::SteadyClock::now()) {
        return reader.look(Tid{static_cast<std::uint32_t>(::gettid())}, std::vector{here, frame}, seen,
                           [this] { return TscTime{++time}; });
    }
};

BOOST_FIXTURE_TEST_CASE(what_this_process_has_mapped, Self) {
    BOOST_TEST(look(here));
    auto learnt = reader.take();
    BOOST_REQUIRE(learnt.size() == 1u);
    BOOST_TEST(learnt[0].process == self);
    BOOST_TEST(learnt[0].from == TscTime{1});
    BOOST_TEST(learnt[0].until == TscTime{2});
    const Mapping* mapping = find_mapping(learnt[0].mappings, here);
    BOOST_REQUIRE(mapping != nullptr);
    // The dynamic linker knows where it has put this program.
    ::Dl_info info{};
    ::link_map* map = nullptr;
    BOOST_REQUIRE(
        ::dladdr1(reinterpret_cast<const void*>(&lookup), &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) != 0);
    BOOST_TEST(here - mapping->begin + mapping->place == here - map->l_addr);
    BOOST_TEST(mapping->file.path == std::filesystem::read_symlink("/proc/self/exe").string());
    BOOST_TEST(mapping->file.build_id.size() == 40u);
    BOOST_TEST(look(here));
    BOOST_TEST(reader.take().empty());

    Record exec{};
    exec.type = HFTMON_REC_EXEC;
    exec.tsc = 9;
    exec.thread = {
        .tid = self.value, .tgid = self.value, .related_tid = self.value, .prio = 0, .policy = 0, .flags = 0};
    reader.learn(exec);
    BOOST_TEST(look(here));
    learnt = reader.take();
    BOOST_REQUIRE(learnt.size() == 2u);
    BOOST_TEST(learnt[0].mappings.empty());
    BOOST_TEST(learnt[0].from == TscTime{9});
    BOOST_TEST(!learnt[1].mappings.empty());
    Record gap{};
    gap.type = HFTMON_REC_GAP;
    reader.learn(gap);
    BOOST_TEST(look(here));
    BOOST_TEST(reader.take().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(what_was_mapped_since, Self) {
    const auto before = ProgramReader::SteadyClock::now();
    BOOST_TEST(look(here));
    BOOST_TEST(reader.take().size() == 1u);
    // A stack from before the map was read has all that there is; a later one waits for its turn.
    BOOST_TEST(look(1, before));
    void* code = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    BOOST_REQUIRE(code != MAP_FAILED);
    const auto seen = ProgramReader::SteadyClock::now();
    const bool was_looked_at = look(address_of(code), seen);
    auto learnt = reader.take();
    if (ProgramReader::SteadyClock::now() - before < std::chrono::seconds(1)) {
        BOOST_TEST(!was_looked_at);
        BOOST_TEST(learnt.empty());
    }
    if (!was_looked_at) {
        reader.lift_limits();
        BOOST_TEST(look(address_of(code), seen));
        learnt = reader.take();
    }
    ::munmap(code, 4096);
    BOOST_REQUIRE(learnt.size() == 1u);
    BOOST_REQUIRE(find_mapping(learnt[0].mappings, address_of(code)) != nullptr);
    BOOST_TEST(find_mapping(learnt[0].mappings, address_of(code))->file.path == "[anonymous]");
}

BOOST_AUTO_TEST_CASE(processes_that_have_ended) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    BOOST_REQUIRE(child > 0);
    ProgramReader reader;
    const auto look = [&] {
        return reader.look(Tid{static_cast<std::uint32_t>(child)}, std::vector{std::uint64_t{1}},
                           ProgramReader::SteadyClock::now(), [] { return TscTime{1}; });
    };
    ::siginfo_t info{};
    BOOST_REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
    BOOST_TEST(look());  // a zombie
    BOOST_REQUIRE(::waitpid(child, nullptr, 0) == child);
    BOOST_TEST(look());
    BOOST_TEST(reader.take().empty());
}

BOOST_AUTO_TEST_CASE(all_processes) {
    ProgramReader reader;
    reader.look_at_all([] { return TscTime{1}; });
    const Tid self{static_cast<std::uint32_t>(::getpid())};
    BOOST_TEST(std::ranges::count(reader.take(), self, &ProgramMap::process) == 1);
}

/// Processes that wait until they may end.
struct Children {
    std::vector<pid_t> pids;
    explicit Children(std::size_t count) {
        while (pids.size() < count) {
            const pid_t child = ::fork();
            if (child == 0) {
                ::pause();
                ::_exit(0);
            }
            BOOST_REQUIRE(child > 0);
            pids.push_back(child);
        }
    }
    ~Children() {
        for (const pid_t pid : pids) ::kill(pid, SIGKILL);
        for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);
    }
};

BOOST_AUTO_TEST_CASE(a_storm_of_processes) {
    const Children children(70);
    ProgramReader reader;
    std::size_t looked_at = 0;
    const auto look = [&](pid_t pid) {
        return reader.look(Tid{static_cast<std::uint32_t>(pid)}, std::vector{std::uint64_t{1}},
                           ProgramReader::SteadyClock::now(), [] { return TscTime{1}; });
    };
    const auto start = std::chrono::steady_clock::now();
    while (looked_at < children.pids.size() && look(children.pids[looked_at])) ++looked_at;
    if (std::chrono::steady_clock::now() - start < std::chrono::seconds(1)) BOOST_TEST(looked_at == 64u);
    reader.lift_limits();
    for (const pid_t pid : children.pids) BOOST_TEST(look(pid));
    BOOST_TEST(reader.take().size() == 70u);
}

BOOST_AUTO_TEST_SUITE_END()
