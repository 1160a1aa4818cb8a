// Depthwise causal convolution. The vectors lie across channels, so every tap is one fused
// multiply-add for a register of channels.
//
// A short kernel is applied in place. A long one works on strips of one register of channels, laid
// out contiguously, eight outputs by eight taps at a time: 64 multiply-adds for 23 loads.
#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {
namespace {

constexpr int64_t kShort = 8;  // taps up to which the direct form is used
constexpr int64_t kTile = 8;

// A strip: `rows` registers, preceded and followed by zeros so that tiles need no bounds.
template <class T>
struct Strip {
  Tensor memory;
  T* rows;
  Strip(Exec& exec, int64_t strips, int64_t n)
      : memory(exec.zeros({strips, n + 4 * kTile, kLanes<T>}, dtype_of<T>)),
        rows(memory.template data<T>() + 2 * kTile * kLanes<T>) {}
  T* of(int64_t strip) const { return rows + strip * memory.stride(0); }
};

// Row t of the strip = row t of x at some channels, in reversed order where `reverse`.
template <class T>
void gather(const T* x, int64_t n, int64_t channels, int64_t left, bool reverse, T* strip) {
  for (int64_t t = 0; t < n; ++t) {
    Vec<T> v = load(x + t * channels, left);
    v.store_unaligned(strip + (reverse ? n - 1 - t : t) * kLanes<T>);
  }
}

// y_t (+)= Σ_{τ ≤ t} k_τ x_{t−τ} for t < n on strips; k and x are zero outside 0 … n−1.
template <class T>
void convolve(const T* k, int64_t taps, const T* x, int64_t n, T* y) {
  constexpr int64_t W = kLanes<T>;
  for (int64_t t = 0; t < n; t += kTile) {
    Vec<T> sum[kTile];
    for (auto& s : sum) s = Vec<T>(T(0));
    int64_t reach = std::min(taps, std::min(t + kTile, n));
    for (int64_t tau = 0; tau < reach; tau += kTile) {
      Vec<T> window[2 * kTile - 1];  // x from t − tau − 7 to t − tau + 7
      for (int64_t i = 0; i < 2 * kTile - 1; ++i)
        window[i] = Vec<T>::load_unaligned(x + (t - tau - (kTile - 1) + i) * W);
#pragma GCC unroll 8
      for (int64_t u = 0; u < kTile; ++u) {
        Vec<T> tap = Vec<T>::load_unaligned(k + (tau + u) * W);
#pragma GCC unroll 8
        for (int64_t i = 0; i < kTile; ++i)
          sum[i] = xsimd::fma(tap, window[kTile - 1 + i - u], sum[i]);
      }
    }
    for (int64_t i = 0; i < kTile && t + i < n; ++i)
      (Vec<T>::load_unaligned(y + (t + i) * W) + sum[i]).store_unaligned(y + (t + i) * W);
  }
}

template <class T>
void conv_short(Exec& exec, const Conv<T>& args) {
  int64_t C = args.channels, sign = args.transpose ? 1 : -1;
  for_blocks(exec, args.batch * args.length, rows_a_block(C), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t t = row % args.length;
      int64_t reach = std::min(args.taps, args.transpose ? args.length - t : t + 1);
      const T* x = args.x + row * C;
      T* y = args.y + row * C;
      for (int64_t c = 0; c < C; c += kLanes<T>) {
        Vec<T> sum(T(0));
        for (int64_t tau = 0; tau < reach; ++tau)
          sum = xsimd::fma(load(args.k + tau * C + c, C - c), load(x + sign * tau * C + c, C - c),
                           sum);
        store(y + c, sum, C - c);
      }
    }
  });
}

template <class T>
void conv_long(Exec& exec, const Conv<T>& args) {
  int64_t C = args.channels, strips = blocks_of(C, kLanes<T>),
          taps = std::min(args.taps, args.length);
  Strip<T> kernel(exec, strips, taps);
  exec.pool().run(strips, [&](int64_t s) {
    int64_t c = s * kLanes<T>;
    gather(args.k + c, taps, C, C - c, false, kernel.of(s));
  });
  Strip<T> x(exec, args.batch * strips, args.length), y(exec, args.batch * strips, args.length);
  exec.pool().run(args.batch * strips, [&](int64_t task) {
    int64_t s = task % strips, c = s * kLanes<T>, base = task / strips * args.length * C + c;
    gather(args.x + base, args.length, C, C - c, args.transpose, x.of(task));
    convolve(kernel.of(s), taps, x.of(task), args.length, y.of(task));
    for (int64_t t = 0; t < args.length; ++t) {
      int64_t at = args.transpose ? args.length - 1 - t : t;
      store(args.y + base + t * C, Vec<T>::load_unaligned(y.of(task) + at * kLanes<T>), C - c);
    }
  });
}

template <class T>
void kernel_grad_short(Exec& exec, const ConvKernelGrad<T>& args) {
  int64_t C = args.channels, strips = blocks_of(C, kLanes<T>);
  exec.pool().run(strips, [&](int64_t s) {
    int64_t c = s * kLanes<T>;
    Vec<T> total[kShort];
    for (auto& v : total) v = Vec<T>(T(0));
    for (int64_t b = 0; b < args.batch; ++b) {
      Vec<T> part[kShort];
      for (auto& v : part) v = Vec<T>(T(0));
      for (int64_t t = 0; t < args.length; ++t) {
        int64_t at = (b * args.length + t) * C + c;
        Vec<T> dy = load(args.dy + at, C - c);
        for (int64_t tau = 0; tau < std::min(args.taps, t + 1); ++tau)
          part[tau] = xsimd::fma(dy, load(args.x + at - tau * C, C - c), part[tau]);
      }
      for (int64_t tau = 0; tau < args.taps; ++tau) total[tau] += part[tau];
    }
    for (int64_t tau = 0; tau < args.taps; ++tau) store(args.dk + tau * C + c, total[tau], C - c);
  });
}

// dk_τ = Σ_t dy_t x_{t−τ} = Σ_s x_s dy_{s+τ}: the transposed convolution of dy by x.
template <class T>
void kernel_grad_long(Exec& exec, const ConvKernelGrad<T>& args) {
  int64_t C = args.channels, L = args.length, strips = blocks_of(C, kLanes<T>);
  Strip<T> x(exec, strips, L), dy(exec, strips, L), dk(exec, strips, L);
  exec.pool().run(strips, [&](int64_t s) {
    int64_t c = s * kLanes<T>;
    for (int64_t b = 0; b < args.batch; ++b) {
      int64_t base = b * L * C + c;
      gather(args.x + base, L, C, C - c, false, x.of(s));
      gather(args.dy + base, L, C, C - c, true, dy.of(s));
      convolve(x.of(s), L, dy.of(s), L, dk.of(s));
    }
    for (int64_t tau = 0; tau < args.taps; ++tau) {
      Vec<T> v(T(0));
      if (tau < L) v = Vec<T>::load_unaligned(dk.of(s) + (L - 1 - tau) * kLanes<T>);
      store(args.dk + tau * C + c, v, C - c);
    }
  });
}

}  // namespace

template <class T>
void conv(Exec& exec, const Conv<T>& args) {
  args.taps <= kShort ? conv_short(exec, args) : conv_long(exec, args);
}

template <class T>
void conv_kernel_grad(Exec& exec, const ConvKernelGrad<T>& args) {
  args.taps <= kShort ? kernel_grad_short(exec, args) : kernel_grad_long(exec, args);
}

STAR_INSTANTIATE(conv, Conv)
STAR_INSTANTIATE(conv_kernel_grad, ConvKernelGrad)

}  // namespace star::cpu::STAR_TARGET
