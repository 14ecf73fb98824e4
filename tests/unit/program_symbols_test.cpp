// SPDX-License-Identifier: MIT
// What functions programs' addresses are in, held against binutils' addr2line.
#include "hftmon/program_symbols.hpp"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "hftmon/stack_namer.hpp"
#include "support.hpp"

using namespace hftmon;

namespace {

namespace fs = std::filesystem;

/// The Makefile builds it from symbols/inlined.cpp, with this build id.
const std::string kLibrary = HFTMON_TEST_SYMBOLS "/libinlined.so";
const std::string kBuildId = "0123456789abcdef0123456789abcdef01234567";

std::vector<std::string> lines_of(const std::string& command) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    BOOST_REQUIRE(pipe);
    std::string text;
    for (int c = 0; (c = std::fgetc(pipe.get())) != EOF;) text += static_cast<char>(c);
    std::istringstream in(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

/// "function file:line", the folder of the file left out.
std::string text_of(const ProgramFrame& frame) {
    return fmt::format("{} {}:{}", frame.function, frame.file.substr(frame.file.rfind('/') + 1), frame.line);
}

/// Begin and end of its code, as nm(1) tells.
std::pair<std::uint64_t, std::uint64_t> extent(const std::string& function) {
    for (const std::string& line : lines_of("nm -SC " + kLibrary)) {
        std::istringstream in(line);
        std::uint64_t begin = 0, size = 0;
        std::string kind, name;
        if (in >> std::hex >> begin >> size >> kind && std::getline(in >> std::ws, name) && name == function)
            return {begin, begin + size};
    }
    BOOST_FAIL("no " + function + " in " + kLibrary);
    return {};
}

/// The same of addr2line: of each address a line "0xADDRESS", then two of each frame.
std::vector<std::vector<std::string>> truth(std::uint64_t begin, std::uint64_t end) {
    std::string command = "addr2line -aCfi -e " + kLibrary;
    for (auto address = begin; address < end; ++address) command += fmt::format(" {:#x}", address);
    std::vector<std::vector<std::string>> all;
    std::string function;
    for (const std::string& line : lines_of(command)) {
        if (line.starts_with("0x")) {
            all.emplace_back();
        } else if (function.empty()) {
            function = line;
        } else {
            const std::string place = line.substr(line.rfind('/') + 1);
            all.back().push_back(function + " " + place.substr(0, place.find(' ')));
            function.clear();
        }
    }
    return all;
}

struct Files {
    test::TempDir dir;
    ProgramFile with_id{kLibrary, kBuildId, 0};
    std::uint64_t somewhere = extent("book::Side::match(book::Order const&) const").first;

    /// How many frames there are at the place, of a file that was at this path, with these folders.
    std::size_t frames(const std::string& path, const std::string& build_id = kBuildId,
                       std::vector<std::string> folders = {}, std::int64_t mtime = 0) {
        ProgramSymbols symbols(std::move(folders));
        const std::size_t count = symbols.lookup({path, build_id, mtime}, somewhere).size();
        BOOST_TEST(symbols.missing().size() == (count == 0 ? 1u : 0u));
        return count;
    }
    static void run(const std::string& command) { BOOST_REQUIRE(std::system(command.c_str()) == 0); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(program_symbols_test)

BOOST_FIXTURE_TEST_CASE(every_address_as_addr2line_has_it, Files) {
    ProgramSymbols symbols;
    std::size_t inlined = 0;
    for (const char* function :
         {"book::Side::match(book::Order const&) const", "plain_c", "f", "run(book::Order const&)"}) {
        const auto [begin, end] = extent(function);
        const auto expected = truth(begin, end);
        BOOST_REQUIRE(expected.size() == end - begin);
        for (auto address = begin; address < end; ++address) {
            BOOST_TEST_CONTEXT(fmt::format("{} at {:#x}", function, address)) {
                std::vector<std::string> got;
                for (const ProgramFrame& frame : symbols.lookup(with_id, address)) {
                    got.push_back(text_of(frame));
                    inlined += frame.is_inlined ? 1 : 0;
                }
                BOOST_TEST(got == expected[address - begin], boost::test_tools::per_element());
            }
        }
    }
    BOOST_TEST(inlined > 10u);
    // Not in a function.
    BOOST_TEST(symbols.lookup(with_id, 0).empty());
    BOOST_TEST(symbols.lookup(with_id, 1u << 30).empty());
}

/// As clang(1) leaves it out.
BOOST_FIXTURE_TEST_CASE(without_an_index_of_addresses, Files) {
    const std::string plain = dir.file("plain.so");
    run("objcopy --remove-section=.debug_aranges " + kLibrary + ' ' + plain);
    ProgramSymbols symbols, with_index;
    const auto [begin, end] = extent("book::Side::match(book::Order const&) const");
    for (auto address = begin; address < end; ++address)
        BOOST_TEST(
            std::ranges::equal(symbols.lookup({plain, kBuildId, 0}, address), with_index.lookup(with_id, address)));
}

BOOST_FIXTURE_TEST_CASE(another_file_is_not_believed, Files) {
    BOOST_TEST(frames(kLibrary) == 1u);
    BOOST_TEST(frames(kLibrary, std::string(40, '0')) == 0u);
    BOOST_TEST(frames(kLibrary, "") == 0u);
    BOOST_TEST(frames(dir.file("not there")) == 0u);
    BOOST_TEST(frames("/proc/version") == 0u);
    BOOST_TEST(frames("/dev/null") == 0u);
    std::ofstream(dir.file("text")) << "not ELF";
    BOOST_TEST(frames(dir.file("text")) == 0u);
    // Without a build id it is the time that tells.
    const std::string plain = dir.file("plain.so");
    run("objcopy --remove-section=.note.gnu.build-id " + kLibrary + ' ' + plain);
    const auto mtime = std::stoll(lines_of("stat -c %.9Y " + plain)[0].erase(10, 1));
    BOOST_TEST(frames(plain, "", {}, mtime) == 1u);
    BOOST_TEST(frames(plain, "", {}, mtime + 1) == 0u);
    BOOST_TEST(frames(plain, "", {}, 0) == 0u);
}

BOOST_FIXTURE_TEST_CASE(where_files_are_looked_for, Files) {
    const std::string folder = dir.file("folder");
    fs::create_directories(folder + "/usr/lib");
    fs::create_directories(folder + "/.build-id/01");
    BOOST_TEST(frames("/usr/lib/libinlined.so", kBuildId, {folder}) == 0u);
    const std::string by_path = folder + "/usr/lib/libinlined.so", by_name = folder + "/libinlined.so";
    const std::string by_id = folder + "/.build-id/01/" + kBuildId.substr(2) + ".debug";
    for (const std::string& place : {by_path, by_name}) {
        fs::copy_file(kLibrary, place);
        BOOST_TEST(frames("/usr/lib/libinlined.so", kBuildId, {folder}) == 1u);
        fs::remove(place);
    }
    // The debug information alone says as much as the whole file, the addresses are the same; also
    // when the stripped file is there, too.
    run("objcopy --only-keep-debug " + kLibrary + ' ' + by_id);
    const auto [begin, end] = extent("book::Side::match(book::Order const&) const");
    for (const bool has_stripped : {false, true}) {
        if (has_stripped) run("strip -o " + by_name + ' ' + kLibrary);
        ProgramSymbols apart({folder}), whole;
        for (auto address = begin; address < end; ++address) {
            const auto got = apart.lookup({"/usr/lib/libinlined.so", kBuildId, 0}, address);
            BOOST_TEST(std::ranges::equal(got, whole.lookup(with_id, address)));
        }
    }
}

/// Debug information tells functions that the linker has left out, as if they were at address 0.
BOOST_FIXTURE_TEST_CASE(functions_that_are_not_there, Files) {
    const std::string source = dir.file("left_out.cpp"), library = dir.file("left_out.so");
    {
        std::ofstream out(source);
        out << "volatile int sink;\n__attribute__((visibility(\"hidden\"))) void left_out() {\n";
        for (int i = 0; i < 2000; ++i) out << "  sink = " << i << ";\n";
        out << "}\nvoid stays() {\n  sink = 1;\n  sink = 2;\n}\n";
    }
    run("c++ -O1 -g -fPIC -shared -ffunction-sections -Wl,--gc-sections -Wl,--build-id=0x" + kBuildId + ' ' + source +
        " -o " + library);
    std::uint64_t address = 0;
    for (const std::string& line : lines_of("nm -C " + library)) {
        BOOST_TEST(line.find("left_out()") == std::string::npos);
        if (line.ends_with(" stays()")) address = std::stoull(line, nullptr, 16);
    }
    BOOST_REQUIRE(address != 0u);
    ProgramSymbols symbols;
    const auto frames = symbols.lookup({library, kBuildId, 0}, address);
    BOOST_REQUIRE(frames.size() == 1u);
    BOOST_TEST(frames[0].function == "stays()");
    BOOST_TEST((frames[0].line == 0 || frames[0].line >= 2004u), frames[0].line);
}

BOOST_FIXTURE_TEST_CASE(names_without_debug_information, Files) {
    const std::string stripped = dir.file("stripped.so");
    run("strip --strip-debug -o " + stripped + ' ' + kLibrary);
    ProgramSymbols symbols;
    const auto frames = symbols.lookup({stripped, kBuildId, 0}, somewhere);
    BOOST_REQUIRE(frames.size() == 1u);
    BOOST_TEST(text_of(frames[0]) == "book::Side::match(book::Order const&) const :0");
}

BOOST_AUTO_TEST_CASE(names_without_arguments) {
    const std::pair<const char*, const char*> names[] = {
        {"main", "main"},
        {"", ""},
        {"book::Side::match(book::Order const&) const", "book::Side::match"},
        {"f(int, void (*)(char)) [clone .cold]", "f"},
        {"g()::{lambda(int)#1}::operator()(int) const", "g()::{lambda(int)#1}::operator()"},
        {"Call::operator()()", "Call::operator()"},
        {"h(A&&) &&", "h"},
        {"(anonymous namespace)::k(int)", "(anonymous namespace)::k"},
        {"(odd)", "(odd)"},
        {"odd)", "odd)"},
        {"f(A) const &", "f"},
        {"std::optional<int> book::next<3>(int)", "book::next<3>"},
        {"operator new(unsigned long)", "operator new"},
        {"Call::operator int() const", "Call::operator int"},
        {"void (anonymous namespace)::k<int>(int)", "(anonymous namespace)::k<int>"},
        {"futex_wait", "futex_wait"},
    };
    for (const auto& [whole, wanted] : names) BOOST_TEST(short_name(whole) == wanted);
}

BOOST_AUTO_TEST_SUITE_END()
