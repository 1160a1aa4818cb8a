#include "star/drawing.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "core/error.h"
#include "star/compiler.h"
#include "star/repair.h"
#include "tests/liv/models.h"

namespace star {
namespace {

std::string drawn(const Genome& genome) {
  return draw(genome, Backbone(nullptr, compile(genome, extended_pool()), {}), 4096);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// What a terminal shows in a column, from 1: a code point.
char at_column(std::string_view line, size_t column) {
  for (char c : line)
    if ((static_cast<unsigned char>(c) >> 6) != 2 && --column == 0) return char(c);
  return 0;
}

}  // namespace

TEST_CASE("drawing: brackets connect what shares and what runs in parallel") {
  const Genome genome = parse("b1514-91311-b1514-l1k16-l1k162-91311", extended_pool());
  CHECK("\n" + drawn(genome) == R"(
LIV   class        parameters       cache  weights        features
      embed             16384
  1 │ D-SA-2            25604  3074.5 KiB  ┌  gives q k   ┌ gives v
  2 │ GMemless          33856         0 B  │┌ gives gate  │
  3 │ D-SA-2             4164  2050.0 KiB  └│ q k of 1    └ v of 1
  4 ┌ Rec-4             21068      4096 B  ┌│ gives k     ┌ gives dt beta
  5 └ Rec-4             16456      4096 B  └│ k of 4      └ dt beta of 4
  6 │ GMemless          22592         0 B   └ gate of 2
      norm, embed          64
      total            140188  5132.5 KiB
)");
}

TEST_CASE("drawing: sizes have the unit in which they are ten or more") {
  CHECK(size_text(0) == "0 B");
  CHECK(size_text(10 * 1024 - 1) == "10239 B");
  CHECK(size_text(10 * 1024) == "10.0 KiB");
  CHECK(size_text(10 * 1024 * 1024 - 1) == "10240.0 KiB");
  CHECK(size_text(10 * 1024 * 1024) == "10.0 MiB");
  CHECK(size_text(int64_t(5) << 40) == "5242880.0 MiB");
}

TEST_CASE("drawing: rows are aligned, and say what every LIV takes and gives") {
  const Pool pool = extended_pool();
  size_t links = 0;
  for (uint64_t round = 0; round < 100; ++round) {
    Rng rng(50, "test.drawing", round);
    const int depth = round % 10 ? 1 + int(rng.below(12)) : 120;
    const Genome genome =
        canonical(repair(random_genome_text(rng, pool, depth, false), pool), pool);
    CAPTURE(to_text(genome));
    const std::vector<std::string> lines = lines_of(drawn(genome));
    REQUIRE(lines.size() == size_t(depth) + 4);
    const Backbone backbone(nullptr, compile(genome, pool), {});
    const size_t cache_end = lines[0].find("cache") + 5;
    for (int l = 0; l < depth; ++l) {
      const std::string& line = lines[size_t(l) + 2];
      const Block& block = backbone.blocks()[size_t(l)];
      CHECK(line.starts_with(fmt::format("{:>3} ", l + 1)));
      CHECK(at_column(line, cache_end) == 'B');
      CHECK(at_column(line, cache_end + 1) != 'B');
      for (size_t g = 0; g < block.sources.size(); ++g) {
        const FeatureSource& s = block.sources[g];
        const int from = s.feature != l ? s.feature : s.weights;
        if (from == l) continue;
        ++links;
        const std::string name = text_of(block.liv.groups[g].role);
        CHECK(line.find(name + " ") != line.npos);
        CHECK(line.find(fmt::format("of {}", from + 1)) != line.npos);
        CHECK(lines[size_t(from) + 2].find("gives") != line.npos);
      }
    }
  }
  CHECK(links > 500);
}

}  // namespace star
