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
    return {begin, end, place, {path, "abcd", 1}};
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
    maps.learn(std::vector<ProgramMap>{{kProcess, TscTime{10}, {mapping(100, 200, 5, "a"), mapping(300, 400, 0, "b")}},
                                       {kOther, TscTime{10}, {mapping(100, 200, 0, "c")}}});
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
    maps.learn(
        std::vector<ProgramMap>{{kProcess, TscTime{20}, {mapping(100, 200, 0, "a"), mapping(500, 600, 0, "new")}}});
    maps.learn(
        std::vector<ProgramMap>{{kProcess, TscTime{10}, {mapping(100, 200, 0, "a"), mapping(300, 400, 0, "old")}}});
    maps.learn(std::vector<ProgramMap>{{kProcess, TscTime{30}, {mapping(500, 600, 0, "other")}}});
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
    maps.learn(std::vector<ProgramMap>{{kProcess, TscTime{10}, {mapping(100, 200, 0, "a")}},
                                       {kProcess, TscTime{20}, {}},
                                       {kProcess, TscTime{30}, {mapping(100, 200, 0, "b")}},
                                       {kProcess, TscTime{40}, {}}});
    BOOST_TEST(lookup(maps, 19, 150) == "a+50");
    BOOST_TEST(lookup(maps, 20, 150) == "b+50");
    BOOST_TEST(lookup(maps, 39, 150) == "b+50");
    BOOST_TEST(lookup(maps, 40, 150) == "?");
}

BOOST_AUTO_TEST_CASE(what_this_process_has_mapped) {
    ProgramReader reader;
    const std::uint64_t here = address_of(reinterpret_cast<const void*>(&lookup));
    const Tid self{static_cast<std::uint32_t>(::getpid())};
    BOOST_TEST(reader.look(Tid{static_cast<std::uint32_t>(::gettid())}, std::vector{here}, TscTime{5}));
    auto learnt = reader.take();
    BOOST_REQUIRE(learnt.size() == 1u);
    BOOST_TEST((learnt[0].process == self));
    BOOST_TEST((learnt[0].time == TscTime{5}));
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

    // What is known is not read again, nor what is not so soon; but by another.
    void* code = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    BOOST_REQUIRE(code != MAP_FAILED);
    BOOST_TEST(reader.look(self, std::vector{here}, TscTime{6}));
    BOOST_TEST(reader.look(self, std::vector{here, address_of(code)}, TscTime{7}));
    BOOST_TEST(reader.take().empty());
    ProgramReader other;
    BOOST_TEST(other.look(self, std::vector{address_of(code)}, TscTime{7}));
    learnt = other.take();
    ::munmap(code, 4096);
    BOOST_REQUIRE(learnt.size() == 1u);
    BOOST_REQUIRE(find_mapping(learnt[0].mappings, address_of(code)) != nullptr);
    BOOST_TEST(find_mapping(learnt[0].mappings, address_of(code))->file.path == "[anonymous]");

    reader.began(self, TscTime{9});
    BOOST_TEST(reader.look(self, std::vector{here}, TscTime{10}));
    learnt = reader.take();
    BOOST_REQUIRE(learnt.size() == 2u);
    BOOST_TEST(learnt[0].mappings.empty());
    BOOST_TEST((learnt[0].time == TscTime{9}));
    BOOST_TEST(!learnt[1].mappings.empty());
}

BOOST_AUTO_TEST_CASE(processes_that_have_ended) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    BOOST_REQUIRE(child > 0);
    ProgramReader reader;
    const Tid tid{static_cast<std::uint32_t>(child)};
    ::siginfo_t info{};
    BOOST_REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
    BOOST_TEST(reader.look(tid, std::vector{std::uint64_t{1}}, TscTime{1}));  // a zombie
    BOOST_REQUIRE(::waitpid(child, nullptr, 0) == child);
    BOOST_TEST(reader.look(tid, std::vector{std::uint64_t{1}}, TscTime{2}));
    BOOST_TEST(reader.take().empty());
}

BOOST_AUTO_TEST_CASE(all_processes) {
    ProgramReader reader;
    reader.look_at_all(TscTime{1});
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
        return reader.look(Tid{static_cast<std::uint32_t>(pid)}, std::vector{std::uint64_t{1}}, TscTime{1});
    };
    const auto start = std::chrono::steady_clock::now();
    while (looked_at < children.pids.size() && look(children.pids[looked_at])) ++looked_at;
    if (std::chrono::steady_clock::now() - start < std::chrono::seconds(1)) BOOST_TEST(looked_at == 64u);
    reader.lift_limit();
    for (const pid_t pid : children.pids) BOOST_TEST(look(pid));
    BOOST_TEST(reader.take().size() == 70u);
}

BOOST_AUTO_TEST_SUITE_END()
