// Elementwise kernels: fill, copy, scale, unary and binary functions with broadcasting.
#include "core/elementwise.h"

#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {
namespace {

// A walk over several strided views of one shape. Axes that are contiguous in all of them are
// merged; the innermost axis is handed out as a run.
template <int Views>
struct Walk {
  Shape shape;
  Shape strides[Views];

  void add_axis(int64_t size, const int64_t (&step)[Views]) {
    if (size == 1) return;
    int last = shape.rank() - 1;
    bool merges = last >= 0;
    for (int v = 0; v < Views && merges; ++v) merges = strides[v][last] == step[v] * size;
    if (merges) {
      shape[last] *= size;
      for (int v = 0; v < Views; ++v) strides[v][last] = step[v];
    } else {
      shape.push_back(size);
      for (int v = 0; v < Views; ++v) strides[v].push_back(step[v]);
    }
  }

  // f(offsets, inner strides, length of the run)
  template <class F>
  void run(Exec& exec, const F& f) const {
    int inner = shape.rank() - 1;
    int64_t n = inner < 0 ? 1 : shape[inner];
    int64_t step[Views];
    for (int v = 0; v < Views; ++v) step[v] = inner < 0 ? 1 : strides[v][inner];
    int64_t rows = 1;
    for (int i = 0; i < inner; ++i) rows *= shape[i];
    if (rows == 1) {
      for_blocks(exec, n, kBlock, [&](int64_t begin, int64_t end) {
        int64_t at[Views];
        for (int v = 0; v < Views; ++v) at[v] = begin * step[v];
        f(at, step, end - begin);
      });
      return;
    }
    for_blocks(exec, rows, rows_a_block(n), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        int64_t at[Views] = {}, rest = row;
        for (int i = inner - 1; i >= 0; --i) {
          for (int v = 0; v < Views; ++v) at[v] += rest % shape[i] * strides[v][i];
          rest /= shape[i];
        }
        f(at, step, n);
      }
    });
  }
};

template <class T, class F>
void map(Exec& exec, int64_t n, const F& f) {
  for_blocks(exec, n, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kLanes<T>) f(i, end - i);
  });
}

template <class Op, class T>
void binary_run(Op, const T* a, int64_t sa, const T* b, int64_t sb, T* out, int64_t n) {
  if ((sa != 0 && sa != 1) || (sb != 0 && sb != 1)) {
    for (int64_t i = 0; i < n; ++i) out[i] = Op::f(a[i * sa], b[i * sb]);
    return;
  }
  for (int64_t i = 0; i < n; i += kLanes<T>) {
    Vec<T> x = sa ? load(a + i, n - i) : Vec<T>(*a);
    Vec<T> y = sb ? load(b + i, n - i) : Vec<T>(*b);
    store(out + i, Op::f(x, y), n - i);
  }
}

}  // namespace

template <class T>
void fill(Exec& exec, const Fill<T>& args) {
  for_blocks(exec, args.n, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) args.y[i] = args.value;
  });
}

template <class T>
void copy(Exec& exec, const Copy<T>& args) {
  Walk<2> walk;
  for (int i = 0; i < args.shape.rank(); ++i)
    walk.add_axis(args.shape[i], {args.src_strides[i], args.dst_strides[i]});
  if (args.shape.numel() == 0) return;
  walk.run(exec, [&](const int64_t* at, const int64_t* step, int64_t n) {
    const T* src = args.src + at[0];
    T* dst = args.dst + at[1];
    int64_t s = step[0], d = step[1];
    if (args.accumulate && s == 1 && d == 1) {
      for (int64_t i = 0; i < n; i += kLanes<T>)
        store(dst + i, load(dst + i, n - i) + load(src + i, n - i), n - i);
    } else if (args.accumulate) {
      for (int64_t i = 0; i < n; ++i) dst[i * d] += src[i * s];
    } else if (s == 1 && d == 1) {
      for (int64_t i = 0; i < n; ++i) dst[i] = src[i];
    } else {
      for (int64_t i = 0; i < n; ++i) dst[i * d] = src[i * s];
    }
  });
}

template <class T>
void scale(Exec& exec, const Scale<T>& args) {
  Vec<T> factor(args.factor), shift(args.shift);
  map<T>(exec, args.n, [&](int64_t i, int64_t left) {
    store(args.y + i, factor * load(args.x + i, left) + shift, left);
  });
}

template <class T>
void unary(Exec& exec, const UnaryMap<T>& args) {
  with_unary(args.op, [&]<class Op>(Op) {
    map<T>(exec, args.n, [&](int64_t i, int64_t left) {
      store(args.y + i, Op::f(load(args.x + i, left)), left);
    });
  });
}

template <class T>
void unary_grad(Exec& exec, const UnaryGrad<T>& args) {
  with_unary(args.op, [&]<class Op>(Op) {
    map<T>(exec, args.n, [&](int64_t i, int64_t left) {
      Vec<T> df = Op::df(load(args.x + i, left), load(args.y + i, left));
      store(args.dx + i, df * load(args.dy + i, left), left);
    });
  });
}

template <class T>
void gated(Exec& exec, const Gated<T>& args) {
  with_unary(args.f, [&]<class Op>(Op) {
    map<T>(exec, args.n, [&](int64_t i, int64_t left) {
      store(args.y + i, Op::f(load(args.a + i, left)) * load(args.b + i, left), left);
    });
  });
}

template <class T>
void gated_grad(Exec& exec, const GatedGrad<T>& args) {
  with_unary(args.f, [&]<class Op>(Op) {
    map<T>(exec, args.n, [&](int64_t i, int64_t left) {
      Vec<T> a = load(args.a + i, left), dy = load(args.dy + i, left), f = Op::f(a);
      store(args.da + i, Op::df(a, f) * load(args.b + i, left) * dy, left);
      store(args.db + i, f * dy, left);
    });
  });
}

template <class T>
void binary(Exec& exec, const BinaryMap<T>& args) {
  Walk<3> walk;
  Shape out = contiguous_strides(args.shape);
  for (int i = 0; i < args.shape.rank(); ++i)
    walk.add_axis(args.shape[i], {args.a_strides[i], args.b_strides[i], out[i]});
  if (args.shape.numel() == 0) return;
  with_binary(args.op, [&]<class Op>(Op op) {
    walk.run(exec, [&](const int64_t* at, const int64_t* step, int64_t n) {
      binary_run(op, args.a + at[0], step[0], args.b + at[1], step[1], args.out + at[2], n);
    });
  });
}

STAR_INSTANTIATE(fill, Fill)
STAR_INSTANTIATE(copy, Copy)
STAR_INSTANTIATE(scale, Scale)
STAR_INSTANTIATE(unary, UnaryMap)
STAR_INSTANTIATE(unary_grad, UnaryGrad)
STAR_INSTANTIATE(gated, Gated)
STAR_INSTANTIATE(gated_grad, GatedGrad)
STAR_INSTANTIATE(binary, BinaryMap)

}  // namespace star::cpu::STAR_TARGET
