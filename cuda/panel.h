// Rows of numbers in shared memory, as the words of a right factor of tensor cores: for products that
// sum along the rows, and for those that sum across them.
#pragma once

#include "cuda/mma.h"

namespace star::cuda {

// `count` rows of `width` numbers, `stride` apart; what lies beyond counts as 0. `fours` says that all
// of them begin at addresses of 16 bytes and have a multiple of 4 numbers.
struct FloatRows {
  const float* data;
  int64_t stride;
  int count, width;
  bool fours;

  __device__ float number(int r, int at) const {
    return r < count && at < width ? float(global(data)[r * stride + at]) : 0.0f;
  }
  __device__ void read(int r, int first, float (&out)[4]) const {
    if (fours && r < count && first < width) return load_four(data + r * stride + first, out);
    for (int i = 0; i < 4; ++i) out[i] = number(r, first + i);
  }
};

// `rows` of at most kWidth numbers. kAlong: words of a row's neighbouring numbers, for sums over the
// numbers of a row. kAcross: words of neighbouring rows, for sums over rows. Words of one number serve
// both. With these pitches the lanes of a warp read from 32 banks.
template <Math math, int kRows, int kWidth, bool kAlong, bool kAcross>
class Panel {
  static constexpr int kNumbers = kNumbersInWord<math>;
  static constexpr bool kOne = kNumbers == 1;
  static constexpr int kAlongPitch = kWidth / kNumbers + 4;
  static constexpr int kAcrossPitch = kOne ? kAlongPitch : kWidth + 8;
  static constexpr int kAlongWords = kAlong || kOne ? kRows * kAlongPitch : 0;
  static constexpr int kAcrossWords = kAcross && !kOne ? kRows / kNumbers * kAcrossPitch : 0;

 public:
  static constexpr size_t kBytes = size_t(kAlongWords + kAcrossWords) * 4;

  __device__ explicit Panel(SharedMemory& memory)
      : along_(memory.take<uint32_t>(kAlongWords)),
        across_(kAcrossWords > 0 ? memory.take<uint32_t>(kAcrossWords) : along_) {}

  // All threads of the block come, and meet before the panel is read.
  template <int kThreads>
  __device__ void fill(const FloatRows& rows) const {
    constexpr int kFours = kWidth / 4, kUnits = kRows / kNumbers * kFours;
    for (int unit = int(threadIdx.x); unit < kUnits; unit += kThreads) {
      const int group = unit / kFours, first = unit % kFours * 4;
      float x[kNumbers][4];
      for (int r = 0; r < kNumbers; ++r) rows.read(group * kNumbers + r, first, x[r]);
      if constexpr (kAlong || kOne)
        for (int r = 0; r < kNumbers; ++r) {
          uint32_t words[4 / kNumbers];
          for (int w = 0; w < 4 / kNumbers; ++w)
            words[w] = word_of<math>(x[r][w * kNumbers], x[r][w * kNumbers + kNumbers - 1]);
          store_words(along_, (group * kNumbers + r) * kAlongPitch + first / kNumbers, words);
        }
      if constexpr (kAcross && !kOne) {
        uint32_t words[4];
        for (int c = 0; c < 4; ++c) words[c] = word_of<math>(x[0][c], x[1][c]);
        store_words(across_, group * kAcrossPitch + first, words);
      }
    }
  }

  // The factor whose columns are the rows from `row` on, summed over step number `step` of a row.
  __device__ Right<math> along(int row, int step) const {
    const int at = (row + mma_group()) * kAlongPitch + step * kMmaWords + mma_place();
    return right_of(along_[at], along_[at + 4]);
  }
  // The factor whose columns are the rows' numbers from `column` on, summed over step number `step`
  // of the rows, in the order of left_of.
  __device__ Right<math> across(int step, int column) const {
    const int word = step * kMmaWords + (kOne ? 2 * mma_place() : mma_place());
    const int at = word * kAcrossPitch + column + mma_group();
    return right_of(across_[at], across_[at + (kOne ? 1 : 4) * kAcrossPitch]);
  }

 private:
  __device__ static Right<math> right_of(uint32_t first, uint32_t second) {
    Right<math> right;
    right.set(0, first);
    right.set(1, second);
    return right;
  }

  Shared<uint32_t> along_, across_;
};

// Rows that rest in the registers of a warp, 16 of them, as left factors of sums along the rows.
template <Math math, int kWidth>
struct RestingRows {
  static constexpr int kSteps = kWidth / kMmaInner<math>;
  Left<math> at[kSteps];

  __device__ void load(const FloatRows& rows) {
    constexpr int kNumbers = kNumbersInWord<math>;
    for (int i = 0; i < 2; ++i)
      for (int word = 0; word < 2 * kSteps; ++word) {
        const int row = mma_group() + 8 * i, first = (word * 4 + mma_place()) * kNumbers;
        at[word / 2].set(i + word % 2 * 2, word_of<math>(rows.number(row, first),
                                                         rows.number(row, first + kNumbers - 1)));
      }
  }
};

}  // namespace star::cuda
