// Products of rows within a block, for the kernels that weigh pairs of tokens: kTile rows by kTile
// rows at a time. The eight warps of a block share out the rows of a tile, four each; a lane
// stands for a column. What is multiplied comes from rows in global memory, of any length, by way
// of shared memory.
#pragma once

#include "cuda/backend.h"
#include "cuda/rates.h"

namespace star::cuda {

inline constexpr int64_t kTileThreads = 256, kTileWarps = kTileThreads / 32;
inline constexpr int64_t kOwnRows = kTile / kTileWarps;  // of a thread
inline constexpr int64_t kColumns = 64;                  // of the result that a block computes
inline constexpr int64_t kOwnColumns = kColumns / 32;

// This thread's row number i of the tile, its lane, and its column number h of the result.
__device__ inline int64_t tile_row(int64_t i) { return threadIdx.x / 32 + i * kTileWarps; }
__device__ inline int64_t tile_lane() { return threadIdx.x % 32; }
__device__ inline int64_t tile_column(int64_t h) { return threadIdx.x % 32 + h * 32; }

// Rows in global memory: number r of the tile begins at `at(r)`; −1: there is none, it counts as 0.
template <class Array, class At>
struct Rows {
  Array data;
  At at;
};
template <class Array, class At>
__device__ Rows<Array, At> rows_of(const Array& data, const At& at) {
  return {data, at};
}

// A weight for each pair of rows, in shared memory.
template <class T>
class PairWeights {
 public:
  __device__ explicit PairWeights(SharedMemory& memory) : data_(memory.take<T>(kTile * kPitch)) {}
  __device__ decltype(auto) operator()(int64_t row, int64_t column) const {
    return data_[row * kPitch + column];
  }

 private:
  static constexpr int64_t kPitch = kTile + 1;  // a column lies in 32 banks
  Shared<T> data_;
};

// The threads' part of a tile of results; each adds up its own elements.
template <class T>
struct TileSums {
  T at[kOwnRows][kOwnColumns] = {};
};

template <class T>
class Tile {
 public:
  // Shared memory of a block with so many arrays of pair weights.
  static constexpr size_t bytes(int64_t weights) {
    int64_t own = 2 * kTile * kPitch + kTile * kColumns;
    return size_t(own + weights * kTile * (kTile + 1)) * sizeof(T);
  }
  __device__ explicit Tile(SharedMemory& memory)
      : left_(memory.take<T>(kTile * kPitch)),
        right_(memory.take<T>(kTile * kPitch)),
        wide_(memory.take<T>(kTile * kColumns)) {}

  // sums[i] += left(row i) · right(lane), of rows of n.
  template <class Left, class Right>
  __device__ void multiply(T (&sums)[kOwnRows], const Left& left, const Right& right, int64_t n) {
    for (int64_t first = 0; first < n; first += kSlice) {
      load(left_, kPitch, left, first, kSlice, n);
      load(right_, kPitch, right, first, kSlice, n);
      __syncthreads();
      for (int64_t c = 0; c < kSlice; ++c) {
        T other = right_[tile_lane() * kPitch + c];
        for (int64_t i = 0; i < kOwnRows; ++i) sums[i] += left_[tile_row(i) * kPitch + c] * other;
      }
      __syncthreads();
    }
  }

  // sums(row i, column h) += Σ_j weight(row i, j) · rows(j)[first + column h], of rows of n. All
  // threads meet in here before weights are read.
  template <class Weight, class Row>
  __device__ void add(TileSums<T>& sums, const Weight& weight, const Row& rows, int64_t first,
                      int64_t n) {
    load(wide_, kColumns, rows, first, kColumns, n);
    __syncthreads();
    for (int64_t j = 0; j < kTile; ++j)
      for (int64_t i = 0; i < kOwnRows; ++i) {
        T w = weight(tile_row(i), j);
        for (int64_t h = 0; h < kOwnColumns; ++h)
          sums.at[i][h] += w * wide_[j * kColumns + tile_column(h)];
      }
    __syncthreads();
  }

 private:
  static constexpr int64_t kSlice = 16;          // of the rows that are multiplied
  static constexpr int64_t kPitch = kSlice + 1;  // a column lies in 32 banks

  // The elements from `first` on of each row, `width` of them, zeros beyond n.
  template <class Row>
  __device__ static void load(const Shared<T>& to, int64_t pitch, const Row& rows, int64_t first,
                              int64_t width, int64_t n) {
    for (int64_t place = threadIdx.x; place < kTile * width; place += kTileThreads) {
      int64_t r = place / width, c = place % width, begin = rows.at(r);
      bool there = begin >= 0 && first + c < n;
      to[r * pitch + c] = there ? T(rows.data[begin + first + c]) : T(0);
    }
  }

  Shared<T> left_, right_, wide_;
};

// Calls f(row i, column, sum) for this thread's part of the result that is within n columns.
template <class T, class F>
__device__ void for_each_sum(const TileSums<T>& sums, int64_t first, int64_t n, const F& f) {
  for (int64_t i = 0; i < kOwnRows; ++i)
    for (int64_t h = 0; h < kOwnColumns; ++h)
      if (first + tile_column(h) < n) f(i, first + tile_column(h), sums.at[i][h]);
}

inline int64_t tiles_of(int64_t rows) { return blocks_of(rows, kTile); }
inline int64_t column_blocks(int64_t columns) { return blocks_of(columns, kColumns); }

}  // namespace star::cuda
