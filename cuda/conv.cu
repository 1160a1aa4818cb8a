// Causal depthwise convolutions.
#include "cuda/backend.h"

namespace star::cuda {
namespace {

// Places in [batch, length, channels].
struct Place {
  int64_t batch, t, channel;
  __device__ Place(int64_t i, int64_t length, int64_t channels)
      : batch(i / channels / length), t(i / channels % length), channel(i % channels) {}
};

// Sums along a channel, Σ_n a(n) b(n − r) for each r, of which neighbours share their factors. A
// block has 32 channels, a lane each, and up to eight warps have kOwn sums each. Factors come
// through shared memory, kTerms of the sums at a time; each that is read there is for kOwn products.
constexpr int kOwn = 8, kTerms = 64;
constexpr int64_t kMostWarps = 8;

template <class T>
size_t factor_bytes(int64_t warps) {
  return size_t(2 * kTerms + warps * kOwn - 1) * 32 * sizeof(T);
}

// Calls use(r, sum) for the sums over n = first … last − 1 of this thread.
template <class T, class A, class B, class Use>
__device__ void sliding_sums(int first, int last, const A& a, const B& b, const Use& use) {
  int warps = int(blockDim.x) / 32, warp = int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
  int sums = warps * kOwn, zero = sums - 1 - warp * kOwn;  // where b(n) lies, of the first sum
  SharedMemory memory;
  Shared<T> of_a = memory.take<T>(kTerms * 32), of_b = memory.take<T>((kTerms + sums - 1) * 32);
  T totals[kOwn] = {};
  for (int n = first; n < last; n += kTerms) {
    int terms = last - n < kTerms ? int(blocks_of(last - n, kOwn)) * kOwn : kTerms;
    map_range<kAhead>(
        warp, terms, warps, [&](int64_t j) { return n + j < last ? a(int(n + j)) : T(0); },
        [&](int64_t j, T value) { of_a[j * 32 + lane] = value; });
    map_range<kAhead>(
        warp, terms + sums - 1, warps, [&](int64_t j) { return b(int(n + j - sums + 1)); },
        [&](int64_t j, T value) { of_b[j * 32 + lane] = value; });
    __syncthreads();
    T runs[kOwn] = {}, window[2 * kOwn - 1];  // window[j] is b(n + m + kOwn − 1 − j)
    for (int j = 0; j < kOwn - 1; ++j) window[j] = of_b[(zero - 1 - j) * 32 + lane];
    for (int m = 0; m < terms; m += kOwn) {
      for (int j = kOwn - 2; j >= 0; --j) window[j + kOwn] = window[j];
      for (int j = 0; j < kOwn; ++j) window[kOwn - 1 - j] = of_b[(zero + m + j) * 32 + lane];
      for (int j = 0; j < kOwn; ++j) {
        T factor = of_a[(m + j) * 32 + lane];
        for (int r = 0; r < kOwn; ++r) runs[r] += factor * window[kOwn - 1 - j + r];
      }
    }
    for (int r = 0; r < kOwn; ++r) totals[r] += runs[r];
    __syncthreads();  // before the next factors
  }
  for (int r = 0; r < kOwn; ++r) use(warp * kOwn + r, totals[r]);
}

// The block's sums begin with `first` of the `sums` along a channel; so for each of `items`, which
// are sequences or parts.
struct Run {
  int64_t item;
  int first, channel;
  __device__ Run(int64_t sums, int64_t channels) {
    int64_t columns = blocks_of(channels, 32), own = blockDim.x / 32 * kOwn;
    int64_t blocks = blocks_of(sums, own), block = blockIdx.x / columns;
    item = block / blocks;
    first = int(block % blocks * own);
    channel = int(blockIdx.x % columns * 32 + threadIdx.x % 32);
  }
};
template <class T, class... Parameters>
void launch_runs(void (*kernel)(Parameters...), int64_t items, int64_t sums, int64_t channels,
                 const std::type_identity_t<Parameters>&... arguments) {
  if (items * sums * channels == 0) return;
  int64_t warps = std::min(blocks_of(sums, kOwn), kMostWarps);
  int64_t blocks = items * blocks_of(sums, warps * kOwn) * blocks_of(channels, 32);
  launch(kernel, blocks, warps * 32, factor_bytes<T>(warps), stream(), arguments...);
}

// The transpose is the same, back in time.
template <class T>
__global__ void conv_kernel(Conv<T> args) {
  int64_t C = args.channels, L = args.length, step = args.transpose ? -C : C;
  auto [batch, first, channel] = Run(L, C);
  int64_t start = (batch * L + (args.transpose ? L - 1 : 0)) * C + channel;
  int64_t own = channel < C ? L : 0, end = first + blockDim.x / 32 * kOwn;
  auto x = global(args.x) + start, k = global(args.k) + channel;
  auto y = global(args.y) + start;
  sliding_sums<T>(
      0, int(args.taps < end ? args.taps : end),
      [&](int tap) { return own > 0 ? T(k[tap * C]) : T(0); },
      [&](int n) { return n <= first && first - n < own ? T(x[(first - n) * step]) : T(0); },
      [&](int r, T sum) {
        if (first + r < own) y[(first + r) * step] = sum;
      });
}

// A tap's gradient sums over the tokens of all sequences, Σ_t out(t) in(t − tap): its parts, each
// `span` tokens of a sequence.
template <class T, class Args, class Out, class In>
__device__ void add_taps(const Args& args, int64_t span, T* parts, const Out& out, const In& in) {
  int64_t C = args.channels, L = args.length, spans = blocks_of(L, span);
  auto [part, first, channel] = Run(args.taps, C);
  int64_t start = part / spans * L * C + channel, begin = part % spans * span, end = begin + span;
  bool own = channel < C;
  auto sums = global(parts) + part * args.taps * C + channel;
  sliding_sums<T>(
      int(begin > first ? begin : first), int(end < L ? end : L),
      [&](int t) { return own ? T(out(start + t * C)) : T(0); },
      [&](int n) {
        return own && n >= first && n - first < L ? T(in(start + (n - first) * C)) : T(0);
      },
      [&](int r, T sum) {
        if (own && first + r < args.taps) sums[(first + r) * C] = sum;
      });
}

template <class T>
__global__ void conv_kernel_grad_kernel(ConvKernelGrad<T> args, int64_t span, T* parts) {
  auto x = global(args.x), dy = global(args.dy);
  add_taps(
      args, span, parts, [&](int64_t i) -> T { return dy[i]; },
      [&](int64_t i) -> T { return x[i]; });
}

template <class T>
__global__ void gated_conv_kernel(GatedConv<T> args) {
  auto c = global(args.c), b = global(args.b), v = global(args.v), k = global(args.k);
  auto y = global(args.y);
  int64_t C = args.channels;
  for_each_element(args.batch * args.length * C, [&](int64_t i) {
    Place at(i, args.length, C);
    RunningSum<T> sum;
    for (int64_t tap = 0; tap < args.taps && tap <= at.t; ++tap)
      sum.add(k[tap * C + at.channel] * b[i - tap * C] * v[i - tap * C]);
    y[i] = c[i] * sum.value();
  });
}

template <class T>
__global__ void gated_conv_grad_kernel(GatedConvGrad<T> args) {
  auto c = global(args.c), b = global(args.b), v = global(args.v), k = global(args.k);
  auto dy = global(args.dy);
  auto dc = global(args.dc), db = global(args.db), dv = global(args.dv);
  int64_t C = args.channels;
  for_each_element(args.batch * args.length * C, [&](int64_t i) {
    Place at(i, args.length, C);
    RunningSum<T> ahead, behind;
    for (int64_t tap = 0; tap < args.taps; ++tap) {
      T weight = k[tap * C + at.channel];
      if (tap <= at.t) behind.add(weight * b[i - tap * C] * v[i - tap * C]);
      if (at.t + tap < args.length) ahead.add(weight * dy[i + tap * C] * c[i + tap * C]);
    }
    dc[i] = dy[i] * behind.value();
    db[i] = ahead.value() * v[i];
    dv[i] = ahead.value() * b[i];
  });
}

template <class T>
__global__ void gated_conv_taps_grad_kernel(GatedConvGrad<T> args, int64_t span, T* parts) {
  auto c = global(args.c), b = global(args.b), v = global(args.v), dy = global(args.dy);
  add_taps(
      args, span, parts, [&](int64_t i) -> T { return dy[i] * c[i]; },
      [&](int64_t i) -> T { return b[i] * v[i]; });
}

// The parts of the taps' gradient, and their sum. There are as many as keep a device busy, of 64
// tokens at least.
template <class T, class Args>
void taps_grad(Exec& exec, void (*kernel)(Args, int64_t, T*), const Args& args) {
  constexpr int64_t kMostThreads = 1 << 18;
  int64_t n = args.taps * args.channels, threads = args.batch * blocks_of(n, kOwn);
  int64_t spans = std::clamp(kMostThreads / std::max(threads, int64_t(1)), int64_t(1),
                             std::max(parts_of(args.length), int64_t(1)));
  int64_t span = std::max(blocks_of(args.length, spans), int64_t(1));
  int64_t count = args.batch * blocks_of(args.length, span);
  Tensor parts = scratch<T>(exec, Shape{count, n});
  launch_runs<T>(kernel, count, args.taps, args.channels, args, span, parts.data<T>());
  add_parts(count, n, false, parts, args.dk);
}

}  // namespace

template <class T>
void conv(Exec&, const Conv<T>& args) {
  launch_runs<T>(conv_kernel<T>, args.batch, args.length, args.channels, args);
}

template <class T>
void conv_kernel_grad(Exec& exec, const ConvKernelGrad<T>& args) {
  taps_grad(exec, conv_kernel_grad_kernel<T>, args);
}

template <class T>
void gated_conv(Exec&, const GatedConv<T>& args) {
  launch_elements(gated_conv_kernel<T>, args.batch * args.length * args.channels, args);
}

template <class T>
void gated_conv_grad(Exec& exec, const GatedConvGrad<T>& args) {
  launch_elements(gated_conv_grad_kernel<T>, args.batch * args.length * args.channels, args);
  taps_grad(exec, gated_conv_taps_grad_kernel<T>, args);
}

// With thousands of threads the direct sum is the faster one up to some thousand taps.
template <class T>
void conv_fourier(Exec& exec, const Conv<T>& args) {
  conv(exec, args);
}

template <class T>
void conv_fourier_kernel_grad(Exec& exec, const ConvKernelGrad<T>& args) {
  conv_kernel_grad(exec, args);
}

STAR_INSTANTIATE(conv, Conv)
STAR_INSTANTIATE(conv_kernel_grad, ConvKernelGrad)
STAR_INSTANTIATE(gated_conv, GatedConv)
STAR_INSTANTIATE(gated_conv_grad, GatedConvGrad)
STAR_INSTANTIATE(conv_fourier, Conv)
STAR_INSTANTIATE(conv_fourier_kernel_grad, ConvKernelGrad)

}  // namespace star::cuda
