#include "star/sharing.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/error.h"
#include "star/repair.h"

namespace star::synthesis {
namespace {

bool same_group(const Segment& a, const Segment& b, bool weights) {
  if (a.liv != b.liv) return false;
  if (weights)
    return a.weight_strategy != 1 && b.weight_strategy != 1 && a.weight_group == b.weight_group;
  return a.feature_strategy != 1 && b.feature_strategy != 1 && a.feature_group == b.feature_group;
}

// Whether a strategy names a role among the shareable ones, as star/README.md words it.
bool named(Role role, int strategy, const std::vector<Role>& shareable) {
  // β goes with dt or a, of which a class has one.
  const auto transition = [](Role r) { return r == Role::dt || r == Role::a; };
  for (size_t bit = 0; bit < shareable.size(); ++bit) {
    if (shareable[bit] != role && !(role == Role::beta && transition(shareable[bit]))) continue;
    return strategy == 2 || (strategy > 2 && ((strategy - 2) >> bit) % 2 == 1);
  }
  return false;
}

int donor(const Genome& g, const Pool& pool, size_t l, Role role) {
  const Segment& s = g.segments[l];
  if (!named(role, s.feature_strategy, pool.find(s.liv)->shareable_features)) return int(l);
  for (size_t m = 0; m < l; ++m) {
    if (same_group(g.segments[m], s, false)) return int(m);
  }
  return int(l);
}

int owner(const Genome& g, const Pool& pool, size_t l, Role role) {
  const Segment& s = g.segments[l];
  if (donor(g, pool, l, role) != int(l)) return -1;
  if (!named(role, s.weight_strategy, pool.find(s.liv)->shareable_weights)) return int(l);
  for (size_t m = 0; m < l; ++m) {
    if (same_group(g.segments[m], s, true) && donor(g, pool, m, role) == int(m)) return int(m);
  }
  return int(l);
}

}  // namespace

TEST_CASE("sharing: the plan is what the definition says, LIV by LIV") {
  Rng rng(8, "test.sharing");
  const Pool extended = extended_pool();
  int reused = 0, apart = 0;
  for (int round = 0; round < 400; ++round) {
    Pool pool = extended;
    rng.shuffle(pool.classes);
    // Two bases, or their differential variants, over few groups: much is shared.
    std::string text;
    for (int i = 0; i < 12; ++i) {
      const LivClass& c = pool.classes[rng.below(2)];
      text += fmt::format("{}{}{}{}{}{}", i ? "-" : "", c.id, 1 + rng.below(2),
                          base36_digit(int(rng.below(36))), 1 + rng.below(2),
                          base36_digit(int(rng.below(36))));
    }
    const Genome genome = repair(text, extended);
    const SharingPlan plan = plan_sharing(genome, extended);
    REQUIRE(plan.size() == 12);
    for (size_t l = 0; l < 12; ++l) {
      const LivClass& c = *extended.find(genome.segments[l].liv);
      REQUIRE(plan[l].size() == c.groups.size());
      for (size_t g = 0; g < c.groups.size(); ++g) {
        CHECK(plan[l][g].feature == donor(genome, extended, l, c.groups[g].role));
        CHECK(plan[l][g].weights == owner(genome, extended, l, c.groups[g].role));
        reused += plan[l][g].feature != int(l);
        apart += g > 0 && plan[l][g].weights >= 0 && plan[l][0].weights >= 0 &&
                 plan[l][g].weights != plan[l][0].weights;
      }
    }
  }
  CHECK(reused > 0);
  CHECK(apart > 0);
}

TEST_CASE("sharing: the example of the genome") {
  const Pool pool = paper_pool();
  const SharingPlan plan = plan_sharing(parse("22212-91111-22212-91111", pool), pool);
  CHECK(plan[0] == std::vector<FeatureSource>{{0, 0}, {0, 0}, {0, 0}});
  CHECK(plan[1] == std::vector<FeatureSource>{{1, 1}, {1, 1}});
  CHECK(plan[2] == std::vector<FeatureSource>{{2, 0}, {0, -1}, {0, -1}});
}

TEST_CASE("sharing: owners of one group may differ by feature; inside a parallel run too") {
  const Pool pool = paper_pool();
  // LIV 1 reuses the keys and values of LIV 0, which is in no weight group; LIV 2 computes its own.
  const SharingPlan plan = plan_sharing(parse("11112-112122-112112", pool), pool);
  CHECK(plan[1] == std::vector<FeatureSource>{{1, 1}, {0, -1}, {0, -1}});
  CHECK(plan[2] == std::vector<FeatureSource>{{2, 1}, {2, 2}, {2, 2}});
}

TEST_CASE("sharing: beta goes with dt") {
  const Pool pool = extended_pool();
  // Weights: dt is bit 4, mask 16. Features: dt is bit 2, mask 4.
  SharingPlan plan = plan_sharing(parse("l1i11-l1i11", pool), pool);
  CHECK(plan[1] == std::vector<FeatureSource>{{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 0}, {1, 0}});
  plan = plan_sharing(parse("l1116-l1116", pool), pool);
  CHECK(plan[1] == std::vector<FeatureSource>{{1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, -1}, {0, -1}});
  CHECK_THROWS_WITH_AS(plan_sharing(named_genome("@linear"), paper_pool()),
                       doctest::Contains("class i is not in the pool"), Error);
}

}  // namespace star::synthesis
