// A training that is saved on its way, and goes on.
//
// Beside the checkpoint, an ordinary one, lies the state of the training: its latest weights, the
// moments of the optimizer and all losses (star/training_state.h), and as text what is trained. It
// goes on from the state alone, which is written first: whenever a training is killed, between the
// two files too, it comes to the bits of one that was not. Each appears whole or not at all.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "star/checkpoint.h"
#include "star/training_record.h"

namespace star::synthesis {

// What is trained: all that its bits depend on.
struct Training {
  Checkpoint model;  // genome and pool
  Sizes sizes;
  TrainingRecord record;
};

// What a state says that it is of, as JSON, and back. `name` begins the Error for a text that says
// of no training, or of one that could not be.
std::string to_text(const Training& training);
Training training_of(const std::string& text, const std::string& name);

// "a.safetensors.state"
std::string state_beside(const std::string& checkpoint);

struct StoppedTraining {
  Training training;
  TrainingState state;
  std::string checkpoint;  // that it was saved as
  int64_t done() const { return int64_t(state.losses.size()); }
};

// From the state beside a checkpoint. Throws `Error` where there is none, or a damaged one.
StoppedTraining stopped_training(const std::string& checkpoint);

// Training on under the steps, the schedule and the decay of `wanted`. Throws `Error` where the
// steps that are done would have had other learning rates, or are more. The warm-up stays as many
// steps as it was.
TrainOptions rescheduled(const TrainOptions& begun, const TrainOptions& wanted, int64_t done);

struct SaveOptions {
  std::string path;                 // of the checkpoint; empty: nowhere
  int64_t every = 0;                // steps; 0: when it is interrupted, and at its end
  std::function<bool()> stop = {};  // asked while the end is judged; true interrupts that too
};

struct TrainedModel {
  TrainResult training;
  // What was kept, where the training did not fail: the last weights, or the best.
  std::optional<Judgement> validation;
  int64_t step = 0;
};

class TrainingRun {
 public:
  // `exec` and `data` outlive it. Weights are drawn from the seed of the options.
  TrainingRun(Exec& exec, const Dataset& data, Training training, SaveOptions save);
  TrainingRun(Exec&, const Dataset&& passing, Training, SaveOptions) = delete;

  const Backbone& model() const { return model_; }
  const Training& training() const { return training_; }

  // Trains, from the start or from where it was stopped, judges by the validation part, and saves.
  // An interruption is saved too, without being judged. The state is kept at the end where it was
  // saved on its way; otherwise none lies there then, not that of another training either. Throws
  // WriteError where something cannot be written.
  TrainedModel run(const StoppedTraining* from = nullptr, const StepCallback& after_step = {});

  // The step that the state is of which this run has written, or goes on from; 0: there is none.
  int64_t saved() const { return saved_; }

 private:
  void take_best(const std::string& checkpoint);
  void keep_state(const TrainingState& state);
  void keep_model(int64_t step, const std::optional<Judgement>& judgement);
  void save(const TrainingState& state);
  void save_interrupted(const TrainingState& state);
  void finish(TrainedModel& trained);
  Judgement judged(const std::function<bool()>& stop = {});
  Checkpoint about(const std::string& record) const;  // of a checkpoint
  std::string described(int64_t step, const std::optional<Judgement>& judgement) const;

  Exec& exec_;
  const Dataset& data_;
  Training training_;
  SaveOptions save_;
  Backbone model_;
  int64_t saved_ = 0;
  // Of the checkpoint, where the best is kept.
  std::optional<Judgement> best_;
  int64_t best_step_ = 0;
};

}  // namespace star::synthesis
