#include "star/after/consensus.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/error.h"
#include "core/rng.h"
#include "star/variation.h"

namespace star::synthesis {
namespace {

Consensus of(const std::vector<std::string>& texts, const Pool& pool = extended_pool()) {
  std::vector<Genome> ranked;
  for (auto& text : texts) ranked.push_back(parse(text, pool));
  return consensus_of(ranked, pool);
}

std::string genome_of(const std::vector<std::string>& texts) { return to_text(of(texts).genome); }

}  // namespace

TEST_CASE("consensus: each place has what most have there") {
  const Consensus c = of({"11111-91111-51111", "11111-71111-51111", "51111-91111-71111"});
  CHECK(to_text(c.genome) == "11111-91111-51111");
  REQUIRE(c.places.size() == 3);
  for (auto& place : c.places) {
    CHECK(place.votes == 2);
    CHECK(place.of == 3);
  }
  CHECK(c.depth_votes == 3);
  CHECK(genome_of({"11111"}) == "11111");
  CHECK_THROWS_AS(consensus_of({}, extended_pool()), Error);
}

TEST_CASE("consensus: of equal votes those of the better ranked count") {
  CHECK(genome_of({"71111-91111", "51111-71111"}) == "71111-91111");
  CHECK(genome_of({"51111-71111", "71111-91111"}) == "51111-71111");
  // Twice a worse one, and then the better of two pairs.
  CHECK(genome_of({"11111", "71111", "51111", "51111", "71111"}) == "71111");
}

TEST_CASE("consensus: the digits of a class are voted for by those that have it there") {
  // Of the three that are attention there two share, though of all genomes most do not.
  CHECK(genome_of({"71111-91111-71111", "21212-91111-21212", "51111-91111-51111",
                   "21111-91111-21111", "21212-91111-21212"}) == "21212-91111-21212");
  // A strategy whose partner was voted out shares nothing: it is repaired.
  CHECK(genome_of({"21212-91111-21212", "21212-21212-51111", "71111-91111-51111"}) ==
        "21111-91111-51111");
  CHECK(genome_of({"11111-711112", "11111-711112", "11111-71111"}) == "11111-711112");
}

TEST_CASE("consensus: the depth is that of most, and all vote that have a place") {
  const Consensus c = of({"11111-91111", "71111-91111-51111", "71111-51111-51111"});
  CHECK(to_text(c.genome) == "71111-91111-51111");
  CHECK(c.depth_votes == 2);
  CHECK(c.places[0].of == 3);
  CHECK(c.places[2].of == 2);
  CHECK(genome_of({"11111-91111", "71111-91111-51111"}) == "11111-91111");
}

TEST_CASE("consensus: overrides are voted for whole, by those that they would change") {
  const std::string banded = "11111-91111|1:12223", relu = "11111-91111|1:12133";
  CHECK(genome_of({relu, banded, banded}) == banded);
  CHECK(genome_of({banded, "11111-91111", "11111-91111"}) == "11111-91111");
  // Genomes without the class say nothing of it.
  CHECK(genome_of({banded, "11111-91111", banded, "51111-91111", "51111-91111"}) == banded);
  const std::string features = "21111-91111|%2:21111,23121,23121";
  CHECK(genome_of({features, features, "21111-91111"}) == features);
}

TEST_CASE("consensus: of whatever genomes, it is valid and canonical") {
  const Pool pool = paper_pool();
  Rng rng(3, "test.consensus");
  for (int round = 0; round < 200; ++round) {
    std::vector<Genome> ranked;
    for (int i = 0; i < 5; ++i) ranked.push_back(random_genome(rng, pool, 3 + int(rng.below(4))));
    const Consensus c = consensus_of(ranked, pool);
    const std::string text = to_text(c.genome);
    INFO(text);
    CHECK(check(text, pool).valid());
    CHECK(canonical(c.genome, pool) == c.genome);
    CHECK(c.places.size() == c.genome.segments.size());
    for (size_t i = 0; i < c.places.size(); ++i)
      CHECK(c.places[i].segment.liv == c.genome.segments[i].liv);
    // The majority of copies of one is that one.
    CHECK(consensus_of({ranked[0], ranked[0]}, pool).genome == ranked[0]);
  }
}

}  // namespace star::synthesis
