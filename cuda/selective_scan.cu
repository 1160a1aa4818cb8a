// The selective state space: N recurrences a channel, in chunks of kScanChunk tokens as in scan.cu.
// The states that the chunks begin with are the checkpoints that the gradient computes all others
// from; its own recurrence runs back over the same chunks.
#include <cmath>

#include "cuda/backend.h"

namespace star::cuda {
namespace {

// One state n of one channel c in one chunk of sequence b; its tokens count from 0.
template <class T, class Args>
struct Chunk {
  // `chunk_of_all` counts [batch, chunks].
  __device__ Chunk(const Args& all, int64_t chunk_of_all, int64_t state, int64_t channel)
      : args(all), n(state), c(channel), number((chunk_of_all * all.n + state) * all.d + channel) {
    int64_t chunks = blocks_of(all.length, kScanChunk);
    int64_t begin = chunk_of_all % chunks * kScanChunk;
    token = chunk_of_all / chunks * all.length + begin;
    count = begin + kScanChunk < all.length ? kScanChunk : all.length - begin;
    A = global(all.A)[n * all.d + c];
  }
  // `index` counts [batch, chunks, N, d].
  __device__ static Chunk at(const Args& all, int64_t index) {
    return Chunk(all, index / all.d / all.n, index / all.d % all.n, index % all.d);
  }

  __device__ int64_t channel_at(int64_t t) const { return (token + t) * args.d + c; }
  __device__ int64_t state_at(int64_t t) const { return (token + t) * args.n + n; }
  __device__ T dt(int64_t t) const { return global(args.dt)[channel_at(t)]; }
  __device__ T v(int64_t t) const { return global(args.v)[channel_at(t)]; }
  __device__ T B(int64_t t) const { return global(args.B)[state_at(t)]; }
  __device__ T C(int64_t t) const { return global(args.C)[state_at(t)]; }
  __device__ T decay(int64_t t) const { return std::exp(dt(t) * A); }
  __device__ T after(int64_t t, T state) const { return decay(t) * state + dt(t) * v(t) * B(t); }

  const Args& args;
  int64_t n, c, number;  // of all in [batch, chunks, N, d]
  int64_t token, count;
  T A;
};

// A kernel with a thread for each state of each chunk.
template <class T, class Args, class F>
__device__ void for_each_chunk(const Args& args, const F& f) {
  int64_t chunks = blocks_of(args.length, kScanChunk);
  for_each_element(args.batch * chunks * args.n * args.d,
                   [&](int64_t index) { f(Chunk<T, Args>::at(args, index)); });
}

// What each chunk comes to from 0, and the product of its decays.
template <class T>
__global__ void chunk_ends_kernel(SelectiveScan<T> args, T* products, T* ends) {
  for_each_chunk<T>(args, [&](const Chunk<T, SelectiveScan<T>>& at) {
    T product = 1, state = 0;
    for (int64_t t = 0; t < at.count; ++t) {
      product *= at.decay(t);
      state = at.after(t, state);
    }
    global(products)[at.number] = product;
    global(ends)[at.number] = state;
  });
}

// What each chunk adds to the gradient of the state before it, and the product of its decays.
template <class T>
__global__ void chunk_slopes_kernel(SelectiveScanGrad<T> args, T* products, T* slopes) {
  for_each_chunk<T>(args, [&](const Chunk<T, SelectiveScanGrad<T>>& at) {
    T product = 1, slope = 0;
    for (int64_t t = at.count - 1; t >= 0; --t) {
      product *= at.decay(t);
      slope = at.decay(t) * (slope + at.C(t) * global(args.dy)[at.channel_at(t)]);
    }
    global(products)[at.number] = product;
    global(slopes)[at.number] = slope;
  });
}

// Replaces what the chunks come to by what they begin with; in reverse, by what comes from the
// chunks after them. `states` is the number of states of a sequence.
template <class T>
__global__ void carry_kernel(int64_t batch, int64_t chunks, int64_t states, bool reverse,
                             const T* start, const T* products, T* ends, T* last) {
  auto product = global(products);
  auto state = global(ends);
  for_each_element(batch * states, [&](int64_t i) {
    auto at = [&](int64_t chunk) { return (i / states * chunks + chunk) * states + i % states; };
    T end = carry(chunks, reverse, start ? T(global(start)[i]) : T(0), state, at,
                  [&](int64_t chunk) -> T { return product[at(chunk)]; });
    if (last) global(last)[i] = end;
  });
}

// A thread for each channel of each chunk, with one state after the other.
template <class T>
__global__ void selective_scan_kernel(SelectiveScan<T> args, int64_t chunks, const T* starts) {
  auto y = global(args.y);
  for_each_element(chunks * args.d, [&](int64_t i) {
    T sums[kScanChunk] = {};
    for (int64_t n = 0; n < args.n; ++n) {
      Chunk<T, SelectiveScan<T>> at(args, i / args.d, n, i % args.d);
      T state = global(starts)[at.number];
      for (int64_t t = 0; t < at.count; ++t) {
        state = at.after(t, state);
        sums[t] += at.C(t) * state;
      }
    }
    Chunk<T, SelectiveScan<T>> at(args, i / args.d, 0, i % args.d);
    for (int64_t t = 0; t < at.count; ++t) y[at.channel_at(t)] = sums[t];
  });
}

// Goes back over a chunk, with g the gradient of the state after each token: what its output says
// and what comes from the token after it. Calls f(t, g, what is left of the state before).
template <class T, class F>
__device__ void walk_back(const Chunk<T, SelectiveScanGrad<T>>& at, const T* slopes, const F& f) {
  T before[kScanChunk];
  T state = global(at.args.checkpoints)[at.number], carried = global(slopes)[at.number];
  for (int64_t t = 0; t < at.count; ++t) {
    before[t] = state;
    state = at.after(t, state);
  }
  for (int64_t t = at.count - 1; t >= 0; --t) {
    T g = carried + at.C(t) * global(at.args.dy)[at.channel_at(t)];
    f(t, g, at.decay(t) * before[t]);
    carried = at.decay(t) * g;
  }
}

// Sums over the states: d_dt, dv; and each chunk's part of dA. A thread for each channel of each
// chunk.
template <class T>
__global__ void selective_scan_channel_grad_kernel(SelectiveScanGrad<T> args, int64_t chunks,
                                                   const T* slopes, T* A_parts) {
  for_each_element(chunks * args.d, [&](int64_t i) {
    T to_step[kScanChunk] = {}, to_v[kScanChunk] = {};
    for (int64_t n = 0; n < args.n; ++n) {
      Chunk<T, SelectiveScanGrad<T>> at(args, i / args.d, n, i % args.d);
      T to_A = 0;
      walk_back(at, slopes, [&](int64_t t, T g, T kept) {
        to_step[t] += g * (at.A * kept + at.B(t) * at.v(t));
        to_v[t] += g * at.dt(t) * at.B(t);
        to_A += g * at.dt(t) * kept;
      });
      global(A_parts)[at.number] = to_A;
    }
    Chunk<T, SelectiveScanGrad<T>> at(args, i / args.d, 0, i % args.d);
    for (int64_t t = 0; t < at.count; ++t) {
      global(args.d_dt)[at.channel_at(t)] = to_step[t];
      global(args.dv)[at.channel_at(t)] = to_v[t];
    }
  });
}

// Sums over the channels: dB, dC. A block for each state of each chunk.
template <class T>
__global__ void selective_scan_state_grad_kernel(SelectiveScanGrad<T> args, const T* slopes) {
  SharedMemory memory;
  Shared<T> warps = memory.take<T>(32);
  int64_t chunk = blockIdx.x / args.n, n = blockIdx.x % args.n;
  T to_B[kScanChunk] = {}, to_C[kScanChunk] = {};
  for_each_of_row(0, args.d, [&](int64_t c) {
    Chunk<T, SelectiveScanGrad<T>> at(args, chunk, n, c);
    walk_back(at, slopes, [&](int64_t t, T g, T kept) {
      T input = at.dt(t) * at.v(t);
      to_B[t] += g * input;
      to_C[t] += global(args.dy)[at.channel_at(t)] * (kept + input * at.B(t));
    });
  });
  Chunk<T, SelectiveScanGrad<T>> at(args, chunk, n, 0);
  for (int64_t t = 0; t < at.count; ++t) {
    T B_total = block_sum(to_B[t], warps), C_total = block_sum(to_C[t], warps);
    if (threadIdx.x > 0) continue;
    global(args.dB)[at.state_at(t)] = B_total;
    global(args.dC)[at.state_at(t)] = C_total;
  }
}

int64_t chunks_of(int64_t length) { return blocks_of(length, kScanChunk); }

}  // namespace

template <class T>
void selective_scan(Exec& exec, const SelectiveScan<T>& args) {
  int64_t chunks = args.batch * chunks_of(args.length), states = args.n * args.d;
  Tensor products = scratch<T>(exec, Shape{chunks * states});
  Tensor own = args.checkpoints ? Tensor() : scratch<T>(exec, Shape{chunks * states});
  T* starts = args.checkpoints ? args.checkpoints : own.data<T>();
  launch_elements(chunk_ends_kernel<T>, chunks * states, args, products.data<T>(), starts);
  launch_elements(carry_kernel<T>, args.batch * states, args.batch, chunks_of(args.length), states,
                  false, args.h0, products.data<T>(), starts, args.last);
  launch_elements(selective_scan_kernel<T>, chunks * args.d, args, chunks, starts);
}

template <class T>
void selective_scan_grad(Exec& exec, const SelectiveScanGrad<T>& args) {
  int64_t chunks = args.batch * chunks_of(args.length), states = args.n * args.d;
  Tensor products = scratch<T>(exec, Shape{chunks * states});
  Tensor slopes = scratch<T>(exec, Shape{chunks * states});
  Tensor parts = scratch<T>(exec, Shape{chunks * states});
  const T* no_start = nullptr;
  T* no_last = nullptr;
  launch_elements(chunk_slopes_kernel<T>, chunks * states, args, products.data<T>(),
                  slopes.data<T>());
  launch_elements(carry_kernel<T>, args.batch * states, args.batch, chunks_of(args.length), states,
                  true, no_start, products.data<T>(), slopes.data<T>(), no_last);
  launch_elements(selective_scan_channel_grad_kernel<T>, chunks * args.d, args, chunks,
                  slopes.data<T>(), parts.data<T>());
  launch_rows<T>(selective_scan_state_grad_kernel<T>, chunks * args.n, args.d, args,
                 slopes.data<T>());
  add_parts(chunks, states, true, parts, args.dA);
}

STAR_INSTANTIATE(selective_scan, SelectiveScan)
STAR_INSTANTIATE(selective_scan_grad, SelectiveScanGrad)

}  // namespace star::cuda
