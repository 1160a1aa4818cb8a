// Causal depthwise convolutions, a thread for each number of the result.
#include "cuda/backend.h"

namespace star::cuda {
namespace {

// Places in [batch, length, channels].
struct Place {
  int64_t batch, t, channel;
  __device__ Place(int64_t i, int64_t length, int64_t channels)
      : batch(i / channels / length), t(i / channels % length), channel(i % channels) {}
};

template <class T>
__global__ void conv_kernel(Conv<T> args) {
  auto x = global(args.x), k = global(args.k);
  auto y = global(args.y);
  int64_t C = args.channels, step = args.transpose ? C : -C;
  for_each_element(args.batch * args.length * C, [&](int64_t i) {
    Place at(i, args.length, C);
    int64_t room = args.transpose ? args.length - at.t : at.t + 1;
    int64_t taps = args.taps < room ? args.taps : room;
    RunningSum<T> sum;
    for (int64_t tap = 0; tap < taps; ++tap) sum.add(k[tap * C + at.channel] * x[i + tap * step]);
    y[i] = sum.value();
  });
}

// A tap's gradient sums over the tokens of all sequences: its parts. `terms(out, in)` is what a
// number of the output and the one of the input that it sees through the tap add.
template <class T, class Args, class Terms>
__device__ void add_taps(const Args& args, T* parts, const Terms& terms) {
  int64_t C = args.channels, tokens = args.batch * args.length;
  for_each_element(parts_of(tokens) * args.taps * C, [&](int64_t i) {
    int64_t first = i / C / args.taps * kPartTerms, tap = i / C % args.taps, channel = i % C;
    T sum = 0;
    for (int64_t token = first; token < first + kPartTerms && token < tokens; ++token)
      if (token % args.length >= tap)
        sum += terms(token * C + channel, (token - tap) * C + channel);
    global(parts)[i] = sum;
  });
}

template <class T>
__global__ void conv_kernel_grad_kernel(ConvKernelGrad<T> args, T* parts) {
  auto x = global(args.x), dy = global(args.dy);
  add_taps(args, parts, [&](int64_t out, int64_t in) -> T { return dy[out] * x[in]; });
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
__global__ void gated_conv_taps_grad_kernel(GatedConvGrad<T> args, T* parts) {
  auto c = global(args.c), b = global(args.b), v = global(args.v), dy = global(args.dy);
  add_taps(args, parts,
           [&](int64_t out, int64_t in) -> T { return dy[out] * c[out] * b[in] * v[in]; });
}

// The parts of the taps' gradient, and their sum.
template <class T, class Args>
void taps_grad(Exec& exec, void (*kernel)(Args, T*), const Args& args) {
  int64_t count = parts_of(args.batch * args.length), n = args.taps * args.channels;
  Tensor parts = scratch<T>(exec, Shape{count, n});
  launch_elements(kernel, count * n, args, parts.data<T>());
  add_parts(count, n, false, parts, args.dk);
}

}  // namespace

template <class T>
void conv(Exec&, const Conv<T>& args) {
  launch_elements(conv_kernel<T>, args.batch * args.length * args.channels, args);
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
