// A table of trainings that were recorded once (tools/experiments/record.py): what replays of a
// search are modelled on.
//
// Text, compressed by gzip; the first line names the columns: genome, seed, the steps at which the
// training loss was taken (each the mean of about five steps before it), quality. A line a
// training:
//
//   genome seed 10 20 30 … 150 quality
//   51111-91111 0 3.412 3.101 …  2.231
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace star::experiments {

struct Recording {
  std::string genome;          // canonical in the extended pool
  uint64_t seed = 0;           // of its starting weights and batches
  std::vector<double> losses;  // at Recordings::steps, then the quality
};

struct Recordings {
  std::vector<int64_t> steps;
  std::vector<Recording> rows;
};

// Throws `Error` that names the line where the file is not of this form.
Recordings read_recordings(const std::string& path);

}  // namespace star::experiments
