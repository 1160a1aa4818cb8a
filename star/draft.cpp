#include "star/draft.h"

#include <algorithm>
#include <map>

namespace star {
namespace {

// Settles one kind of sharing: `group` and `strategy` of each LIV, groups numbered from 1 within
// each class, 0 for none.
class Settlement {
 public:
  Settlement(Rng& rng, const Draft& draft, const Pool& pool, size_t kind)
      : rng_(rng), draft_(draft), kind_(kind), group_(draft.size()), strategy_(draft.size(), 1) {
    for (size_t i = 0; i < draft.size(); ++i) {
      const LivClass& c = *pool.find(draft[i].liv);
      const int most = strategies((c.*kSharingKinds[kind].shareable).size());
      if (most > 1 && follows(i)) join(i, most);
      earlier_[draft[i].liv].push_back(i);
    }
  }

  void write(std::vector<Segment>& segments) const {
    for (size_t i = 0; i < segments.size(); ++i) {
      segments[i].*kSharingKinds[kind_].group = std::max(group_[i], 1);
      segments[i].*kSharingKinds[kind_].strategy = strategy_[i];
    }
  }

 private:
  const DraftLink& link(size_t i) const { return draft_[i].links[kind_]; }

  bool follows(size_t i) {
    if (earlier_[draft_[i].liv].empty()) return false;
    if (link(i).state == DraftLink::State::open) return rng_.chance(kSharing);
    return link(i).state == DraftLink::State::follows;
  }

  void join(size_t i, int most) {
    const std::vector<size_t>& others = earlier_[draft_[i].liv];
    const size_t other = partner(i, others);
    if (group_[other] == 0) {
      group_[other] = ++groups_[draft_[i].liv];
      const int inherited = link(i).strategy;
      const bool fits = inherited >= 2 && inherited <= most;
      strategy_[other] = fits ? inherited : 2 + int(rng_.below(uint32_t(most - 1)));
    }
    group_[i] = group_[other];
    strategy_[i] = strategy_[other];
  }

  // Whom LIV i joins.
  size_t partner(size_t i, const std::vector<size_t>& others) {
    const bool full = groups_[draft_[i].liv] == kGroups;
    std::vector<size_t> donors, alone;
    std::vector<bool> met(kGroups + 1);
    for (size_t other : others) {
      const bool mate = link(i).group != 0 && link(other).group == link(i).group;
      if (mate && (group_[other] != 0 || !full)) return other;
      if (group_[other] == 0)
        alone.push_back(other);
      else if (!met[size_t(group_[other])])
        donors.push_back(other);
      met[size_t(group_[other])] = true;
    }
    const bool present = alone.empty() || full || (!donors.empty() && rng_.chance(0.5));
    const std::vector<size_t>& from = present ? donors : alone;
    return from[rng_.below(uint32_t(from.size()))];
  }

  Rng& rng_;
  const Draft& draft_;
  size_t kind_;
  std::vector<int> group_, strategy_;
  std::map<char, std::vector<size_t>> earlier_;
  std::map<char, int> groups_;  // how many there are of a class
};

}  // namespace

Draft draft_of(const std::vector<Segment>& segments, int parent) {
  Draft draft;
  std::map<char, int> seen;
  for (const Segment& s : segments) {
    draft.push_back({s.liv, s.parallel});
    if (seen[s.liv]++ > 0)
      for (DraftLink& link : draft.back().links) link.state = DraftLink::State::apart;
  }
  for (size_t kind = 0; kind < kSharingKinds.size(); ++kind) {
    int group = parent + 1;
    for (const std::vector<int>& members : sharing_groups(segments, kSharingKinds[kind])) {
      for (int member : members) {
        DraftLink& link = draft[size_t(member)].links[kind];
        if (member != members[0]) link.state = DraftLink::State::follows;
        link.group = group;
        link.strategy = segments[size_t(member)].*kSharingKinds[kind].strategy;
      }
      group += 2;
    }
  }
  return draft;
}

DraftLiv random_liv(Rng& rng, const ClassShares& classes) {
  const char liv = classes.draw(rng);
  return {liv, rng.chance(kParallel)};
}

std::vector<Segment> apart(const Draft& draft) {
  std::vector<Segment> segments;
  for (const DraftLiv& d : draft)
    segments.push_back({d.liv, 1, 1, 1, 1, d.parallel && !segments.empty()});
  return segments;
}

std::vector<Segment> settle(Rng& rng, const Draft& draft, const Pool& pool) {
  std::vector<Segment> segments = apart(draft);
  for (size_t kind = 0; kind < kSharingKinds.size(); ++kind)
    Settlement(rng, draft, pool, kind).write(segments);
  return segments;
}

}  // namespace star
