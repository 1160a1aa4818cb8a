// How often random genomes have what, and the step of mutation that leaves these shares as they
// are.
#pragma once

#include <vector>

#include "core/rng.h"
#include "liv/pool.h"

namespace star::synthesis {

inline constexpr double kChannelMixers = 0.5;  // LIVs whose T is diagonal; the others mix tokens
inline constexpr double kDifferential = 0.25;  // of a base that has differential variants, these
inline constexpr double kSharing = 0.2;        // LIVs that share with an earlier one of their class
inline constexpr double kParallel = 0.1;       // LIVs beside the one before, so that depth is depth

// Whether a mutation to another value is accepted: with probability min(1, (1 − p)/(1 − q)) for
// values of shares p and q. A value x that mutates into another one, y, with q(y)/(1 − p(x)) and is
// accepted so has the detailed balance p(x) P(x → y) = q(y) P(y → x), and of all ways to accept it
// this one moves most (Peskun, 1973; Liu, "Peskun's theorem and a modified discrete-state Gibbs
// sampler", 1996).
bool accepts(Rng& rng, double p, double q);

// A yes or no of share p of yes that mutates.
bool redraw(Rng& rng, bool value, double p);

// The classes of a pool, each with its share: kChannelMixers of them are channel mixers, where the
// pool has both kinds; in either all bases are equal, and a differential class is a variant of its
// base.
class ClassShares {
 public:
  explicit ClassShares(const Pool& pool);
  double share(char id) const;
  char draw(Rng& rng) const;
  char redraw(Rng& rng, char id) const;  // the class of a LIV of class `id` that mutates

 private:
  char draw_but(Rng& rng, char id) const;

  struct Entry {
    char id;
    double share;
  };
  std::vector<Entry> entries_;
};

}  // namespace star::synthesis
