#include "star/after/check.h"

#include <algorithm>
#include <span>

#include "liv/pool_file.h"
#include "star/front.h"
#include "star/genome.h"
#include "star/seeds.h"

namespace star::synthesis {
namespace {

int64_t parameters_of(const Study& study, const Subject& subject) {
  return model_of(searched_trial(study, subject), nullptr).parameter_count();
}

// The best of those that are no named design: by quality, or by the one objective of the search.
std::vector<Subject> finalists_of(const Study& study, const std::vector<Subject>& designs) {
  std::vector<Subject> evolved = subjects_of(study, usual_group(study.settings));
  std::erase_if(evolved, [&](auto& subject) {
    return std::any_of(designs.begin(), designs.end(),
                       [&](auto& design) { return design.genome == subject.genome; });
  });
  if (study.settings.objectives.size() > 1)
    std::stable_sort(evolved.begin(), evolved.end(), [&](auto& a, auto& b) {
      return metric_of(study, *a.searched, "quality") < metric_of(study, *b.searched, "quality");
    });
  if (evolved.size() > kFinalists) evolved.resize(kFinalists);
  return evolved;
}

// The designs of no more parameters, or, where none is so small, all.
std::vector<Subject> competing_with(const Study& study, const std::vector<Subject>& designs,
                                    SearchCheck& check) {
  std::vector<Subject> competing;
  for (auto& design : designs)
    if (parameters_of(study, design) <= check.found.params) competing.push_back(design);
  check.larger = competing.empty();
  if (check.larger) competing = designs;
  for (auto& design : competing) check.designs.push_back(design.name);
  return competing;
}

// As `final` would train it, which need not do so again.
Trial trial_from(const Study& study, const Subject& subject, int seed) {
  Trial trial = trial_for(study, subject);
  trial.seed = trial.training.seed = study.seed + uint64_t(seed);
  trial.training.steps = kCheckSteps * study.settings.training.steps;
  return apart(trial);
}

const Subject& subject_of(const std::vector<Subject>& subjects, const CheckSide& side) {
  return *std::find_if(subjects.begin(), subjects.end(),
                       [&](auto& subject) { return subject.genome == side.genome; });
}

// From the first seed.
std::vector<Trial> first_trials(const Study& study, const std::vector<Subject>& subjects) {
  std::vector<Trial> trials;
  for (auto& subject : subjects) trials.push_back(trial_from(study, subject, 0));
  return trials;
}

// From the seeds after the first.
std::vector<Trial> other_trials(const Study& study, const Subject& subject) {
  std::vector<Trial> trials;
  for (int seed = 1; seed < kCheckSeeds; ++seed) trials.push_back(trial_from(study, subject, seed));
  return trials;
}

// The best of the subjects by their trainings from the first seed, with that.
CheckSide best_side(const Study& study, const std::vector<Subject>& subjects,
                    std::span<const Evaluation> trained) {
  const double rate = study.settings.training.learning_rate;
  std::vector<Tuned> heat;
  for (size_t i = 0; i < subjects.size(); ++i)
    heat.push_back({subjects[i], {{rate, {trained[i]}}}});
  const Tuned& best = heat[size_t(std::max(0, best_by_quality(study, heat)))];
  CheckSide side{best.subject.name, best.subject.genome, parameters_of(study, best.subject)};
  side.trained = best.chosen();
  return side;
}

void add(CheckSide& side, std::span<const Evaluation> trained) {
  side.trained.by_seed.insert(side.trained.by_seed.end(), trained.begin(), trained.end());
}

// The finalists; then the designs that compete with the best of them, and it from the other seeds;
// then so the best of the designs.
void train_both(const Study& study, const std::vector<Subject>& finalists,
                const std::vector<Subject>& designs, SearchCheck& check) {
  check.found = best_side(study, finalists, study.train(first_trials(study, finalists)));
  const std::vector<Subject> competing = competing_with(study, designs, check);

  std::vector<Trial> trials = first_trials(study, competing);
  for (auto& trial : other_trials(study, subject_of(finalists, check.found)))
    trials.push_back(trial);
  const std::vector<Evaluation> trained = study.train(trials);
  check.design = best_side(study, competing, std::span(trained).first(competing.size()));
  add(check.found, std::span(trained).subspan(competing.size()));

  add(check.design, study.train(other_trials(study, subject_of(competing, check.design))));
}

void compare(const Study& study, SearchCheck& check) {
  for (CheckSide* side : {&check.found, &check.design}) {
    if (side->trained.done().empty()) {
      check.failure = fmt::format("{}: {}", side->name.empty() ? side->genome : side->name,
                                  side->trained.failure());
      return;
    }
    side->loss = side->trained.spread(study, "test_quality");
  }
  check.difference = test_difference(study, check.found.trained, check.design.trained);
}

}  // namespace

std::vector<Subject> named_designs(const Study& study) {
  const Pool own = named_pool(study.settings.pool);
  std::vector<Subject> designs;
  for (auto& [name, genome] : named_designs(own, study.settings.max_depth)) {
    try {
      Subject design = named_subject(study, at_depth(name, study.settings.max_depth));
      design.name = name;
      parameters_of(study, design);
      designs.push_back(std::move(design));
    } catch (const Error&) {
      // It does not fit the sizes.
    }
  }
  return designs;
}

std::optional<SearchCheck> check_search(const Study& study) {
  if (study.settings.training.steps == 0) return {};
  const std::vector<Subject> designs = named_designs(study);
  if (designs.empty() || study.contents.generations.empty() ||
      study.contents.generations.back().front.empty())
    return {};
  SearchCheck check;
  check.steps = kCheckSteps * study.settings.training.steps;
  const std::vector<Subject> finalists = finalists_of(study, designs);
  if (finalists.empty()) {
    check.failure = "nothing was found but named designs";
    return check;
  }
  for (auto& finalist : finalists) check.finalists.push_back(finalist.genome);
  train_both(study, finalists, designs, check);
  compare(study, check);
  return check;
}

std::string best_of_check(const Study& study) {
  if (study.contents.generations.empty()) return "";
  const std::vector<Subject> finalists = finalists_of(study, named_designs(study));
  std::vector<Evaluation> held;
  for (auto& trial : first_trials(study, finalists))
    for (auto& e : study.contents.evaluations)
      if (e.genome == trial.genome && e.recipe == trial.recipe) held.push_back(e);
  if (held.empty() || held.size() < finalists.size()) return "";
  return best_side(study, finalists, held).genome;
}

std::string best_of_run(const CheckedRun& run, const std::string& path) {
  const std::string of_front = best_of_front(run, path);
  const std::string checked =
      best_of_check({path, run.settings, run.contents, judging_seed(run.settings)});
  return checked.empty() ? of_front : checked;
}

}  // namespace star::synthesis
