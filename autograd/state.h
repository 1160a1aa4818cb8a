// What decoding keeps between tokens: tensors by number, one set an operator. Along axis 0 a tensor
// holds the sequences of a batch, along axis 1 rows, its tokens; `extend` appends to it. A
// contraction keeps one, `kCarried`; whoever keeps more chooses other numbers.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "autograd/tape.h"

namespace star::autograd {

class State {
 public:
  static constexpr int kCarried = 0;

  int64_t position = 0;  // tokens seen

  // Appends `rows` [B, n, …] to what is kept as `what` and returns all of it, [B, kept + n, …];
  // afterwards the last `keep` rows stay. Where nothing is kept yet, `start` rows of zeros stand
  // before.
  Tensor extend(Exec& exec, int what, const Tensor& rows, int64_t keep, int64_t start = 0);

  // A tensor of fixed size; undefined until set.
  Tensor get(int what) const;
  void set(int what, const Tensor& value);

  // Rows that follow from the weights alone, [1, n, …]: `make(first, count)` makes those that were
  // not asked for before. They save time and are no part of the state.
  using MakeRows = std::function<Tensor(int64_t first, int64_t count)>;
  Tensor memo(Exec& exec, int64_t n, const MakeRows& make);

  // What one part of a differential operator keeps beside what is kept once.
  State& part(int part);

  // What is kept of these sequences of the batch, in this order; of one of them, as often as it
  // stands here.
  State of(Exec& exec, std::span<const int64_t> sequences) const;

  int64_t floats() const;  // held now, the memo aside

 private:
  struct Slot {
    Tensor buffer;  // of rows along axis 1 there may be more room than `length`
    int64_t length = 0;

    void append(Exec& exec, const Tensor& rows, bool doubling);
    Tensor rows() const { return buffer.narrow(1, 0, length); }
  };
  std::map<int, Slot> slots_;
  Slot memo_;
  std::vector<State> parts_;
};

inline constexpr int64_t kAllRows = int64_t(1) << 60;

}  // namespace star::autograd
