// AdamW (Loshchilov and Hutter, 2019) with clipping of the gradient's norm.
#pragma once

#include "core/exec.h"

namespace star::autograd {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double weight_decay = 0.1;  // on the weights that decay
  double clip = 1.0;          // the gradient's norm is scaled down to this; 0: never
};

class AdamW {
 public:
  // Weights and gradients, vectors of one length; the first `decayed` entries decay.
  AdamW(Exec& exec, Tensor values, Tensor grads, int64_t decayed, AdamWOptions options = {});

  // One update; the gradients are left as they are. Returns their norm before clipping. Where it is
  // not finite, nothing is updated.
  double step(double learning_rate);

  // Its state beside the weights: the moments, which may be overwritten, and how many updates they
  // come from.
  const Tensor& first_moments() const { return first_; }
  const Tensor& second_moments() const { return second_; }
  int64_t updates() const { return steps_; }
  void go_on_from(int64_t updates) { steps_ = updates; }

 private:
  Exec& exec_;
  Tensor values_, grads_, first_, second_;
  int64_t decayed_, steps_ = 0;
  AdamWOptions options_;
};

}  // namespace star::autograd
