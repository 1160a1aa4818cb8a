#include "core/toml.h"

#include <doctest/doctest.h>

#include "core/error.h"

using namespace star;

namespace {

using Values = std::vector<std::string>;

TomlEntry only(const std::string& text) {
  auto entries = parse_toml(text, "f");
  REQUIRE(entries.size() == 1);
  return entries[0];
}

}  // namespace

TEST_CASE("values of TOML are read as it defines them") {
  CHECK(only("a = 1_000").values == Values{"1000"});
  CHECK(only("a = 0x10").values == Values{"16"});
  CHECK(only("a = 1e-3").values == Values{"0.001"});
  CHECK(only("a = 3.0").values == Values{"3.0"});  // no whole number
  CHECK(only("a = \"x\\ty\\u00e4\"").values == Values{"x\ty\u00e4"});
  CHECK(only("a = 'x\\t'").values == Values{"x\\t"});
  CHECK(only("a = \"\"\"\nx\ny\"\"\"").values == Values{"x\ny"});
  CHECK(only("a = [\n  \"x\", # first\n  2,\n]").values == Values{"x", "2"});
  CHECK(only("a = true").kind == TomlEntry::truth);
  CHECK(only("a = 1").kind == TomlEntry::number);
  CHECK(only("a = 'x'").kind == TomlEntry::text);
  CHECK(only("a = ['x']").kind == TomlEntry::list);
  CHECK(only("\xef\xbb\xbf"
             "a = 1")
            .key == "a");  // a byte order mark
}

TEST_CASE("entries know their tables and lines, and stand in the order of the text") {
  const auto entries = parse_toml("z = 1\r\na = 2\n[genome.show]\nwidth = 3\n", "f");
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].key == "z");
  CHECK(entries[1].line == 2);
  CHECK(entries[2].tables == Values{"genome", "show"});
  CHECK(entries[2].line == 4);
}

TEST_CASE("what is no TOML is refused with file, line and text") {
  auto refusal = [](const std::string& text) -> std::string {
    try {
      parse_toml(text, "my.toml");
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  for (const char* text :
       {"steps = 1,000", "steps = 010", "steps = ", "steps", "steps = 1\nsteps = 2", "steps = \"x",
        "steps = 1979-05-27", "steps = []", "steps = [[1]]", "steps = [true]", "steps = [{a = 1}]",
        "[[steps]]\na = 1", "steps = 99999999999999999999", "[=] # steps", "steps = '\xff'"}) {
    const std::string said = refusal(std::string("a = 1\n") + text + "\n");
    CAPTURE(text);
    CHECK_MESSAGE(said.starts_with("my.toml, line "), said);
    CHECK_MESSAGE(said.find("steps") != said.npos, said);
  }
  CHECK(refusal("a = 1\nsteps = 1,000").starts_with("my.toml, line 2: `steps = 1,000`: "));
}

TEST_CASE("tables that nest without end are refused before they fill the stack") {
  std::string deep = "a";
  for (int i = 0; i < 100000; ++i) deep += ".a";
  CHECK_THROWS_AS(parse_toml(deep + " = 1", "f"), Error);
  CHECK_THROWS_AS(parse_toml("a = " + std::string(100000, '['), "f"), Error);
  // Points in strings and comments are none.
  CHECK(
      only("a = \"" + std::string(5000, '.') + "\" #" + std::string(5000, '.')).values[0].size() ==
      5000);
  CHECK(only("a = '''" + std::string(5000, '.') + "''' #").values[0].size() == 5000);
}
