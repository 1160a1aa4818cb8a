// The diagonal recurrence h_t = a_t h_{t−1} + b_t: a register of channels walks along the tokens.
#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {

template <class T>
void scan(Exec& exec, const Scan<T>& g) {
  constexpr int64_t kStrip = 4 * kLanes<T>;  // channels a task: whole cache lines
  int64_t C = g.channels, L = g.length, strips = blocks_of(C, kStrip);
  exec.pool().run(g.batch * strips, [&](int64_t task) {
    int64_t b = task / strips, begin = task % strips * kStrip, end = std::min(C, begin + kStrip);
    for (int64_t c = begin; c < end; c += kLanes<T>) {
      int64_t left = end - c, base = b * L * C + c;
      Vec<T> h = g.h0 ? load(g.h0 + b * C + c, left) : Vec<T>(T(0));
      if (!g.reverse) {
        for (int64_t at = base; at < base + L * C; at += C) {
          h = xsimd::fma(load(g.a + at, left), h, load(g.b + at, left));
          store(g.h + at, h, left);
        }
      } else {
        for (int64_t at = base + (L - 1) * C; at >= base; at -= C) {
          h += load(g.b + at, left);
          store(g.h + at, h, left);
          h *= load(g.a + at, left);
        }
      }
    }
  });
}

STAR_INSTANTIATE(scan, Scan)

}  // namespace star::cpu::STAR_TARGET
