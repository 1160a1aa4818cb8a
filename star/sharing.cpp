#include "star/sharing.h"

#include <algorithm>

#include "core/error.h"

namespace star::synthesis {
namespace {

// Whether the strategy names the role, by the one whose sharing it follows.
bool shares(const LivClass& liv, Role role, int strategy, const std::vector<Role>& shareable) {
  auto it = std::find(shareable.begin(), shareable.end(), shared_with(liv.groups, role));
  if (it == shareable.end()) return false;
  return strategy_mask(strategy, shareable.size()) >> (it - shareable.begin()) & 1;
}

// Calls share(members, g) for each sharing group and each feature group g that its members share.
template <class Share>
void for_each_shared(const Genome& genome, const Pool& pool, const SharingKind& kind, Share share) {
  for (const std::vector<int>& members : sharing_groups(genome.segments, kind)) {
    const Segment& donor = genome.segments[size_t(members[0])];
    const LivClass& c = *pool.find(donor.liv);
    for (size_t g = 0; g < c.groups.size(); ++g) {
      if (shares(c, c.groups[g].role, donor.*kind.strategy, c.*kind.shareable)) share(members, g);
    }
  }
}

}  // namespace

SharingPlan plan_sharing(const Genome& genome, const Pool& pool) {
  SharingPlan plan;
  for (size_t l = 0; l < genome.segments.size(); ++l) {
    const LivClass* c = pool.find(genome.segments[l].liv);
    require(c, "genome: segment {}: class {} is not in the pool", l + 1, genome.segments[l].liv);
    plan.emplace_back(c->groups.size(), FeatureSource{int(l), int(l)});
  }
  for_each_shared(genome, pool, kFeatureSharing, [&](const std::vector<int>& members, size_t g) {
    for (size_t i = 1; i < members.size(); ++i) plan[size_t(members[i])][g] = {members[0], -1};
  });
  // Followers have no weights, so the first member that computes the feature owns them.
  for_each_shared(genome, pool, kWeightSharing, [&](const std::vector<int>& members, size_t g) {
    int owner = -1;
    for (int member : members) {
      FeatureSource& source = plan[size_t(member)][g];
      if (source.weights < 0) continue;
      if (owner < 0) owner = member;
      source.weights = owner;
    }
  });
  return plan;
}

}  // namespace star::synthesis
