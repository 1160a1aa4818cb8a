#include "core/json.h"

#include <doctest/doctest.h>

#include "core/error.h"

using namespace star;

TEST_CASE("json: what is read, and refusals that name the file") {
  CHECK(parse_json(R"({"a": [1, 2.5, "x"]})", "file")["a"][1] == 2.5);
  CHECK(parse_json("-0", "file") == 0);
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "nul", "1 2", "\"\xff\""}) {
    INFO(std::string(text));
    CHECK_THROWS_WITH_AS(parse_json(text, "file"), doctest::Contains("file is no JSON: "), Error);
  }
}

TEST_CASE("json: a refusal says where, in no words of the library") {
  CHECK_THROWS_WITH_AS(parse_json("{\n \"a\": nul\n}", "file"),
                       "file is no JSON: line 2, byte 10: not expected here", Error);
  CHECK_THROWS_WITH_AS(parse_json("[1,]", "file"),
                       "file is no JSON: line 1, byte 4: not expected here", Error);
  CHECK_THROWS_WITH_AS(parse_json("{", "file"), "file is no JSON: it ends too early", Error);
  CHECK_THROWS_WITH_AS(parse_json("", "file"), "file is no JSON: it ends too early", Error);
  CHECK_THROWS_WITH_AS(parse_json("[1e999]", "file"),
                       "file is no JSON: it holds a number that is out of range", Error);
}

TEST_CASE("json: 64 levels are read, more are not") {
  auto nested = [](size_t levels) {
    return std::string(levels, '[') + "1" + std::string(levels, ']');
  };
  CHECK_NOTHROW(parse_json(nested(64), "file"));
  CHECK_THROWS_WITH_AS(parse_json(nested(65), "file"), "file nests too deep", Error);
}
