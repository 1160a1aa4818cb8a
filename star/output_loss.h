// The loss of a batch from what its last layer hands over. The logits of all rows, B·L·V numbers,
// are by far the largest thing that training a small model of a large vocabulary would keep, and
// nobody wants them all: they are made for a tile of rows at a time, turned into losses and slopes,
// and forgotten (as in Liger Kernel's fused linear cross entropy, arXiv 2410.10989).
#pragma once

#include <vector>

#include "liv/backbone.h"

namespace star::synthesis {

class OutputLoss {
 public:
  // Logits of a tile, at least one row of them. What fits in one tile is computed as a whole.
  static constexpr int64_t kTile = int64_t(1) << 24;

  // Both outlive it.
  OutputLoss(Exec& exec, const Backbone& model, int64_t tile = kTile)
      : exec_(exec), model_(model), tape_(exec), judging_(exec, false), tile_(tile) {}

  // The loss of each row [rows], 0 where its target does not count, which is one below 0; `hidden`
  // [rows, d] is what Backbone::hidden gives, targets [rows] are below V. Of their sum over `of`,
  // which is how many count in the whole batch, it adds to the gradient of the embedding, and sets
  // `slope` [rows, d] to that of `hidden`. Nothing is read back from a device.
  Tensor differentiate(const Tensor& hidden, const Tensor& targets, int64_t of, Tensor& slope);

  // That sum; as exact as the losses are.
  static double mean(const Tensor& losses, int64_t of);

  // Of each row its loss, and whether its target has the greatest logit, of equals the first.
  struct Rows {
    std::vector<double> loss;
    std::vector<bool> hit;
  };
  Rows judge(const Tensor& hidden, const Tensor& targets);

 private:
  template <class F>
  void for_each_tile(int64_t rows, const F& f) const;

  Exec& exec_;
  const Backbone& model_;
  Tape tape_, judging_;
  int64_t tile_;
};

}  // namespace star::synthesis
