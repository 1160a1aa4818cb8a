#include "star/run_check.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "liv/pool_file.h"
#include "star/genome.h"
#include "star/objectives.h"
#include "star/promotion.h"
#include "star/seeds.h"
#include "star/trial.h"

namespace star::synthesis {
namespace {

// Without a step of training there is no training loss, and no standard error of one sequence.
bool may_be_unknown(const std::string& metric) {
  return metric == "train_loss" || metric.ends_with("standard_error");
}

class RunCheck {
 public:
  RunCheck(const RunContents& run, const SearchSettings& settings, const std::string& name)
      : run_(run),
        settings_(settings),
        name_(name),
        own_(named_pool(settings.pool)),
        extended_(extended_pool()) {}

  void all() {
    reference();
    evaluations();
    candidates();
    for (size_t g = 0; g < run_.generations.size(); ++g) generation(g);
  }

 private:
  template <class... Args>
  void need(bool ok, fmt::format_string<Args...> format, Args&&... args) const {
    if (ok) return;
    fail("{}: the run file is damaged: {}", name_,
         fmt::format(format, std::forward<Args>(args)...));
  }

  void reference() const {
    const auto names = names_of(settings_.objectives);
    if (run_.reference.empty())
      return need(run_.generations.empty(), "it has generations and no reference point");
    for (auto& name : names) need(run_.reference.count(name), "the reference point lacks {}", name);
    for (auto& [name, value] : run_.reference) {
      need(std::find(names.begin(), names.end(), name) != names.end(),
           "it has a reference value of {}, which is no objective", name);
      need(value > 0 && std::isfinite(value), "the reference value of {} is {}", name, value);
    }
  }

  // What is trained after the search, under other recipes, may be of the extended pool.
  void genome(const std::string& text, bool searched) {
    if (!(searched ? genomes_ : others_).insert(text).second) return;
    const GenomeCheck own = check(text, own_);
    if (!searched && !own.valid() && check(text, extended_).valid()) return;
    need(own.valid(), "`{}` is no genome: {}", shown(text), own.valid() ? "" : own.errors[0]);
    const size_t depth = parse(text, own_).segments.size();
    need(
        !searched || (depth >= size_t(settings_.min_depth) && depth <= size_t(settings_.max_depth)),
        "{} has {} LIVs, in a search of {}", shown(text), depth, depth_text(settings_));
  }

  void evaluations() {
    for (auto& e : run_.evaluations) {
      const bool searched = e.recipe.is_of_search();
      genome(e.genome, searched);
      if (e.recipe.is_whole() || (is_rung(e.recipe) && !e.ok())) results_[e.genome] = &e;
      if (e.recipe.is_of_another_seed())
        e.ok() ? void(reseeded_.insert({e.genome, e.recipe})) : void(broken_.insert(e.genome));
      if (is_rung(e.recipe) && e.ok()) at_rung_.insert(e.genome);
      if (!e.ok()) continue;
      for (auto& name : needed(e.recipe))
        need(e.metrics.count(name), "the evaluation of {} lacks {}", e.genome, name);
      for (auto& [name, value] : e.metrics)
        need(!std::isnan(value) || may_be_unknown(name),
             "the evaluation of {} has no number for {}", e.genome, shown(name));
    }
  }

  // The metrics of a success.
  std::vector<std::string> needed(const Recipe& recipe) const {
    std::vector<std::string> names;
    if (!recipe.is_of_search()) return names;
    if (recipe.is_whole() || is_rung(recipe))
      for (int64_t rung : settings_.rungs) {
        names.push_back(rung_metric(rung));
        if (recipe == Recipe::at_rung(rung)) return names;
      }
    for (auto& objective : settings_.objectives) names.push_back(objective.name());
    names.push_back(Objective::quality().name());
    for (auto& [bounded, most] : settings_.bounds) names.push_back(bounded.name());
    return names;
  }

  bool is_rung(const Recipe& recipe) const {
    return std::any_of(settings_.rungs.begin(), settings_.rungs.end(),
                       [&](int64_t rung) { return recipe == Recipe::at_rung(rung); });
  }

  // A generation has no candidates only where the genomes of the pool and depth are used up.
  void candidates() {
    std::set<std::string> seen;
    const int64_t bred = settings_.cohort_sizes().front();
    int generation = 0, place = 0;
    for (auto& c : run_.candidates) {
      if (c.generation != generation) place = 0;
      generation = c.generation;
      need(c.place == place, "candidate {} of generation {} is missing", place, generation);
      need(generation < settings_.generations && place < bred,
           "it has a candidate {} of generation {}, in a search of {} generations of {}", place,
           generation, settings_.generations, bred);
      genome(c.genome, true);
      for (auto& parent : c.parents)
        need(seen.count(parent),
             "candidate {} of generation {} was bred from {}, which was not bred", place,
             generation, shown(parent));
      need(seen.insert(c.genome).second, "{} was bred twice", c.genome);
      ++place;
    }
  }

  void generation(size_t number) {
    const Generation& g = run_.generations[number];
    need(g.generation == int(number), "generation {} is missing", number);
    need(g.generation < settings_.generations, "it has a generation {}, of {} that were asked for",
         number, settings_.generations);
    std::set<std::string> own;
    for (; told_ < run_.candidates.size() && run_.candidates[told_].generation <= g.generation;
         ++told_) {
      const std::string& text = run_.candidates[told_].genome;
      need(results_.count(text) || at_rung_.count(text), "{} of generation {} has no evaluation",
           text, run_.candidates[told_].generation);
      own.insert(text);
    }
    for (auto& text : g.stopped)
      need(own.erase(text) && at_rung_.count(text), "{} did not come to a rung in generation {}",
           shown(text), number);
    for (auto& text : own)
      need(results_.count(text), "{} of generation {} has no evaluation", text, number);
    complete_.insert(own.begin(), own.end());
    stopped_ += int64_t(g.stopped.size());
    const int64_t evaluated = int64_t(told_) - stopped_;
    need(g.evaluated == evaluated, "generation {} was complete with {} candidates, there are {}",
         number, g.evaluated, evaluated);
    need(g.promoted >= 0 && g.promoted <= int64_t(own.size()),
         "of {} candidates of generation {}, {} passed the last rung", own.size(), number,
         g.promoted);
    for (double tau : {g.rung_tau, g.model_tau})
      need(!(std::fabs(tau) > 1), "generation {} has a rank correlation of {}", number, tau);
    need(g.failed >= 0 && g.failed <= g.evaluated,
         "of the {} candidates of generation {}, {} failed", g.evaluated, number, g.failed);
    members(g);
  }

  void members(const Generation& g) const {
    const size_t expected = std::min(size_t(settings_.population), size_t(g.evaluated));
    need(g.population.size() == expected, "generation {} has {} members, it should have {}",
         g.generation, g.population.size(), expected);
    bool some = false;
    for (auto& text : g.population) {
      need(complete_.count(text), "{} is a member of generation {} and no candidate of it",
           shown(text), g.generation);
      some |= results_.at(text)->ok() && !broken_.count(text);
    }
    for (auto& text : g.front) {
      need(complete_.count(text), "{} stands in the front of generation {} and was no candidate",
           shown(text), g.generation);
      need(results_.at(text)->ok(), "{} stands in the front of generation {}, and has failed", text,
           g.generation);
      for (int seed = 1; seed < seeds_wanted(settings_, g.generation); ++seed)
        need(reseeded_.count({text, Recipe::of_seed(seed)}),
             "{} stands in the front of generation {}, and was not trained from seed {}", text,
             g.generation, seed);
    }
    need(!some || !g.front.empty(), "generation {} has no front", g.generation);
  }

  // Of what may be any text, enough to know it by.
  static std::string shown(const std::string& text) {
    constexpr size_t kMost = 60;
    return text.size() <= kMost ? text : text.substr(0, kMost) + "…";
  }

  const RunContents& run_;
  const SearchSettings& settings_;
  const std::string& name_;
  const Pool own_, extended_;
  std::set<std::string> genomes_, others_;  // found to be genomes
  std::map<std::string, const Evaluation*> results_;
  std::set<std::string> at_rung_;                      // who came to a rung
  std::set<std::pair<std::string, Recipe>> reseeded_;  // and by which recipe
  std::set<std::string> broken_;                       // who failed from another seed
  std::set<std::string> complete_;  // candidates of the generations so far, but those that stopped
  size_t told_ = 0;                 // candidates of the generations so far
  int64_t stopped_ = 0;             // of these, at a rung
};

}  // namespace

void check_run(const RunContents& contents, const SearchSettings& settings,
               const std::string& name) {
  RunCheck(contents, settings, name).all();
}

CheckedRun open_run_file(const std::string& path, bool claim) {
  RunFile file = RunFile::open(path);
  if (claim) file.claim();
  SearchSettings settings;
  try {
    settings = settings_from_json(file.settings());
    named_pool(settings.pool);
  } catch (const Error& e) {
    fail("{}: {}", path, e.what());
  }
  RunContents contents = file.contents();
  check_run(contents, settings, path);
  return {std::move(file), std::move(settings), std::move(contents)};
}

}  // namespace star::synthesis
