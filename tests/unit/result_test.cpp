// SPDX-License-Identifier: MIT
#include "hftmon/result.hpp"

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <memory>

using namespace hftmon;

BOOST_AUTO_TEST_SUITE(result_test)

BOOST_AUTO_TEST_CASE(message_has_what_errno_and_hint) {
    const Error all{ErrorCode::kSystem, ENOENT, "opening /dev/hftmon", "load the module"};
    BOOST_TEST(all.message() == "opening /dev/hftmon: No such file or directory (load the module)");
}

BOOST_AUTO_TEST_CASE(message_leaves_out_what_is_not_there) {
    BOOST_TEST((Error{ErrorCode::kCorrupt, 0, "bad file", ""}).message() == "bad file");
    BOOST_TEST((Error{ErrorCode::kCorrupt, 0, "bad file", "try again"}).message() == "bad file (try again)");
    BOOST_TEST((Error{ErrorCode::kSystem, EACCES, "open", ""}).message() == "open: Permission denied");
}

BOOST_AUTO_TEST_CASE(holds_a_value_or_an_error) {
    Result<std::unique_ptr<int>> good(std::make_unique<int>(7));
    BOOST_TEST(good.has_value());
    BOOST_TEST(**good == 7);
    const std::unique_ptr<int> taken = *std::move(good);
    BOOST_TEST(*taken == 7);

    const Result<int> bad(Error{ErrorCode::kBusy, 0, "x", ""});
    BOOST_TEST(!bad.has_value());
    BOOST_CHECK(bad.error().code == ErrorCode::kBusy);
    BOOST_CHECK_THROW((void)bad.value(), std::bad_variant_access);
    BOOST_TEST(ok().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
