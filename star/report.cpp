#include "star/report.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "core/error.h"
#include "liv/pool_file.h"
#include "star/archive.h"
#include "star/compiler.h"
#include "star/drawing.h"
#include "star/family.h"
#include "star/objectives.h"
#include "star/seeds.h"
#include "star/settings_table.h"
#include "star/trial.h"

namespace star::synthesis {
namespace {

using nlohmann::json;

// Points that all curves together may have before they are thinned: some hundred kilobytes.
constexpr size_t kCurvePoints = 24'000;
constexpr size_t kLeastPoints = 12;  // of one curve

// The genomes of a report and the classes that they use, each once.
class Genomes {
 public:
  Genomes(const SearchSettings& settings, const std::function<bool()>& interrupted)
      : settings_(settings), pool_(named_pool(settings.pool)), interrupted_(interrupted) {}

  // Interrupted: what is new since then is not drawn.
  bool stopped() const { return stopped_; }

  // The place of a genome; a new one is waiting for its result.
  size_t place(const std::string& text, const Pool& pool) {
    auto [entry, is_new] = places_.try_emplace(text, list_.size());
    if (is_new) {
      json genome = {{"genome", text},
                     {"status", "waiting"},
                     {"failure", ""},
                     {"seconds", nullptr},
                     {"metrics", json::object()},
                     {"curve", json::array()},
                     {"seeds", 0},
                     {"deviation", json::object()},
                     {"layers", json::array()},
                     {"links", json::array()}};
      draw(genome, text, pool);
      list_.push_back(std::move(genome));
    }
    return entry->second;
  }
  size_t place(const std::string& text) { return place(text, pool_); }
  json places(const std::vector<std::string>& texts) {
    json all = json::array();
    for (auto& text : texts) all.push_back(place(text));
    return all;
  }

  bool has(const std::string& text) const { return places_.count(text) > 0; }
  json& at(const std::string& text) { return list_[places_.at(text)]; }
  const json& list() const { return list_; }
  const json& kinds() const { return kinds_; }

 private:
  // What compiles is drawn, and has its static metrics without being trained.
  void draw(json& genome, const std::string& text, const Pool& pool) {
    stopped_ = stopped_ || (interrupted_ && interrupted_());
    if (stopped_) return;
    try {
      Backbone backbone(nullptr, compile(parse(text, pool), pool), settings_.sizes);
      json layers = json::array(), links = json::array();
      for (int l = 0; l < int(backbone.blocks().size()); ++l) {
        const Block& block = backbone.blocks()[size_t(l)];
        layers.push_back({kind(block.liv), int(block.parallel), backbone.layer_parameter_count(l),
                          backbone.layer_cache_bytes(l, settings_.cache_context)});
      }
      for (auto& link : links_of(backbone, true))
        links.push_back({"weights", link.from, link.to, text_of(link.role)});
      for (auto& link : links_of(backbone, false))
        links.push_back({"features", link.from, link.to, text_of(link.role)});
      genome["metrics"] = static_metrics(backbone, settings_.cache_context);
      genome["layers"] = std::move(layers);
      genome["links"] = std::move(links);
    } catch (const Error&) {
      // The text comes from a file: what it says instead of a genome is shown as it stands.
    }
  }

  size_t kind(const LivClass& liv) {
    json entry = {{"id", std::string(1, liv.id)},
                  {"name", liv.name},
                  {"mixing", name_of(family_of(liv))},
                  {"differential", liv.differential}};
    auto found = std::find(kinds_.begin(), kinds_.end(), entry);
    size_t index = size_t(found - kinds_.begin());
    if (found == kinds_.end()) kinds_.push_back(std::move(entry));
    return index;
  }

  const SearchSettings& settings_;
  Pool pool_;
  const std::function<bool()>& interrupted_;
  bool stopped_ = false;
  json list_ = json::array(), kinds_ = json::array();
  std::map<std::string, size_t> places_;
};

json curve_json(const std::vector<CurvePoint>& curve) {
  json points = json::array();
  for (auto& p : curve) points.push_back({p.step, p.loss});
  return points;
}

// Of several trainings of a genome the one that says most: a baseline may have been trained outside
// the search, a candidate until a rung, and then to the end. 0: not of the search.
int weight_of(const Evaluation& e) {
  return e.recipe.is_whole()              ? 3
         : e.recipe.stops_at_rung()       ? 2
         : e.recipe == Recipe::baseline() ? 1
                                          : 0;
}

void add_results(Genomes& genomes, const std::vector<Evaluation>& evaluations,
                 const std::map<std::string, SeedMean>& results,
                 const std::set<std::string>& stopped, const std::set<std::string>& whole) {
  const size_t most =
      std::max(kLeastPoints, kCurvePoints / std::max<size_t>(1, evaluations.size()));
  std::map<std::string, int> weights;
  for (auto& e : evaluations) {
    if (!genomes.has(e.genome) || weight_of(e) == 0) continue;
    json& genome = genomes.at(e.genome);
    // After a failure was tried again, one may stop that had come to the end.
    if (stopped.count(e.genome) && e.recipe.is_whole()) continue;
    if (weight_of(e) < weights[e.genome]) continue;
    weights[e.genome] = weight_of(e);
    const SeedMean judged = e.recipe.is_whole() ? results.at(e.genome) : SeedMean{e, 1, {}};
    const bool ok = judged.mean.ok();
    genome["status"] = !ok ? "failed" : e.recipe.stops_at_rung() ? "stopped" : "ok";
    genome["failure"] = judged.mean.failure;
    genome["seconds"] = e.seconds;
    genome["seeds"] = judged.seeds;
    genome["deviation"] = judged.deviation;
    for (auto& [name, value] : judged.mean.metrics) genome["metrics"][name] = value;
    genome["curve"] = curve_json(whole.count(e.genome) ? e.curve : thinned(e.curve, most));
  }
}

// The named genomes at the depth of the run, so far as the run's sizes allow them.
json baselines_of(Genomes& genomes, const SearchSettings& settings) {
  json baselines = json::array();
  const Pool extended = extended_pool(), searched = named_pool(settings.pool);
  for (auto& name : genome_names()) {
    try {
      Genome genome = resolve(fmt::format("{}:{}", name, settings.max_depth), searched);
      const Backbone fits(nullptr, compile(genome, extended), settings.sizes);
      size_t place = genomes.place(to_text(canonical(genome, extended)), extended);
      baselines.push_back({{"name", name}, {"genome", place}});
    } catch (const Error&) {
      // Not every baseline fits the sizes and the pool of every run.
    }
  }
  return baselines;
}

// Training steps that all candidates of each generation and of those before it have taken, from all
// of the search's seeds, the last ones at its end; one that stopped at a rung has taken those up to
// it.
std::vector<int64_t> steps_of(const std::vector<Generation>& generations,
                              const std::vector<Candidate>& candidates,
                              const std::vector<Evaluation>& evaluations,
                              const SearchSettings& settings) {
  const int64_t steps = settings.training.steps;
  std::map<std::string, int64_t> first, more;  // of a genome: from the first seed, and the others
  int64_t last = 0;
  for (auto& e : evaluations) {
    if (e.recipe.is_of_another_seed())
      (*e.recipe.number() > settings.reseed ? last : more[e.genome]) += steps;
    else if (e.recipe.is_of_search())
      first[e.genome] =
          std::max(first[e.genome], e.recipe.stops_at_rung() ? *e.recipe.number() : steps);
  }
  std::vector<int64_t> taken;
  int64_t sum = 0;
  auto candidate = candidates.begin();
  for (auto& g : generations) {
    for (; candidate != candidates.end() && candidate->generation <= g.generation; ++candidate)
      sum += std::exchange(first[candidate->genome], 0) + std::exchange(more[candidate->genome], 0);
    taken.push_back(sum);
  }
  if (!taken.empty()) taken.back() += last;
  return taken;
}

json generations_of(Genomes& genomes, const std::vector<Generation>& generations,
                    const std::vector<int64_t>& steps) {
  json all = json::array();
  for (auto& g : generations)
    all.push_back({{"hypervolume", g.hypervolume},
                   {"scaled", g.scaled},
                   {"steps", steps[all.size()]},
                   {"evaluated", g.evaluated},
                   {"failed", g.failed},
                   {"stopped", genomes.places(g.stopped)},
                   {"promoted", g.promoted},
                   {"rung_tau", g.rung_tau},
                   {"model_tau", g.model_tau},
                   {"population", genomes.places(g.population)},
                   {"front", genomes.places(g.front)}});
  return all;
}

json candidates_of(Genomes& genomes, const std::vector<Candidate>& candidates) {
  json all = json::array();
  for (auto& c : candidates)
    all.push_back({{"generation", c.generation},
                   {"genome", genomes.place(c.genome)},
                   {"origin", c.origin},
                   {"parents", genomes.places(c.parents)}});
  return all;
}

// The feasible results of a search by genome.
std::map<std::string, Fitness> feasible(const RunFile& run, const SearchSettings& settings) {
  std::map<std::string, Fitness> results;
  const auto judged =
      results_over_seeds(settings, run.evaluations(), int(run.generations().size()));
  for (auto& [genome, result] : judged) {
    if (!result.mean.ok()) continue;
    Fitness f = fitness_of(result.mean.metrics, settings.objectives, settings.bounds);
    if (!has_failed(f) && f.violation == 0) results[genome] = std::move(f);
  }
  return results;
}

// The hypervolume of everything that a search had found when each generation was complete.
json found_by(const RunFile& run, const SearchSettings& settings,
              const std::vector<double>& reference) {
  json all = json::array();
  const std::vector<Generation> generations = run.generations();
  const std::vector<Candidate> candidates = run.candidates();
  const std::vector<int64_t> steps = steps_of(generations, candidates, run.evaluations(), settings);
  const std::map<std::string, Fitness> results = feasible(run, settings);
  Archive archive;
  auto candidate = candidates.begin();
  for (auto& g : generations) {
    for (; candidate != candidates.end() && candidate->generation <= g.generation; ++candidate) {
      auto result = results.find(candidate->genome);
      if (result != results.end()) archive.add(int(candidate - candidates.begin()), result->second);
    }
    std::vector<std::vector<double>> points;
    for (auto& m : archive.members()) points.push_back(m.fitness.objectives);
    all.push_back({{"steps", steps[all.size()]},
                   {"evaluated", g.evaluated},
                   {"hypervolume", points.empty() ? 0 : hypervolume(points, reference)}});
  }
  return all;
}

// Of the objectives, by what their names begin with.
json quantities() {
  json all = json::object();
  const auto text_of = [](Figure figure) {
    switch (figure) {
      case Figure::real:
        return "real";
      case Figure::count:
        return "count";
      case Figure::bytes:
        return "bytes";
      case Figure::milliseconds:
        return "milliseconds";
    }
    fail("report: a figure of no kind");
  };
  for (auto& row : Objective::rows()) {
    const std::string name = row.name;
    all[name.substr(0, name.find(':'))] = {
        {"title", row.title}, {"unit", row.unit}, {"figure", text_of(row.figure)}};
  }
  return all;
}

}  // namespace

std::vector<CurvePoint> thinned(const std::vector<CurvePoint>& curve, size_t most) {
  if (curve.size() <= most) return curve;
  std::vector<CurvePoint> points;
  double before = 0;  // the step of the point before
  for (size_t group = 0, i = 0; group < most; ++group) {
    const size_t end = (group + 1) * curve.size() / most;
    const double begin = before;
    double sum = 0;
    for (; i < end; ++i) {
      sum += curve[i].loss * (double(curve[i].step) - before);
      before = double(curve[i].step);
    }
    points.push_back({curve[end - 1].step, sum / (before - begin)});
  }
  return points;
}

json report_data(const RunFile& run, const std::string& name,
                 const std::function<bool()>& interrupted) {
  const std::string settings_text = run.settings();
  const SearchSettings settings = settings_from_json(settings_text);
  require(!settings.objectives.empty(), "{}: the run file names no objective", name);
  // In this order, what a search adds in between is more than is asked for, never less.
  const std::vector<Generation> generations = run.generations();
  const std::vector<Candidate> candidates = run.candidates();
  const std::vector<Evaluation> evaluations = run.evaluations();
  Genomes genomes(settings, interrupted);
  json report = {{"run", name}, {"settings", json::parse(settings_text)}, {"random", nullptr}};
  report["quantities"] = quantities();
  report["reference"] = json::object();
  for (auto& [objective, value] : run.reference()) report["reference"][objective] = value;
  report["candidates"] = candidates_of(genomes, candidates);
  report["generations"] = generations_of(genomes, generations,
                                         steps_of(generations, candidates, evaluations, settings));
  report["rungs"] = {{"tau", mean_rung_tau(generations)},
                     {"low", rungs_tell_little(generations, settings.keep)}};
  report["baselines"] = baselines_of(genomes, settings);
  if (genomes.stopped()) return nullptr;
  std::set<std::string> whole;
  if (!generations.empty())
    whole.insert(generations.back().front.begin(), generations.back().front.end());
  std::set<std::string> stopped;
  for (auto& g : generations) stopped.insert(g.stopped.begin(), g.stopped.end());
  add_results(genomes, evaluations,
              results_over_seeds(settings, evaluations, int(generations.size())), stopped, whole);
  report["genomes"] = genomes.list();
  report["kinds"] = genomes.kinds();
  return report;
}

void add_random_search(json& report, const RunFile& random, const std::string& name) {
  // Both with what is newer than the one or the other.
  const SearchSettings settings = settings_from_json(random.settings());
  const json theirs = json::parse(settings_to_json(settings)),
             ours = json::parse(settings_to_json(settings_from_json(report["settings"].dump())));
  require(settings.algorithm == "random", "{}: a search by {}, where one by random is wanted", name,
          settings.algorithm);
  // How it is searched, and what of one search may change as well.
  std::set<std::string> free = {
      "seed",       "training_seed", "algorithm",     "population",       "lag",           "rungs",
      "keep",       "screen",        "reseed",        "crossover_points", "mutation_rate", "start",
      "cpu_target", "blas_core",     "device_target", "wall_seconds"};
  for_each_setting([&](const Setting& row, const auto&) {
    if (row.may_change) free.insert(row.name);
  });
  free.erase("bounds");
  for (auto& [key, value] : ours.items())
    require(free.count(key) || theirs.value(key, json()) == value,
            "{}: not comparable, its `{}` is {} and that of {} {}", name, key,
            theirs.value(key, json()).dump(), report["run"].get<std::string>(), value.dump());
  std::vector<double> reference;
  for (auto& objective : settings.objectives) {
    const json& value = report["reference"].value(objective.name(), json());
    require(value.is_number(), "{}: it has no reference point yet",
            report["run"].get<std::string>());
    reference.push_back(value.get<double>());
  }
  report["random"] = {{"run", name}, {"generations", found_by(random, settings, reference)}};
}

}  // namespace star::synthesis
