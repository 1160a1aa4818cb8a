// A matrix-valued state with a decay a key channel (Yang et al., "Gated linear attention", 2024), by
// chunks so short that scores can be taken channel by channel:
//   P_ij = Σ_n q_i[n] G_ij[n] k_j[n],  G_ij[n] = a_{j+1}[n] … a_i[n],  a = exp(g).
// The factors G would not fit a product of matrices unless they were torn apart into quotients,
// which overflow. Here the keys fade instead, row by row: before token i meets them, each is
// multiplied by a_i. No factor exceeds 1, and behind the last row they are as the state behind the
// chunk wants them. From chunk to chunk all is products of tiles.
#pragma once

#include "cpu/tile.h"

namespace star::cpu::STAR_TARGET {

// One chunk of one head, in a thread's memory.
template <class T, class Args>
struct ChannelChunk {
  const Args& args;
  int64_t b, h, begin = 0, rows = 0;
  Tile<T> k, v, q, y, a, since, faded, P;
  T* strength;  // [rows]

  static int64_t size(const Args& args) {
    int64_t e = padded<T>(args.e), f = padded<T>(args.f), c = padded<T>(kChannelChunk);
    return kChannelChunk * (5 * e + 2 * f + c) + c;
  }
  ChannelChunk(const Args& given, int64_t head, Scratch<T>& s)
      : args(given),
        b(head / given.heads),
        h(head % given.heads),
        k(s.tile(kChannelChunk, args.e)),
        v(s.tile(kChannelChunk, args.f)),
        q(s.tile(kChannelChunk, args.e)),
        y(s.tile(kChannelChunk, args.f)),
        a(s.tile(kChannelChunk, args.e)),
        since(s.tile(kChannelChunk, args.e)),
        faded(s.tile(kChannelChunk, args.e)),
        P(s.tile(kChannelChunk, kChannelChunk)),
        strength(s.tile(1, kChannelChunk).data) {}

  // Rows of this chunk in a tensor of heads.
  template <class U>
  Tile<U> mine(U* data, int64_t width) const {
    return head_rows(data, args.length, args.heads, width, b, h).from(begin);
  }
  int64_t token(int64_t i) const { return (b * args.length + begin + i) * args.heads + h; }

  // Keys, values times strength, decays, and their products from the start of the chunk.
  void load_chunk(int64_t at) {
    begin = at;
    rows = std::min(kChannelChunk, args.length - begin);
    copy_tile<T>(rows, args.e, mine(args.k, args.e), k);
    copy_tile<T>(rows, args.f, mine(args.v, args.f), v);
    copy_tile<T>(rows, args.e, mine(args.log_decay, args.e), a);
    for (int64_t i = 0; i < rows; ++i) {
      strength[i] = args.strength ? args.strength[token(i)] : T(1);
      if (args.strength) scale_row(v.from(i).data, v.row, strength[i]);
      T *decays = a.from(i).data, *product = since.from(i).data;
      for (int64_t n = 0; n < a.row; n += kLanes<T>) {
        Vec<T> x = xsimd::exp(Vec<T>::load_unaligned(decays + n));
        x.store_unaligned(decays + n);
        if (i > 0) x *= Vec<T>::load_unaligned(product + n - since.row);
        x.store_unaligned(product + n);
      }
    }
  }

  // Fades the keys to the end of the chunk. Calls f(i) when those before token i are as it meets
  // them.
  template <class F>
  void fade_keys(const F& f) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < i; ++j) multiply_row(faded.from(j).data, faded.row, a.from(i).data);
      std::copy_n(k.from(i).data, k.row, faded.from(i).data);
      f(i);
    }
  }

  // P of the queries q, with or without the pairs of a token with itself.
  void scores(bool own) {
    fade_keys([&](int64_t i) {
      T* row = P.from(i).data;
      std::fill(row, row + P.row, T(0));
      for (int64_t j = 0; j < i + own; ++j)
        row[j] = dot_rows(q.from(i).data, faded.from(j).data, faded.row);
    });
  }

  // The queries as the state before the chunk meets them.
  void fade_queries() {
    for (int64_t i = 0; i < rows; ++i) multiply_row(q.from(i).data, q.row, since.from(i).data);
  }

  // S ← (product of all decays) S.
  void fade_state(Tile<T> S) const {
    const T* total = since.from(rows - 1).data;
    for (int64_t n = 0; n < args.e; ++n) scale_row(S.from(n).data, S.row, total[n]);
  }

  // The state behind the chunk from the one before it, once the keys have faded.
  void write_to(Tile<T> S) const {
    fade_state(S);
    tile_product<T>(args.e, args.f, rows, faded.transposed(), v, S, true);
  }
};

template <class T>
inline void fill_channel_state(const T* start, int64_t head, int64_t e, int64_t f, Tile<T> S) {
  std::fill(S.data, S.data + e * S.row, T(0));
  if (start) copy_tile<T>(e, f, Tile<const T>{start + head * e * f, f}, S);
}

// The gradient of one head, from the last chunk to the first. With S the state before a chunk and
// dS the gradient of the one behind it, v the values times strength and M_ij = dy_i·v_j:
//   dq_i = Σ_j M_ij G_ij ∘ k_j + since_i ∘ S dy_i       dk_j = Σ_i M_ij G_ij ∘ q_i + until_j ∘ dS v_j
//   dv_j = Σ_i P_ij dy_i + dSᵀ (until_j ∘ k_j)          dS ← total ∘ dS + Σ_i (since_i ∘ q_i) ⊗ dy_i
// both sums over G by Horner's rule. The product of a decay with its gradient is that of all pairs
// that it lies between: what the queries behind it read, less what they read of keys behind it,
//   dg_t = Σ_{i≥t} (q_i ∘ dq_i − k_i ∘ dk_i) + what reads the state behind the chunk.
template <class T>
struct ChannelGradient {
  const ChannelStateGrad<T>& args;
  int64_t head;
  ChannelChunk<T, ChannelStateGrad<T>> c;
  Tile<T> dS, across, vt, dq, dk, dv, dy, M, dg;
  T *row, *behind;  // [e]
  T* states;        // before each chunk

  static int64_t chunks(int64_t length) { return blocks_of(length, kChannelChunk); }
  template <class Args>
  static int64_t size(const Args& args) {
    int64_t e = padded<T>(args.e), f = padded<T>(args.f), c = padded<T>(kChannelChunk);
    return ChannelChunk<T, Args>::size(args) + args.e * f + args.f * e + args.f * c +
           kChannelChunk * (3 * e + 2 * f + c) + 2 * e + chunks(args.length) * args.e * f;
  }
  ChannelGradient(const ChannelStateGrad<T>& given, int64_t at, Scratch<T> s)
      : args(given),
        head(at),
        c(given, at, s),
        dS(s.tile(args.e, args.f)),
        across(s.tile(args.f, args.e)),
        vt(s.tile(args.f, kChannelChunk)),
        dq(s.tile(kChannelChunk, args.e)),
        dk(s.tile(kChannelChunk, args.e)),
        dv(s.tile(kChannelChunk, args.f)),
        dy(s.tile(kChannelChunk, args.f)),
        M(s.tile(kChannelChunk, kChannelChunk)),
        dg(s.tile(kChannelChunk, args.e)),
        row(s.tile(1, args.e).data),
        behind(s.tile(1, args.e).data),
        states(s.next) {}

  Tile<T> state(int64_t m) const { return {states + m * args.e * dS.row, dS.row}; }

  // The states before all chunks. To be called before the first chunk is opened.
  void start() {
    fill_channel_state<T>(nullptr, head, args.e, args.f, state(0));
    for (int64_t m = 0; m + 1 < chunks(args.length); ++m) {
      c.load_chunk(m * kChannelChunk);
      c.fade_keys([](int64_t) {});
      std::copy_n(state(m).data, args.e * dS.row, state(m + 1).data);
      c.write_to(state(m + 1));
    }
    fill_channel_state<T>(nullptr, head, args.e, args.f, dS);
  }

  // Begins the chunk before the one that was closed last, with what its tokens do to the state
  // behind it: dk before its keys fade, and in dv the gradient of w v.
  void open(int64_t m) {
    c.load_chunk(m * kChannelChunk);
    c.fade_keys([](int64_t) {});
    transpose_tile<T>(c.rows, args.f, c.v, vt);
    transpose_tile<T>(args.e, args.f, dS, across);
    tile_product<T>(c.rows, args.e, args.f, c.v, across, dk, false);
    tile_product<T>(c.rows, args.f, args.e, c.faded, dS, dv, false);
    std::fill(behind, behind + dk.row, T(0));
    if (m + 1 < chunks(args.length))
      for (int64_t n = 0; n < args.e; ++n)
        behind[n] = dot_rows(state(m + 1).from(n).data, dS.from(n).data, dS.row);
    c.fade_state(dS);
    transpose_tile<T>(args.e, args.f, state(m), across);
  }

  // What queries c.q and the gradient dy of their answers add, dq among it.
  void read(bool own) {
    c.scores(own);
    tile_product<T>(c.rows, c.rows, args.f, dy, vt, M, false);
    if (!own)
      for (int64_t i = 0; i < c.rows; ++i) *M.from(i, i).data = 0;
    tile_product<T>(c.rows, args.f, c.rows, c.P.transposed(), dy, dv, true);
    tile_product<T>(c.rows, args.e, args.f, dy, across, dq, false);
    queries();
    keys();
    for (int64_t i = 0; i < c.rows; ++i) {
      std::copy_n(dq.from(i).data, dq.row, dg.from(i).data);
      multiply_row(dg.from(i).data, dg.row, c.q.from(i).data);
    }
    c.fade_queries();
    tile_product<T>(args.e, args.f, c.rows, c.q.transposed(), dy, dS, true);
  }

  // Stores the gradients of keys, strengths and decays; dv becomes that of v.
  void close() {
    for (int64_t i = c.rows - 1; i >= 0; --i) {
      T *own = dg.from(i).data, *k_row = c.k.from(i).data, *dk_row = dk.from(i).data;
      for (int64_t n = 0; n < dg.row; n += kLanes<T>) {
        Vec<T> sum = Vec<T>::load_unaligned(own + n) + Vec<T>::load_unaligned(behind + n) -
                     Vec<T>::load_unaligned(k_row + n) * Vec<T>::load_unaligned(dk_row + n);
        sum.store_unaligned(own + n);
        sum.store_unaligned(behind + n);
      }
    }
    store_tile<T>(c.rows, args.e, dg, c.mine(args.d_log_decay, args.e));
    if (!args.strength) return;
    copy_tile<T>(c.rows, args.f, c.mine(args.v, args.f), c.v);
    for (int64_t j = 0; j < c.rows; ++j) {
      T* dv_row = dv.from(j).data;
      args.d_strength[c.token(j)] = dot_rows(dv_row, c.v.from(j).data, dv.row);
      scale_row(dv_row, dv.row, c.strength[j]);
    }
  }

 private:
  void queries() {
    for (int64_t i = 0; i < c.rows; ++i) {
      std::fill(row, row + dq.row, T(0));
      for (int64_t j = 0; j <= i; ++j) {
        multiply_row(row, dq.row, c.a.from(j).data);
        add_row(row, dq.row, *M.from(i, j).data, c.k.from(j).data);
      }
      multiply_row(dq.from(i).data, dq.row, c.since.from(i).data);
      add_row(dq.from(i).data, dq.row, T(1), row);
    }
  }
  void keys() {
    for (int64_t j = 0; j < c.rows; ++j)
      for (int64_t i = c.rows - 1; i >= j; --i) {
        add_row(dk.from(j).data, dk.row, *M.from(i, j).data, c.q.from(i).data);
        if (i > j) multiply_row(dk.from(j).data, dk.row, c.a.from(i).data);
      }
  }
};

}  // namespace star::cpu::STAR_TARGET
