// Everything that a search depends on. The run file keeps it as JSON, from which the search goes
// on.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "liv/layout.h"
#include "star/data.h"
#include "star/evolution.h"
#include "star/executor.h"
#include "star/objectives.h"
#include "star/trainer.h"

namespace star::synthesis {

inline constexpr const char* kNoStart = "none";   // an initial population of random genomes alone
inline constexpr const char* kNoBounds = "none";  // for --max, of a run that goes on
// Validation tokens of a run file from before they were a setting: it can be read, not gone on
// with.
inline constexpr int64_t kUnknownSample = -1;

// The bounds under which a run was bred until it went on under others.
struct EarlierBounds {
  int generations;  // that had begun by then
  Bounds bounds;
  bool operator==(const EarlierBounds&) const = default;
};

struct SearchSettings {
  // What is searched, and how. The defaults are sizes at which a search ends within ten minutes on
  // two cores and candidates differ by more than their noise over seeds.
  uint64_t seed = 0;
  SearchAlgorithm algorithm = "nsga2";
  int population = 16;
  int generations = 5;
  // Steady breeding: offspring i from the results 0 … i − 1 − lag, in the order in which they were
  // asked for. Workers wait less, parents are older. Or by generations, each from all before it.
  int lag = kByGenerations;
  // Successive halving (star/promotion.h): the steps at which a candidate's training stops, to go
  // on only if it is among the best share of those that came so far.
  std::vector<int64_t> rungs;
  double keep = 1;
  // Proposals for each candidate, of which a model chooses (star/screening.h); 0: none chooses.
  int screen = 0;
  // Further seeds that what enters the front is trained from before it may stay (star/seeds.h).
  int reseed = 0;
  int crossover_points = 2;
  double mutation_rate = 0.1;                      // of each digit
  int min_depth = 8, max_depth = 8;                // LIVs
  std::string pool = "paper";                      // or "extended", or a pool file's text
  std::vector<std::string> evolve = {"backbone"};  // operator, featurizer
  // Genomes or names that come first: where it is empty, the named designs; or kNoStart alone.
  std::vector<std::string> start;
  std::vector<Objective> objectives = {"quality", "params"};
  Bounds bounds;                              // largest values
  std::vector<EarlierBounds> earlier_bounds;  // those that they follow, in order
  Bounds hv_reference;                        // where the reference point is not the usual one
  // Ends before the last generation (star/stopping.h): values to be reached, and generations
  // without a gain in hypervolume; 0: any number.
  Bounds until;
  int patience = 0;
  int64_t cache_context = 4096;
  // The candidates.
  Sizes sizes;
  // The rate was chosen by measurement: of 2e-3, 5e-3 and 1e-2 it gave the least mean loss over
  // attention, gated convolution with attention, and the selective state space.
  TrainOptions training = {.steps = 150, .batch = 8, .learning_rate = 1e-2};
  int64_t validation_tokens = kValidationTokens;  // judged; 0: all
  Limits limits = {.memory_bytes = uint64_t(4) << 30};
  // What they are trained on.
  std::string data_path, task;  // one of them; the path is from the root (star/data_files.h)
  std::string tokenizer;        // the path of its file, from the root; empty: none
  std::string text_field;       // as of DataSource
  int64_t data_vocab = 0;       // what was asked for; 0: nothing
  std::string data_identity;
  // Where results are computed: other processors round differently, and so do other cards and other
  // versions of cuBLAS.
  std::string device = "cpu", device_target;
  std::string cpu_target, blas_core;

  bool by_generations() const { return lag == kByGenerations; }
  // Those under which a generation is bred.
  const Bounds& bounds_of(int generation) const;
  // How many of a generation are trained to each rung (star/promotion.h), and last to the end: so
  // many that `population` come there when none fails. Without rungs that is all.
  std::vector<int64_t> cohort_sizes() const;
  // All of them: trainings to a rung, from one to the next, and to the end.
  int64_t trainings_of_generation() const;
};

// What a worker is held to. The time of a candidate is the processor's; on a device, which works
// while the processor waits or does something else, it is the clock's.
Limits worker_limits(const SearchSettings& settings);

// The depths of the candidates as --depth takes them: "4", "4-8".
std::string depth_text(const SearchSettings& settings);

std::string settings_to_json(const SearchSettings& settings);
// Throws `Error` where the text is not what settings_to_json writes, or the settings are out of
// range.
SearchSettings settings_from_json(const std::string& text);

// Of a training alone, under the names of its rows (star/settings_table.h), and back, where other
// names are passed over. Throws `Error` as settings_from_json.
nlohmann::ordered_json training_to_json(const TrainOptions& options);
TrainOptions training_from_json(const nlohmann::json& json);

// Throws `Error` for a setting outside the range that the command line takes it from, whoever has
// made it.
void check_settings(const SearchSettings& settings);

// An option of `star search` that a run file fixes, with its values as on the command line: none
// where it says nothing.
struct FixedOption {
  std::string name;
  std::vector<std::string> values;
};

// All of them, always in the same order.
std::vector<FixedOption> fixed_options(const SearchSettings& settings);

// A line for a POSIX shell that makes the same run again: "star search" with every option that is
// not at its default, and once more for each time that it went on under other bounds. `run` is the path of a run file with these settings, for the pool where that
// was a file, from the root, as the data's is; `program` is how star is called.
std::string reproducing_command(const SearchSettings& settings, const std::string& run,
                                const std::string& program = "star");

// A word of a shell, quoted where it must be, and a path as one: no option, whatever it begins
// with.
std::string shell_word(const std::string& text);
std::string shell_path(const std::string& path);

}  // namespace star::synthesis
