// What the analyses after a search begin with: the genomes that the run file knows and others under
// their names, and the trainings that compare them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "star/trial.h"

namespace star::synthesis {

// A genome to compare.
struct Subject {
  std::string name;    // as given on the command line; empty for what the search has found
  std::string genome;  // canonical
  std::string pool;
  std::optional<Evaluation> searched;  // what the search knows of it

  const std::string& label() const { return name.empty() ? genome : name; }
};

// A search that has ended, or halted, and the way in which more is trained of it. What it refers to
// must outlive it.
struct Study {
  const std::string& path;  // of the run file, with which errors begin
  const SearchSettings& settings;
  const RunContents& contents;  // of a run that was checked (star/run_check.h)
  uint64_t seed;                // of the first training of a genome; the next seeds are of the next
  // The evaluations in the order of the trials; what the run file holds under their recipes is
  // taken from there.
  std::function<std::vector<Evaluation>(const std::vector<Trial>&)> train = {};
  // The same on other data.
  std::function<std::vector<Evaluation>(const std::vector<Trial>&, const Dataset&)> train_on = {};
  // The values of measured objectives of genomes, in their order, at so many tokens.
  std::function<std::vector<Evaluation>(const std::vector<Subject>&, const std::vector<Objective>&,
                                        int64_t context)>
      measure = {};
};

// "front": of all that was evaluated what nothing dominates; "population": the last one; "all": all
// that was evaluated. What failed is left out.
inline const std::vector<std::string> kSubjectGroups = {"front", "population", "all"};

// The group that is meant where none is said: the front, or, since with one objective that is one
// genome, all.
std::string usual_group(const SearchSettings& settings);

// The best first: those that keep the bounds, by the first objective. Error: none is there, or
// there is no such group.
std::vector<Subject> subjects_of(const Study& study, const std::string& group);

// A name, at the run's depth unless it says another, or a genome of the run's pool or the extended
// one. Throws `Error`.
Subject named_subject(const Study& study, const std::string& text);

// Error: the evaluation lacks the metric, which whatever wrote the run file put there.
double metric_of(const Study& study, const Evaluation& evaluation, const std::string& name);

// As the search would train it, from the study's seed; the recipe is "baseline" if that is the
// search's.
Trial trial_for(const Study& study, const Subject& subject);

// As the search has trained it; the recipe is "search".
Trial searched_trial(const Study& study, const Subject& subject);

// Gives a trial that is not the search's own the recipe that says all of it, and the test part.
Trial& apart(Trial& trial);

}  // namespace star::synthesis
