// Diagonal recurrences: a register of channels walks along the tokens.
#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {

namespace {

// σ(u) and σ(−u), neither by a difference.
template <class T>
struct Gate {
  Vec<T> keep, take;
  explicit Gate(Vec<T> u) {
    Vec<T> e = xsimd::exp(-xsimd::abs(u)), large = Vec<T>(T(1)) / (Vec<T>(T(1)) + e);
    Vec<T> small = e * large;
    auto open = u > Vec<T>(T(0));
    keep = xsimd::select(open, large, small);
    take = xsimd::select(open, small, large);
  }
};

// Calls f(base, b, c, left) for each register of channels, at c, of each sequence b; base is the
// place of its first token.
template <class T, class F>
void for_channels(Exec& exec, int64_t batch, int64_t length, int64_t channels, const F& f) {
  constexpr int64_t kStrip = 4 * kLanes<T>;  // channels a task: whole cache lines
  int64_t strips = blocks_of(channels, kStrip);
  exec.pool().run(batch * strips, [&](int64_t task) {
    int64_t b = task / strips, begin = task % strips * kStrip;
    int64_t end = std::min(channels, begin + kStrip);
    for (int64_t c = begin; c < end; c += kLanes<T>) f(b * length * channels + c, b, c, end - c);
  });
}

}  // namespace

template <class T>
void scan(Exec& exec, const Scan<T>& args) {
  int64_t C = args.channels, L = args.length;
  for_channels<T>(exec, args.batch, L, C, [&](int64_t base, int64_t b, int64_t c, int64_t left) {
    Vec<T> h = args.h0 ? load(args.h0 + b * C + c, left) : Vec<T>(T(0));
    if (!args.reverse) {
      for (int64_t at = base; at < base + L * C; at += C) {
        h = xsimd::fma(load(args.a + at, left), h, load(args.b + at, left));
        store(args.h + at, h, left);
      }
    } else {
      for (int64_t at = base + (L - 1) * C; at >= base; at -= C) {
        h += load(args.b + at, left);
        store(args.h + at, h, left);
        h *= load(args.a + at, left);
      }
    }
  });
}

template <class T>
void gated_scan(Exec& exec, const GatedScan<T>& args) {
  int64_t C = args.channels, L = args.length;
  for_channels<T>(exec, args.batch, L, C, [&](int64_t base, int64_t b, int64_t c, int64_t left) {
    Vec<T> h = args.h0 ? load(args.h0 + b * C + c, left) : Vec<T>(T(0));
    for (int64_t at = base; at < base + L * C; at += C) {
      Gate<T> gate(load(args.u + at, left));
      h = xsimd::fma(gate.keep, h, gate.take * load(args.v + at, left));
      store(args.h + at, h, left);
    }
  });
}

template <class T>
void gated_scan_grad(Exec& exec, const GatedScanGrad<T>& args) {
  int64_t C = args.channels, L = args.length;
  for_channels<T>(exec, args.batch, L, C, [&](int64_t base, int64_t b, int64_t c, int64_t left) {
    Vec<T> carried(T(0));
    for (int64_t t = L - 1; t >= 0; --t) {
      int64_t at = base + t * C;
      Gate<T> gate(load(args.u + at, left));
      Vec<T> dh = load(args.dh + at, left) + carried, before(T(0));
      if (t > 0)
        before = load(args.h + at - C, left);
      else if (args.h0)
        before = load(args.h0 + b * C + c, left);
      Vec<T> dv = gate.take * dh;
      store(args.dv + at, dv, left);
      store(args.du + at, gate.keep * dv * (before - load(args.v + at, left)), left);
      carried = gate.keep * dh;
    }
  });
}

STAR_INSTANTIATE(scan, Scan)
STAR_INSTANTIATE(gated_scan, GatedScan)
STAR_INSTANTIATE(gated_scan_grad, GatedScanGrad)

}  // namespace star::cpu::STAR_TARGET
