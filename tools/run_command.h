// What the commands after a search share: they open its run file and its data, choose genomes, and
// train them, in worker processes, under recipes that the run file remembers.
#pragma once

#include <optional>

#include "star/after/agreement.h"
#include "star/after/rates.h"
#include "star/front.h"
#include "tools/command.h"

namespace star::cli {

struct Run {
  std::string path;
  RunFile file;
  SearchSettings settings;
  RunContents contents;  // when it was opened
  std::unique_ptr<Dataset> data;
};

// Error: no run file, a damaged one, or its data is no longer what the search began with. Warns
// where the processor is another one. `write`: as this run's only writer (RunFile::claim).
// `moved_to`: where its data lies now, if that is given and not where it was.
Run open_run(const std::string& path, bool write, const DataOptions& moved_to = {});

// A line on standard error where no member of the last front keeps the bounds of the search.
// On standard error, where a search began on another card, or with another cuBLAS, than `target`.
void warn_of_device(const SearchSettings& settings, const std::string& target);

void warn_of_bounds(const std::string& path, const SearchSettings& settings,
                    const RunContents& contents);

// A front as a table for people, those marked that break the bounds, and what its losses are worth.
std::string front_text(const SearchSettings& settings, const std::vector<FrontMember>& front);

// [{genome, objectives, metrics, violation, seeds, deviation}], the last of objectives alone.
nlohmann::json front_json(const std::vector<FrontMember>& front);

// Whether a member of a front keeps the bounds; null where nothing is in it.
nlohmann::json feasible_json(const std::vector<FrontMember>& front);

// What rungs and screening did in each generation: [{stopped, promoted, rung_tau, model_tau}].
nlohmann::json rungs_json(const std::vector<Generation>& generations);

struct RunCommand {
  Common common;
  std::string path;
  int workers = 0;
  std::optional<uint64_t> memory_bytes;  // if given
  bool retry = false, trains = false, judges = false;
  std::optional<Run> run;  // once it is open

  void declare(CLI::App& app);
  void declare_trainings(CLI::App& app);  // for those that train
  // For those that train what the search has found as if it were new: from seeds of their own.
  void declare_judging(CLI::App& app);
  // What is left open on the command line is as in the run. Warns of a front that keeps no bounds.
  void open();
  const SearchSettings& settings() const { return run->settings; }

  // The run for an analysis; it refers to this object.
  Study study();
  double metric_of(const Evaluation& evaluation, const std::string& name) {
    return star::synthesis::metric_of(study(), evaluation, name);
  }

 private:
  // What the run file does not hold yet is trained, in worker processes. Throws `Interrupted`.
  std::vector<Evaluation> train(const std::vector<Trial>& trials, const Dataset& data);
  // Objectives that are measured, one genome at a time, at so many tokens. Throws `Interrupted`.
  std::vector<Evaluation> measure(const std::vector<Subject>& subjects,
                                  const std::vector<Objective>& objectives, int64_t context);
  std::vector<Evaluation> work_on(const std::vector<Trial>& trials, const std::string& what,
                                  int count, const std::function<Evaluation(const Trial&)>& work);
  CLI::Option *seed_option_ = nullptr, *device_option_ = nullptr;
};

// --from: which genomes of the search are taken, of kSubjectGroups.
CLI::Option* add_group(CLI::App& app, std::string& group, const std::string& what);

// "of the front", "of the last population", "of all that was evaluated".
std::string group_text(const std::string& group);

// --lr: learning rates; none: the search's.
CLI::Option* add_rates(CLI::App& app, std::vector<double>& rates, const std::string& whose);

// {"lr", "lr_at_end", "rates": [{"lr", "seeds", "failed", "failure", <metric>: {"mean",
// "deviation"}}]}: what a genome came to at each rate, of the metrics that it has.
nlohmann::json rates_json(const Study& study, const Tuned& tuned,
                          const std::vector<std::string>& metrics);
// What people must know of the choice of rates; empty where there was none.
std::string rates_text(const std::vector<const Tuned*>& tuned);

nlohmann::json agreement_json(const Agreement& agreement);
// The table of agreements for people.
std::string agreements_text(const std::vector<Agreement>& agreements);

// Losses and times have digits after the point, counts have none.
std::string metric_text(const std::string& name, double value);

}  // namespace star::cli
