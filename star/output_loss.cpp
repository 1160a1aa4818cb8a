#include "star/output_loss.h"

#include <algorithm>

#include "autograd/rows.h"

namespace star::synthesis {

template <class F>
void OutputLoss::for_each_tile(int64_t rows, const F& f) const {
  const int64_t most = std::max<int64_t>(1, tile_ / model_.sizes().vocab);
  for (int64_t from = 0; from < rows; from += most) f(from, std::min(most, rows - from));
}

double OutputLoss::differentiate(const Tensor& hidden, const Tensor& targets, int64_t of,
                                 Tensor& slope) {
  const int64_t rows = hidden.size(0);
  double total = 0;
  for_each_tile(rows, [&](int64_t from, int64_t n) {
    const Var h = tape_.leaf(hidden.narrow(0, from, n));
    const Var loss =
        cross_entropy(model_.output(tape_, h), targets.narrow(0, from, n), nullptr, of);
    total += loss.value().item();
    tape_.backward(loss);
    if (n == rows) {
      slope = tape_.grad(h);
    } else {
      if (from == 0) slope = exec_.empty(hidden.shape(), hidden.dtype());
      exec_.copy(tape_.grad(h), slope.narrow(0, from, n));
    }
    tape_.clear();
  });
  return total;
}

OutputLoss::Rows OutputLoss::judge(const Tensor& hidden, const Tensor& targets) {
  Rows rows;
  for_each_tile(hidden.size(0), [&](int64_t from, int64_t n) {
    TargetRows of_tile;
    const Var h = judging_.constant(hidden.narrow(0, from, n));
    cross_entropy(model_.output(judging_, h), targets.narrow(0, from, n), &of_tile);
    for (double loss : of_tile.loss.to_doubles()) rows.loss.push_back(loss);
    for (double hit : of_tile.hit.to_doubles()) rows.hit.push_back(hit != 0);
  });
  return rows;
}

}  // namespace star::synthesis
