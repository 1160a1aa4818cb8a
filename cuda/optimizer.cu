#include <cmath>

#include "cuda/backend.h"

namespace star::cuda {
namespace {

template <class T>
__global__ void adamw_kernel(AdamWUpdate<T> args) {
  auto gradient = global(args.g);
  auto w = global(args.w), m = global(args.m), v = global(args.v);
  for_each_element(args.n, [&](int64_t i) {
    T g = gradient[i] * args.grad_scale;
    T first = args.beta1 * m[i] + (T(1) - args.beta1) * g;
    T second = args.beta2 * v[i] + (T(1) - args.beta2) * g * g;
    m[i] = first;
    v[i] = second;
    T update = first / args.correction1 / (std::sqrt(second / args.correction2) + args.epsilon);
    T weight = w[i];
    w[i] = weight - args.lr * (update + args.decay * weight);
  });
}

}  // namespace

template <class T>
void adamw(Exec&, const AdamWUpdate<T>& args) {
  launch_elements(adamw_kernel<T>, args.n, args);
}

STAR_INSTANTIATE(adamw, AdamWUpdate)

}  // namespace star::cuda
