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
#include "star/learning_rate.h"
#include "star/math.h"
#include "star/training_state.h"

namespace star::synthesis {

struct TrainOptions {
  int64_t steps = 1000;
  int batch = 32;               // sequences a step
  int accumulate = 1;           // parts of the batch that are computed one after the other
  double learning_rate = 5e-3;  // peak
  double warmup = 0.05;         // share of the steps
  RateSchedule schedule = "cosine";
  double decay = 0.2;      // share of the steps, where the schedule has one
  uint64_t seed = 0;       // draws the batches
  MathName math = "fp32";  // of the products in a step; what is judged is judged in float32
  AdamWOptions optimizer = {};
};

// The steps of the warm-up and of the decay, and the rate of step 0 … steps − 1.
RatePlan rate_plan(const TrainOptions& options);
double rate_at(const TrainOptions& options, int64_t step);

struct TrainResult {
  int64_t steps = 0;                // done, those of an earlier part included
  std::vector<StepLoss> losses;     // of each of them
  double train_loss = 0;            // nats a counted target over the last tenth of the steps
  int64_t train_targets = 0;        // so many
  double train_standard_error = 0;  // from batch to batch; NaN for fewer than two
  double seconds = 0;               // of the steps of this part
  int64_t tokens = 0;               // of these
  int64_t peak_bytes = 0;           // of tensors at a time
  std::vector<CurvePoint> curve;    // at most about a hundred points
  std::string failure;              // empty, or why training ended early
};

// A step that was done.
struct StepReport {
  int64_t number;  // from 1
  double loss;     // nats a counted target
  double rate;     // of learning
  double norm;     // of the gradient, before it was clipped
  int64_t tokens;
  double seconds;
  int64_t allocations = 0;  // how often memory was asked for so far
};

// Called after every step; false stops the training.
using StepCallback = std::function<bool(const StepReport& step)>;

// A part of a training, of which the schedule, warm-up and decay, is that of the whole.
struct TrainPart {
  int64_t until = 0;                    // stops after so many steps, which is no failure; 0: never
  const TrainingState* from = nullptr;  // goes on from there, the weights of the model aside
  TrainingState* state = nullptr;       // receives what it has come to
  // Receives what it has come to after each so many steps, but not at the end of the part; where it
  // goes on from there, once more, since it may have been killed before that was kept. 0: never.
  int64_t save_every = 0;
  std::function<void(const TrainingState& state)> save = {};
};

// Trains in place. A loss, a gradient or, at the end, a weight that is not finite is a failure.
// Parts of a training come to the same bits as the whole of it. Throws `Error` for a state that
// does not fit the model, and for more parts of a batch than sequences.
TrainResult train(Exec& exec, Backbone& model, const Dataset& data, const TrainOptions& options,
                  const StepCallback& after_step = {}, const TrainPart& part = {});

// The mean of the last five losses up to a step that was done: what a training is judged by that
// stops there.
double loss_at(const TrainResult& result, int64_t step);

struct Judgement {
  double loss = 0;            // nats a counted target
  int64_t targets = 0;        // counted
  double standard_error = 0;  // of the loss, sequences taken as independent; NaN for fewer than two
  double accuracy = 0;        // share of targets whose logit is the greatest
  double macro_accuracy = 0;  // the same, averaged over the target classes that occur
  int64_t bytes = 0;          // of text that the counted targets stand for; 0: unknown
};

// The loss in bits a byte of text; NaN where that is unknown.
double bits_a_byte(const Judgement& judgement);

// The size of a sample unless it is said. On the default corpus and search its standard error is
// 0.024 nats; losses differ by 0.10 from seed to seed, and a sample is the same for all models.
constexpr int64_t kValidationTokens = 32768;

// What of a split is judged, and how: nothing but `tokens` changes a result.
struct JudgeOptions {
  int64_t tokens = 0;  // a sample of about so many (Dataset::sample); 0: the whole split
  int batch = 0;       // sequences at a time; 0: about 2048 tokens
  std::function<void(int64_t done, int64_t total)> progress = {};  // sequences
};

// `by_part`, if given, receives a judgement for each of Dataset::parts().
Judgement judge(Exec& exec, const Backbone& model, const Dataset& data, Split split,
                const JudgeOptions& options = {}, std::vector<Judgement>* by_part = nullptr);

}  // namespace star::synthesis
