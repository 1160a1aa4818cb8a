#include "autograd/pair_order.h"

#include <bit>
#include <limits>

#include "autograd/network.h"
#include "core/error.h"

namespace star::autograd {
namespace {

// Letters of a subset of the factors that are needed outside of it, in order of appearance.
std::string open_letters(const std::vector<std::string>& factors, const std::string& result,
                         unsigned subset) {
  std::string open;
  for (size_t f = 0; f < factors.size(); ++f) {
    if (!(subset >> f & 1)) continue;
    for (char c : factors[f]) {
      bool outside = has(result, c);
      for (size_t g = 0; g < factors.size(); ++g)
        outside |= !(subset >> g & 1) && has(factors[g], c);
      if (outside && !has(open, c)) open += c;
    }
  }
  return open;
}

double volume(const std::string& letters, const Extents& extents) {
  double product = 1;
  for (char c : letters) product *= double(extents.at(c));
  return product;
}

}  // namespace

Cost pair_cost(const std::string& a, const std::string& b, const std::string& result,
               const Extents& extents) {
  std::string all = a;
  for (char c : b)
    if (!has(all, c)) all += c;
  double out = volume(result, extents);
  return {(all.size() > result.size() ? 2 : 1) * volume(all, extents),
          4 * (volume(a, extents) + volume(b, extents) + out), 4 * out, 1};
}

PairOrder cheapest_pairs(const std::vector<std::string>& factors, const std::string& result,
                         const Extents& extents, const Rates& rates) {
  size_t n = factors.size();
  require(n <= 12, "contract: {} factors; at most 12 are planned", n);
  unsigned all = (1u << n) - 1;
  struct Best {
    double time = std::numeric_limits<double>::infinity();
    Cost step;
    unsigned left = 0;
    std::string letters;
  };
  std::vector<Best> best(size_t(all) + 1);
  for (unsigned set = 1; set <= all; ++set) {
    Best& here = best[set];
    here.letters = open_letters(factors, result, set);
    if (std::has_single_bit(set)) {
      here.time = 0;
      continue;
    }
    // Each split once: the part with the lowest factor is the left one.
    for (unsigned left = (set - 1) & set; left; left = (left - 1) & set) {
      if (!(left & (set & -set))) continue;
      const Best &l = best[left], &r = best[set ^ left];
      Cost step = pair_cost(l.letters, r.letters, here.letters, extents);
      double time = l.time + r.time + step.time(rates);
      if (time < here.time) {
        here.time = time;
        here.step = step;
        here.left = left;
      }
    }
  }
  PairOrder order;
  int next = int(n);
  auto emit = [&](auto&& self, unsigned set) -> int {
    if (std::has_single_bit(set)) return std::countr_zero(set);
    int left = self(self, best[set].left), right = self(self, set ^ best[set].left);
    order.steps.push_back({left, right, best[set].letters, best[set].step});
    order.cost += best[set].step;
    return next++;
  };
  if (n > 0) emit(emit, all);
  if (!order.steps.empty()) order.steps.back().letters = result;
  return order;
}

}  // namespace star::autograd
