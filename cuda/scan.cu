// Diagonal recurrences s ← f s + x, one a channel. A sequence is cut into chunks: each chunk
// computes its end from 0 and the product of its factors, a walk over the chunks hands the states
// on, and each chunk walks again from the state that it begins with.
#include "cuda/backend.h"

namespace star::cuda {
namespace {

constexpr int64_t kChunk = 32;

// One step: the factor and what is added.
template <class T>
struct Step {
  T factor, added;
};

template <class T>
__device__ T gate(T logit) {
  return elementwise::Sigmoid::f(logit);
}

// A recurrence has `args` with batch, length and channels, and of a channel c of sequence b: the
// state before its first step, its steps in the order in which they are taken, and what becomes of
// the state after each.

// Steps in the order of time, from h0.
template <class T, template <class> class Args>
struct WithTime {
  Args<T> args;
  __device__ int64_t place(int64_t b, int64_t t, int64_t c) const {
    return (b * args.length + t) * args.channels + c;
  }
  __device__ T start(int64_t b, int64_t c) const {
    return args.h0 ? T(global(args.h0)[b * args.channels + c]) : T(0);
  }
};

// Steps from the last token to the first, from 0.
template <class T, template <class> class Args>
struct AgainstTime {
  Args<T> args;
  __device__ int64_t place(int64_t b, int64_t step, int64_t c) const {
    return (b * args.length + args.length - 1 - step) * args.channels + c;
  }
  __device__ T start(int64_t, int64_t) const { return 0; }
};

template <class T>
struct Forward : WithTime<T, Scan> {
  using WithTime<T, Scan>::args, WithTime<T, Scan>::place;
  __device__ Step<T> step(int64_t b, int64_t t, int64_t c) const {
    int64_t at = place(b, t, c);
    return {global(args.a)[at], global(args.b)[at]};
  }
  __device__ void put(int64_t b, int64_t t, int64_t c, T state) const {
    global(args.h)[place(b, t, c)] = state;
  }
};

template <class T>
struct Backward : AgainstTime<T, Scan> {
  using AgainstTime<T, Scan>::args, AgainstTime<T, Scan>::place;
  __device__ Step<T> step(int64_t b, int64_t t, int64_t c) const {
    int64_t at = place(b, t, c);
    return {t == 0 ? T(0) : T(global(args.a)[at + args.channels]), global(args.b)[at]};
  }
  __device__ void put(int64_t b, int64_t t, int64_t c, T state) const {
    global(args.h)[place(b, t, c)] = state;
  }
};

template <class T>
struct GatedForward : WithTime<T, GatedScan> {
  using WithTime<T, GatedScan>::args, WithTime<T, GatedScan>::place;
  __device__ Step<T> step(int64_t b, int64_t t, int64_t c) const {
    int64_t at = place(b, t, c);
    T u = global(args.u)[at];
    return {gate(u), gate(-u) * global(args.v)[at]};
  }
  __device__ void put(int64_t b, int64_t t, int64_t c, T state) const {
    global(args.h)[place(b, t, c)] = state;
  }
};

// The state is g, the gradient of h.
template <class T>
struct GatedBackward : AgainstTime<T, GatedScanGrad> {
  using AgainstTime<T, GatedScanGrad>::args, AgainstTime<T, GatedScanGrad>::place;
  __device__ Step<T> step(int64_t b, int64_t t, int64_t c) const {
    int64_t at = place(b, t, c);
    return {t == 0 ? T(0) : gate(T(global(args.u)[at + args.channels])), global(args.dh)[at]};
  }
  __device__ void put(int64_t b, int64_t t, int64_t c, T g) const {
    int64_t at = place(b, t, c);
    T u = global(args.u)[at], keep = gate(u), take = gate(-u), before = 0;
    if (t + 1 < args.length)
      before = global(args.h)[at - args.channels];
    else if (args.h0)
      before = global(args.h0)[b * args.channels + c];
    global(args.dv)[at] = take * g;
    global(args.du)[at] = keep * take * (before - global(args.v)[at]) * g;
  }
};

// Calls f(sequence, chunk, channel, number in [batch, chunks, channels]).
template <class Args, class F>
__device__ void for_each_chunk(const Args& args, const F& f) {
  int64_t chunks = blocks_of(args.length, kChunk);
  for_each_element(args.batch * chunks * args.channels, [&](int64_t i) {
    f(i / args.channels / chunks, i / args.channels % chunks, i % args.channels, i);
  });
}
__device__ inline int64_t end_of(int64_t chunk, int64_t length) {
  return (chunk + 1) * kChunk < length ? (chunk + 1) * kChunk : length;
}

template <class T, class Recurrence>
__global__ void chunk_ends_kernel(Recurrence r, T* products, T* ends) {
  for_each_chunk(r.args, [&](int64_t b, int64_t chunk, int64_t c, int64_t i) {
    T product = 1, state = 0;
    for (int64_t t = chunk * kChunk; t < end_of(chunk, r.args.length); ++t) {
      Step<T> step = r.step(b, t, c);
      product *= step.factor;
      state = step.factor * state + step.added;
    }
    global(products)[i] = product;
    global(ends)[i] = state;
  });
}

// Replaces the ends by the states that the chunks begin with.
template <class T, class Recurrence>
__global__ void chunk_starts_kernel(Recurrence r, const T* products, T* ends) {
  auto product = global(products);
  auto state = global(ends);
  int64_t C = r.args.channels, chunks = blocks_of(r.args.length, kChunk);
  for_each_element(r.args.batch * C, [&](int64_t i) {
    auto at = [&](int64_t chunk) { return (i / C * chunks + chunk) * C + i % C; };
    carry(chunks, false, r.start(i / C, i % C), state, at,
          [&](int64_t chunk) -> T { return product[at(chunk)]; });
  });
}

// `starts` null: there is a single chunk.
template <class T, class Recurrence>
__global__ void walk_kernel(Recurrence r, const T* starts) {
  for_each_chunk(r.args, [&](int64_t b, int64_t chunk, int64_t c, int64_t i) {
    T state = starts ? T(global(starts)[i]) : r.start(b, c);
    for (int64_t t = chunk * kChunk; t < end_of(chunk, r.args.length); ++t) {
      Step<T> step = r.step(b, t, c);
      state = step.factor * state + step.added;
      r.put(b, t, c, state);
    }
  });
}

template <class T, class Recurrence>
void run(Exec& exec, const Recurrence& r) {
  int64_t channels = r.args.batch * r.args.channels;
  int64_t chunks = blocks_of(r.args.length, kChunk);
  if (chunks <= 1) {
    const T* none = nullptr;
    return launch_elements(walk_kernel<T, Recurrence>, channels * chunks, r, none);
  }
  Tensor products = scratch<T>(exec, Shape{channels * chunks});
  Tensor states = scratch<T>(exec, Shape{channels * chunks});
  launch_elements(chunk_ends_kernel<T, Recurrence>, channels * chunks, r, products.data<T>(),
                  states.data<T>());
  launch_elements(chunk_starts_kernel<T, Recurrence>, channels, r, products.data<T>(),
                  states.data<T>());
  launch_elements(walk_kernel<T, Recurrence>, channels * chunks, r, states.data<T>());
}

// One column of the matrix for each thread, from the diagonal down.
template <class T>
__global__ void decay_kernel(Decay<T> args) {
  auto a = global(args.a);
  auto y = global(args.y);
  int64_t C = args.channels, L = args.length;
  for_each_element(args.batch * C * L, [&](int64_t at) {
    int64_t matrix = at / L, j = at % L;
    T product = 1;
    for (int64_t i = 0; i < L; ++i) {
      if (i > j) product *= a[(matrix / C * L + i) * C + matrix % C];
      y[(matrix * L + i) * L + j] = i < j ? T(0) : product;
    }
  });
}

// A block for each matrix, from the last row up; r has a number for each column, which belongs to
// the thread of that column.
template <class T>
__global__ void decay_grad_kernel(DecayGrad<T> args, T* columns) {
  SharedMemory memory;
  Shared<T> warps = memory.take<T>(32);
  int64_t matrix = blockIdx.x, C = args.channels, L = args.length;
  auto a = global(args.a) + (matrix / C * L * C + matrix % C);
  auto y = global(args.y) + matrix * L * L, dy = global(args.dy) + matrix * L * L;
  auto da = global(args.da) + (matrix / C * L * C + matrix % C);
  auto r = global(columns) + matrix * L;
  for (int64_t i = L - 1; i >= 0; --i) {
    RunningSum<T> sum;
    for_each_of_row(0, i, [&](int64_t j) {
      T below = i + 1 < L ? a[(i + 1) * C] * r[j] : T(0);
      T slope = dy[i * L + j] + below;
      r[j] = slope;
      sum.add(slope * y[(i - 1) * L + j]);
    });
    T total = block_sum(sum.value(), warps);
    if (threadIdx.x == 0) da[i * C] = total;
  }
}

}  // namespace

template <class T>
void scan(Exec& exec, const Scan<T>& args) {
  args.reverse ? run<T>(exec, Backward<T>{{args}}) : run<T>(exec, Forward<T>{{args}});
}

template <class T>
void gated_scan(Exec& exec, const GatedScan<T>& args) {
  run<T>(exec, GatedForward<T>{{args}});
}

template <class T>
void gated_scan_grad(Exec& exec, const GatedScanGrad<T>& args) {
  run<T>(exec, GatedBackward<T>{{args}});
}

template <class T>
void decay(Exec&, const Decay<T>& args) {
  launch_elements(decay_kernel<T>, args.batch * args.channels * args.length, args);
}

template <class T>
void decay_grad(Exec& exec, const DecayGrad<T>& args) {
  Tensor columns = scratch<T>(exec, Shape{args.batch * args.channels * args.length});
  launch_rows<T>(decay_grad_kernel<T>, args.batch * args.channels, args.length, args,
                 columns.data<T>());
}

STAR_INSTANTIATE(scan, Scan)
STAR_INSTANTIATE(gated_scan, GatedScan)
STAR_INSTANTIATE(gated_scan_grad, GatedScanGrad)
STAR_INSTANTIATE(decay, Decay)
STAR_INSTANTIATE(decay_grad, DecayGrad)

}  // namespace star::cuda
