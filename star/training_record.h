// What a checkpoint says of its training: `training` in its config (star/checkpoint.h), a JSON
// object.
#pragma once

#include <string>

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
  int64_t steps = 0;  // done
  Judgement validation;
};

// {"data", "data_path" or "task", "text_field", "data_seed", "steps", "batch", "lr", "warmup", "weight_decay",
// "clip", "seed", "val_loss", "val_standard_error", "val_targets"}
std::string to_text(const TrainingRecord& record);

// Of such a text what says where the data comes from; what is missing stays empty.
TrainingRecord training_record(const std::string& text);

}  // namespace star::synthesis
