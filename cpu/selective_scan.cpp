// The selective state space. A task is one sequence and one register of channels; its N states
// stay in cache. The gradient recomputes the states of kScanChunk tokens at a time from the state
// before them, so that no state but these is ever stored.
#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {
namespace {

// One token: h ← exp(dt A) h + dt v B, and its output Σ_n C h. Where not null, `decay` keeps exp(dt
// A).
template <class T>
inline Vec<T> advance(Vec<T> dt, Vec<T> v, const T* A, int64_t d, int64_t left, const T* B,
                      const T* C, int64_t N, Vec<T>* h, Vec<T>* decay) {
  Vec<T> u = dt * v, y(T(0));
  for (int64_t n = 0; n < N; ++n) {
    Vec<T> a = xsimd::exp(dt * load(A + n * d, left));
    if (decay) decay[n] = a;
    h[n] = xsimd::fma(a, h[n], u * Vec<T>(B[n]));
    y = xsimd::fma(Vec<T>(C[n]), h[n], y);
  }
  return y;
}

// One register a state; owned by one task.
template <class T>
struct Registers {
  Tensor memory;
  int64_t stride;
  Registers(Exec& exec, int64_t tasks, int64_t n)
      : memory(exec.empty({tasks, n * kLanes<T>}, dtype_of<T>)), stride(n * kLanes<T>) {}
  Vec<T>* of(int64_t task) const {
    return reinterpret_cast<Vec<T>*>(memory.template data<T>() + task * stride);
  }
};

}  // namespace

template <class T>
void selective_scan(Exec& exec, const SelectiveScan<T>& args) {
  int64_t d = args.d, N = args.n, L = args.length, strips = blocks_of(d, kLanes<T>);
  int64_t chunks = blocks_of(L, kScanChunk);
  Registers<T> states(exec, args.batch * strips, N);
  exec.pool().run(args.batch * strips, [&](int64_t task) {
    int64_t b = task / strips, c = task % strips * kLanes<T>, left = d - c;
    Vec<T>* h = states.of(task);
    auto state_row = [&](T* base, int64_t row, int64_t n) { return base + (row * N + n) * d + c; };
    for (int64_t n = 0; n < N; ++n)
      h[n] = args.h0 ? load(args.h0 + (b * N + n) * d + c, left) : Vec<T>(T(0));
    for (int64_t t = 0; t < L; ++t) {
      if (args.checkpoints && t % kScanChunk == 0)
        for (int64_t n = 0; n < N; ++n)
          store(state_row(args.checkpoints, b * chunks + t / kScanChunk, n), h[n], left);
      int64_t row = b * L + t;
      Vec<T> y = advance<T>(load(args.dt + row * d + c, left), load(args.v + row * d + c, left),
                            args.A + c, d, left, args.B + row * N, args.C + row * N, N, h, nullptr);
      store(args.y + row * d + c, y, left);
    }
    if (args.last)
      for (int64_t n = 0; n < N; ++n) store(state_row(args.last, b, n), h[n], left);
  });
}

namespace {

// The gradient of one sequence and one register of channels. `dB`, `dC` [L, N] and `dA` [N]
// collect per lane.
template <class T>
void sequence_grad(const SelectiveScanGrad<T>& args, int64_t b, int64_t c, Vec<T>* scratch,
                   Vec<T>* dB, Vec<T>* dC, Vec<T>* dA) {
  int64_t d = args.d, N = args.n, L = args.length, left = d - c, chunks = blocks_of(L, kScanChunk);
  Vec<T>* gradient = scratch;  // dL/dh carried to the token before
  Vec<T>* h = scratch + N;     // states before tokens 0 … chunk of a chunk
  Vec<T>* decay = h + (kScanChunk + 1) * N;
  for (int64_t n = 0; n < N; ++n) gradient[n] = Vec<T>(T(0));
  for (int64_t chunk = chunks - 1; chunk >= 0; --chunk) {
    int64_t begin = chunk * kScanChunk, end = std::min(L, begin + kScanChunk);
    for (int64_t n = 0; n < N; ++n)
      h[n] = load(args.checkpoints + ((b * chunks + chunk) * N + n) * d + c, left);
    for (int64_t t = begin; t < end; ++t) {
      int64_t row = b * L + t;
      Vec<T>* next = h + (t - begin + 1) * N;
      for (int64_t n = 0; n < N; ++n) next[n] = next[n - N];
      advance<T>(load(args.dt + row * d + c, left), load(args.v + row * d + c, left), args.A + c, d,
                 left, args.B + row * N, args.C + row * N, N, next, decay + (t - begin) * N);
    }
    for (int64_t t = end - 1; t >= begin; --t) {
      int64_t row = b * L + t, at = row * d + c;
      Vec<T> dt = load(args.dt + at, left), v = load(args.v + at, left),
             dy = load(args.dy + at, left);
      Vec<T> u = dt * v, du(T(0)), d_dt(T(0));
      const Vec<T>*before = h + (t - begin) * N, *after = before + N, *a = decay + (t - begin) * N;
      for (int64_t n = 0; n < N; ++n) {
        Vec<T> gh = xsimd::fma(dy, Vec<T>(args.C[row * N + n]), gradient[n]);
        dC[t * N + n] += dy * after[n];
        dB[t * N + n] += gh * u;
        du = xsimd::fma(gh, Vec<T>(args.B[row * N + n]), du);
        Vec<T> log_slope = gh * before[n] * a[n];  // dL / d(dt A)
        d_dt = xsimd::fma(log_slope, load(args.A + n * d + c, left), d_dt);
        dA[n] = xsimd::fma(log_slope, dt, dA[n]);
        gradient[n] = gh * a[n];
      }
      store(args.dv + at, du * dt, left);
      store(args.d_dt + at, xsimd::fma(du, v, d_dt), left);
    }
  }
}

}  // namespace

template <class T>
void selective_scan_grad(Exec& exec, const SelectiveScanGrad<T>& args) {
  int64_t d = args.d, N = args.n, L = args.length, strips = blocks_of(d, kLanes<T>);
  Registers<T> scratch(exec, args.batch, N + (2 * kScanChunk + 1) * N),
      sums(exec, args.batch, 2 * L * N);
  Registers<T> dA(exec, args.batch, strips * N);
  exec.pool().run(args.batch, [&](int64_t b) {
    Vec<T>*dB = sums.of(b), *dC = dB + L * N, *dA_b = dA.of(b);
    for (int64_t i = 0; i < 2 * L * N; ++i) dB[i] = Vec<T>(T(0));
    for (int64_t i = 0; i < strips * N; ++i) dA_b[i] = Vec<T>(T(0));
    for (int64_t s = 0; s < strips; ++s)
      sequence_grad(args, b, s * kLanes<T>, scratch.of(b), dB, dC, dA_b + s * N);
    for (int64_t i = 0; i < L * N; ++i) {
      args.dB[b * L * N + i] = xsimd::hadd(dB[i]);
      args.dC[b * L * N + i] = xsimd::hadd(dC[i]);
    }
  });
  for (int64_t b = 0; b < args.batch; ++b)
    for (int64_t s = 0; s < strips; ++s)
      for (int64_t n = 0; n < N; ++n) {
        T* p = args.dA + n * d + s * kLanes<T>;
        int64_t left = d - s * kLanes<T>;
        store(p, load(p, left) + dA.of(b)[s * N + n], left);
      }
}

STAR_INSTANTIATE(selective_scan, SelectiveScan)
STAR_INSTANTIATE(selective_scan_grad, SelectiveScanGrad)

}  // namespace star::cpu::STAR_TARGET
