#include "core/math.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/rng.h"

using namespace star;

namespace {

// By division, in double precision, by the distance between neighbours.
float nearest(float x, int dropped) {
  const int exponent = x == 0 ? -126 : std::max(std::ilogb(x), -126);
  const double apart = std::ldexp(1.0, exponent - 23 + dropped);
  return float(std::nearbyint(double(x) / apart) * apart);
}

}  // namespace

TEST_CASE("math: a number is rounded to its nearest neighbour, and of two to the even one") {
  Rng rng(1, "test.math");
  for (Math math : {Math::tf32, Math::bf16}) {
    const int dropped = dropped_bits(math);
    for (int i = 0; i < 20000; ++i) {
      uint32_t bits = uint32_t(rng.bits());
      if (i % 3 == 0) bits = bits >> dropped << dropped | uint32_t(1) << (dropped - 1);  // between
      if (i % 5 == 0) bits &= 0x807fffff;  // subnormal
      const float x = std::bit_cast<float>(bits);
      if (!std::isfinite(x)) continue;
      CHECK_MESSAGE(rounded(x, dropped) == nearest(x, dropped), x);
      CHECK(rounded(rounded(x, dropped), dropped) == rounded(x, dropped));
    }
  }
  CHECK(rounded(1 + std::ldexp(1.f, -8), 16) == 1);
  CHECK(rounded(1 + 3 * std::ldexp(1.f, -8), 16) == 1 + std::ldexp(1.f, -6));
  CHECK(rounded(1 + std::ldexp(1.f, -10), 13) == 1 + std::ldexp(1.f, -10));
  CHECK(rounded(1 + std::ldexp(1.f, -11), 13) == 1);
}

TEST_CASE(
    "math: what is no finite number stays so, and what is beyond the largest becomes infinite") {
  const float infinite = std::numeric_limits<float>::infinity();
  for (int dropped : {13, 16}) {
    CHECK(rounded(infinite, dropped) == infinite);
    CHECK(rounded(-infinite, dropped) == -infinite);
    CHECK(rounded(std::numeric_limits<float>::max(), dropped) == infinite);
    CHECK(std::signbit(rounded(-0.f, dropped)));
    for (uint32_t nan : {0x7fc00000u, 0x7f800001u, 0x7fffffffu, 0xffffffffu})
      CHECK(std::isnan(rounded(std::bit_cast<float>(nan), dropped)));
  }
}
