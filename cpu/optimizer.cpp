// AdamW, one pass over the weights.
#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {

template <class T>
void adamw(Exec& exec, const AdamWUpdate<T>& args) {
  Vec<T> b1(args.beta1), b2(args.beta2), c1(T(1) / args.correction1), c2(T(1) / args.correction2);
  for_blocks(exec, args.n, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kLanes<T>) {
      int64_t left = end - i;
      Vec<T> g = load(args.g + i, left) * Vec<T>(args.grad_scale);
      Vec<T> m = b1 * load(args.m + i, left) + (Vec<T>(T(1)) - b1) * g;
      Vec<T> v = b2 * load(args.v + i, left) + (Vec<T>(T(1)) - b2) * g * g;
      Vec<T> w = load(args.w + i, left);
      Vec<T> step = m * c1 / (xsimd::sqrt(v * c2) + Vec<T>(args.epsilon)) + Vec<T>(args.decay) * w;
      store(args.m + i, m, left);
      store(args.v + i, v, left);
      store(args.w + i, w - Vec<T>(args.lr) * step, left);
    }
  });
}

STAR_INSTANTIATE(adamw, AdamWUpdate)

}  // namespace star::cpu::STAR_TARGET
