#include "cuda/backend.h"
#include "cuda/transfer.h"

namespace star::cuda {
namespace {

template <class T>
__global__ void fill_kernel(Fill<T> args) {
  auto y = global(args.y);
  for_each_element(args.n, [&](int64_t i) { y[i] = args.value; });
}

template <class T>
__global__ void copy_kernel(Copy<T> args, int64_t n) {
  auto src = global(args.src);
  auto dst = global(args.dst);
  for_each_element(n, [&](int64_t i) {
    auto [from, to] = offsets_of(i, args.shape, args.src_strides, args.dst_strides);
    T value = src[from];
    dst[to] = args.accumulate ? T(dst[to]) + value : value;
  });
}

// What an element is computed from.
template <class T>
struct Operands {
  T a, b, slope;
};

template <class T>
__global__ void scale_kernel(Scale<T> args) {
  auto x = global(args.x);
  auto y = global(args.y);
  map_elements(
      args.n, [&](int64_t i) -> T { return x[i]; },
      [&](int64_t i, T v) { y[i] = args.factor * v + args.shift; });
}

template <class T, class Op>
__global__ void unary_kernel(UnaryMap<T> args) {
  auto x = global(args.x);
  auto y = global(args.y);
  map_elements(
      args.n, [&](int64_t i) -> T { return x[i]; }, [&](int64_t i, T v) { y[i] = Op::f(v); });
}

template <class T, class Op>
__global__ void unary_grad_kernel(UnaryGrad<T> args) {
  auto x = global(args.x), y = global(args.y), dy = global(args.dy);
  auto dx = global(args.dx);
  map_elements(
      args.n,
      [&](int64_t i) -> Operands<T> {
        return {x[i], y[i], dy[i]};
      },
      [&](int64_t i, Operands<T> v) { dx[i] = Op::df(v.a, v.b) * v.slope; });
}

template <class T, class Op>
__global__ void gated_kernel(Gated<T> args) {
  auto a = global(args.a), b = global(args.b);
  auto y = global(args.y);
  map_elements(
      args.n,
      [&](int64_t i) -> Operands<T> {
        return {a[i], b[i], 0};
      },
      [&](int64_t i, Operands<T> v) { y[i] = Op::f(v.a) * v.b; });
}

template <class T, class Op>
__global__ void gated_grad_kernel(GatedGrad<T> args) {
  auto a = global(args.a), b = global(args.b), dy = global(args.dy);
  auto da = global(args.da), db = global(args.db);
  map_elements(
      args.n,
      [&](int64_t i) -> Operands<T> {
        return {a[i], b[i], dy[i]};
      },
      [&](int64_t i, Operands<T> v) {
        T f = Op::f(v.a);
        da[i] = Op::df(v.a, f) * v.b * v.slope;
        db[i] = f * v.slope;
      });
}

template <class T, class Op>
__global__ void binary_kernel(BinaryMap<T> args, int64_t n) {
  auto a = global(args.a), b = global(args.b);
  auto out = global(args.out);
  map_elements(
      n,
      [&](int64_t i) -> Operands<T> {
        Offsets at = offsets_of(i, args.shape, args.a_strides, args.b_strides);
        return {a[at.a], b[at.b], 0};
      },
      [&](int64_t i, Operands<T> v) { out[i] = Op::f(v.a, v.b); });
}

}  // namespace

template <class T>
void fill(Exec&, const Fill<T>& args) {
  launch_elements(fill_kernel<T>, fours(args.n), args);
}

// What lies in one piece the driver copies, nearly as fast as the memory is.
template <class T>
void copy(Exec&, const Copy<T>& given) {
  Copy<T> args = given;
  int64_t n = args.shape.numel();
  collapse(args.shape, {&args.src_strides, &args.dst_strides});
  Shape dense = contiguous_strides(args.shape);
  bool in_one_piece =
      args.shape.rank() <= 1 && args.src_strides == dense && args.dst_strides == dense;
  if (in_one_piece && !args.accumulate && n > 0)
    move(args.dst, args.src, size_t(n) * sizeof(T));
  else
    launch_elements(copy_kernel<T>, n, args, n);
}

template <class T>
void scale(Exec&, const Scale<T>& args) {
  launch_elements(scale_kernel<T>, fours(args.n), args);
}

// One kernel for each function of the list.
template <class T>
void unary(Exec&, const UnaryMap<T>& args) {
  with_unary(args.op,
             [&]<class Op>(Op) { launch_elements(unary_kernel<T, Op>, fours(args.n), args); });
}

template <class T>
void unary_grad(Exec&, const UnaryGrad<T>& args) {
  with_unary(args.op,
             [&]<class Op>(Op) { launch_elements(unary_grad_kernel<T, Op>, fours(args.n), args); });
}

template <class T>
void gated(Exec&, const Gated<T>& args) {
  with_unary(args.f,
             [&]<class Op>(Op) { launch_elements(gated_kernel<T, Op>, fours(args.n), args); });
}

template <class T>
void gated_grad(Exec&, const GatedGrad<T>& args) {
  with_unary(args.f,
             [&]<class Op>(Op) { launch_elements(gated_grad_kernel<T, Op>, fours(args.n), args); });
}

template <class T>
void binary(Exec&, const BinaryMap<T>& given) {
  BinaryMap<T> args = given;
  int64_t n = args.shape.numel();
  collapse(args.shape, {&args.a_strides, &args.b_strides});
  with_binary(args.op,
              [&]<class Op>(Op) { launch_elements(binary_kernel<T, Op>, fours(n), args, n); });
}

STAR_INSTANTIATE(fill, Fill)
STAR_INSTANTIATE(copy, Copy)
STAR_INSTANTIATE(scale, Scale)
STAR_INSTANTIATE(unary, UnaryMap)
STAR_INSTANTIATE(unary_grad, UnaryGrad)
STAR_INSTANTIATE(gated, Gated)
STAR_INSTANTIATE(gated_grad, GatedGrad)
STAR_INSTANTIATE(binary, BinaryMap)

}  // namespace star::cuda
