// Which operators are legal, and for the others the reason: every row of the table of refusals has
// operators that it alone refuses.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "core/error.h"
#include "core/rng.h"
#include "liv/legality.h"
#include "liv/pool.h"
#include "tests/liv/cases.h"

namespace star::liv {
namespace {

using Lines = std::vector<std::string>;

Digits digits_of(std::string_view text) {
  REQUIRE(text.size() == 5);
  Digits digits{};
  for (size_t i = 0; i < 5; ++i) digits[i] = base36_value(text[i]);
  return digits;
}

// What is said of an operator and its groups, as in "12123 q:21111 k:21111 v:21111".
Lines reasons(const char* text) {
  std::istringstream words(text);
  std::string op, group;
  words >> op;
  std::vector<FeatureGroup> groups;
  while (words >> group) {
    const size_t colon = group.find(':');
    groups.push_back({role_of(group.substr(0, colon)).value(), digits_of(group.substr(colon + 1))});
  }
  return check_operator({digits_of(op)}, groups);
}

struct Refused {
  const char* reason;
  struct Operator {
    const char* text;
    const char* roles = "";  // of the groups that are refused, none if it is the operator
  };
  std::vector<Operator> operators;
};

const Refused kRefused[] = {
    {"every operator needs a value v", {{"91142 gate:21411"}, {"64111 a:21119"}}},
    {"token mixing 1 (diagonal) needs a gate", {{"91142 v:21411"}}},
    {"token mixing 2, 3, and 4 with dt or grouped channels, need features that read (q or C) and "
     "write (k or B)",
     {{"12123 k:21111 v:21111"},
      {"12123 q:21111 v:21111"},
      {"12153 q:21117 v:21111"},
      {"73111 B:21111 v:21111 kernel:13111"},
      {"73111 C:21111 v:21111 kernel:13111"},
      {"54111 v:21111 dt:41115 B:21111"},
      {"54111 v:21111 dt:41115 C:21111"},
      {"64113 a:21119 v:21111"},
      {"d4113 q:21111 v:21111 a:4111b"}}},
    {"token mixing 3 (Toeplitz) needs a kernel or a filter, not both",
     {{"13111 q:21111 k:21111 v:21111"},
      {"73111 B:21111 C:21111 v:21111 kernel:13111 filter:14111"}}},
    {"token mixing 4 (semi-separable) needs a transition dt or a, not both",
     {{"14113 q:21111 k:21111 v:21111"},
      {"54111 v:21111 B:21111 C:21111"},
      {"54111 v:21111 dt:41115 a:21119"}}},
    {"one group reads and one writes: q or C, k or B",
     {{"12123 q:21111 C:21111 k:21111 v:21111"}, {"12123 q:21111 k:21111 B:21111 v:21111"}}},
    {"token mixing 1 (diagonal) has dense channels, 2: nothing else mixes them",
     {{"91141 gate:41611 v:21611"}, {"91143 gate:21111 v:21111"}}},
    {"token mixing 2 (low-rank) scores by head: its channel mixing is grouped, 3",
     {{"12121 q:21111 k:21111 v:21111"}, {"12122 q:21111 k:21111 v:21111"}}},
    {"token mixing 3 (Toeplitz) has a kernel a channel: its channel mixing is diagonal, 1",
     {{"73112 B:21111 C:21111 v:21111 kernel:13111"},
      {"73113 B:21111 C:21111 v:21111 kernel:13111"}}},
    {"token mixing 4 (semi-separable) has diagonal or grouped channels: dense is left to o",
     {{"54112 v:21111 dt:21115 B:21111 C:21111"}}},
    {"only token mixing 2 (low-rank) is banded: a diagonal already is, a kernel has its own "
     "length, "
     "a recurrence cannot forget at a distance",
     {{"91242 gate:41611 v:21611"},
      {"73211 B:21111 C:21111 v:21111 kernel:13111"},
      {"54213 v:21111 dt:31115 B:21111 C:21111"}}},
    {"kernel-normalised entries are not banded: their running sums cannot forget at a distance",
     {{"12253 C:21117 B:21117 v:21111"}}},
    {"a diagonal entry normalised over its row is 1: nonlinearity 1, 3 or 4",
     {{"91122 gate:41611 v:21611"}, {"91152 gate:41611 v:21611"}}},
    {"a nonlinearity on the entries leaves token mixing 3 and 4 without a fast form: nonlinearity "
     "1",
     {{"73121 B:21111 C:21111 v:21111 kernel:13111"},
      {"54123 v:21111 dt:31115 B:21111 C:21111"},
      {"54133 v:21111 dt:31115 B:21111 C:21111"},
      {"54143 v:21111 dt:31115 B:21111 C:21111"},
      {"54153 v:21111 dt:31115 B:21111 C:21111"}}},
    {"kernel-normalised entries need elu+1 (7) on what reads and writes",
     {{"12153 q:21111 k:21111 v:21111"},
      {"12153 q:21117 k:21111 v:21111"},
      {"12153 q:21111 k:21117 v:21111"}}},
    {"what reads and what writes have the same number of states",
     {{"54111 v:21111 dt:41115 B:21511 C:21311"}}},
    {"keys and values repeat together",
     {{"12123 q:21111 k:21121 v:21131"}, {"12123 q:21111 k:21111 v:21121"}}},
    {"a write strength beta needs keys of unit length (8), or its transition may grow",
     {{"c4113 q:21111 k:21111 v:21111 dt:31115 beta:31119"},
      {"e4113 q:21111 k:2111c v:21111 a:4111b beta:31119"}}},

    {"a role that appears twice", {{"12123 q:21111 k:21111 v:21111 v:21111", "v v"}}},
    {"this operator has no use for the role",
     {{"12123 q:21111 k:21111 v:21111 gate:21111", "gate"},
      {"12123 q:21111 k:21111 v:21111 kernel:13111", "kernel"},
      {"12123 q:21111 k:21111 v:21111 filter:14111", "filter"},
      {"12123 q:21111 k:21111 v:21111 dt:31115", "dt"},
      {"12123 q:21111 k:21111 v:21111 a:21119", "a"},
      {"12123 q:21111 k:21118 v:21111 beta:31119", "beta"},
      {"73111 B:21111 C:21111 v:21111 kernel:13111 gate:21111", "gate"},
      {"73111 B:21111 C:21111 v:21111 kernel:13111 dt:21115", "dt"},
      {"54111 v:21111 dt:41115 B:21111 C:21111 kernel:13111", "kernel"},
      {"54111 v:21111 dt:41115 B:21111 C:21111 beta:21119", "beta"},
      {"91142 gate:21411 v:21411 q:21411", "q"},
      {"91142 gate:21411 v:21411 B:21411", "B"},
      {"64111 a:21119 v:21111 k:21111", "k"},
      {"64111 a:21119 v:21111 C:21111", "C"}}},
    {"a kernel a channel: channel mixing 1",
     {{"73111 B:21111 C:21111 v:21111 kernel:23111", "kernel"},
      {"83111 B:21111 C:21111 v:21111 filter:24111", "filter"}}},
    {"one value a head (channel mixing 3) is for dt and beta of grouped channels, and only for "
     "them",
     {{"12123 q:31111 k:21111 v:21111", "q"},
      {"54111 v:21111 dt:31115 B:21511 C:21511", "dt"},
      {"54113 v:21111 dt:41115 B:21111 C:21111", "dt"},
      {"c4113 q:21111 k:21118 v:21111 dt:31115 beta:21119", "beta"}}},
    {"diagonal channels (1) keep the width: no expansion, no repeat, no states",
     {{"12123 q:11211 k:21211 v:21211", "q"},
      {"12123 q:21111 k:11121 v:21121", "k"},
      {"54111 v:21111 dt:41115 B:11111 C:11111", "B C"}}},
    {"token mixing is 4 for filter, a convolution (3, 5, 6, 7) for kernel, that or 1 for the "
     "others",
     {{"12123 q:22111 k:21111 v:21111", "q"},
      {"12123 q:21111 k:24111 v:21111", "k"},
      {"73111 B:21111 C:21111 v:21111 kernel:14111", "kernel"},
      {"73111 B:21111 C:21111 v:21111 kernel:11111", "kernel"},
      {"83111 B:21111 C:21111 v:21111 filter:13111", "filter"},
      {"83111 B:21111 C:21111 v:21111 filter:17111", "filter"}}},
    {"groups take the expansion of v",
     {{"12123 q:21111 k:21211 v:21211", "q"},
      {"73111 B:21211 C:21211 v:21211 kernel:13111", "kernel"},
      {"54111 v:21211 dt:41115 B:21111 C:21111", "dt"}}},
    {"the number of states is 1, 2, 4 or 16: expansion 1, 2, 3 or 5",
     {{"54111 v:21111 dt:41115 B:21411 C:21411", "B C"},
      {"54111 v:21111 dt:41115 B:21611 C:21611", "B C"}}},
    {"×8/3 and ×1/2 do not divide into heads of even width",
     {{"12123 q:21411 k:21411 v:21411", "v"}, {"12123 q:21611 k:21611 v:21611", "v"}}},
    {"only keys and values of token mixing 2 are repeated: theirs is the cache that grows",
     {{"12123 q:21121 k:21121 v:21121", "q"},
      {"12123 q:21111 k:21111 v:21111 z:21124", "z"},
      {"91142 gate:21411 v:21421", "v"},
      {"73111 B:21121 C:21111 v:21111 kernel:13111", "B"}}},
    {"a kernel is linear: nonlinearity 1",
     {{"73111 B:21111 C:21111 v:21111 kernel:13112", "kernel"},
      {"83111 B:21111 C:21111 v:21111 filter:14117", "filter"}}},
    {"a step dt is a softplus with bias, 5",
     {{"54111 v:21111 dt:41114 B:21511 C:21511", "dt"},
      {"54111 v:21111 dt:41116 B:21511 C:21511", "dt"}}},
    {"a decay a lies between 0 and 1: a sigmoid, 6 or 9, or of grouped channels its root, b",
     {{"64111 a:21111 v:21111", "a"},
      {"64111 a:21115 v:21111", "a"},
      {"64111 a:2111b v:21111", "a"},
      {"d4113 q:21111 k:21111 v:21111 a:4111a", "a"},
      {"d4113 q:21111 k:21111 v:21111 a:21118", "a"}}},
    {"a write strength beta lies between 0 and 2: a sigmoid, 6 or 9, or twice one, a",
     {{"c4113 q:21111 k:21118 v:21111 dt:31115 beta:31115", "beta"},
      {"e4113 q:21111 k:21118 v:21111 a:4111b beta:3111b", "beta"}}},
    {"twice a sigmoid (a) is for beta, and the root of one (b) for a",
     {{"12123 q:2111a k:21111 v:21111", "q"}, {"91142 gate:2141b v:21411", "gate"}}},
    {"unit length and unit RMS a head (8, c) need grouped channels",
     {{"91142 gate:21418 v:21411", "gate"},
      {"91142 gate:21411 v:2141c", "v"},
      {"73111 B:21118 C:21111 v:21111 kernel:13111", "B"},
      {"54111 v:21118 dt:41115 B:21511 C:21511", "v"}}},
};

}  // namespace

TEST_CASE("legality: every refusal has operators that it alone refuses, with its reason") {
  std::set<std::string> seen;
  for (const Refused& row : kRefused) {
    CHECK(!row.operators.empty());
    for (const Refused::Operator& op : row.operators) {
      Lines expected;
      std::istringstream roles(op.roles);
      for (std::string role; roles >> role;) expected.push_back(role + ": " + row.reason);
      if (expected.empty()) expected = {row.reason};
      INFO(std::string(op.text));
      CHECK(fmt::format("{}", fmt::join(reasons(op.text), "\n")) ==
            fmt::format("{}", fmt::join(expected, "\n")));
    }
    seen.insert(row.reason);
  }
  const Lines table = refusals();
  CHECK(std::set<std::string>(table.begin(), table.end()) == seen);
  CHECK(table.size() == seen.size());  // no two rows have one reason
}

TEST_CASE("legality: what no class of the pool shows is legal too") {
  for (const char* text :
       {// Every nonlinearity on the entries of a low-rank T, whole and banded.
        "12113 q:21111 k:21111 v:21111", "12123 q:21111 k:21111 v:21111",
        "12133 q:21111 k:21111 v:21111", "12143 q:21111 k:21111 v:21111",
        "12153 C:21117 B:21117 v:21111", "12213 q:21111 k:21111 v:21111",
        "12223 q:21111 k:21111 v:21111", "12233 q:21111 k:21111 v:21111",
        "12243 q:21111 k:21111 v:21111",
        // A gate behind it; repeated keys and values; another width.
        "12123 q:21111 k:21111 v:21111 z:21114", "12123 q:21111 k:21121 v:21121",
        "12123 q:21111 k:21131 v:21131", "12123 q:21211 k:21211 v:21211",
        "12123 q:11118 k:43118 v:23118",
        // States, in numbers of their own and by a diagonal step.
        "54111 v:21111 dt:41115 B:21511 C:21511", "54111 v:21111 dt:11115 B:41311 C:21311",
        "54111 v:21411 dt:41415 B:21111 C:21111", "54113 v:21111 dt:31115 B:21111 C:21111",
        "64111 a:21119 v:21111", "64111 a:21116 v:21111",
        "c4113 q:21111 k:21118 v:21111 dt:31115 beta:31116",
        "c4113 q:21111 k:21118 v:21111 dt:31115 beta:31119",
        "c4113 q:21111 k:21118 v:21111 dt:31115 beta:3111a",
        // Decays by key channel, their feature of any projection, and as a plain sigmoid.
        "d4113 q:21111 k:21111 v:21111 a:4111b", "d4113 C:2111c B:2111c v:21111 a:21116",
        "d4113 q:21111 k:21111 v:21111 a:11119", "e4113 q:21111 k:21118 v:21111 a:4111b beta:31119",
        "e4113 q:21111 k:25118 v:21111 a:4711b beta:3111a",
        // Convolutions of 4, 7 and 15 taps, and heads of unit RMS.
        "12123 q:25111 k:26111 v:27111", "12123 q:2111c k:2111c v:21111",
        "73111 B:21111 C:21111 v:21111 kernel:15111", "73111 B:27111 C:21111 v:21111 kernel:17111",
        // Both kinds of kernels, and gates of every width with every nonlinearity.
        "73111 B:21111 C:21111 v:21111 kernel:13111", "83111 B:21111 C:21111 v:21111 filter:14111",
        "91112 gate:41611 v:21611", "91132 gate:41611 v:21611", "91142 gate:41611 v:21611"}) {
    INFO(std::string(text));
    CHECK(fmt::format("{}", fmt::join(reasons(text), "\n")) == "");
  }
}

TEST_CASE("legality: each function of the entries has its operators, and is told where it fits") {
  std::vector<std::string> of_single_entries;
  for (auto& row : kEntries) {
    const int digit = int(row.entries);
    CAPTURE(digit);
    const auto stands = [&](const std::string& text) {
      return first_class(text).op.entries() == row.entries;
    };
    const std::vector<std::string> cases = all_cases();
    CHECK(std::any_of(cases.begin(), cases.end(), stands));
    if (!row.normalises) of_single_entries.push_back(std::to_string(digit));
  }
  const std::string last = of_single_entries.back();
  of_single_entries.pop_back();
  const std::string told =
      fmt::format("nonlinearity {} or {}", fmt::join(of_single_entries, ", "), last);
  const Lines table = refusals();
  CHECK(std::any_of(table.begin(), table.end(),
                    [&](const std::string& line) { return line.ends_with(told); }));
}

TEST_CASE("legality: digits out of range are reasons, whatever they are, and the only ones") {
  CHECK(kOperatorLimits == Digits{35, 4, 2, int(std::size(kEntries)), 3});
  CHECK(kGroupLimits == Digits{4, 7, 6, 3, 12});
  Rng rng(1, "test.legality");
  const Pool pool = extended_pool();
  for (int i = 0; i < 2000; ++i) {
    const LivClass& c = pool.classes[rng.below(uint32_t(pool.classes.size()))];
    OperatorGenome op = c.op;
    std::vector<FeatureGroup> groups = c.groups;
    const size_t g = rng.below(uint32_t(groups.size())), at = rng.below(5);
    const bool outer = rng.chance(0.5);
    const int limit = (outer ? kOperatorLimits : kGroupLimits)[at], wild = int(rng.below(80)) - 40;
    (outer ? op.digits : groups[g].digits)[at] = wild;
    const Lines lines = check_operator(op, groups);
    const std::string line =
        fmt::format("{}: digit {} is {}, must be 1 to {}",
                    outer ? "operator" : text_of(groups[g].role), at + 1, wild, limit);
    if (wild < 1 || wild > limit)
      CHECK(lines == Lines{line});
    else
      CHECK(std::find(lines.begin(), lines.end(), line) == lines.end());
  }
}

}  // namespace star::liv
