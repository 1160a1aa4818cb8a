// Products of decays between all pairs of tokens. Each row is the one above times a decay, so that
// nothing is divided by a product, and a product that underflows is 0 as it should be.
#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {

template <class T>
void decay(Exec& exec, const Decay<T>& args) {
  int64_t L = args.length, C = args.channels;
  exec.pool().run(args.batch * C, [&](int64_t task) {
    const T* a = args.a + task / C * L * C + task % C;
    T* row = args.y + task * L * L;
    for (int64_t i = 0; i < L; ++i, row += L) {
      Vec<T> factor(a[i * C]);
      for (int64_t j = 0; j < i; j += kLanes<T>)
        store(row + j, factor * load(row - L + j, i - j), i - j);
      row[i] = 1;
      std::fill(row + i + 1, row + L, T(0));
    }
  });
}

template <class T>
void decay_grad(Exec& exec, const DecayGrad<T>& args) {
  int64_t L = args.length, C = args.channels;
  Tensor scratch = exec.empty({args.batch * C, L}, dtype_of<T>);
  exec.pool().run(args.batch * C, [&](int64_t task) {
    const T* a = args.a + task / C * L * C + task % C;
    T* da = args.da + task / C * L * C + task % C;
    T* r = scratch.data<T>() + task * L;
    std::fill(r, r + L, T(0));
    for (int64_t i = L - 1; i >= 0; --i) {
      const T* dy = args.dy + (task * L + i) * L;
      const T* above = args.y + (task * L + i - 1) * L;
      Vec<T> below(i + 1 < L ? a[(i + 1) * C] : T(0)), sum(T(0));
      for (int64_t j = 0; j < i; j += kLanes<T>) {
        Vec<T> v = xsimd::fma(below, load(r + j, i - j), load(dy + j, i - j));
        store(r + j, v, i - j);
        sum = xsimd::fma(v, load(above + j, i - j), sum);
      }
      da[i * C] = xsimd::hadd(sum);
    }
  });
}

STAR_INSTANTIATE(decay, Decay)
STAR_INSTANTIATE(decay_grad, DecayGrad)

}  // namespace star::cpu::STAR_TARGET
