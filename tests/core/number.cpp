#include "core/number.h"

#include <doctest/doctest.h>

#include <cstdint>

using namespace star;

TEST_CASE("numbers are decimal and the whole of a text") {
  CHECK(read_number<int>("010") == 10);
  CHECK(read_number<int>("008") == 8);
  CHECK(read_number<int64_t>("-3") == -3);
  CHECK(read_number<double>("1e-7") == 1e-7);
  for (const char* text : {"", " 1", "1 ", "+1", "0x10", "1'0", "1_0", "3.0", "1e3", "--1"})
    CHECK_MESSAGE(!read_number<int>(text), text);
  for (const char* text : {"", "0x1", "1,5", "1e999", "1.0f", "1e"})
    CHECK_MESSAGE(!read_number<double>(text), text);
}

TEST_CASE("what is too large for a type is refused, not cut") {
  CHECK(!read_number<int>("4294967298"));
  CHECK(!read_number<uint64_t>("18446744073709551616"));
  CHECK(!read_number<uint64_t>("-1"));
  CHECK(read_number<uint64_t>("18446744073709551615") == UINT64_MAX);
}

TEST_CASE("a refusal says what is wrong with the number") {
  CHECK(whole_number_fault("7", 1, 9).empty());
  CHECK(whole_number_fault("3.0", 1, 9) == "3.0 is not a whole number");
  CHECK(whole_number_fault("x", 1, 9) == "x is not a whole number");
  CHECK(whole_number_fault("-", 1, 9) == "- is not a whole number");
  CHECK(whole_number_fault("0", 1, 9) == "0 is not in [1 - 9]");
  CHECK(whole_number_fault("4294967298", 1, 9) == "4294967298 is not in [1 - 9]");
  CHECK(whole_number_fault("-1", uint64_t(0), UINT64_MAX) == "-1 is not a whole number of 64 bits");
  CHECK(whole_number_fault(std::string(500, 'x'), 1, 9).size() < 80);
  CHECK_THROWS_WITH_AS(whole_number("10", 1, 9, "--depth"), "--depth: 10 is not in [1 - 9]", Error);
}
