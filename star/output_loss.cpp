#include "star/output_loss.h"

#include <algorithm>

#include "autograd/rows.h"

namespace star::synthesis {

template <class F>
void OutputLoss::for_each_tile(int64_t rows, const F& f) const {
  const int64_t most = std::max<int64_t>(1, tile_ / model_.sizes().vocab);
  for (int64_t from = 0; from < rows; from += most) f(from, std::min(most, rows - from));
}

Tensor OutputLoss::differentiate(const Tensor& hidden, const Tensor& targets, int64_t of,
                                 Tensor& slope) {
  const int64_t rows = hidden.size(0);
  const double weight = of ? 1.0 / double(of) : 0.0;
  Tensor losses = exec_.empty({rows}, hidden.dtype());
  for_each_tile(rows, [&](int64_t from, int64_t n) {
    const Var h = tape_.leaf(hidden.narrow(0, from, n));
    const Var logits = model_.output(tape_, h);
    Tensor of_logits;
    const Tensor of_rows =
        row_losses(exec_, logits.value(), targets.narrow(0, from, n), weight, &of_logits);
    tape_.backward(logits, of_logits);
    if (n == rows) {
      losses = of_rows;
      slope = tape_.grad(h);
    } else {
      if (from == 0) slope = exec_.empty(hidden.shape(), hidden.dtype());
      exec_.copy(of_rows, losses.narrow(0, from, n));
      exec_.copy(tape_.grad(h), slope.narrow(0, from, n));
    }
    tape_.clear();
  });
  return losses;
}

double OutputLoss::mean(const Tensor& losses, int64_t of) {
  double total = 0;
  for (double each : losses.to_doubles()) total += each;
  if (of == 0) return 0;
  const double mean = total * (1.0 / double(of));
  return losses.dtype() == DType::f32 ? double(float(mean)) : mean;
}

OutputLoss::Rows OutputLoss::judge(const Tensor& hidden, const Tensor& targets) {
  Rows rows;
  for_each_tile(hidden.size(0), [&](int64_t from, int64_t n) {
    const Tensor logits =
        model_.output(judging_, judging_.constant(hidden.narrow(0, from, n))).value();
    Tensor hits;
    const Tensor losses = row_losses(exec_, logits, targets.narrow(0, from, n), 0, nullptr, &hits);
    for (double loss : losses.to_doubles()) rows.loss.push_back(loss);
    for (double hit : hits.to_doubles()) rows.hit.push_back(hit != 0);
  });
  return rows;
}

}  // namespace star::synthesis
