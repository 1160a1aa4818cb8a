#include "liv/pool_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "core/error.h"
#include "tests/liv/pools.h"
#include "tests/temporary.h"

namespace star::liv {
namespace {

std::string fault_of(const std::string& text) {
  try {
    parse_pool(text, "my.pool");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// Two legal classes, on lines 1 to 4, before what is to be refused.
std::string fault_after(const std::string& line) {
  return fault_of(
      "featurizer 1: q 21111, k 21111, v 21111\nclass 1 SA: 12123\n"
      "featurizer g: gate 21411, v 21411\nclass d D-SA: differential of 1\n" +
      line + "\nclass 7 last: g1142\n");
}

}  // namespace

TEST_CASE("pool file: the pools of the program and random ones come back equal") {
  for (const Pool& pool : {paper_pool(), extended_pool()}) {
    CHECK(parse_pool(pool_text(pool), "text") == pool);
    CHECK(named_pool(pool_text(pool)) == pool);
  }
  for (uint64_t round = 0; round < 200; ++round) {
    Rng rng(40, "test.pool_file", round);
    const Pool pool = random_pool(rng);
    CHECK(parse_pool(pool_text(pool), "text") == pool);
  }
}

TEST_CASE("pool file: comments, blanks and the order of lines do not matter") {
  const Pool pool = parse_pool(
      "# a pool\r\n\tclass z  D:differential  of x#\n\nclass x\tX : g1142 # of one class\n"
      "   featurizer g:gate 21411 ,v 21411",
      "text");
  REQUIRE(pool.classes.size() == 2);
  CHECK(pool.classes[0].name == "D");
  CHECK(pool.classes[0].base == 'x');
  CHECK(pool.classes[0].op == pool.classes[1].op);
  CHECK(pool.classes[1].groups == pool.find_featurizer('g')->groups);
  CHECK(pool.classes[1].shareable_weights == std::vector<Role>{Role::gate, Role::value});
}

TEST_CASE("pool file: every fault is named with its line") {
  CHECK(fault_after("") == "");
  const std::pair<const char*, const char*> faults[] = {
      {"nonsense", "must be `featurizer ID"},
      {"class 2: 12123", "must be `featurizer ID"},
      {"class 2 B 12123", "must be `featurizer ID"},
      {"featurizer 2 x: q 21111", "must be `featurizer ID"},
      {"class A B: 12123", "the identifier `A` is not one character of 0-9a-z"},
      {"class 12 B: 12123", "the identifier `12`"},
      {"featurizer 0: gate 21411, v 21411", "not 0"},
      {"featurizer g: gate 21411, v 21411", "featurizer g is there already"},
      {"featurizer 2: q 21111, w 21111", "the role w is not one of q k v"},
      {"featurizer 2: q 21111, q 21111", "q is there twice"},
      {"featurizer 2: q 2111", "q: `2111` has not five digits"},
      {"featurizer 2: q 211111", "has not five digits"},
      {"featurizer 2: q 28111", "q: digit 2 is 8, must be 1 to 7"},
      {"featurizer 2: q 2111A", "q: digit 5 is A, must be 1 to c"},
      {"featurizer 2: q 21111,", "is not ROLE DIGITS"},
      {"featurizer 2:", "is not ROLE DIGITS"},
      {"class 1 B: 12123", "class 1 is there already"},
      {"class 2 SA: 12123", "the name SA is that of class 1 already"},
      {"class 2 B: 12124", "class 2: digit 5 is 4, must be 1 to 3"},
      {"class 2 B: differential of 3", "there is no class 3"},
      {"class 2 B: differential of d", "class d is differential itself"},
      {"class 2 B: differential of 2", "class 2 is differential itself"},
      {"class 2 B: variant of 1", "five digits or `differential of ID`"},
      {"class 2 B: 32123", "there is no featurizer 3"},
      {"class 2 B: 12122", "token mixing 2 (low-rank) scores by head"},
      {"class 2 B: g2123", "need features that read"},
      {"class 2 B\x01: 12123", "byte 0x01 is not printable ASCII"},
      {"class 2 \xc3\xa9: 12123", "byte 0xc3"},
  };
  for (auto& [line, reason] : faults) {
    CAPTURE(line);
    const std::string fault = fault_after(line);
    CAPTURE(fault);
    CHECK(fault.starts_with("my.pool, line 5: "));
    CHECK(fault.find(reason) != fault.npos);
    CHECK(fault.find('\n') == fault.npos);
  }
  CHECK(fault_of("") == "my.pool: the pool has no classes");
  CHECK(fault_of("featurizer 1: gate 21411, v 21411\n") == "my.pool: the pool has no classes");
}

TEST_CASE("pool file: names stay, a file becomes its text") {
  TemporaryFolder folder;
  const std::string path = folder.file("mine.pool"), text = pool_text(paper_pool()) + "# end";
  std::ofstream(path) << text;
  CHECK(pool_setting("paper") == "paper");
  CHECK(pool_setting("extended") == "extended");
  CHECK(pool_setting(path) == text);
  CHECK(named_pool(pool_setting(path)) == paper_pool());
  CHECK_THROWS_WITH_AS(pool_setting(folder.file("none")), doctest::Contains("No such file"), Error);
  std::ofstream(path) << "class";
  CHECK_THROWS_WITH_AS(pool_setting(path), doctest::Contains(path.c_str()), Error);
  CHECK_THROWS_WITH_AS(named_pool("papers"), doctest::Contains("must be `featurizer ID"), Error);
}

}  // namespace star::liv
