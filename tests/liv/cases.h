// Operators that tests go through: the classes, overrides of them, and operators at random.
#pragma once

#include <doctest/doctest.h>

#include "tests/liv/models.h"

namespace star::liv {

// Beside the classes of the pool: other entries of T, bands, repeats, widths, projections, states.
inline const char* const kOverrides[] = {"11111|1:12113",
                                         "11111|1:12133",
                                         "11111|1:12143",
                                         "11111|1:12223",
                                         "11111|1:12213",
                                         "11111|1:12233",
                                         "11111|1:12243",
                                         "11111|4:42133",
                                         "41111|4:42243",
                                         "11111|%1:21211,23221,21221",
                                         "11111|%1:11111,11114,23111",
                                         "21111|%2:43112,23131,21131",
                                         "i1111|%a:23217,21227,21221",
                                         "31111|%3:21118,23118,21116",
                                         "k1111|%b:23111,21111,23111,21114,31115",
                                         "k1111|%b:21211,21212,21211,21214,33215",
                                         "l1111|%c:23111,23118,23111,41114,31115,31116",
                                         "l1111|%c:21111,25118,21111,21114,31115,3111a",
                                         "q1111|%d:23111,2111c,23111,21114,21116",
                                         "q1111|%d:21211,21212,21211,21214,4721b",
                                         "r1111|%e:2111c,26118,21111,41114,11119,3111a",
                                         "11111|%1:2111c,2711c,25111",
                                         "71111|%7:27211,25211,21217,17211",
                                         "61111|%6:41116,21111,21114",
                                         "61111|%6:13119,23111,21111",
                                         "51111|%5:21214,21214,21215,21311,21311",
                                         "51111|%5:21611,23614,43615,23211,21217",
                                         "71111|%7:23211,41211,21217,13211",
                                         "81111|%8:21311,43311,23314,14311",
                                         "91111|9:91112",
                                         "91111|9:91132",
                                         "91111|%9:43611,23616"};

inline std::vector<std::string> all_cases() {
  std::vector<std::string> cases;
  const Pool pool = extended_pool();
  for (const LivClass& c : pool.classes) cases.push_back(std::string(1, c.id) + "1111");
  for (const char* text : kOverrides) cases.push_back(text);
  Rng rng(3, "test.views");
  for (int i = 0; i < 40; ++i)
    cases.push_back(to_text(repair(random_genome_text(rng, pool, 1, true), pool)));
  return cases;
}

inline constexpr int64_t kLengths[] = {1, 2, 3, 17, 63, 64, 65, 66, 130};
inline constexpr int64_t kShapes[][2] = {{8, 2},  {8, 4},  {24, 6}, {28, 7},
                                         {16, 1}, {10, 5}, {20, 2}};

struct SizedCase {
  LivClass liv;
  Sizes sizes;
  DType dtype;
  int64_t length;
  uint64_t seed;
  double bound() const { return dtype == DType::f64 ? 1e-10 : 1e-5; }
};

// Calls f for each case at a few random sizes and lengths, in both precisions.
template <class F>
void for_each_sized_case(const char* purpose, int settings, F f) {
  Rng rng(11, purpose);
  for (const std::string& text : all_cases())
    for (int i = 0; i < settings; ++i) {
      auto& shape = kShapes[rng.below(std::size(kShapes))];
      constexpr int64_t seqs[] = {3, 64, 200}, windows[] = {1, 4, 64, 200};
      SizedCase s;
      s.liv = first_class(text);
      s.sizes = {shape[0], shape[1], 11, seqs[rng.below(3)], windows[rng.below(4)]};
      s.dtype = i % 2 ? DType::f32 : DType::f64;
      s.length = kLengths[rng.below(std::size(kLengths))];
      s.seed = rng.bits();
      INFO(fmt::format("{}: width {}, {} heads, length {}, seq {}, window {}, {}, seed {}", text,
                       shape[0], shape[1], s.length, s.sizes.seq, s.sizes.window,
                       dtype_name(s.dtype), s.seed));
      f(s, rng);
    }
}

}  // namespace star::liv
