// Softmax attention by tiles: a block of queries meets the keys it sees, a block at a time, and the
// scores never leave the cache (Dao et al., "FlashAttention", 2022). The softmax is taken as it
// goes (Milakov and Gimelshein, 2018): what was summed is scaled down when a greater score appears.
// The gradient makes the scores again from the queries, the keys and log_sum.
#include "cpu/tile.h"

namespace star::cpu::STAR_TARGET {
namespace {

constexpr int64_t kQueries = 96;  // a multiple of kTileRows
constexpr int64_t kKeys = 64;
constexpr int64_t kFewQueries = 4;

// A row of scores, −∞ outside of from … to, ends as exp(s − shift); returns their sum.
template <class T>
T exponentials(T* s, int64_t from, int64_t to, int64_t width, T shift) {
  Vec<T> total(T(0)), by(shift);
  int64_t end = padded<T>(to);
  for (int64_t j = from / kLanes<T> * kLanes<T>; j < end; j += kLanes<T>) {
    Vec<T> e = xsimd::exp(Vec<T>::load_unaligned(s + j) - by);
    e.store_unaligned(s + j);
    total += e;
  }
  std::fill(s, s + from / kLanes<T> * kLanes<T>, T(0));
  if (end < width) std::fill(s + end, s + width, T(0));
  return xsimd::hadd(total);
}

template <class T>
void hide(T* s, int64_t from, int64_t to, int64_t width) {
  constexpr T low = -std::numeric_limits<T>::infinity();
  std::fill(s, s + from, low);
  std::fill(s + to, s + width, low);
}

template <class T>
T greatest(const T* s, int64_t width) {
  Vec<T> most = Vec<T>::load_unaligned(s);
  for (int64_t j = kLanes<T>; j < width; j += kLanes<T>)
    most = xsimd::max(most, Vec<T>::load_unaligned(s + j));
  return horizontal_max<T>(most);
}

// What a block of queries sees of a block of keys.
struct Seen {
  const Visibility& v;
  int64_t first_query, first_key, keys;
  // Of query r of the block, as places in the block of keys; empty where from ≥ to.
  int64_t from(int64_t r) const {
    return std::max<int64_t>(v.first(first_query + r) - first_key, 0);
  }
  int64_t to(int64_t r) const { return std::min(v.last(first_query + r) - first_key, keys); }
};

// A block of queries of one head and the keys that they see.
template <class T>
void attend(const Attention<T>& args, Tile<const T> q, Tile<const T> keys, Tile<const T> values,
            Tile<T> y, T* log_sum, int64_t begin, int64_t rows, Scratch<T> scratch) {
  constexpr T low = -std::numeric_limits<T>::infinity();
  Tile<T> Q = scratch.tile(kQueries, args.e), S = scratch.tile(kQueries, kKeys);
  Tile<T> sum = scratch.tile(kQueries, args.f);
  T peak[kQueries], total[kQueries] = {};
  std::fill(peak, peak + kQueries, low);
  std::fill(sum.data, sum.data + rows * sum.row, T(0));
  copy_tile<T>(rows, args.e, q.from(begin), Q, args.scale);
  int64_t end = args.visibility.last(begin + rows - 1);
  for (int64_t j = args.visibility.first(begin) / kKeys * kKeys; j < end; j += kKeys) {
    int64_t width = padded<T>(std::min(kKeys, end - j));
    Seen seen{args.visibility, begin, j, std::min(kKeys, end - j)};
    tile_product<T>(rows, width, args.e, Q, keys.from(0, j), S, false);
    for (int64_t r = 0; r < rows; ++r) {
      T* s = S.data + r * S.row;
      int64_t from = seen.from(r), to = seen.to(r);
      if (from >= to) {
        std::fill(s, s + width, T(0));
        continue;
      }
      hide(s, from, to, width);
      T before = peak[r], most = std::max(before, greatest(s, width));
      T part = exponentials(s, from, to, width, most);
      if (most > before) {
        T shrink = std::exp(before - most);
        total[r] *= shrink;
        scale_row(sum.data + r * sum.row, sum.row, shrink);
        peak[r] = most;
      }
      total[r] += part;
    }
    tile_product<T>(rows, args.f, std::min(kKeys, end - j), S, values.from(j), sum, true);
  }
  for (int64_t r = 0; r < rows; ++r) {
    if (log_sum) log_sum[begin + r] = peak[r] + std::log(total[r]);
    scale_row(sum.data + r * sum.row, sum.row, 1 / total[r]);
  }
  store_tile<T>(rows, args.f, sum, y.from(begin));
}

// One query of one head and the keys that it sees, read where they are: copying them into tiles
// would cost more than it saves.
template <class T>
void attend_alone(const Attention<T>& args, const T* q, Tile<const T> keys, Tile<const T> values,
                  T* y, T* log_sum, int64_t i, T* scores) {
  constexpr int64_t W = kLanes<T>;
  int64_t from = args.visibility.first(i), to = args.visibility.last(i),
          width = padded<T>(to - from);
  for (int64_t j = from; j < to; ++j) {
    const T* k = keys.data + j * keys.row;
    Vec<T> dot(T(0));
    for (int64_t c = 0; c < args.e; c += W)
      dot = xsimd::fma(load(q + c, args.e - c), load(k + c, args.e - c), dot);
    scores[j - from] = args.scale * xsimd::hadd(dot);
  }
  hide(scores, 0, to - from, width);
  T peak = greatest(scores, width), total = exponentials(scores, 0, to - from, width, peak);
  for (int64_t c = 0; c < args.f; c += W) {
    Vec<T> sum(T(0));
    for (int64_t j = from; j < to; ++j)
      sum = xsimd::fma(Vec<T>(scores[j - from]), load(values.data + j * values.row + c, args.f - c),
                       sum);
    store(y + c, sum * Vec<T>(1 / total), args.f - c);
  }
  if (log_sum) *log_sum = peak + std::log(total);
}

template <class T>
void attention_of_few(Exec& exec, const Attention<T>& args) {
  int64_t L = args.visibility.queries, n = args.visibility.keys, all = args.heads * args.group;
  Tensor scores = exec.empty({exec.pool().threads(), padded<T>(n)}, dtype_of<T>);
  exec.pool().run(args.batch * all, [&](int64_t of, int thread) {
    int64_t b = of / all, h = of % all, kv = h / args.group;
    Tile<const T> q = head_rows(args.q, L, all, args.e, b, h);
    Tile<T> y = head_rows(args.y, L, all, args.f, b, h);
    for (int64_t i = 0; i < L; ++i)
      attend_alone<T>(args, q.from(i).data, head_rows(args.k, n, args.heads, args.e, b, kv),
                      head_rows(args.v, n, args.heads, args.f, b, kv), y.from(i).data,
                      args.log_sum ? args.log_sum + of * L + i : nullptr, i,
                      scores.template data<T>() + thread * scores.stride(0));
  });
}

}  // namespace

template <class T>
void attention(Exec& exec, const Attention<T>& args) {
  if (args.visibility.queries <= kFewQueries) return attention_of_few(exec, args);
  int64_t heads = args.batch * args.heads, n = args.visibility.keys, L = args.visibility.queries;
  int64_t row_of_keys = padded<T>(blocks_of(n, kKeys) * kKeys), row = padded<T>(args.f);
  Tensor keys = exec.empty({heads, args.e, row_of_keys}, dtype_of<T>);
  Tensor values = exec.empty({heads, n, row}, dtype_of<T>);
  auto keys_of = [&](int64_t head) {
    return Tile<T>{keys.template data<T>() + head * args.e * row_of_keys, row_of_keys};
  };
  auto values_of = [&](int64_t head) {
    return Tile<T>{values.template data<T>() + head * n * row, row};
  };
  exec.pool().run(heads, [&](int64_t head) {
    int64_t b = head / args.heads, h = head % args.heads;
    transpose_tile<T>(n, args.e, head_rows(args.k, n, args.heads, args.e, b, h), keys_of(head));
    copy_tile<T>(n, args.f, head_rows(args.v, n, args.heads, args.f, b, h), values_of(head));
  });
  int64_t size = kQueries * (padded<T>(args.e) + padded<T>(kKeys) + row);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  int64_t blocks = blocks_of(L, kQueries), all = args.heads * args.group;
  exec.pool().run(heads * args.group * blocks, [&](int64_t task, int thread) {
    int64_t of = task / blocks, begin = task % blocks * kQueries;  // of: batch, heads, group
    int64_t b = of / all, h = of % all;
    attend<T>(args, head_rows(args.q, L, all, args.e, b, h), keys_of(of / args.group),
              values_of(of / args.group), head_rows(args.y, L, all, args.f, b, h),
              args.log_sum ? args.log_sum + of * L : nullptr, begin, std::min(kQueries, L - begin),
              {scratch.template data<T>() + thread * size});
  });
}

namespace {

// The gradient of one head of keys and values, with all queries that read it.
template <class T>
struct HeadGrad {
  const AttentionGrad<T>& args;
  int64_t b, h, n, L;
  Tile<T> keys, keys_transposed, values_transposed, dk, dv;
  Tile<T> q, dy, dq, P, dS;
  T* mean;  // dy_i·y_i

  static int64_t size(const AttentionGrad<T>& args) {
    int64_t n = args.visibility.keys, L = args.visibility.queries, e = padded<T>(args.e),
            f = padded<T>(args.f);
    return n * (2 * e + f) + (args.e + args.f) * padded<T>(n + kKeys) + L * (2 * e + f + 1) +
           2 * kQueries * kKeys + 64;
  }
  HeadGrad(const AttentionGrad<T>& given, int64_t head, Scratch<T> s)
      : args(given),
        b(head / args.heads),
        h(head % args.heads),
        n(args.visibility.keys),
        L(args.visibility.queries),
        keys(s.tile(n, args.e)),
        keys_transposed(s.tile(args.e, n + kKeys)),
        values_transposed(s.tile(args.f, n + kKeys)),
        dk(s.tile(n, args.e)),
        dv(s.tile(n, args.f)),
        q(s.tile(L, args.e)),
        dy(s.tile(L, args.f)),
        dq(s.tile(L, args.e)),
        P(s.tile(kQueries, kKeys)),
        dS(s.tile(kQueries, kKeys)),
        mean(s.next) {}

  void run() {
    Tile<const T> k = head_rows(args.k, n, args.heads, args.e, b, h);
    Tile<const T> v = head_rows(args.v, n, args.heads, args.f, b, h);
    copy_tile<T>(n, args.e, k, keys);
    transpose_tile<T>(n, args.e, k, keys_transposed);
    transpose_tile<T>(n, args.f, v, values_transposed);
    std::fill(dk.data, dk.data + n * dk.row, T(0));
    std::fill(dv.data, dv.data + n * dv.row, T(0));
    for (int64_t of = 0; of < args.group; ++of) query_head(of);
    store_tile<T>(n, args.e, dk, head_rows(args.dk, n, args.heads, args.e, b, h));
    store_tile<T>(n, args.f, dv, head_rows(args.dv, n, args.heads, args.f, b, h));
  }

 private:
  void query_head(int64_t of) {
    int64_t all = args.heads * args.group, at = h * args.group + of;
    const T* log_sum = args.log_sum + (b * all + at) * L;
    Tile<const T> y = head_rows(args.y, L, all, args.f, b, at);
    copy_tile<T>(L, args.e, head_rows(args.q, L, all, args.e, b, at), q, args.scale);
    copy_tile<T>(L, args.f, head_rows(args.dy, L, all, args.f, b, at), dy);
    std::fill(dq.data, dq.data + L * dq.row, T(0));
    for (int64_t i = 0; i < L; ++i) {
      Vec<T> dot(T(0));
      for (int64_t c = 0; c < args.f; c += kLanes<T>)
        dot += load(y.data + i * y.row + c, args.f - c) *
               Vec<T>::load_unaligned(dy.data + i * dy.row + c);
      mean[i] = xsimd::hadd(dot);
    }
    for (int64_t j = 0; j < n; j += kKeys)
      for (int64_t i = 0; i < L; i += kQueries) block(i, std::min(kQueries, L - i), j, log_sum);
    for (int64_t i = 0; i < L; ++i) scale_row(dq.data + i * dq.row, dq.row, args.scale);
    store_tile<T>(L, args.e, dq, head_rows(args.dq, L, all, args.e, b, at));
  }

  // q is scaled already: so is dk, by way of it; dq is scaled at the end.
  void block(int64_t i, int64_t rows, int64_t j, const T* log_sum) {
    int64_t seen_keys = std::min(args.visibility.last(i + rows - 1), j + kKeys) - j;
    if (seen_keys <= 0 || args.visibility.first(i) >= j + kKeys) return;
    int64_t width = padded<T>(seen_keys);
    Seen seen{args.visibility, i, j, seen_keys};
    tile_product<T>(rows, width, args.e, q.from(i), keys_transposed.from(0, j), P, false);
    tile_product<T>(rows, width, args.f, dy.from(i), values_transposed.from(0, j), dS, false);
    for (int64_t r = 0; r < rows; ++r) {
      T *p = P.data + r * P.row, *ds = dS.data + r * dS.row;
      int64_t from = seen.from(r), to = seen.to(r);
      if (from >= to) {
        std::fill(p, p + width, T(0));
      } else {
        hide(p, from, to, width);
        exponentials(p, from, to, width, log_sum[i + r]);
      }
      Vec<T> D(mean[i + r]);
      for (int64_t c = 0; c < width; c += kLanes<T>)
        (Vec<T>::load_unaligned(p + c) * (Vec<T>::load_unaligned(ds + c) - D))
            .store_unaligned(ds + c);
    }
    tile_product<T>(seen_keys, args.f, rows, P.transposed(), dy.from(i), dv.from(j), true);
    tile_product<T>(seen_keys, args.e, rows, dS.transposed(), q.from(i), dk.from(j), true);
    tile_product<T>(rows, args.e, seen_keys, dS, keys.from(j), dq.from(i), true);
  }
};

}  // namespace

template <class T>
void attention_grad(Exec& exec, const AttentionGrad<T>& args) {
  int64_t size = HeadGrad<T>::size(args);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  exec.pool().run(args.batch * args.heads, [&](int64_t head, int thread) {
    HeadGrad<T>(args, head, {scratch.template data<T>() + thread * size}).run();
  });
}

STAR_INSTANTIATE(attention, Attention)
STAR_INSTANTIATE(attention_grad, AttentionGrad)

}  // namespace star::cpu::STAR_TARGET
