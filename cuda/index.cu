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

// What is added to a row of the table are the tokens that looked it up. A radix sort brings them
// together, eight bits of the row at a time. Each block has a slice of the keys, which are rows of
// the table, and its thread d those whose digit is d: it alone counts and places them, so that keys
// of one digit stay in their order. Rows outside of the table have no digit and drop out.
constexpr int64_t kDigits = 256, kMostSlices = 128;

struct Pass {
  int64_t n, slice, table_rows;
  int shift;
  const int32_t *rows, *tokens;  // tokens null: 0 … n − 1
  __device__ int64_t first() const { return int64_t(blockIdx.x) * slice; }
  __device__ int64_t last() const { return first() + slice < n ? first() + slice : n; }
};

// Calls f(i) for the keys of this thread. `tile` has a place for each thread.
template <class F>
__device__ void for_each_of_digit(const Pass& pass, const Shared<int32_t>& tile, const F& f) {
  auto rows = global(pass.rows);
  int32_t digit = int32_t(threadIdx.x);
  for (int64_t begin = pass.first(); begin < pass.last(); begin += kDigits) {
    int64_t left = pass.last() - begin;
    int keys = int(left < kDigits ? left : kDigits);
    if (digit < keys) {
      int32_t row = rows[begin + digit];
      bool inside = row >= 0 && row < pass.table_rows;
      tile[digit] = inside ? (row >> pass.shift) % int32_t(kDigits) : -1;
    }
    __syncthreads();
    for (int k = 0; k < keys; ++k)
      if (tile[k] == digit) f(begin + k);
    __syncthreads();  // before the next keys come
  }
}

__global__ void count_digits_kernel(Pass pass, int32_t* counts) {
  SharedMemory memory;
  Shared<int32_t> tile = memory.take<int32_t>(kDigits);
  int32_t count = 0;
  for_each_of_digit(pass, tile, [&](int64_t) { ++count; });
  global(counts)[blockIdx.x * kDigits + threadIdx.x] = count;
}

// Keys of a digit go behind those of smaller ones and those of earlier slices. Behind all that have
// a digit the rows are −1.
__global__ void place_kernel(Pass pass, const int32_t* counts, int32_t* rows, int32_t* tokens) {
  SharedMemory memory;
  Shared<int32_t> tile = memory.take<int32_t>(kDigits);
  auto count = global(counts), from = global(pass.rows), from_tokens = global(pass.tokens);
  auto to = global(rows), to_tokens = global(tokens);
  int32_t place = 0, all = 0, kept = 0;
  for (int64_t slice = 0; slice < gridDim.x; ++slice) {
    int32_t keys = count[slice * kDigits + threadIdx.x];
    place += slice < blockIdx.x ? keys : 0;
    all += keys;
  }
  tile[threadIdx.x] = all;
  __syncthreads();
  for (unsigned digit = 0; digit < kDigits; ++digit) {
    int32_t keys = tile[digit];
    place += digit < threadIdx.x ? keys : 0;
    kept += keys;
  }
  __syncthreads();  // before digits lie there
  for_each_of_digit(pass, tile, [&](int64_t i) {
    to[place] = from[i];
    to_tokens[place++] = from_tokens ? from_tokens[i] : int32_t(i);
  });
  for_each_of_row(pass.first(), pass.last(), [&](int64_t i) {
    if (i >= kept) to[i] = -1;
  });
}

// The tokens ordered by their rows. Those of one row are a list.
struct Lists {
  int64_t n;
  const int32_t *rows, *tokens;
  __device__ int32_t row(int64_t place) const { return place < n ? global(rows)[place] : -1; }
  __device__ bool goes_on(int64_t place) const { return row(place + 1) == row(place); }
  // Whether the list at the first place of a part has begun before it.
  __device__ bool begun(int64_t part) const { return part > 0 && goes_on(part * kPartTerms - 1); }
};

// Each part of the places adds up what it has of each list: for the table, if that is the whole of
// it, else for `fronts`, if it has begun before the part, or for `backs`, if it goes on behind it.
template <class T>
__global__ void add_lists_kernel(ScatterRows<T> args, Lists lists, T* fronts, T* backs) {
  auto tokens = global(lists.tokens);
  auto x = global(args.x);
  auto table = global(args.table), front = global(fronts), back = global(backs);
  for_each_element(parts_of(args.n) * args.d, [&](int64_t i) {
    int64_t part = i / args.d, column = i % args.d, last = (part + 1) * kPartTerms;
    bool begun = lists.begun(part);
    T sum = 0;
    for (int64_t place = last - kPartTerms; place < last; place += kAhead) {
      T terms[kAhead];
      for (int k = 0; k < kAhead; ++k)
        terms[k] = lists.row(place + k) < 0 ? T(0) : x[tokens[place + k] * args.d + column];
      for (int k = 0; k < kAhead; ++k) {
        int64_t row = lists.row(place + k);
        if (row < 0) return;
        sum += terms[k];
        bool goes_on = lists.goes_on(place + k);
        if (goes_on && place + k + 1 < last) continue;
        if (begun)
          front[i] = sum;
        else if (goes_on)
          back[i] = sum;
        else
          table[row * args.d + column] += sum;
        begun = false;
        sum = 0;
      }
    }
  });
}

// A list that several parts have is joined by the block of the part in which it begins.
template <class T>
__global__ void join_lists_kernel(ScatterRows<T> args, Lists lists, const T* fronts,
                                  const T* backs) {
  SharedMemory memory;
  Shared<T> shares = memory.take<T>(blockDim.x);
  int64_t part = blockIdx.x, last = (part + 1) * kPartTerms - 1;
  int32_t row = lists.row(last);
  bool begins = !lists.begun(part) || lists.row(part * kPartTerms) != row;
  if (row < 0 || !begins || !lists.goes_on(last)) return;
  auto front = global(fronts), back = global(backs);
  int64_t column = int64_t(blockIdx.y) * 32 + threadIdx.x % 32;
  RunningSum<T> sum;
  for (int64_t p = part + 1 + threadIdx.x / 32; lists.row(p * kPartTerms) == row;
       p += blockDim.x / 32)
    if (column < args.d) sum.add(front[p * args.d + column]);
  T rest = column_sum(sum.value(), shares);
  if (threadIdx.x < 32 && column < args.d)
    global(args.table)[row * args.d + column] += back[part * args.d + column] + rest;
}

// A block has one position and up to as many pairs of a head as it has threads, whose turns it finds
// once for `rows` of all the heads of all sequences.
template <class T>
__global__ void rotary_kernel(Rotary<T> args, int64_t rows) {
  SharedMemory memory;
  Shared<T> cosine = memory.take<T>(kThreads), sine = memory.take<T>(kThreads);
  int64_t half = args.e / 2, blocks = blocks_of(half, kThreads);
  int64_t t = blockIdx.x % args.length, block = blockIdx.x / args.length;
  int64_t first = block / blocks * rows, begin = block % blocks * kThreads;
  int pairs = int(half - begin < kThreads ? half - begin : kThreads), own = int(threadIdx.x);
  if (own < pairs) {
    // In double precision: the angle grows with the position, and its remainder is what counts.
    double turn = std::pow(args.base, -2.0 * double(begin + own) / double(args.e));
    double angle = double(args.position + t) * turn;
    cosine[own] = T(std::cos(angle));
    sine[own] = T(args.inverse ? -std::sin(angle) : std::sin(angle));
  }
  __syncthreads();
  auto from = global(args.x);
  auto to = global(args.y);
  struct Pair {
    int64_t at;
    int column;
    T x, y;
  };
  auto load = [&](int64_t i) -> Pair {
    int of_block = int(i) / pairs, column = int(i) - of_block * pairs;
    int64_t row = first + of_block, batch = row / args.heads, head = row - batch * args.heads;
    int64_t at = ((batch * args.length + t) * args.heads + head) * args.e + begin + column;
    return {at, column, from[at], from[at + half]};
  };
  int64_t left = args.batch * args.heads - first, count = (left < rows ? left : rows) * pairs;
  map_range(own, count, kThreads, load, [&](int64_t, Pair pair) {
    T c = cosine[pair.column], s = sine[pair.column];
    to[pair.at] = c * pair.x - s * pair.y;
    to[pair.at + half] = s * pair.x + c * pair.y;
  });
}

}  // namespace

template <class T>
void gather_rows(Exec&, const GatherRows<T>& args) {
  launch_elements(gather_rows_kernel<T>, args.n * args.d, args);
}

// Adds the lists to the table.
template <class T>
void add_lists(Exec& exec, const ScatterRows<T>& args, const Lists& lists) {
  int64_t parts = parts_of(args.n);
  Tensor fronts = scratch<T>(exec, Shape{parts, args.d}),
         backs = scratch<T>(exec, Shape{parts, args.d});
  launch_elements(add_lists_kernel<T>, parts * args.d, args, lists, fronts.data<T>(),
                  backs.data<T>());
  constexpr int64_t kThreadsOfBlock = 256;
  if (parts > 1)
    launch(join_lists_kernel<T>, {parts - 1, blocks_of(args.d, 32)}, kThreadsOfBlock,
           kThreadsOfBlock * sizeof(T), stream(), args, lists, fronts.data<T>(), backs.data<T>());
}

template <class T>
void scatter_rows(Exec& exec, const ScatterRows<T>& args) {
  if (args.n == 0 || args.d == 0 || args.table_rows == 0) return;
  require(args.n <= INT32_MAX, "cuda: {} rows are too many to scatter", args.n);
  int64_t slice = std::max(blocks_of(args.n, kMostSlices), kDigits);
  int64_t slices = blocks_of(args.n, slice), shared = kDigits * sizeof(int32_t);
  Tensor counts = scratch<int32_t>(exec, Shape{slices, kDigits}), rows, tokens;
  Pass pass{args.n, slice, args.table_rows, 0, args.index, nullptr};
  do {
    Tensor to = scratch<int32_t>(exec, Shape{args.n}), with = scratch<int32_t>(exec, Shape{args.n});
    launch(count_digits_kernel, slices, kDigits, shared, stream(), pass, counts.data<int32_t>());
    launch(place_kernel, slices, kDigits, shared, stream(), pass, counts.data<int32_t>(),
           to.data<int32_t>(), with.data<int32_t>());
    rows = to, tokens = with;
    pass.rows = rows.data<int32_t>(), pass.tokens = tokens.data<int32_t>();
    pass.shift += 8;
  } while (pass.shift < 32 && (args.table_rows - 1) >> pass.shift > 0);
  add_lists(exec, args, {args.n, pass.rows, pass.tokens});
}

template <class T>
void rotary(Exec&, const Rotary<T>& args) {
  constexpr int64_t kPairs = 1024;  // of a block, or nearly
  int64_t half = args.e / 2, all = args.batch * args.heads;
  if (args.length * all * half == 0) return;
  int64_t rows = blocks_of(kPairs, std::min(half, kThreads));
  int64_t blocks = args.length * blocks_of(all, rows) * blocks_of(half, kThreads);
  launch(rotary_kernel<T>, blocks, kThreads, 2 * kThreads * sizeof(T), stream(), args, rows);
}

STAR_INSTANTIATE(gather_rows, GatherRows)
STAR_INSTANTIATE(scatter_rows, ScatterRows)
STAR_INSTANTIATE(rotary, Rotary)

}  // namespace star::cuda
