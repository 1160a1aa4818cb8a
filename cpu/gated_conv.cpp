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
void gated_conv(Exec& exec, const GatedConv<T>& args) {
  int64_t C = args.channels;
  for_blocks(exec, args.batch * args.length, rows_a_block(C), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t taps = std::min(args.taps, row % args.length + 1);
      for (int64_t c = 0; c < C; c += kLanes<T>) {
        int64_t at = row * C + c, left = C - c;
        Vec<T> y = reach(args.k + c, args.b + at, args.v + at, taps, -C, C, left);
        store(args.y + at, load(args.c + at, left) * y, left);
      }
    }
  });
}

template <class T>
void gated_conv_grad(Exec& exec, const GatedConvGrad<T>& args) {
  int64_t C = args.channels, rows = args.batch * args.length, block = rows_a_block(C);
  int64_t blocks = blocks_of(rows, block);
  Tensor parts = exec.zeros({blocks, args.taps, C}, dtype_of<T>);
  for_blocks(exec, rows, block, [&](int64_t begin, int64_t end) {
    T* dk = parts.template data<T>() + begin / block * args.taps * C;
    for (int64_t row = begin; row < end; ++row) {
      int64_t t = row % args.length;
      int64_t behind = std::min(args.taps, t + 1), ahead = std::min(args.taps, args.length - t);
      for (int64_t c = 0; c < C; c += kLanes<T>) {
        int64_t at = row * C + c, left = C - c;
        Vec<T> dy = load(args.dy + at, left), s = dy * load(args.c + at, left), y(T(0));
        for (int64_t tau = 0; tau < behind; ++tau) {
          int64_t from = at - tau * C;
          Vec<T> u = load(args.b + from, left) * load(args.v + from, left);
          y = xsimd::fma(load(args.k + tau * C + c, left), u, y);
          T* sum = dk + tau * C + c;
          store(sum, xsimd::fma(s, u, load(sum, left)), left);
        }
        Vec<T> r = reach(args.k + c, args.dy + at, args.c + at, ahead, C, C, left);
        store(args.dc + at, dy * y, left);
        store(args.db + at, r * load(args.v + at, left), left);
        store(args.dv + at, r * load(args.b + at, left), left);
      }
    }
  });
  std::fill(args.dk, args.dk + args.taps * C, T(0));
  for (int64_t b = 0; b < blocks; ++b)
    for (int64_t i = 0; i < args.taps * C; ++i)
      args.dk[i] += parts.template data<T>()[b * args.taps * C + i];
}

STAR_INSTANTIATE(gated_conv, GatedConv)
STAR_INSTANTIATE(gated_conv_grad, GatedConvGrad)

}  // namespace star::cpu::STAR_TARGET
