// What the commands after a search share: they open its run file and its data, choose genomes, and
// train them, in worker processes, under recipes that the run file remembers.
#pragma once

#include <optional>

#include "star/front.h"
#include "star/statistics.h"
#include "star/trial.h"
#include "tools/command.h"

namespace star {

struct Run {
  std::string path;
  RunFile file;
  SearchSettings settings;
  RunContents contents;  // when it was opened
  std::unique_ptr<Dataset> data;
};

// Error: no run file, a damaged one, or its data is no longer what the search began with. Warns
// where the processor is another one. `write`: as this run's only writer (RunFile::claim).
Run open_run(const std::string& path, bool write);

// A line on standard error where no member of the last front keeps the bounds of the search.
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

// A genome to compare.
struct Subject {
  std::string name;    // as given on the command line; empty for what the search has found
  std::string genome;  // canonical
  std::string pool;
  std::optional<Evaluation> searched;  // what the search knows of it

  const std::string& label() const { return name.empty() ? genome : name; }
};

inline const std::vector<std::string> kSubjectGroups = {"front", "population"};

struct RunCommand {
  Common common;
  std::string path;
  int workers = 0;
  std::optional<uint64_t> memory_bytes;  // if given
  bool retry = false, trains = false;
  std::optional<Run> run;  // once it is open

  void declare(CLI::App& app);
  void declare_trainings(CLI::App& app);  // for those that train
  // What is left open on the command line is as in the run. Warns of a front that keeps no bounds.
  void open();
  const SearchSettings& settings() const { return run->settings; }

  // The last complete generation: its front, best first in the first objective. Error where there
  // is none.
  std::vector<Subject> front() const;
  // All of its population but what failed, in the same order.
  std::vector<Subject> population() const;
  // Either, by its name in kSubjectGroups.
  std::vector<Subject> subjects_of(const std::string& group) const;
  // A name, at the run's depth unless it says another, or a genome of the run's pool.
  Subject named(const std::string& text) const;

  // Error: the evaluation lacks the metric, which whatever wrote the run file put there.
  double metric_of(const Evaluation& evaluation, const std::string& name) const;

  // As the search would train it, from `common.seed`; the recipe is "baseline" if that is the
  // search's.
  Trial trial_for(const Subject& subject) const;
  // What the run file does not hold yet is trained, in worker processes. Throws `Interrupted`.
  std::vector<Evaluation> train(const std::vector<Trial>& trials) {
    return train(trials, *run->data);
  }
  std::vector<Evaluation> train(const std::vector<Trial>& trials, const Dataset& data);
  // Objectives that are measured, one genome at a time, at so many tokens. Throws `Interrupted`.
  std::vector<Evaluation> measure(const std::vector<Subject>& subjects,
                                  const std::vector<std::string>& objectives, int64_t context);

 private:
  std::vector<Evaluation> work_on(const std::vector<Trial>& trials, const std::string& what,
                                  int count, const std::function<Evaluation(const Trial&)>& work);
  std::vector<Subject> subjects(const std::vector<std::string>& genomes) const;
  CLI::Option *seed_option_ = nullptr, *device_option_ = nullptr;
};

// Gives a trial that is not the search's own the recipe that says all of it, and the test part.
Trial& apart(Trial& trial);

// How two orders of the same genomes agree.
struct Agreement {
  std::string signal, target;  // what is cheap, what it stands for
  Kendall kendall;
  int64_t n;  // genomes

  nlohmann::json json() const;
};
// The table of agreements for people.
std::string agreements_text(const std::vector<Agreement>& agreements);

// Losses and times have digits after the point, counts have none.
std::string metric_text(const std::string& name, double value);

}  // namespace star
