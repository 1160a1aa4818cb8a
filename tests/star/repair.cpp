#include "star/repair.h"
#include "star/variation.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "liv/legality.h"

namespace star {
namespace {

std::string random_digits(Rng& rng, int most) {
  std::string text;
  for (int n = int(rng.below(uint32_t(most + 1))); n > 0; --n)
    text += base36_digit(int(rng.below(36)));
  return text;
}

// Mostly of the right length; the class often among few, so that there is something to share.
std::string random_segment_text(Rng& rng) {
  std::string text = rng.chance(0.8) ? random_digits(rng, 0) : random_digits(rng, 9);
  while (rng.chance(0.9) && text.size() < 6)
    text += base36_digit(int(rng.below(rng.chance(0.5) ? 4 : 36)));
  return text;
}

std::string random_override_text(Rng& rng, const Pool& pool) {
  const bool wild = rng.chance(0.3);
  if (rng.chance(0.5)) {
    const LivClass& c = pool.classes[rng.below(uint32_t(pool.classes.size()))];
    std::string digits = wild ? random_digits(rng, 7) : "";
    if (!wild)
      for (int d : c.op.digits) digits += base36_digit(rng.chance(0.8) ? d : int(rng.below(36)));
    return fmt::format("|{}:{}", c.id, digits);
  }
  const Featurizer& f = pool.featurizers[rng.below(uint32_t(pool.featurizers.size()))];
  std::string text =
      fmt::format("|%{}:", wild ? random_digits(rng, 0) + 'q' : std::string(1, f.id));
  for (size_t g = 0; g < f.groups.size(); ++g) {
    if (g) text += ',';
    if (wild) text += random_digits(rng, 7);
    for (int d : f.groups[g].digits) {
      if (!wild) text += base36_digit(rng.chance(0.8) ? d : int(rng.below(36)));
    }
  }
  return text;
}

std::string random_text(Rng& rng, const Pool& pool, bool overrides) {
  std::string text = random_segment_text(rng);
  for (int n = int(rng.below(12)); n > 0; --n) text += '-' + random_segment_text(rng);
  for (int n = overrides ? int(rng.below(5)) : 0; n > 0; --n)
    text += random_override_text(rng, pool);
  return text;
}

// A digit wrapped into 1 … n, by steps.
int wrapped(int x, int n) {
  while (x < 1) x += n;
  while (x > n) x -= n;
  return x;
}

}  // namespace

TEST_CASE("repair: any base-36 text becomes valid, once and for all") {
  Rng rng(4, "test.repair");
  for (const Pool& pool : {paper_pool(), extended_pool()}) {
    for (int round = 0; round < 2000; ++round) {
      const std::string text = random_text(rng, pool, round % 4 == 0);
      CAPTURE(text);
      const Genome genome = repair(text, pool);
      const std::string repaired = to_text(genome);
      CAPTURE(repaired);
      const GenomeCheck result = check(repaired, pool);
      if (!result.valid()) CAPTURE(result.errors[0]);
      REQUIRE(result.valid());
      CHECK(
          genome.segments.size() ==
          size_t(1 + std::count(text.begin(),
                                text.begin() + long(std::min(text.find('|'), text.size())), '-')));
      CHECK(to_text(repair(repaired, pool)) == repaired);
      const Genome canon = canonical(genome, pool);
      CHECK(parse(to_text(canon), pool) == canon);
      CHECK(canonical(canon, pool) == canon);
      CHECK(repair(canon, pool) == canon);
      for (char id : operators_in_force(canon, pool)) {
        const Pool effective = effective_pool(canon, pool);
        CHECK(check_operator(effective.find(id)->op, effective.find(id)->groups).empty());
      }
    }
  }
}

TEST_CASE("repair: digits wrap, and nothing else changes") {
  Rng rng(5, "test.repair");
  const Pool pool = paper_pool();
  for (int round = 0; round < 1000; ++round) {
    std::string text;
    for (int i = 0; i < 6; ++i) text += base36_digit(int(rng.below(36)));
    // Twice the same segment after another: a group of two, parallel or not.
    const Genome genome = repair("11111-" + text + "-" + text, pool);
    const LivClass& c = pool.classes[size_t(wrapped(base36_value(text[0]), 17) - 1)];
    const Segment expected = {c.id,
                              wrapped(base36_value(text[1]), 9),
                              wrapped(base36_value(text[2]), 1 << c.shareable_weights.size()),
                              wrapped(base36_value(text[3]), 9),
                              wrapped(base36_value(text[4]), 1 << c.shareable_features.size()),
                              wrapped(base36_value(text[5]), 2) == 2};
    CAPTURE(text);
    CHECK(genome.segments[1] == expected);
    CHECK(genome.segments[2] == expected);
  }
}

TEST_CASE("repair: lengths, sharing and composition") {
  const Pool pool = paper_pool();
  auto repaired = [&](const char* text) { return to_text(repair(text, pool)); };
  CHECK(repaired("") == "11111");
  CHECK(repaired("-9") == "11111-91111");
  CHECK(repaired("11111-1111122") == "11111-11111");
  CHECK(repaired("111112-111112-111111") == "11111-111112-11111");
  CHECK(repaired("11311") == "11111");
  CHECK(repaired("11312-11514-12314") == "11312-11312-12112");
  CHECK(repaired("11311-21311-a1311") == "11111-21111-a1111");
  CHECK_THROWS_WITH_AS(repair("11111-1_111", pool), doctest::Contains("segment 2, digit 2: '_'"),
                       Error);
  CHECK_THROWS_WITH_AS(repair("11111|2", pool), doctest::Contains("override 1: must be"), Error);
  CHECK_THROWS_WITH_AS(repair("11111|2:1,2", pool), doctest::Contains("override 1, digit 2: ','"),
                       Error);
}

TEST_CASE("repair: overrides") {
  const Pool pool = paper_pool();
  auto repaired = [&](const char* text) { return to_text(repair(text, pool)); };
  // One digit from legal.
  CHECK(repaired("11111|1:12121") == "11111|1:12123");
  // Four digits of the nonlinearity would do, and featurizer a: the smallest step.
  CHECK(repaired("11111|1:12153") == "11111|1:12143");
  // Two values at the same distance would do: the first of them.
  CHECK(repaired("11111|%1:22111,21111,21111") == "11111|%1:21111,21111,21111");
  CHECK(repaired("11111|%1:21111,23111,23211") == "11111|%1:21111,23111,23111");
  // The order of overrides of one kind, duplicates, differential and unknown classes.
  CHECK(repaired("11111|2:22223|1:12223|2:22213") == "11111|2:22223|1:12223");
  CHECK(repaired("11111|a:12223") == "11111|1:12223");
  CHECK(repaired("11111|i:12223") == "11111|1:12223");
  // Out of range, too short, too long.
  CHECK(repaired("11111|1:124230") == "11111|1:12223");
  CHECK(repaired("11111|%1:21111,23111") == "11111|%1:21111,23111,21111");
  CHECK(repaired("11111|%1:2,23111,21111,21111") == "11111|%1:21111,23111,21111");
}

TEST_CASE("repair: neighbours are what one digit leads to") {
  Rng rng(7, "test.repair");
  const Pool pool = paper_pool();
  for (int round = 0; round < 6; ++round) {
    Genome genome = random_genome(rng, pool, 3);
    if (round > 3) genome = canonical(repair(to_text(genome) + "|1:12223|9:91132", pool), pool);
    const std::string text = to_text(genome);
    std::string backbone = text.substr(0, text.find('|'));
    // Every segment with its sixth digit, every digit with every value.
    std::vector<std::string> segments(1);
    for (char c : backbone) {
      if (c == '-') segments.emplace_back();
      if (c != '-') segments.back() += c;
    }
    for (std::string& s : segments) s.resize(6, '1');
    const Pool effective = effective_pool(genome, pool);
    std::set<std::string> expected;
    for (std::string& s : segments) {
      for (char& digit : s) {
        const char before = digit;
        const size_t place = size_t(&digit - s.data());
        const LivClass& c = *effective.find(s[0]);
        const int limits[] = {
            17, 9, 1 << c.shareable_weights.size(), 9, 1 << c.shareable_features.size(), 2};
        for (int x = 1; x <= limits[place]; ++x) {
          digit = base36_digit(x);
          std::string changed = fmt::format("{}", fmt::join(segments, "-"));
          if (text.find('|') != text.npos) changed += text.substr(text.find('|'));
          expected.insert(to_text(canonical(repair(changed, pool), pool)));
        }
        digit = before;
      }
    }
    expected.erase(text);
    std::set<std::string> found;
    for (const Genome& n : neighbours(genome, pool)) {
      CHECK(found.insert(to_text(n)).second);
      CHECK(check(to_text(n), pool).valid());
    }
    CHECK(found.count(text) == 0);
    if (genome.has_overrides()) {
      CHECK(std::includes(found.begin(), found.end(), expected.begin(), expected.end()));
    } else {
      CHECK(found == expected);
    }
  }
}

}  // namespace star
