#include "star/shares.h"

#include <algorithm>

#include "core/error.h"

namespace star::synthesis {
namespace {

bool mixes_channels(const LivClass& c) { return c.op.mixing() == Mixing::diagonal; }

template <class Test>
double count(const Pool& pool, Test test) {
  return double(std::count_if(pool.classes.begin(), pool.classes.end(), test));
}

// Of its kind.
double share_of_kind(const LivClass& c, const Pool& pool) {
  const double channel_mixers = count(pool, mixes_channels);
  if (channel_mixers == 0 || channel_mixers == double(pool.classes.size())) return 1;
  return mixes_channels(c) ? kChannelMixers : 1 - kChannelMixers;
}

}  // namespace

bool accepts(Rng& rng, double p, double q) { return rng.chance((1 - p) / (1 - q)); }

bool redraw(Rng& rng, bool value, double p) {
  const double share = value ? p : 1 - p;
  return accepts(rng, share, 1 - share) ? !value : value;
}

ClassShares::ClassShares(const Pool& pool) {
  for (const LivClass& c : pool.classes) {
    const double bases = count(pool, [&](const LivClass& other) {
      return !other.differential && mixes_channels(other) == mixes_channels(c);
    });
    const double variants = count(
        pool, [&](const LivClass& other) { return other.differential && other.base == c.base; });
    double share = share_of_kind(c, pool) / bases;
    if (c.differential)
      share *= kDifferential / variants;
    else if (variants > 0)
      share *= 1 - kDifferential;
    entries_.push_back({c.id, share});
  }
}

double ClassShares::share(char id) const {
  for (const Entry& e : entries_)
    if (e.id == id) return e.share;
  fail("pool: class {} has no share", id);
}

char ClassShares::draw(Rng& rng) const { return draw_but(rng, 0); }

char ClassShares::redraw(Rng& rng, char id) const {
  if (entries_.size() == 1) return id;
  const char other = draw_but(rng, id);
  return accepts(rng, share(id), share(other)) ? other : id;
}

char ClassShares::draw_but(Rng& rng, char id) const {
  double total = 0;
  for (const Entry& e : entries_) total += e.id == id ? 0 : e.share;
  double left = rng.uniform() * total;
  char drawn = 0;
  for (const Entry& e : entries_) {
    if (e.id == id) continue;
    drawn = e.id;
    if ((left -= e.share) < 0) break;
  }
  return drawn;
}

}  // namespace star::synthesis
