#include "star/after/study.h"

#include <algorithm>
#include <map>

#include "liv/pool_file.h"
#include "star/genome.h"
#include "star/seeds.h"

namespace star::synthesis {
namespace {

std::map<std::string, SeedMean> searched_of(const Study& study) {
  return results_over_seeds(study.settings, study.contents.evaluations,
                            int(study.contents.generations.size()));
}

std::optional<Evaluation> searched_of(const Study& study, const std::string& genome) {
  const auto searched = searched_of(study);
  auto it = searched.find(genome);
  return it == searched.end() ? std::nullopt : std::optional<Evaluation>(it->second.mean);
}

std::vector<std::string> genomes_of(const Study& study, const std::string& group) {
  const auto& generations = study.contents.generations;
  if (group == "front")
    return generations.empty() ? std::vector<std::string>() : generations.back().front;
  if (group == "population")
    return generations.empty() ? std::vector<std::string>() : generations.back().population;
  if (group != "all") fail("{}: there is no group `{}`", study.path, group);
  std::vector<std::string> all;
  // By their text: the order in which candidates end is a matter of chance.
  for (auto& [genome, judged] : searched_of(study)) all.push_back(genome);
  return all;
}

}  // namespace

std::string usual_group(const SearchSettings& settings) {
  return settings.objectives.size() == 1 ? "all" : "front";
}

std::vector<Subject> subjects_of(const Study& study, const std::string& group) {
  const SearchSettings& s = study.settings;
  const auto searched = searched_of(study);
  struct Ranked {
    double violation, first;
    Subject subject;
  };
  std::vector<Ranked> ranked;
  for (auto& genome : genomes_of(study, group)) {
    auto it = searched.find(genome);
    if (it == searched.end() || !it->second.mean.ok()) continue;
    const Evaluation& judged = it->second.mean;
    const Fitness fitness = fitness_of(judged.metrics, s.objectives, s.bounds);
    ranked.push_back({fitness.violation, fitness.objectives[0], {"", genome, s.pool, judged}});
  }
  require(!ranked.empty(), "{}: the search has no {} yet; star search --resume {} goes on with it",
          study.path, group == "all" ? "result" : group, shell_path(study.path));
  std::stable_sort(ranked.begin(), ranked.end(), [](auto& a, auto& b) {
    return std::pair(a.violation, a.first) < std::pair(b.violation, b.first);
  });
  std::vector<Subject> subjects;
  for (auto& r : ranked) subjects.push_back(std::move(r.subject));
  return subjects;
}

Subject named_subject(const Study& study, const std::string& text) {
  const SearchSettings& s = study.settings;
  const Pool own = named_pool(s.pool), known = extended_pool();
  if (!text.starts_with('@') && (check(text, own).valid() || !check(text, known).valid())) {
    const std::string genome = to_text(canonical(parse(text, own), own));
    return {text, genome, s.pool, searched_of(study, genome)};
  }
  // Its classes are those of the extended pool, which the run's may lack but not define otherwise.
  const Genome genome =
      text.starts_with('@') ? resolve(at_depth(text, s.max_depth), own) : parse(text, known);
  require_same_classes(genome, own, known, text);
  return {text, to_text(canonical(genome, known)), "extended", {}};
}

double metric_of(const Study& study, const Evaluation& evaluation, const std::string& name) {
  auto metric = evaluation.metrics.find(name);
  require(metric != evaluation.metrics.end(),
          "{}: the run file is damaged: the evaluation of {} lacks {}", study.path,
          evaluation.genome, name);
  return metric->second;
}

Trial trial_for(const Study& study, const Subject& subject) {
  Trial trial = searched_trial(study, subject);
  trial.seed = trial.training.seed = study.seed;
  trial.recipe = Recipe::baseline();
  return study.seed == study.settings.seed ? trial : apart(trial);
}

Trial searched_trial(const Study& study, const Subject& subject) {
  Trial trial = candidate_trial(study.settings, subject.genome);
  trial.pool = subject.pool;
  return trial;
}

Trial& apart(Trial& trial) {
  trial.test = true;
  trial.recipe = recipe_of(trial);
  return trial;
}

}  // namespace star::synthesis
