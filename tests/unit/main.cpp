// SPDX-License-Identifier: MIT
#define BOOST_TEST_MODULE hftmon
#include <boost/test/unit_test.hpp>
