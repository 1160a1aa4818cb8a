// Pools as a user might give them, for tests.
#pragma once

#include <numeric>
#include <string>

#include "liv/legality.h"
#include "star/repair.h"
#include "tests/liv/models.h"

namespace star {

// Some of the default classes, with digits changed on both levels, in random order and under other
// identifiers now and then.
inline Pool random_pool(Rng& rng) {
  const Pool extended = extended_pool();
  Pool pool =
      effective_pool(repair(random_genome_text(rng, extended, 3, true), extended), extended);
  // What was overridden without being in force may be illegal.
  auto illegal = [](const LivClass& c) { return !check_operator(c.op, c.groups).empty(); };
  std::erase_if(pool.classes, illegal);
  if (rng.chance(0.5)) {
    std::vector<int> ids(36);
    std::iota(ids.begin(), ids.end(), 0);
    rng.shuffle(ids);
    auto renamed = [&](char id) { return base36_digit(ids[size_t(base36_value(id))]); };
    for (LivClass& c : pool.classes) c.id = renamed(c.id), c.base = renamed(c.base);
    auto moved = [&](int id) { return 1 + (id + ids[0]) % 35; };
    for (Featurizer& f : pool.featurizers) f.id = base36_digit(moved(base36_value(f.id)));
    for (LivClass& c : pool.classes) c.op.digits[0] = moved(c.op.digits[0]);
    rng.shuffle(pool.classes);
  }
  // A class may go, with what is differential of it.
  const char gone = pool.classes[rng.below(uint32_t(pool.classes.size()))].id;
  std::erase_if(pool.classes, [&](const LivClass& c) { return c.id == gone || c.base == gone; });
  derive(pool);
  return pool;
}

}  // namespace star
