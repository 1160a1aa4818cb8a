// Training a model and judging it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "autograd/adamw.h"
#include "liv/backbone.h"
#include "star/curve.h"
#include "star/data.h"

namespace star {

struct TrainOptions {
  int64_t steps = 1000;
  int batch = 32;               // sequences a step
  double learning_rate = 5e-3;  // peak
  double warmup = 0.05;         // share of the steps
  uint64_t seed = 0;            // draws the batches
  AdamWOptions optimizer = {};
};

struct TrainResult {
  int64_t steps = 0;      // done
  double train_loss = 0;  // mean over the last tenth of the steps
  double seconds = 0;
  int64_t tokens = 0;
  int64_t peak_bytes = 0;         // of tensors at a time
  std::vector<CurvePoint> curve;  // at most about a hundred points
  std::string failure;            // empty, or why training ended early
};

// Called after every step with its number (from 1) and loss; false stops the training.
using StepCallback = std::function<bool(int64_t step, double loss)>;

// Trains in place. A loss or gradient that is not finite ends it as a failure.
TrainResult train(Exec& exec, Backbone& model, const Dataset& data, const TrainOptions& options,
                  const StepCallback& after_step = {});

struct Judgement {
  double loss = 0;            // nats a counted target
  int64_t targets = 0;        // counted
  double accuracy = 0;        // share of targets whose logit is the greatest
  double macro_accuracy = 0;  // the same, averaged over the target classes that occur
};

// The model on the batches of a split. `by_part`, if given, receives a judgement for each of
// Dataset::parts().
Judgement judge(Exec& exec, const Backbone& model, const Dataset& data, Split split, int batch,
                std::vector<Judgement>* by_part = nullptr);

}  // namespace star
