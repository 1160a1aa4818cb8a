// A backbone while it is bred: each LIV with what it has inherited of its sharing, before it is
// settled whom it shares with.
//
// In a random genome each LIV that has an earlier one of its class shares with one of these with
// probability kSharing, by itself, weights and features apart. So that breeding changes nothing
// about that, the answer is a property of the LIV, which goes where the LIV goes: one whose group
// was left behind looks for another in its new surroundings, one that had nobody to share with, and
// now has, gives its answer then.
#pragma once

#include <array>
#include <vector>

#include "star/genome.h"
#include "star/shares.h"

namespace star {

inline constexpr std::array<SharingKind, 2> kSharingKinds = {kWeightSharing, kFeatureSharing};

struct DraftLink {
  enum class State {
    open,     // the first of its class: to be drawn as soon as it is not
    apart,    // shares with no earlier one; later ones may share with it
    follows,  // shares with an earlier one
  };
  State state = State::open;
  int group = 0;     // a number that members of one group have in common; 0: any
  int strategy = 0;  // 2, 3, …; 0: to be drawn
};

struct DraftLiv {
  char liv;
  bool parallel = false;
  std::array<DraftLink, 2> links = {};  // one a kind of sharing
};

using Draft = std::vector<DraftLiv>;

// What a child may inherit of a valid backbone. Of a child's two parents, 0 and 1, groups have
// different numbers.
Draft draft_of(const std::vector<Segment>& segments, int parent = 0);

// A LIV of a random genome.
DraftLiv random_liv(Rng& rng, const ClassShares& classes);

// The backbone without sharing.
std::vector<Segment> apart(const Draft& draft);

// The backbone, valid in the pool: from first to last, each LIV that follows joins its group, or
// where no earlier member is left, as often one of the groups of earlier LIVs of its class as one
// of these that is in no group.
std::vector<Segment> settle(Rng& rng, const Draft& draft, const Pool& pool);

}  // namespace star
