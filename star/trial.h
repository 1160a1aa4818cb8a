// One training of one genome: as a candidate of a search, or after it, longer, wider, deeper, from
// another seed. The run file keeps each under its recipe, so that none is trained twice.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "liv/backbone.h"
#include "star/executor.h"
#include "star/objectives.h"
#include "star/search_settings.h"
#include "star/store.h"

namespace star::synthesis {

struct Trial {
  std::string genome;  // canonical in the pool
  Recipe recipe = {};  // under which the run file keeps the result
  std::string pool = "paper";
  Sizes sizes;
  int repeat = 1;                 // how often the backbone stands in the model
  bool stretch = false;           // or rather each of its LIVs, in place (star/compiler.h)
  uint64_t seed = 0;              // draws the starting weights
  TrainOptions training = {};     // its seed draws the batches
  int64_t validation_tokens = 0;  // judged of the validation part; 0: all of it
  int64_t cache_context = 4096;
  std::string device = "cpu";
  bool test = false;  // judged on the test part too
  // Of a training that may stop on its way: where (0: at its end), the steps at which its loss is
  // taken, and the files that its state is kept in (empty: none, written only where their folder
  // is).
  int64_t until = 0;
  std::vector<int64_t> rungs = {};
  std::string from = "", to = "";
};

// As the search trains a candidate, by a recipe of its own. In `states`, a folder, the state is
// kept at each rung; empty: nowhere. Throws `Error` for another recipe.
Trial candidate_trial(const SearchSettings& settings, const std::string& genome,
                      const Recipe& recipe = {}, const std::string& states = "");

// The file in `states` that keeps a candidate at a rung: sixteen hexadecimal digits and a suffix.
inline constexpr size_t kStateName = 16;
inline constexpr const char* kStateSuffix = ".state";
std::string state_file(const std::string& states, const std::string& genome, int64_t rung);

// The name of the metric that is the loss at a rung (star/trainer.h, loss_at).
std::string rung_metric(int64_t step);

// All that tells one trial after the search from another, for its recipe:
// "width=64,heads=4,repeat=1,steps=600,batch=8,lr=0.01,seed=3"; "stretch=2" in place of "repeat=2"
// where LIVs are repeated in place.
Recipe recipe_of(const Trial& trial);
// Of what was measured at so many tokens: "measured=memory+latency,context=4096".
Recipe recipe_of(const std::vector<Objective>& measured, int64_t context);

// The model, not trained; without `exec` its sizes alone. Throws `Error` where the genome does not
// fit the sizes.
Backbone model_of(const Trial& trial, Exec* exec);

// What `star bench` and a trial do with a model: it is trained up to the trial's stop
// and, if that is its end and nothing failed, judged on the validation part. `after_step` may end
// it.
struct Trained {
  TrainResult training;
  std::optional<Judgement> validation;
};
Trained train_and_judge(Exec& exec, Backbone& model, const Dataset& data, const Trial& trial,
                        const StepCallback& after_step = {});

// Trains and judges, or says why that failed. One thread. Of a training that stops on its way there
// are the losses at its rungs, as "rung:30", and the static metrics; of a whole one besides:
// quality with its targets (how many) and standard_error, perplexity, accuracy and macro_accuracy
// on a sample of the validation part, and bpb where the data knows bytes; with a prefix "test_" on the
// whole test part; train_loss, train_targets, train_standard_error; and the static ones.
Evaluation evaluate(const Trial& trial, const Dataset& data);

// FLOPs of the training; 0 for a trial that cannot even begin.
double cost_of(const Trial& trial);

// What a worker answers: failure, metrics and curve, as text.
std::string to_text(const Evaluation& evaluation);
// And what that comes to, genome and recipe left open.
Evaluation evaluation_of(const Outcome& outcome);

// To be called before workers are started, in the thread that starts them: they inherit OpenBLAS's
// buffer, which so is none of the memory that a candidate may take.
void prepare_blas();

// How trials are worked on.
struct TrialOptions {
  int workers = 1;
  Limits limits = {};
  bool retry = false;  // those that the file holds as failed count as not held
  std::function<void(int64_t done, int64_t total)> progress = {};
  std::function<bool()> interrupted = {};
};

// Works on the trials that the file does not hold yet, each in a process of its own, or on a device
// in processes that live on, and records each as it ends. The evaluations in the order of the
// trials; none if it was interrupted.
std::optional<std::vector<Evaluation>> run_trials(
    RunFile& file, const std::vector<Trial>& trials,
    const std::function<Evaluation(const Trial&)>& work, const TrialOptions& options);

}  // namespace star::synthesis
