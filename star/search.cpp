#include "star/search.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "autograd/contraction.h"
#include "star/compiler.h"
#include "star/repair.h"

namespace star {
namespace {

bool evolves(const SearchSettings& s, const std::string& level) {
  return std::find(s.evolve.begin(), s.evolve.end(), level) != s.evolve.end();
}

EvolutionConfig evolution_of(const SearchSettings& s, const Pool& pool) {
  EvolutionConfig config;
  config.seed = s.seed;
  config.population = s.population;
  config.pool = pool;
  config.variation.min_depth = s.min_depth;
  config.variation.max_depth = s.max_depth;
  for (auto& level : s.evolve)
    require(level == "backbone" || level == "operator" || level == "featurizer",
            "search: the level {} is not one of backbone, operator, featurizer", level);
  config.variation.backbone = evolves(s, "backbone");
  config.variation.operators = evolves(s, "operator");
  config.variation.featurizers = evolves(s, "featurizer");
  for (auto& text : s.start) config.seeds.push_back(canonical(resolve(text, pool), pool));
  return config;
}

// The result of a worker, as text. Doubles survive the way through JSON.
std::string to_text(const Evaluation& e) {
  nlohmann::json curve = nlohmann::json::array();
  for (auto& p : e.curve) curve.push_back({p.step, p.loss});
  return nlohmann::json{{"failure", e.failure}, {"metrics", e.metrics}, {"curve", curve}}.dump();
}

Evaluation from_text(const std::string& genome, const std::string& text) {
  auto json = nlohmann::json::parse(text);
  Evaluation e;
  e.genome = genome;
  e.failure = json.at("failure").get<std::string>();
  e.metrics = json.at("metrics").get<Metrics>();
  for (auto& p : json.at("curve"))
    e.curve.push_back({p.at(0).get<int64_t>(), p.at(1).get<double>()});
  return e;
}

// OpenBLAS asks for its buffers at the first product, and does so for ever where a memory limit
// stands in the way: workers inherit buffers that are there already. (Small products need none.)
void prepare_blas() {
  Exec exec(cpu_backend());
  Tape tape(exec, false);
  Var x = tape.constant(exec.full({512, 512}, DType::f32, 1));
  contract("ab,bc->ac", {x, x});
}

// FLOPs of a training step a token. Evolved operators may not fit the sizes: the worker will say
// so, and fail at no cost.
double cost_of(const Genome& genome, const Pool& pool, const Sizes& sizes) {
  try {
    return Backbone(nullptr, compile(genome, pool), sizes).training_flops();
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace

Evaluation evaluate_candidate(const SearchSettings& settings, const Dataset& data,
                              const std::string& genome) {
  Pool pool = named_pool(settings.pool);
  Evaluation e;
  e.genome = genome;
  Exec exec(cpu_backend(), 1);
  Backbone model(&exec, compile(parse(genome, pool), pool), settings.sizes, DType::f32,
                 settings.seed);
  e.metrics = static_metrics(model, settings.cache_context);
  TrainResult trained = train(exec, model, data, settings.training);
  e.curve = trained.curve;
  e.failure = trained.failure;
  if (!e.ok()) return e;
  Judgement j = judge(exec, model, data, Split::validation, settings.training.batch);
  if (!std::isfinite(j.loss)) {
    e.failure = "validation loss is not finite";
    return e;
  }
  e.metrics["quality"] = j.loss;
  e.metrics["bpb"] = j.loss / std::log(2.0);
  e.metrics["perplexity"] = std::exp(j.loss);
  e.metrics["accuracy"] = j.accuracy;
  e.metrics["macro_accuracy"] = j.macro_accuracy;
  e.metrics["train_loss"] = trained.train_loss;
  return e;
}

Search::Search(const SearchSettings& settings, const Dataset& data)
    : settings_(settings), data_(data), pool_(named_pool(settings.pool)) {
  require(settings.population > 1, "search: a population of {} cannot breed", settings.population);
  require(settings.generations > 0, "search: {} generations", settings.generations);
  require(!settings.objectives.empty(), "search: no objective");
  data.check(Split::train);
  data.check(Split::validation);
  // The heads must fit every class of the pool: better said now than in every worker.
  for (auto& liv : pool_.classes) Layout(liv, settings.sizes);
  algorithm_ = make_algorithm(settings.algorithm, evolution_of(settings, pool_));
}

Search::~Search() = default;

void Search::learn(const Evaluation& evaluation) {
  Known known{evaluation, {}};
  if (evaluation.ok())
    known.fitness = fitness_of(evaluation.metrics, settings_.objectives, settings_.bounds);
  else
    known.fitness.failed = true;
  known.fitness.objectives.resize(settings_.objectives.size(), std::nan(""));
  known_[evaluation.genome] = std::move(known);
  ++done_;
  failed_ += !evaluation.ok();
}

void Search::report(int generation) const {
  if (!progress_) return;
  double best = std::nan("");
  for (auto& [genome, k] : known_)
    if (!has_failed(k.fitness) && k.fitness.violation == 0 && !(k.fitness.objectives[0] >= best))
      best = k.fitness.objectives[0];
  double volume = result_.hypervolume.empty() ? 0 : result_.hypervolume.back();
  progress_({generation, done_, int64_t(settings_.population) * settings_.generations, failed_,
             best, volume});
}

// Evaluates what is not known yet; false if it was interrupted.
bool Search::evaluate(const std::vector<Offspring>& offspring, int workers,
                      const std::function<bool()>& interrupted) {
  std::vector<std::string> jobs;
  std::vector<double> costs;
  for (auto& o : offspring) {
    std::string text = star::to_text(o.genome);
    if (known_.count(text)) continue;
    if (auto stored = file_->evaluation(text)) {
      learn(*stored);
      continue;
    }
    jobs.push_back(text);
    costs.push_back(cost_of(o.genome, pool_, settings_.sizes));
  }
  int generation = result_.generations;
  report(generation);
  auto work = [&](int job) {
    return to_text(evaluate_candidate(settings_, data_, jobs[size_t(job)]));
  };
  auto done = [&](int job, const Outcome& outcome) {
    Evaluation e;
    if (outcome.ok())
      e = from_text(jobs[size_t(job)], outcome.result);
    else
      e.failure = outcome.failure;
    e.genome = jobs[size_t(job)];
    e.seconds = outcome.seconds;
    file_->record(e);
    learn(e);
    report(generation);
  };
  return run_jobs(costs, workers, settings_.limits, work, done, interrupted);
}

// quality: ln V; the others: twice the value of a Transformer of the run's depth and sizes.
std::vector<double> Search::reference_point() {
  std::map<std::string, double> point = file_->reference();
  if (point.empty()) {
    Pool pool = extended_pool();
    Genome transformer = named_genome(fmt::format("@transformer:{}", settings_.max_depth));
    Backbone model(nullptr, compile(transformer, pool), settings_.sizes);
    for (auto& [name, value] : static_metrics(model, settings_.cache_context))
      point[name] = 2 * value;
    point["quality"] = std::log(double(settings_.sizes.vocab));
    std::erase_if(point, [&](auto& entry) {
      auto& all = settings_.objectives;
      return std::find(all.begin(), all.end(), entry.first) == all.end();
    });
    file_->record_reference(point);
  }
  std::vector<double> reference;
  for (auto& name : settings_.objectives) {
    require(point.count(name), "run file: the reference point lacks {}", name);
    reference.push_back(point[name]);
  }
  return reference;
}

Generation Search::summarise(int generation, const std::vector<double>& reference) const {
  Generation g;
  g.generation = generation;
  g.evaluated = done_;
  g.failed = failed_;
  std::vector<Fitness> fitness;
  for (int i : algorithm_->population()) {
    g.population.push_back(asked_[size_t(i)]);
    fitness.push_back(known_.at(g.population.back()).fitness);
  }
  std::vector<std::vector<double>> points;
  if (!fitness.empty()) {
    const std::vector<std::vector<int>> fronts = sort_fronts(fitness);
    for (int i : fronts[0]) {
      const Fitness& f = fitness[size_t(i)];
      if (has_failed(f)) continue;
      g.front.push_back(g.population[size_t(i)]);
      if (f.violation == 0) points.push_back(f.objectives);
    }
  }
  g.hypervolume = points.empty() ? 0 : hypervolume(points, reference);
  return g;
}

SearchResult Search::run(RunFile& file, int workers,
                         const std::function<void(const SearchProgress&)>& progress,
                         const std::function<bool()>& interrupted) {
  file_ = &file;
  prepare_blas();
  progress_ = progress;
  std::vector<double> reference = reference_point();
  Generation last;
  for (int generation = 0; generation < settings_.generations; ++generation) {
    std::vector<Offspring> offspring = algorithm_->ask(settings_.population);
    std::vector<Candidate> candidates;
    for (auto& o : offspring) {
      Candidate c{generation, int(candidates.size()), star::to_text(o.genome), {}, o.origin};
      for (int parent : o.parents) c.parents.push_back(asked_[size_t(parent)]);
      candidates.push_back(std::move(c));
    }
    for (auto& c : candidates) asked_.push_back(c.genome);
    file_->record(candidates);
    if (!evaluate(offspring, workers, interrupted)) {
      result_.interrupted = true;
      break;
    }
    std::vector<Fitness> told;
    for (auto& c : candidates) told.push_back(known_.at(c.genome).fitness);
    algorithm_->tell(told);
    last = summarise(generation, reference);
    file_->record(last);
    result_.hypervolume.push_back(last.hypervolume);
    result_.generations = generation + 1;
    report(result_.generations);
  }
  result_.evaluated = done_;
  result_.failed = failed_;
  for (auto& genome : last.front) {
    const Known& k = known_.at(genome);
    FrontMember member{genome, {}, k.evaluation.metrics};
    for (size_t i = 0; i < settings_.objectives.size(); ++i)
      member.objectives[settings_.objectives[i]] = k.fitness.objectives[i];
    result_.front.push_back(std::move(member));
  }
  const std::string& first = settings_.objectives[0];
  std::stable_sort(result_.front.begin(), result_.front.end(), [&](auto& a, auto& b) {
    return a.objectives.at(first) < b.objectives.at(first);
  });
  return result_;
}

}  // namespace star
