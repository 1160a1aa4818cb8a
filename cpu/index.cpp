// Kernels that move rows: embedding look-up with its gradient, and rotary positions.
#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {

template <class T>
void gather_rows(Exec& exec, const GatherRows<T>& args) {
  for_blocks(exec, args.n, rows_a_block(args.d), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* row = args.table + args.index[i] * args.d;
      for (int64_t c = 0; c < args.d; ++c) args.y[i * args.d + c] = row[c];
    }
  });
}

template <class T>
void scatter_rows(Exec& exec, const ScatterRows<T>& args) {
  // Rows may repeat: one task a strip of columns keeps the order of the additions.
  int64_t strip = 16 * kLanes<T>;
  for_blocks(exec, args.d, strip, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < args.n; ++i) {
      const T* x = args.x + i * args.d;
      T* row = args.table + args.index[i] * args.d;
      for (int64_t c = begin; c < end; c += kLanes<T>)
        store(row + c, load(row + c, end - c) + load(x + c, end - c), end - c);
    }
  });
}

template <class T>
void rotary(Exec& exec, const Rotary<T>& args) {
  int64_t half = args.e / 2, width = args.heads * args.e;
  Tensor table = exec.empty({2, args.length, half}, dtype_of<T>);
  T *cosine = table.template data<T>(), *sine = cosine + args.length * half;
  for_blocks(exec, half, rows_a_block(args.length), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const double turns = std::pow(args.base, -2.0 * double(r) / double(args.e));
      for (int64_t t = 0; t < args.length; ++t) {
        const double angle = double(args.position + t) * turns;
        cosine[t * half + r] = T(std::cos(angle));
        sine[t * half + r] = T(args.inverse ? -std::sin(angle) : std::sin(angle));
      }
    }
  });
  for_blocks(exec, args.batch * args.length, rows_a_block(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t t = row % args.length;
      for (int64_t h = 0; h < args.heads; ++h) {
        const T* x = args.x + row * width + h * args.e;
        T* y = args.y + row * width + h * args.e;
        for (int64_t r = 0; r < half; r += kLanes<T>) {
          int64_t left = half - r;
          Vec<T> a = load(x + r, left), b = load(x + half + r, left);
          Vec<T> cos = load(cosine + t * half + r, left), sin = load(sine + t * half + r, left);
          store(y + r, a * cos - b * sin, left);
          store(y + half + r, b * cos + a * sin, left);
        }
      }
    }
  });
}

STAR_INSTANTIATE(gather_rows, GatherRows)
STAR_INSTANTIATE(scatter_rows, ScatterRows)
STAR_INSTANTIATE(rotary, Rotary)

}  // namespace star::cpu::STAR_TARGET
