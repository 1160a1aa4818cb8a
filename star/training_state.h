// A training that was stopped on its way, so that it goes on as if it had not been: every batch is
// drawn by its number (Dataset::train_batch) and the rate follows from it, so weights, optimizer
// and the losses so far are all there is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace star::synthesis {

struct StepLoss {
  double loss;      // nats a counted target
  int64_t targets;  // counted
};

struct TrainingState {
  std::vector<double> values, first, second;  // weights and moments, float32 in all
  int64_t updates = 0;                        // of the optimizer
  std::vector<StepLoss> losses;               // of every step done
};

// As safetensors, with a hash of its contents. `training` says which training this is, and how far:
// all that its bits depend on. Throws `Error` where it cannot be written.
void save_training_state(const std::string& path, const std::string& training,
                         const TrainingState& state);

// Nothing where there is no such file, or it is damaged, or of another training: then the training
// begins at its start, and comes to the same bits.
std::optional<TrainingState> load_training_state(const std::string& path,
                                                 const std::string& training);

}  // namespace star::synthesis
