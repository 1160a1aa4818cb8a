// What a checkpoint says of its training: `training` in its config (star/checkpoint.h), a JSON
// object.
#pragma once

#include <optional>
#include <string>

#include "star/device.h"
#include "star/trainer.h"

namespace star::synthesis {

struct TrainingRecord {
  // What it was trained on: a path, absolute, or a task, as it was given; both empty where a
  // checkpoint does not say.
  std::string data_path, task;
  std::string text_field;  // as of DataSource
  std::string identity;    // Dataset::identity
  uint64_t data_seed = 0;  // of a generated task
  TrainOptions options;
  int64_t validation_tokens = kValidationTokens;  // that it is judged by (JudgeOptions)
  // Steps from one judgement to the next, where the best of what was judged is kept; 0: the last.
  int64_t keep_best = 0;
  // Where it was begun: other processors round differently.
  std::string device = "cpu";
  CpuKernels kernels;
  int64_t steps = 0;                    // done
  std::optional<Judgement> validation;  // none of a training on its way
};

// Whether the `vocab` tokens of a model that has no tokenizer begin with the 256 bytes: where it was
// trained on text, or has as many and nobody says on what.
bool tokens_are_bytes(const TrainingRecord& record, int64_t vocab);

// {"data", "data_path" and "text_field" or "task", "data_seed", the settings of the training by their names in a run
// file, "validation_tokens", "keep_best", "device", "cpu_target", "blas_core", "done", "val_loss",
// "val_standard_error", "val_targets", "val_accuracy", "val_macro_accuracy", "val_bytes"}
std::string to_text(const TrainingRecord& record);

// Of such a text what says where the data comes from; what is missing stays empty.
TrainingRecord training_record(const std::string& text);

// The whole of it. Throws `Error`, which begins with `name`, where something is missing or out of
// range.
TrainingRecord whole_training_record(const std::string& text, const std::string& name);

}  // namespace star::synthesis
