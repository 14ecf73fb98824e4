// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <string>

#include "hftmon/names.hpp"
#include "support.hpp"
#include "trace_builder.hpp"

using namespace hftmon;
using namespace hftmon::test;

namespace {

ThreadEvent event(IdentityChange change, std::uint32_t tid, std::string_view name, std::uint32_t tgid = 0,
                  std::int16_t prio = 120) {
    ThreadEvent e{change, Tid{tid}, Tid{tgid ? tgid : tid}, Tid{1}, prio, Policy::kNormal, {}};
    std::copy(name.begin(), name.end(), e.comm.bytes.begin());
    return e;
}

std::string name_at(const NameTable& names, std::uint32_t tid, std::uint64_t time) {
    const auto info = names.lookup(Tid{tid}, TscTime{time});
    return info ? std::string(info->comm.view()) : "-";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(names_test)

BOOST_AUTO_TEST_CASE(unknown_threads_have_no_name) {
    NameTable names;
    BOOST_TEST(name_at(names, 7, 100) == "-");
    BOOST_TEST(name_at(names, 4'000'000'000u, 100) == "-");
    names.learn(TscTime{1}, event(IdentityChange::kRename, 4'000'000'000u, "bad"));
    names.learn(TscTime{1}, event(IdentityChange::kRename, 0, "idle"));
    BOOST_TEST(names.size() == 0u);
}

BOOST_AUTO_TEST_CASE(rename_changes_the_name_from_then_on) {
    NameTable names;
    names.learn(TscTime{100}, event(IdentityChange::kThread, 7, "old"));
    names.learn(TscTime{100}, event(IdentityChange::kRename, 7, "new"));
    BOOST_TEST(name_at(names, 7, 99) == "old");
    BOOST_TEST(name_at(names, 7, 100) == "new");
    BOOST_TEST(name_at(names, 7, 500) == "new");
}

BOOST_AUTO_TEST_CASE(a_thread_that_only_exits_left_its_name_there) {
    NameTable names;
    names.learn(TscTime{100}, event(IdentityChange::kExit, 7, "short"));
    BOOST_TEST(name_at(names, 7, 1) == "short");
    BOOST_TEST(name_at(names, 7, 100) == "short");
    BOOST_TEST(name_at(names, 7, 101) == "short");
}

BOOST_AUTO_TEST_CASE(a_thread_that_was_past_its_exit_leaves_its_name_at_its_last_switch) {
    NameTable names;
    names.learn(TscTime{100}, event(IdentityChange::kDead, 7, "unknown"));
    BOOST_TEST(name_at(names, 7, 1) == "unknown");

    // Its tid was free already: an older owner's name is no name of it.
    names.learn(TscTime{100}, event(IdentityChange::kExit, 8, "first", 5));
    names.learn(TscTime{200}, event(IdentityChange::kDead, 8, "second", 6));
    BOOST_TEST(name_at(names, 8, 150) == "first");
    BOOST_TEST(name_at(names, 8, 250) == "second");
    // ... and a younger one keeps its own.
    names.learn(TscTime{300}, event(IdentityChange::kFork, 8, "third", 7));
    names.learn(TscTime{310}, event(IdentityChange::kDead, 8, "second", 6));
    BOOST_TEST(name_at(names, 8, 350) == "third");

    const std::size_t before = names.size();
    names.learn(TscTime{400}, event(IdentityChange::kExit, 8, "third", 7));
    names.learn(TscTime{410}, event(IdentityChange::kDead, 8, "third", 7));
    BOOST_TEST(names.size() == before + 1);
}

BOOST_AUTO_TEST_CASE(a_tid_that_is_used_again_has_the_name_of_its_time) {
    NameTable names;
    names.learn(TscTime{100}, event(IdentityChange::kExit, 7, "first", 5));
    names.learn(TscTime{200}, event(IdentityChange::kFork, 7, "second", 6));
    names.learn(TscTime{300}, event(IdentityChange::kExit, 7, "second", 6));
    names.learn(TscTime{400}, event(IdentityChange::kFork, 7, "third", 7));
    BOOST_TEST(name_at(names, 7, 50) == "first");
    BOOST_TEST(name_at(names, 7, 150) == "first");
    BOOST_TEST(name_at(names, 7, 250) == "second");
    BOOST_TEST(name_at(names, 7, 450) == "third");
    BOOST_TEST(names.process_of(Tid{7}, TscTime{50})->value == 5u);
    BOOST_TEST(names.process_of(Tid{7}, TscTime{250})->value == 6u);
}

BOOST_AUTO_TEST_CASE(the_final_list_names_what_never_changed) {
    NameTable names;
    names.learn(Trace::list({{fifo(7, 80), "quiet"}}), TscTime{900}, TscTime{1000});
    BOOST_TEST(name_at(names, 7, 1) == "quiet");
    BOOST_TEST(names.lookup(Tid{7}, TscTime{1})->prio == 19);
    BOOST_TEST((names.lookup(Tid{7}, TscTime{1})->policy == Policy::kFifo));
}

BOOST_AUTO_TEST_CASE(records_may_be_learned_after_a_later_list) {
    NameTable names;
    names.learn(Trace::list({{fair(7), "late"}}), TscTime{900}, TscTime{1000});
    names.learn(TscTime{100}, event(IdentityChange::kThread, 7, "early"));
    names.learn(TscTime{100}, event(IdentityChange::kRename, 7, "late"));
    BOOST_TEST(name_at(names, 7, 1) == "early");
    BOOST_TEST(name_at(names, 7, 100) == "late");
    BOOST_TEST(name_at(names, 7, 950) == "late");
}

BOOST_AUTO_TEST_CASE(a_rename_inside_the_window_of_a_list_beats_the_list) {
    NameTable names;
    // The list met the thread after the rename.
    names.learn(Trace::list({{fair(7), "new"}}), TscTime{100}, TscTime{200});
    names.learn(TscTime{150}, event(IdentityChange::kThread, 7, "old"));
    names.learn(TscTime{150}, event(IdentityChange::kRename, 7, "new"));
    BOOST_TEST(name_at(names, 7, 120) == "old");
    BOOST_TEST(name_at(names, 7, 160) == "new");
    // The list met the thread before it.
    names.learn(Trace::list({{fair(8), "old"}}), TscTime{100}, TscTime{200});
    names.learn(TscTime{150}, event(IdentityChange::kThread, 8, "old"));
    names.learn(TscTime{150}, event(IdentityChange::kRename, 8, "new"));
    BOOST_TEST(name_at(names, 8, 120) == "old");
    BOOST_TEST(name_at(names, 8, 300) == "new");
}

BOOST_AUTO_TEST_CASE(process_name_is_that_of_the_leader) {
    NameTable names;
    names.learn(TscTime{10}, event(IdentityChange::kFork, 5, "server"));
    names.learn(TscTime{20}, event(IdentityChange::kFork, 7, "feed", 5));
    names.learn(TscTime{30}, event(IdentityChange::kRename, 5, "renamed"));
    BOOST_TEST(names.lookup(Tid{7}, TscTime{25})->process.view() == "server");
    BOOST_TEST(names.lookup(Tid{7}, TscTime{35})->process.view() == "renamed");
    names.learn(TscTime{20}, event(IdentityChange::kFork, 9, "alone", 8));
    BOOST_TEST(names.lookup(Tid{9}, TscTime{25})->process.view().empty());
}

BOOST_AUTO_TEST_CASE(idle_threads_are_named_by_cpu) {
    BOOST_TEST(NameTable::idle_name(CpuId{0}).view() == "swapper/0");
    BOOST_TEST(NameTable::idle_name(CpuId{1023}).view() == "swapper/1023");
    BOOST_TEST(NameTable::idle_name(CpuId{4294967295u}).view() == "swapper/4294967");
}

BOOST_AUTO_TEST_CASE(trimming_keeps_what_still_holds) {
    NameTable names;
    names.learn(TscTime{10}, event(IdentityChange::kFork, 5, "one"));
    names.learn(TscTime{20}, event(IdentityChange::kRename, 5, "two"));
    names.learn(TscTime{10}, event(IdentityChange::kFork, 6, "gone"));
    names.learn(TscTime{30}, event(IdentityChange::kExit, 6, "gone"));
    names.learn(TscTime{90}, event(IdentityChange::kExit, 7, "later"));
    names.trim(TscTime{50});
    BOOST_TEST(names.size() == 2u);
    BOOST_TEST(name_at(names, 5, 60) == "two");
    BOOST_TEST(name_at(names, 6, 60) == "-");
    BOOST_TEST(name_at(names, 7, 60) == "later");
}

BOOST_AUTO_TEST_SUITE_END()
