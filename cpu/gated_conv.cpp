// A short convolution between two gates, in one pass over the tokens: the rows that the taps reach
// are in the first-level cache, so the product b · v is made again rather than stored.
#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {
namespace {

// Σ_τ k_τ p_τ q_τ for a register of channels; p and q go on by `step` from tap to tap.
template <class T>
inline Vec<T> reach(const T* k, const T* p, const T* q, int64_t taps, int64_t step,
                    int64_t channels, int64_t left) {
  Vec<T> sum(T(0));
  for (int64_t tau = 0; tau < taps; ++tau) {
    Vec<T> u = load(p + tau * step, left) * load(q + tau * step, left);
    sum = xsimd::fma(load(k + tau * channels, left), u, sum);
  }
  return sum;
}

}  // namespace

template <class T>
void gated_conv(Exec& exec, const GatedConv<T>& g) {
  int64_t C = g.channels;
  for_blocks(exec, g.batch * g.length, rows_a_block(C), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t taps = std::min(g.taps, row % g.length + 1);
      for (int64_t c = 0; c < C; c += kLanes<T>) {
        int64_t at = row * C + c, left = C - c;
        Vec<T> y = reach(g.k + c, g.b + at, g.v + at, taps, -C, C, left);
        store(g.y + at, load(g.c + at, left) * y, left);
      }
    }
  });
}

template <class T>
void gated_conv_grad(Exec& exec, const GatedConvGrad<T>& g) {
  int64_t C = g.channels, rows = g.batch * g.length, block = rows_a_block(C);
  int64_t blocks = blocks_of(rows, block);
  Tensor parts = exec.zeros({blocks, g.taps, C}, dtype_of<T>);
  for_blocks(exec, rows, block, [&](int64_t begin, int64_t end) {
    T* dk = parts.template data<T>() + begin / block * g.taps * C;
    for (int64_t row = begin; row < end; ++row) {
      int64_t t = row % g.length;
      int64_t behind = std::min(g.taps, t + 1), ahead = std::min(g.taps, g.length - t);
      for (int64_t c = 0; c < C; c += kLanes<T>) {
        int64_t at = row * C + c, left = C - c;
        Vec<T> dy = load(g.dy + at, left), s = dy * load(g.c + at, left), y(T(0));
        for (int64_t tau = 0; tau < behind; ++tau) {
          int64_t from = at - tau * C;
          Vec<T> u = load(g.b + from, left) * load(g.v + from, left);
          y = xsimd::fma(load(g.k + tau * C + c, left), u, y);
          T* sum = dk + tau * C + c;
          store(sum, xsimd::fma(s, u, load(sum, left)), left);
        }
        Vec<T> r = reach(g.k + c, g.dy + at, g.c + at, ahead, C, C, left);
        store(g.dc + at, dy * y, left);
        store(g.db + at, r * load(g.v + at, left), left);
        store(g.dv + at, r * load(g.b + at, left), left);
      }
    }
  });
  std::fill(g.dk, g.dk + g.taps * C, T(0));
  for (int64_t b = 0; b < blocks; ++b)
    for (int64_t i = 0; i < g.taps * C; ++i)
      g.dk[i] += parts.template data<T>()[b * g.taps * C + i];
}

STAR_INSTANTIATE(gated_conv, GatedConv)
STAR_INSTANTIATE(gated_conv_grad, GatedConvGrad)

}  // namespace star::cpu::STAR_TARGET
