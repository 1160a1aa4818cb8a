// Rows of a table, and positions.
#include <cmath>

#include "cuda/backend.h"

namespace star::cuda {
namespace {

template <class T>
__global__ void gather_rows_kernel(GatherRows<T> args) {
  auto index = global(args.index);
  auto table = global(args.table);
  auto y = global(args.y);
  for_each_element(args.n * args.d, [&](int64_t i) {
    int64_t row = index[i / args.d];
    bool inside = row >= 0 && row < args.table_rows;
    y[i] = inside ? T(table[row * args.d + i % args.d]) : T(NAN);
  });
}

// Rows of x that go to one row of the table are a list, in their order: `head` has the first for
// each row of the table, `next` the one after each; −1 is none.
__global__ void find_heads_kernel(int64_t n, const int32_t* rows, int64_t table_rows,
                                  int32_t* heads) {
  auto index = global(rows);
  auto head = global(heads);
  for_each_element(table_rows, [&](int64_t row) {
    int64_t i = 0;
    while (i < n && index[i] != row) ++i;
    head[row] = i < n ? int32_t(i) : -1;
  });
}

__global__ void find_next_kernel(int64_t n, const int32_t* rows, int32_t* nexts) {
  auto index = global(rows);
  auto next = global(nexts);
  for_each_element(n, [&](int64_t i) {
    int64_t j = i + 1;
    while (j < n && index[j] != index[i]) ++j;
    next[i] = j < n ? int32_t(j) : -1;
  });
}

template <class T>
__global__ void add_lists_kernel(ScatterRows<T> args, const int32_t* heads, const int32_t* nexts) {
  auto head = global(heads), next = global(nexts);
  auto x = global(args.x);
  auto table = global(args.table);
  for_each_element(args.table_rows * args.d, [&](int64_t at) {
    int32_t i = head[at / args.d];
    if (i < 0) return;
    T sum = table[at];
    for (; i >= 0; i = next[i]) sum += x[i * args.d + at % args.d];
    table[at] = sum;
  });
}

template <class T>
__global__ void rotary_kernel(Rotary<T> args, int64_t pairs) {
  auto from = global(args.x);
  auto to = global(args.y);
  int64_t half = args.e / 2;
  for_each_element(pairs, [&](int64_t i) {
    int64_t row = i / half, r = i % half, at = row * args.e + r;
    double position = double(args.position + row / args.heads % args.length);
    // In double precision: the angle grows with the position, and its remainder is what counts.
    double angle = position * std::pow(args.base, -2.0 * double(r) / double(args.e));
    T c = T(std::cos(angle)), s = T(args.inverse ? -std::sin(angle) : std::sin(angle));
    T x = from[at], y = from[at + half];
    to[at] = c * x - s * y;
    to[at + half] = s * x + c * y;
  });
}

}  // namespace

template <class T>
void gather_rows(Exec&, const GatherRows<T>& args) {
  launch_elements(gather_rows_kernel<T>, args.n * args.d, args);
}

template <class T>
void scatter_rows(Exec& exec, const ScatterRows<T>& args) {
  if (args.n == 0) return;
  require(args.n <= INT32_MAX, "cuda: {} rows are too many to scatter", args.n);
  Tensor heads = scratch<int32_t>(exec, Shape{args.table_rows}),
         next = scratch<int32_t>(exec, Shape{args.n});
  launch_elements(find_heads_kernel, args.table_rows, args.n, args.index, args.table_rows,
                  heads.data<int32_t>());
  launch_elements(find_next_kernel, args.n, args.n, args.index, next.data<int32_t>());
  launch_elements(add_lists_kernel<T>, args.table_rows * args.d, args, heads.data<int32_t>(),
                  next.data<int32_t>());
}

template <class T>
void rotary(Exec&, const Rotary<T>& args) {
  int64_t pairs = args.batch * args.length * args.heads * (args.e / 2);
  launch_elements(rotary_kernel<T>, pairs, args, pairs);
}

STAR_INSTANTIATE(gather_rows, GatherRows)
STAR_INSTANTIATE(scatter_rows, ScatterRows)
STAR_INSTANTIATE(rotary, Rotary)

}  // namespace star::cuda
