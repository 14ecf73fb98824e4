// SPDX-License-Identifier: MIT
#include "hftmon/functions.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace hftmon;

namespace {

struct Kallsyms {
    std::string path = std::filesystem::temp_directory_path() / ("kallsyms." + std::to_string(::getpid()));
    explicit Kallsyms(const char* text) { std::ofstream(path) << text; }
    ~Kallsyms() { std::filesystem::remove(path); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(functions_test)

BOOST_AUTO_TEST_CASE(names_of_the_kernel_and_of_modules) {
    const Kallsyms file(
        "0000000000000000 A fixed_percpu_data\n"
        "ffffffff81000200 T second\n"
        "ffffffff81000100 T first\n"
        "ffffffff81000100 t alias\n"
        "ffffffff81000180 D data\n"
        "ffffffffc0000000 t of_module\t[mod]\n"
        "not a line\n");
    const auto symbols = KernelSymbols::read(file.path);
    BOOST_REQUIRE(symbols.has_value());
    BOOST_TEST(symbols->name_of(0xffffffff81000100).value_or("?") == "first");
    BOOST_TEST(symbols->name_of(0xffffffff810001ff).value_or("?") == "first+0xff");
    BOOST_TEST(symbols->name_of(0xffffffff81000200).value_or("?") == "second");
    BOOST_TEST(symbols->name_of(0xffffffffc0000000).value_or("?") == "of_module [mod]");
    BOOST_TEST(symbols->name_of(0xffffffffc0000020).value_or("?") == "of_module+0x20 [mod]");
    BOOST_TEST(!symbols->name_of(0xffffffff810000ff));
    BOOST_TEST(!symbols->name_of(0xffffffffc1000000));
    BOOST_TEST(!symbols->name_of(0));
}

BOOST_AUTO_TEST_CASE(hidden_addresses) {
    const Kallsyms file("0000000000000000 T first\n0000000000000000 T second\n");
    const auto symbols = KernelSymbols::read(file.path);
    BOOST_REQUIRE(!symbols.has_value());
    BOOST_CHECK(symbols.error().code == ErrorCode::kNoPermission);
    BOOST_TEST(!KernelSymbols::read("/nonexistent/kallsyms").has_value());
}

BOOST_AUTO_TEST_CASE(what_has_been_learnt) {
    FunctionNames names;
    BOOST_TEST(names.lookup(5).empty());
    names.learn(std::vector<FunctionName>{{9, "nine"}, {5, "five"}});
    BOOST_TEST(names.lookup(5) == "five");
    BOOST_TEST(names.lookup(9) == "nine");
    BOOST_TEST(names.lookup(6).empty());
}

BOOST_AUTO_TEST_SUITE_END()
