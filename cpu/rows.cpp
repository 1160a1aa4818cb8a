// Kernels that work row by row: RMSNorm, softmax with a causal or banded mask, cross-entropy.
#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {

template <class T>
void rms_norm(Exec& exec, const RmsNorm<T>& args) {
  int64_t n = args.n;
  for_blocks(exec, args.rows, rows_a_block(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* x = args.x + row * n;
      T* y = args.y + row * n;
      Vec<T> squares(T(0));
      for (int64_t i = 0; i < n; i += kLanes<T>) {
        Vec<T> v = load(x + i, n - i);
        squares += v * v;
      }
      T inverse = T(1) / std::sqrt(xsimd::hadd(squares) / T(n) + args.epsilon);
      args.inverse[row] = inverse;
      for (int64_t i = 0; i < n; i += kLanes<T>)
        store(y + i, load(x + i, n - i) * Vec<T>(inverse) * load(args.w + i, n - i), n - i);
    }
  });
}

// With r = 1/sqrt(mean(x²) + ε) and g = dy ⊙ w:  dx = r g − x r³ (g·x) / n,  dw = Σ_rows dy x r.
template <class T>
void rms_norm_grad(Exec& exec, const RmsNormGrad<T>& args) {
  int64_t n = args.n, block = rows_a_block(n), blocks = blocks_of(args.rows, block);
  Tensor partial = exec.zeros({blocks, n}, dtype_of<T>);
  T* dw_parts = partial.template data<T>();
  for_blocks(exec, args.rows, block, [&](int64_t begin, int64_t end) {
    T* dw = dw_parts + begin / block * n;
    for (int64_t row = begin; row < end; ++row) {
      const T *x = args.x + row * n, *dy = args.dy + row * n;
      T* dx = args.dx + row * n;
      Vec<T> dot(T(0)), r(args.inverse[row]);
      for (int64_t i = 0; i < n; i += kLanes<T>) {
        Vec<T> xi = load(x + i, n - i), gi = load(dy + i, n - i);
        dot += gi * load(args.w + i, n - i) * xi;
        store(dw + i, load(dw + i, n - i) + gi * xi * r, n - i);
      }
      Vec<T> slope = r * r * r * Vec<T>(xsimd::hadd(dot) / T(n));
      for (int64_t i = 0; i < n; i += kLanes<T>) {
        Vec<T> g = load(dy + i, n - i) * load(args.w + i, n - i);
        Vec<T> d = r * g - slope * load(x + i, n - i);
        store(dx + i, args.add ? load(dx + i, n - i) + d : d, n - i);
      }
    }
  });
  for (int64_t b = 0; b < blocks; ++b)
    for (int64_t i = 0; i < n; ++i) args.dw[i] += dw_parts[b * n + i];
}

namespace {

template <class T>
void zero(T* p, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) p[i] = T(0);
}

}  // namespace

template <class T>
void softmax(Exec& exec, const Softmax<T>& args) {
  constexpr T low = -std::numeric_limits<T>::infinity();
  int64_t keys = args.visibility.keys;
  for_blocks(exec, args.rows, rows_a_block(keys), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t first = args.visibility.first(row), last = args.visibility.last(row);
      const T* x = args.x + row * keys;
      T* y = args.y + row * keys;
      Vec<T> greatest(low);
      for (int64_t j = first; j < last; j += kLanes<T>)
        greatest = xsimd::max(greatest, load(x + j, last - j, low));
      T peak = horizontal_max<T>(greatest);
      // A row of −∞ alone has no softmax; give every visible key the same weight.
      Vec<T> shift(peak * args.scale), total(T(0));
      for (int64_t j = first; j < last; j += kLanes<T>) {
        Vec<T> s = load(x + j, last - j, low);
        Vec<T> e = peak == low ? Vec<T>(T(1)) : xsimd::exp(s * Vec<T>(args.scale) - shift);
        store(y + j, e, last - j);
        total += load(y + j, last - j);
      }
      Vec<T> inverse(T(1) / xsimd::hadd(total));
      for (int64_t j = first; j < last; j += kLanes<T>)
        store(y + j, load(y + j, last - j) * inverse, last - j);
      zero(y, 0, first);
      zero(y, last, keys);
    }
  });
}

template <class T>
void softmax_grad(Exec& exec, const SoftmaxGrad<T>& args) {
  int64_t keys = args.visibility.keys;
  for_blocks(exec, args.rows, rows_a_block(keys), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t first = args.visibility.first(row), last = args.visibility.last(row);
      const T *y = args.y + row * keys, *dy = args.dy + row * keys;
      T* dx = args.dx + row * keys;
      Vec<T> dot(T(0)), factor(args.scale);
      for (int64_t j = first; j < last; j += kLanes<T>)
        dot += load(y + j, last - j) * load(dy + j, last - j);
      Vec<T> mean(xsimd::hadd(dot));
      for (int64_t j = first; j < last; j += kLanes<T>)
        store(dx + j, factor * load(y + j, last - j) * (load(dy + j, last - j) - mean), last - j);
      zero(dx, 0, first);
      zero(dx, last, keys);
    }
  });
}

template <class T>
void visible(Exec& exec, const Visible<T>& args) {
  int64_t keys = args.visibility.keys;
  for_blocks(exec, args.rows, rows_a_block(keys), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t first = args.visibility.first(row), last = args.visibility.last(row);
      const T* x = args.x + row * keys;
      T* y = args.y + row * keys;
      zero(y, 0, first);
      std::copy(x + first, x + last, y + first);
      zero(y, last, keys);
    }
  });
}

template <class T>
void cross_entropy(Exec& exec, const CrossEntropy<T>& args) {
  constexpr T low = -std::numeric_limits<T>::infinity();
  int64_t n = args.classes;
  for_blocks(exec, args.rows, rows_a_block(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* x = args.logits + row * n;
      T* grad = args.grad ? args.grad + row * n : nullptr;
      int32_t target = args.targets[row];
      args.loss[row] = 0;
      if (args.hit) args.hit[row] = target >= 0 && std::max_element(x, x + n) == x + target;
      if (target < 0) {
        if (grad) zero(grad, 0, n);
        continue;
      }
      Vec<T> greatest(low);
      for (int64_t j = 0; j < n; j += kLanes<T>)
        greatest = xsimd::max(greatest, load(x + j, n - j, low));
      Vec<T> peak(horizontal_max<T>(greatest)), total(T(0));
      for (int64_t j = 0; j < n; j += kLanes<T>) {
        Vec<T> e = xsimd::exp(load(x + j, n - j, low) - peak);
        total += e;
        if (grad) store(grad + j, e, n - j);
      }
      T sum = xsimd::hadd(total);
      args.loss[row] = std::log(sum) + horizontal_max<T>(peak) - x[target];
      if (!grad) continue;
      Vec<T> factor(args.weight / sum);
      for (int64_t j = 0; j < n; j += kLanes<T>)
        store(grad + j, load(grad + j, n - j) * factor, n - j);
      grad[target] -= args.weight;
    }
  });
}

STAR_INSTANTIATE(rms_norm, RmsNorm)
STAR_INSTANTIATE(rms_norm_grad, RmsNormGrad)
STAR_INSTANTIATE(softmax, Softmax)
STAR_INSTANTIATE(softmax_grad, SoftmaxGrad)
STAR_INSTANTIATE(visible, Visible)
STAR_INSTANTIATE(cross_entropy, CrossEntropy)

}  // namespace star::cpu::STAR_TARGET
