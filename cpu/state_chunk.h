// A matrix-valued state by chunks (Dao and Gu, 2024): inside a chunk, scores q·k times the decays
// between the two tokens; from chunk to chunk, the state. All of it is products of tiles in cache.
//
// G_ij = a_{j+1} … a_i is multiplied up row by row, never divided out of products that may have
// underflowed; column −1 of G, `since`, is the product from the start of the chunk.
#pragma once

#include "cpu/tile.h"

namespace star::cpu::STAR_TARGET {

inline constexpr int64_t kChunk = kStateChunk;
static_assert(kChunk % kTileRows == 0);

// One chunk of one head of keys and values, in a thread's memory.
template <class T, class Args>
struct Chunk {
  const Args& args;
  int64_t b, h, begin = 0, rows = 0;
  Tile<T> k, kt, v, q, y, G, P;
  T *decay, *strength, *since;  // [rows]

  static int64_t size(const Args& args) {
    int64_t e = padded<T>(args.e), f = padded<T>(args.f), c = padded<T>(kChunk);
    return kChunk * (3 * e + 2 * f + 2 * c + 3) + args.e * c;
  }
  Chunk(const Args& given, int64_t head, Scratch<T>& s)
      : args(given),
        b(head / given.heads),
        h(head % given.heads),
        k(s.tile(kChunk, args.e)),
        kt(s.tile(args.e, kChunk)),
        v(s.tile(kChunk, args.f)),
        q(s.tile(kChunk, args.e)),
        y(s.tile(kChunk, args.f)),
        G(s.tile(kChunk, kChunk)),
        P(s.tile(kChunk, kChunk)),
        decay(s.tile(1, kChunk).data),
        strength(s.tile(1, kChunk).data),
        since(s.tile(1, kChunk).data) {}

  // Rows of this chunk in a tensor of heads, or of `of` among the query heads of this head.
  template <class U>
  Tile<U> mine(U* data, int64_t width) const {
    return head_rows(data, args.length, args.heads, width, b, h).from(begin);
  }
  template <class U>
  Tile<U> query(U* data, int64_t of, int64_t width) const {
    return head_rows(data, args.length, args.heads * args.group, width, b, h * args.group + of)
        .from(begin);
  }
  T total() const { return since[rows - 1]; }
  T until_end(int64_t j) const { return G.data[(rows - 1) * G.row + j]; }

  // Keys, values times strength, decays.
  void load_chunk(int64_t at) {
    begin = at;
    rows = std::min(kChunk, args.length - begin);
    copy_tile<T>(rows, args.e, mine(args.k, args.e), k);
    copy_tile<T>(rows, args.f, mine(args.v, args.f), v);
    for (int64_t i = 0; i < rows; ++i) {
      int64_t place = (b * args.length + begin + i) * args.heads + h;
      decay[i] = args.decay ? args.decay[place] : T(1);
      strength[i] = args.strength ? args.strength[place] : T(1);
      if (args.strength) scale_row(v.data + i * v.row, v.row, strength[i]);
      T* row = G.data + i * G.row;
      for (int64_t j = 0; j < i; j += kLanes<T>)
        (Vec<T>(decay[i]) * Vec<T>::load_unaligned(row - G.row + j)).store_unaligned(row + j);
      row[i] = 1;
      std::fill(row + i + 1, row + G.row, T(0));
      since[i] = decay[i] * (i > 0 ? since[i - 1] : T(1));
    }
    transpose_tile<T>(rows, args.e, k, kt);
  }

  // P = q·k between all pairs.
  void scores() { tile_product<T>(rows, rows, args.e, q, kt, P, false); }
  void weigh(Tile<T> p) const {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < padded<T>(rows); j += kLanes<T>) {
        T* at = p.data + i * p.row + j;
        (Vec<T>::load_unaligned(at) * Vec<T>::load_unaligned(G.data + i * G.row + j))
            .store_unaligned(at);
      }
  }

  // Whether a token sees itself.
  void set_diagonal(T value) {
    for (int64_t i = 0; i < rows; ++i) G.data[i * G.row + i] = value;
  }

  // S ← total · S + Σ_j (product of decays behind j) k_j ⊗ v_j. The keys are scaled.
  void write_to(Tile<T> S) {
    for (int64_t n = 0; n < args.e; ++n) scale_row(S.data + n * S.row, S.row, total());
    for (int64_t j = 0; j < rows; ++j) scale_row(k.data + j * k.row, k.row, until_end(j));
    tile_product<T>(args.e, args.f, rows, k.transposed(), v, S, true);
  }
};

template <class T>
inline void fill_state(const T* start, int64_t head, int64_t e, int64_t f, Tile<T> S) {
  std::fill(S.data, S.data + e * S.row, T(0));
  if (start) copy_tile<T>(e, f, Tile<const T>{start + head * e * f, f}, S);
}

// The gradient of one head, from the last chunk to the first. With S the state before a chunk and
// dS the gradient of the one behind it, and v the values times strength:
//   dP_ij = dy_i·v_j,  dG = dP ∘ (q kᵀ),  d(q kᵀ) = dP ∘ G =: D
//   dq_i = Σ_j D_ij k_j + since_i S dy_i          dk_j = Σ_i D_ij q_i + G(end,j) dS v_j
//   dv_j = Σ_i P_ij dy_i + G(end,j) dSᵀ k_j       dS ← total · dS + Σ_i since_i q_i ⊗ dy_i
// and the decays by r_ij = dG_ij + a_{i+1} r_{i+1,j}, da_i = Σ_j r_ij G_{i−1,j}.
template <class T>
struct HeadGradient {
  const MatrixStateGrad<T>& args;
  int64_t head;
  Chunk<T, MatrixStateGrad<T>> c;
  Tile<T> dS, across, vt, dq, dk, dv, dy, D, dG;
  T* d_since;
  T* states;  // before each chunk

  template <class Args>
  static int64_t chunks(const Args& args) {
    return blocks_of(args.length, kChunk);
  }
  template <class Args>
  static int64_t size(const Args& args) {
    int64_t e = padded<T>(args.e), f = padded<T>(args.f), row = padded<T>(kChunk);
    return Chunk<T, Args>::size(args) + args.e * f + args.f * e + args.f * row +
           kChunk * (2 * e + 2 * f + 2 * row) + row + chunks(args) * args.e * f;
  }
  HeadGradient(const MatrixStateGrad<T>& given, int64_t at, Scratch<T> s)
      : args(given),
        head(at),
        c(given, at, s),
        dS(s.tile(args.e, args.f)),
        across(s.tile(args.f, args.e)),
        vt(s.tile(args.f, kChunk)),
        dq(s.tile(kChunk, args.e)),
        dk(s.tile(kChunk, args.e)),
        dv(s.tile(kChunk, args.f)),
        dy(s.tile(kChunk, args.f)),
        D(s.tile(kChunk, kChunk)),
        dG(s.tile(kChunk, kChunk)),
        d_since(s.tile(1, kChunk).data),
        states(s.next) {}

  Tile<T> state(int64_t m) const { return {states + m * args.e * dS.row, dS.row}; }

  // The states before all chunks. To be called before the first chunk is opened.
  void start() {
    fill_state<T>(nullptr, head, args.e, args.f, state(0));
    for (int64_t m = 0; m + 1 < chunks(args); ++m) {
      c.load_chunk(m * kChunk);
      std::copy_n(state(m).data, args.e * dS.row, state(m + 1).data);
      c.write_to(state(m + 1));
    }
    fill_state<T>(nullptr, head, args.e, args.f, dS);
  }

  // Begins the chunk before the one that was closed last, with what its tokens do to the state
  // behind it: dk, and in dv the gradient of w v.
  void open(int64_t m) {
    c.load_chunk(m * kChunk);
    int64_t rows = c.rows;
    transpose_tile<T>(rows, args.f, c.v, vt);
    std::fill(dG.data, dG.data + rows * dG.row, T(0));
    std::fill(d_since, d_since + rows, T(0));
    // Through the state behind the chunk.
    Tile<T> S = state(m);
    T* end = dG.data + (rows - 1) * dG.row;
    transpose_tile<T>(args.e, args.f, dS, across);
    tile_product<T>(rows, args.e, args.f, c.v, across, dk, false);
    tile_product<T>(rows, args.f, args.e, c.k, dS, dv, false);
    for (int64_t j = 0; j < rows; ++j) {
      T *k_row = dk.data + j * dk.row, *v_row = dv.data + j * dv.row;
      end[j] = dot_rows(v_row, c.v.data + j * c.v.row, dv.row);
      scale_row(k_row, dk.row, c.until_end(j));
      scale_row(v_row, dv.row, c.until_end(j));
    }
    for (int64_t n = 0; n < args.e; ++n) {
      d_since[rows - 1] += dot_rows(S.data + n * S.row, dS.data + n * dS.row, S.row);
      scale_row(dS.data + n * dS.row, dS.row, c.total());
    }
    transpose_tile<T>(args.e, args.f, S, across);
  }

  // What queries c.q and the gradient dy of their answers add, dq among it.
  void read() {
    int64_t rows = c.rows, width = padded<T>(rows);
    c.scores();
    tile_product<T>(rows, rows, args.f, dy, vt, D, false);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < width; j += kLanes<T>) {
        T *p = c.P.data + i * c.P.row + j, *d = D.data + i * D.row + j;
        T* to = dG.data + i * dG.row + j;
        Vec<T> dp = Vec<T>::load_unaligned(d);
        xsimd::fma(dp, Vec<T>::load_unaligned(p), Vec<T>::load_unaligned(to)).store_unaligned(to);
      }
    c.weigh(c.P);
    c.weigh(D);
    tile_product<T>(rows, args.f, rows, c.P.transposed(), dy, dv, true);
    tile_product<T>(rows, args.e, rows, D.transposed(), c.q, dk, true);
    tile_product<T>(rows, args.e, args.f, dy, across, dq, false);
    for (int64_t i = 0; i < rows; ++i) {
      T *dq_row = dq.data + i * dq.row, *q_row = c.q.data + i * c.q.row;
      d_since[i] += dot_rows(dq_row, q_row, dq.row);
      scale_row(dq_row, dq.row, c.since[i]);
      scale_row(q_row, c.q.row, c.since[i]);
    }
    tile_product<T>(rows, args.e, rows, D, c.k, dq, true);
    tile_product<T>(args.e, args.f, rows, c.q.transposed(), dy, dS, true);
  }

  // Stores the gradients of keys, strengths and decays; dv becomes that of v.
  void close() {
    store_tile<T>(c.rows, args.e, dk, c.mine(args.dk, args.e));
    strengths();
    if (args.d_decay) decays();
  }

 private:
  // dv is the gradient of w v so far.
  void strengths() {
    if (!args.strength) return;
    Tile<const T> v = c.mine(args.v, args.f);
    copy_tile<T>(c.rows, args.f, v, c.v);
    for (int64_t j = 0; j < c.rows; ++j) {
      T* row = dv.data + j * dv.row;
      args.d_strength[(c.b * args.length + c.begin + j) * args.heads + c.h] =
          dot_rows(row, c.v.data + j * c.v.row, dv.row);
      scale_row(row, dv.row, c.strength[j]);
    }
  }

  void decays() {
    int64_t rows = c.rows;
    for (int64_t i = rows - 1; i >= 0; --i) {
      T* r = dG.data + i * dG.row;
      if (i + 1 < rows) {
        const T* next = r + dG.row;
        for (int64_t j = 0; j < i; j += kLanes<T>)
          xsimd::fma(Vec<T>(c.decay[i + 1]), Vec<T>::load_unaligned(next + j),
                     Vec<T>::load_unaligned(r + j))
              .store_unaligned(r + j);
        d_since[i] += c.decay[i + 1] * d_since[i + 1];
      }
      T before = i > 0 ? dot_rows(r, c.G.data + (i - 1) * c.G.row, padded<T>(i)) : T(0);
      args.d_decay[(c.b * args.length + c.begin + i) * args.heads + c.h] =
          before + d_since[i] * (i > 0 ? c.since[i - 1] : T(1));
    }
  }
};

}  // namespace star::cpu::STAR_TARGET
