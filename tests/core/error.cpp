#include "core/error.h"

#include <doctest/doctest.h>

using namespace star;

TEST_CASE("error: one line, whatever it quotes") {
  CHECK(std::string(Error("plain, and é").what()) == "plain, and é");
  CHECK(std::string(Error("a\nb\tc\x01\x1f\x7f d").what()) == "a\\x0ab\\x09c\\x01\\x1f\\x7f d");
  CHECK(std::string(Error(std::string("\0", 1)).what()) == "\\x00");
  CHECK_NOTHROW(require(true, "never"));
  CHECK_THROWS_WITH_AS(require(false, "{} of {}", 1, "two"), "1 of two", Error);
  CHECK_THROWS_WITH_AS(fail("{}\n", 3), "3\\x0a", Error);
}
