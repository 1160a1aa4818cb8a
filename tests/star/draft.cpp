#include "star/draft.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "star/variation.h"

namespace star {
namespace {

Genome settled(Rng& rng, const Draft& draft, const Pool& pool) {
  return canonical({settle(rng, draft, pool), {}, {}}, pool);
}

}  // namespace

TEST_CASE("draft: a backbone that nothing has happened to is settled as it was") {
  const Pool pool = extended_pool();
  Rng rng(1, "test.draft");
  for (int round = 0; round < 300; ++round) {
    const Genome genome = random_genome(rng, pool, 1 + int(rng.below(40)));
    CHECK(settled(rng, draft_of(genome.segments, round % 2), pool) == genome);
  }
}

TEST_CASE("draft: who lost a group shares with another LIV of the class, or with none") {
  const Pool pool = paper_pool();
  Rng rng(2, "test.draft");
  Draft draft = draft_of(parse("51111-11314-51111-11314", pool).segments);
  draft[1] = {'1'};  // a newcomer in the place of the donor
  CHECK(to_text(settled(rng, draft, pool)) == "51111-11314-51111-11314");
  draft[1] = {'7'};
  CHECK(to_text(settled(rng, draft, pool)) == "51111-71111-51111-11111");
  // Groups of two parents stay apart, though they have one number in both.
  const Genome a = parse("11211-11211-11111-11111", pool),
               b = parse("11111-11111-11311-11311", pool);
  Draft child = draft_of(a.segments, 0);
  const Draft other = draft_of(b.segments, 1);
  std::copy(other.begin() + 2, other.end(), child.begin() + 2);
  CHECK(to_text(settled(rng, child, pool)) == "11211-11211-12311-12311");
}

TEST_CASE("draft: who had nobody to share with, and now has, shares as in a random genome") {
  const Pool pool = paper_pool();
  Rng rng(3, "test.draft");
  int shares = 0;
  for (int round = 0; round < 4000; ++round) {
    Draft draft = draft_of(parse("71111-11111", pool).segments);
    draft[0] = {'1'};
    shares += settled(rng, draft, pool).segments[1].weight_strategy != 1;
  }
  CHECK(std::abs(shares / 4000.0 - kSharing) < 0.03);  // five deviations
}

TEST_CASE("draft: there are nine groups of a class at most") {
  const Pool pool = paper_pool();
  const DraftLink apart = {DraftLink::State::apart}, follows = {DraftLink::State::follows};
  for (uint64_t round = 0; round < 20; ++round) {
    Rng rng(4, "test.draft", round);
    Draft draft(30, {'1', false, {apart, apart}});
    draft.resize(60, {'1', false, {follows, follows}});
    const Genome genome = settled(rng, draft, pool);
    CHECK(check(to_text(genome), pool).valid());
    for (size_t i = 30; i < 60; ++i) CHECK(genome.segments[i].weight_strategy != 1);
  }
}

}  // namespace star
