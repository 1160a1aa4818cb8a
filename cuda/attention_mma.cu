// Softmax attention on tensor cores, after Dao ("FlashAttention-2", 2023). A warp has 16 rows at rest
// in its registers, queries or keys, and multiplies them by the rows of the other side as they pass
// through shared memory, a panel at a time. What comes out of the first product is the left factor of
// the second and never leaves the registers. Sums have a fixed order: the backward pass scores twice,
// once with queries at rest and once with keys.
#include <cmath>

#include "cuda/attention.h"
#include "cuda/panel.h"

namespace star::cuda {
namespace {

// Of a block where queries rest, and where keys do, which takes more registers.
inline constexpr int kQueryWarps = 8, kKeyWarps = 4;
inline constexpr int kQueryThreads = 32 * kQueryWarps, kKeyThreads = 32 * kKeyWarps;
inline constexpr int kRestingQueries = kMmaRows * kQueryWarps, kRestingKeys = kMmaRows * kKeyWarps;
inline constexpr float kLog2E = 1.44269504f, kLn2 = 0.69314718f;

// Rows that pass by at a time.
template <int kWidth>
inline constexpr int kPassing = kWidth <= 64 ? 64 : 32;

// Blocks that are to share a multiprocessor and its registers.
template <Math math, int kWidth>
inline constexpr int kQueryBlocks = (math == Math::bf16) && kWidth <= 64 ? 2 : 1;
template <Math math, int kWidth>
inline constexpr int kKeyBlocks = (math == Math::bf16) && kWidth <= 64 ? 3 : 1;

// Where number i of a lane's part of a product lies.
__device__ inline int row_of(int i) { return mma_group() + 8 * (i / 2); }
__device__ inline int column_of(int i) { return 2 * mma_place() + i % 2; }
__device__ inline int64_t own_rows(int64_t begin) { return begin + threadIdx.x / 32 * kMmaRows; }

// `left` rows `step` apart, of which number `first` is the first.
__device__ inline FloatRows rows_from(const float* data, int64_t first, int64_t left, int64_t step,
                                      int64_t width, bool fours) {
  constexpr int64_t kMost = 1 << 20;  // more than any block reads
  return {data + (left > 0 ? first * width : 0), step * width, int(left < kMost ? left : kMost),
          int(width), fours};
}
// The queries from i on, and the keys from j on.
template <class Args>
__device__ FloatRows queries_of(const Head<Args>& here, const float* data, int64_t i,
                                int64_t of_group, int64_t width, bool fours) {
  const Args& args = here.args;
  return rows_from(data, here.query(i, of_group), args.visibility.queries - i,
                   args.heads * args.group, width, fours);
}
template <class Args>
__device__ FloatRows keys_of(const Head<Args>& here, const float* data, int64_t j, int64_t width,
                             bool fours) {
  const Args& args = here.args;
  return rows_from(data, here.key(j), args.visibility.keys - j, args.heads, width, fours);
}

// Of a value of each lane, for the four lanes that share a row.
template <class Join>
__device__ float quad_reduce(float value, const Join& join) {
  value = join(value, __shfl_xor_sync(~0u, value, 1));
  return join(value, __shfl_xor_sync(~0u, value, 2));
}

// Rows of n numbers; number(i) is that of the row of sum i, −1: there is none.
template <int kTiles, class Number, class Value>
__device__ void write_rows(float* to, int64_t n, const Number& number, const Sums (&sums)[kTiles],
                           const Value& value) {
  auto y = global(to);
  for (int i = 0; i < 4; ++i) {
    const int64_t row = number(i);
    for (int tile = 0; tile < kTiles; ++tile) {
      const int column = tile * kMmaColumns + column_of(i);
      if (row >= 0 && column < n) y[row * n + column] = value(i, sums[tile].at[i]);
    }
  }
}

// The softmax of a lane's two rows as it goes along, in powers of 2: the greatest score so far and
// this lane's part of Σ 2^(s − peak).
struct RunningSoftmax {
  float peak[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};

  // Turns scores into weights; returns by what each row's earlier sums are to be multiplied.
  template <int kTiles>
  __device__ void add(Sums (&scores)[kTiles], float (&correction)[2]) {
    for (int h = 0; h < 2; ++h) {
      float top = peak[h];
      for (const Sums& s : scores) top = fmaxf(top, fmaxf(s.at[2 * h], s.at[2 * h + 1]));
      top = quad_reduce(top, [](float a, float b) { return fmaxf(a, b); });
      const float base = top == -INFINITY ? 0 : top;
      float sum = 0;
      for (Sums& s : scores)
        for (int c = 2 * h; c < 2 * h + 2; ++c) sum += s.at[c] = power_of_2(s.at[c] - base);
      correction[h] = power_of_2(peak[h] - base);
      total[h] = total[h] * correction[h] + sum;
      peak[h] = top;
    }
  }
  __device__ void finish() {
    for (float& t : total) t = quad_reduce(t, [](float a, float b) { return a + b; });
  }
};

template <Math math, int kWidth>
using KeyPanel = Panel<math, kPassing<kWidth>, kWidth, true, false>;
template <Math math, int kWidth>
using ValuePanel = Panel<math, kPassing<kWidth>, kWidth, false, true>;

template <Math math, int kWidth>
__global__ void __launch_bounds__(kQueryThreads, kQueryBlocks<math, kWidth>)
    attention_mma_kernel(Attention<float> args, bool fours) {
  constexpr int kKeys = kPassing<kWidth>;
  SharedMemory memory;
  KeyPanel<math, kWidth> keys(memory);
  ValuePanel<math, kWidth> values(memory);
  auto here = Head<Attention<float>>::of_queries(args, blockIdx.x, kRestingQueries);
  const int64_t own = own_rows(here.begin),
                last = last_key(args.visibility, here.begin, kRestingQueries);
  const float scale = args.scale * kLog2E;
  RestingRows<math, kWidth> q;
  q.load(queries_of(here, args.q, own, here.group, args.e, fours));
  RunningSoftmax softmax;
  Sums sums[kWidth / kMmaColumns];
  for (int64_t j = first_key<kKeys>(args.visibility, here.begin); j < last; j += kKeys) {
    __syncthreads();
    keys.template fill<kQueryThreads>(keys_of(here, args.k, j, args.e, fours));
    values.template fill<kQueryThreads>(keys_of(here, args.v, j, args.f, fours));
    __syncthreads();
    const PairMask mask(args.visibility, own, kMmaRows, j, kKeys);
    if (mask.none) continue;
    Sums scores[kKeys / kMmaColumns];
    STAR_UNROLL
    for (int tile = 0; tile < kKeys / kMmaColumns; ++tile) {
      for (int s = 0; s < q.kSteps; ++s)
        multiply_add<math>(scores[tile], q.at[s], keys.along(tile * kMmaColumns, s));
      for (int i = 0; i < 4; ++i) {
        const bool seen = mask.sees(row_of(i), tile * kMmaColumns + column_of(i));
        scores[tile].at[i] = seen ? scale * scores[tile].at[i] : -INFINITY;
      }
    }
    float correction[2];
    softmax.add(scores, correction);
    for (Sums& s : sums)
      for (int i = 0; i < 4; ++i) s.at[i] *= correction[i / 2];
    STAR_UNROLL
    for (int s = 0; s < kKeys / kMmaInner<math>; ++s) {
      const Left<math> p = left_of<math>(scores + s * kNumbersInWord<math>);
      for (int tile = 0; tile < kWidth / kMmaColumns; ++tile)
        multiply_add<math>(sums[tile], p, values.across(s, tile * kMmaColumns));
    }
  }
  softmax.finish();
  auto query_of = [&](int i) { return here.query(own + row_of(i), here.group); };
  write_rows(args.y, args.f, query_of, sums,
             [&](int i, float sum) { return sum / softmax.total[i / 2]; });
  if (!args.log_sum || mma_place() > 0) return;
  for (int h = 0; h < 2; ++h) {
    const int64_t query = own + row_of(2 * h);
    if (query < args.visibility.queries)
      global(args.log_sum)[here.row(query, here.group)] =
          (std::log2(softmax.total[h]) + softmax.peak[h]) * kLn2;
  }
}

// Of 16 rows at rest and kTogether that pass, from `first` of their panels on: the weights p and the
// slopes ds of their pairs, as left factors. `seen(i, column)` says whether a pair counts, stats(…)
// gives its query's log_sum, in powers of 2, and D. So many products at a time do not wait for each
// other; float32 takes more registers, and its steps do not wait anyway.
template <Math math>
struct PairFactors {
  static constexpr int kTiles = math == Math::fp32 ? 1 : math == Math::bf16 ? 2 : 4;
  static constexpr int kTogether = kTiles * kMmaColumns;
  static constexpr int kSteps = kTogether / kMmaInner<math>;
  Left<math> weights[kSteps], slopes[kSteps];

  template <class Resting, class ScorePanel, class ProductPanel, class Seen, class Stats>
  __device__ void compute(const Resting& scored, const Resting& multiplied,
                          const ScorePanel& score_panel, const ProductPanel& product_panel,
                          int first, float scale, const Seen& seen, const Stats& stats) {
    Sums p[kTiles], ds[kTiles];
    STAR_UNROLL
    for (int s = 0; s < scored.kSteps; ++s)
      for (int n = 0; n < kTiles; ++n) {
        const int row = first + n * kMmaColumns;
        multiply_add<math>(p[n], scored.at[s], score_panel.along(row, s));
        multiply_add<math>(ds[n], multiplied.at[s], product_panel.along(row, s));
      }
    STAR_UNROLL
    for (int n = 0; n < kTiles; ++n)
      for (int i = 0; i < 4; ++i) {
        const int column = first + n * kMmaColumns + column_of(i);
        const auto [log_sum, dot] = stats(i, column);
        const float weight =
            seen(i, column) ? power_of_2(scale * kLog2E * p[n].at[i] - log_sum) : 0.0f;
        p[n].at[i] = weight;
        ds[n].at[i] = scale * weight * (ds[n].at[i] - dot);
      }
    STAR_UNROLL
    for (int s = 0; s < kSteps; ++s) {
      weights[s] = left_of<math>(p + s * kNumbersInWord<math>);
      slopes[s] = left_of<math>(ds + s * kNumbersInWord<math>);
    }
  }
};

struct RowStats {
  float log_sum, dot;
};
template <class Array>
__device__ RowStats stats_of(const Head<AttentionGrad<float>>& here, const Array& dots, int64_t i,
                             int64_t of_group) {
  const int64_t query = here.query(i, of_group);
  if (query < 0) return {0, 0};
  return {kLog2E * float(global(here.args.log_sum)[here.row(i, of_group)]), float(dots[query])};
}

template <Math math, int kWidth>
using BothPanel = Panel<math, kPassing<kWidth>, kWidth, true, true>;

template <Math math, int kWidth>
__global__ void __launch_bounds__(kQueryThreads, kQueryBlocks<math, kWidth>)
    attention_query_grad_mma_kernel(AttentionGrad<float> args, bool fours, const float* dots) {
  constexpr int kKeys = kPassing<kWidth>;
  using Pairs = PairFactors<math>;
  SharedMemory memory;
  BothPanel<math, kWidth> keys(memory);
  KeyPanel<math, kWidth> values(memory);
  auto here = Head<AttentionGrad<float>>::of_queries(args, blockIdx.x, kRestingQueries);
  const int64_t own = own_rows(here.begin),
                last = last_key(args.visibility, here.begin, kRestingQueries);
  RestingRows<math, kWidth> q, dy;
  q.load(queries_of(here, args.q, own, here.group, args.e, fours));
  dy.load(queries_of(here, args.dy, own, here.group, args.f, fours));
  RowStats stats[2];
  for (int h = 0; h < 2; ++h)
    stats[h] = stats_of(here, global(dots), own + row_of(2 * h), here.group);
  Sums sums[kWidth / kMmaColumns];
  for (int64_t j = first_key<kKeys>(args.visibility, here.begin); j < last; j += kKeys) {
    __syncthreads();
    keys.template fill<kQueryThreads>(keys_of(here, args.k, j, args.e, fours));
    values.template fill<kQueryThreads>(keys_of(here, args.v, j, args.f, fours));
    __syncthreads();
    const PairMask mask(args.visibility, own, kMmaRows, j, kKeys);
    if (mask.none) continue;
    for (int first = 0; first < kKeys; first += Pairs::kTogether) {
      Pairs pairs;
      pairs.compute(
          q, dy, keys, values, first, args.scale,
          [&](int i, int column) { return mask.sees(row_of(i), column); },
          [&](int i, int) { return stats[i / 2]; });
      STAR_UNROLL
      for (int s = 0; s < Pairs::kSteps; ++s)
        for (int tile = 0; tile < kWidth / kMmaColumns; ++tile)
          multiply_add<math>(sums[tile], pairs.slopes[s],
                             keys.across(first / kMmaInner<math> + s, tile * kMmaColumns));
    }
  }
  auto query_of = [&](int i) { return here.query(own + row_of(i), here.group); };
  write_rows(args.dq, args.e, query_of, sums, [](int, float sum) { return sum; });
}

template <Math math, int kWidth>
__global__ void __launch_bounds__(kKeyThreads, kKeyBlocks<math, kWidth>)
    attention_key_grad_mma_kernel(AttentionGrad<float> args, bool fours, const float* dots) {
  constexpr int kQueries = kPassing<kWidth>;
  using Pairs = PairFactors<math>;
  SharedMemory memory;
  BothPanel<math, kWidth> queries(memory), slopes(memory);
  Shared<float> log_sums = memory.take<float>(kQueries), row_dots = memory.take<float>(kQueries);
  auto here = Head<AttentionGrad<float>>::of_keys(args, blockIdx.x, kRestingKeys);
  const Visibility& v = args.visibility;
  const int64_t own = own_rows(here.begin), last = last_query(v, here.begin, kRestingKeys);
  RestingRows<math, kWidth> k, values;
  k.load(keys_of(here, args.k, own, args.e, fours));
  values.load(keys_of(here, args.v, own, args.f, fours));
  Sums key_sums[kWidth / kMmaColumns], value_sums[kWidth / kMmaColumns];
  for (int64_t group = 0; group < args.group; ++group)
    for (int64_t i = first_query(v, here.begin) / kQueries * kQueries; i < last; i += kQueries) {
      __syncthreads();
      queries.template fill<kKeyThreads>(queries_of(here, args.q, i, group, args.e, fours));
      slopes.template fill<kKeyThreads>(queries_of(here, args.dy, i, group, args.f, fours));
      if (threadIdx.x < kQueries) {
        const RowStats stats = stats_of(here, global(dots), i + threadIdx.x, group);
        log_sums[threadIdx.x] = stats.log_sum;
        row_dots[threadIdx.x] = stats.dot;
      }
      __syncthreads();
      const PairMask mask(v, i, kQueries, own, kMmaRows);
      if (mask.none) continue;
      for (int first = 0; first < kQueries; first += Pairs::kTogether) {
        Pairs pairs;
        pairs.compute(
            k, values, queries, slopes, first, args.scale,
            [&](int r, int column) { return mask.sees(column, row_of(r)); },
            [&](int, int column) {
              return RowStats{log_sums[column], row_dots[column]};
            });
        STAR_UNROLL
        for (int s = 0; s < Pairs::kSteps; ++s)
          for (int tile = 0; tile < kWidth / kMmaColumns; ++tile) {
            const int step = first / kMmaInner<math> + s, column = tile * kMmaColumns;
            multiply_add<math>(key_sums[tile], pairs.slopes[s], queries.across(step, column));
            multiply_add<math>(value_sums[tile], pairs.weights[s], slopes.across(step, column));
          }
      }
    }
  auto key_of = [&](int i) { return here.key(own + row_of(i)); };
  auto as_it_is = [](int, float sum) { return sum; };
  write_rows(args.dk, args.e, key_of, key_sums, as_it_is);
  write_rows(args.dv, args.f, key_of, value_sums, as_it_is);
}

template <int n>
using Width = std::integral_constant<int, n>;
template <Math m>
using MathOf = std::integral_constant<Math, m>;

// Calls f(math, width) with the narrowest kernel that rows of so many numbers fit; false: there is
// none.
template <class F>
bool with_width(Math math, int64_t width, const F& f) {
  auto with_math = [&](auto w) {
    if (math == Math::fp32) f(MathOf<Math::fp32>(), w);
    if (math == Math::tf32) f(MathOf<Math::tf32>(), w);
    if (math == Math::bf16) f(MathOf<Math::bf16>(), w);
    return true;
  };
  if (width <= 16) return with_math(Width<16>());
  if (width <= 32) return with_math(Width<32>());
  if (width <= 64) return with_math(Width<64>());
  return width <= 128 && with_math(Width<128>());
}

bool in_fours(std::initializer_list<int64_t> widths, std::initializer_list<const float*> data) {
  return std::all_of(widths.begin(), widths.end(), [](int64_t n) { return n % 4 == 0; }) &&
         std::all_of(data.begin(), data.end(),
                     [](const float* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; });
}

}  // namespace

bool attention_by_mma(Exec& exec, const Attention<float>& args) {
  const bool fours = in_fours({args.e, args.f}, {args.q, args.k, args.v});
  return with_width(exec.math(), std::max(args.e, args.f), [&](auto math, auto width) {
    const int64_t tiles =
        args.batch * args.heads * args.group * blocks_of(args.visibility.queries, kRestingQueries);
    if (tiles > 0)
      launch(attention_mma_kernel<math, width>, tiles, kQueryThreads,
             KeyPanel<math, width>::kBytes + ValuePanel<math, width>::kBytes, stream(), args,
             fours);
  });
}

bool attention_grad_by_mma(Exec& exec, const AttentionGrad<float>& args) {
  const bool fours = in_fours({args.e, args.f}, {args.q, args.k, args.v, args.dy});
  return with_width(exec.math(), std::max(args.e, args.f), [&](auto math, auto width) {
    const int64_t heads = args.batch * args.heads;
    const int64_t query_tiles =
        heads * args.group * blocks_of(args.visibility.queries, kRestingQueries);
    const int64_t key_tiles = heads * blocks_of(args.visibility.keys, kRestingKeys);
    const size_t both = BothPanel<math, width>::kBytes;
    const Tensor dots = attention_dots(exec, args);
    if (query_tiles > 0)
      launch(attention_query_grad_mma_kernel<math, width>, query_tiles, kQueryThreads,
             both + KeyPanel<math, width>::kBytes, stream(), args, fours, dots.data<float>());
    if (key_tiles > 0)
      launch(attention_key_grad_mma_kernel<math, width>, key_tiles, kKeyThreads,
             2 * both + 2 * kPassing<width> * sizeof(float), stream(), args, fours,
             dots.data<float>());
  });
}

}  // namespace star::cuda
