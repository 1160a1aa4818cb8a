#include "star/after/check.h"

#include <algorithm>

#include "liv/pool_file.h"
#include "star/genome.h"

namespace star {
namespace {

int64_t parameters_of(const Study& study, const Subject& subject) {
  return model_of(searched_trial(study, subject), nullptr).parameter_count();
}

// The best quality first.
std::vector<Subject> front_by_quality(const Study& study) {
  std::vector<Subject> front = subjects_of(study, "front");
  std::stable_sort(front.begin(), front.end(), [&](auto& a, auto& b) {
    return metric_of(study, *a.searched, "quality") < metric_of(study, *b.searched, "quality");
  });
  return front;
}

// As `final` would train it, so that it need not do so again.
Trial trial_from(const Study& study, const Subject& subject, int seed) {
  Trial trial = trial_for(study, subject);
  trial.seed = trial.training.seed = study.seed + uint64_t(seed);
  trial.training.steps = kCheckSteps * study.settings.training.steps;
  return apart(trial);
}

// Trains what was found from all seeds and the designs that compete from the first, then from the
// others that which has the least validation loss. Its index.
size_t train_both(const Study& study, const Subject& found, const std::vector<Subject>& competing,
                  SearchCheck& check) {
  std::vector<Trial> trials;
  for (int seed = 0; seed < kCheckSeeds; ++seed) trials.push_back(trial_from(study, found, seed));
  for (auto& design : competing) trials.push_back(trial_from(study, design, 0));
  std::vector<Evaluation> trained = study.train(trials);
  const double rate = study.settings.training.learning_rate;
  check.found.trained = {rate, {trained.begin(), trained.begin() + kCheckSeeds}};
  std::vector<Tuned> heat;
  for (size_t i = 0; i < competing.size(); ++i)
    heat.push_back({competing[i], {{rate, {trained[kCheckSeeds + i]}}}});
  const size_t best = size_t(std::max(0, best_by_quality(study, heat)));
  check.design.trained = heat[best].chosen();
  trials.clear();
  for (int seed = 1; seed < kCheckSeeds; ++seed)
    trials.push_back(trial_from(study, competing[best], seed));
  for (auto& e : study.train(trials)) check.design.trained.by_seed.push_back(std::move(e));
  return best;
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
  const std::vector<Subject> front = front_by_quality(study);
  auto evolved = std::find_if(front.begin(), front.end(), [&](auto& member) {
    return std::none_of(designs.begin(), designs.end(),
                        [&](auto& design) { return design.genome == member.genome; });
  });
  if (evolved == front.end()) {
    check.failure = "the front holds nothing but named designs";
    return check;
  }
  check.found.genome = evolved->genome;
  check.found.params = parameters_of(study, *evolved);
  std::vector<Subject> competing;
  for (auto& design : designs)
    if (parameters_of(study, design) <= check.found.params) competing.push_back(design);
  check.larger = competing.empty();
  if (check.larger) competing = designs;
  for (auto& design : competing) check.designs.push_back(design.name);

  const size_t best = train_both(study, *evolved, competing, check);
  check.design.name = competing[best].name;
  check.design.genome = competing[best].genome;
  check.design.params = parameters_of(study, competing[best]);
  compare(study, check);
  return check;
}

}  // namespace star
