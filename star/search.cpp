#include "star/search.h"

#include <algorithm>
#include <cmath>

#include "core/clock.h"
#include "core/counting.h"
#include "star/compiler.h"
#include "star/reference.h"
#include "star/repair.h"

namespace star {
namespace {

bool evolves(const SearchSettings& s, const std::string& level) {
  return std::find(s.evolve.begin(), s.evolve.end(), level) != s.evolve.end();
}

// What the initial population begins with.
std::vector<Genome> seeds_of(const SearchSettings& s, const Pool& pool) {
  std::vector<Genome> seeds;
  if (s.start.empty()) {
    for (auto& design : named_designs(pool, s.max_depth)) seeds.push_back(design.genome);
    seeds.resize(std::min(seeds.size(), size_t(s.population)));
  } else if (s.start[0] != kNoStart) {
    for (auto& text : s.start) seeds.push_back(canonical(resolve(text, pool), pool));
  }
  return seeds;
}

EvolutionConfig evolution_of(const SearchSettings& s, const Pool& pool) {
  EvolutionConfig config;
  config.seed = s.seed;
  config.population = s.population;
  config.pool = pool;
  config.variation.min_depth = s.min_depth;
  config.variation.max_depth = s.max_depth;
  config.variation.rate = s.mutation_rate;
  config.variation.cuts = s.crossover_points;
  config.variation.backbone = evolves(s, "backbone");
  config.variation.operators = evolves(s, "operator");
  config.variation.featurizers = evolves(s, "featurizer");
  config.seeds = seeds_of(s, pool);
  return config;
}

const SearchSettings& checked(const SearchSettings& settings) {
  check_settings(settings);
  return settings;
}

}  // namespace

std::vector<Genome> random_genomes(const SearchSettings& settings, int count) {
  EvolutionConfig config = evolution_of(settings, named_pool(settings.pool));
  config.seed ^= hash_text("random genomes");
  if (config.variation.backbone) config.seeds.clear();  // else random genomes are mutants of them
  const int seeds = int(config.seeds.size());
  std::vector<Genome> genomes;
  for (auto& drawn : Evolution("random", std::move(config)).ask(seeds + count))
    if (drawn.origin != "seed") genomes.push_back(std::move(drawn.genome));
  return genomes;
}

Search::Search(const SearchSettings& settings, const Dataset& data)
    : settings_(settings),
      data_(data),
      pool_(named_pool(settings.pool)),
      promotion_(checked(settings)) {
  require(settings.validation_tokens >= 0, "search: the setting `validation_tokens` is missing");
  data.check(Split::train);
  data.check(Split::validation);
  // The heads must fit every class of the pool: better said now than in every worker.
  // So must the bytes that the deepest genome keeps, whatever its class, be countable.
  for (auto& liv : pool_.classes) {
    const Operator op(liv, settings.sizes);
    counted_product("cache", op.cache_floats(settings.cache_context, {}), 4 * settings.max_depth);
  }
  algorithm_ = std::make_unique<Evolution>(settings.algorithm, evolution_of(settings, pool_));
  if (settings.screen > 0) screening_.emplace(settings);
}

Search::~Search() = default;

std::unique_ptr<Workers> Search::local_workers(int count) const {
  return std::make_unique<LocalWorkers>(count, settings_.limits, [this](const Request& request) {
    return answer(settings_, data_, request);
  });
}

SearchResult Search::run(RunFile& file, Workers& workers,
                         const std::function<void(const SearchProgress&)>& progress,
                         const Interrupt& interrupted, bool retry) {
  progress_ = progress;
  interrupted_ = interrupted;
  recorder_ = std::make_unique<RunRecorder>(file, retry);
  const auto record = [this](const Evaluation& e) {
    recorder_->record(e, asked_.size(), size_t(result_.generations));
  };
  evaluations_ =
      std::make_unique<Evaluations>(settings_, file, workers, record, interrupted, retry);
  states_ = std::make_unique<StateFolder>(file.path(), settings_.rungs);
  if (!recorder_->begun()) states_->remove();  // of another run of this name
  states_->make();
  evaluations_->keep_states(states_->path());
  prepare_blas();
  const double start = seconds_now();
  result_.interrupted = !(set_reference(file, workers) && search());
  if (!result_.interrupted) states_->remove();
  const double busy = evaluations_->busy_seconds();
  result_.busy =
      busy > 0 ? busy / (double(workers.count()) * (seconds_now() - start)) : std::nan("");
  finish();
  return result_;
}

// False: interrupted, as with all that follows.
bool Search::search() {
  const int64_t bred = cohort_sizes(settings_).front(), total = bred * settings_.generations;
  const int64_t turn = by_generations() ? bred : 1;
  for (int64_t request = 0; request < total; request += turn) {
    size_t lag = by_generations() ? 0 : size_t(settings_.lag);
    if (!settle(asked_.size() - std::min(lag, asked_.size()))) return false;
    if (!breed(int(turn))) return false;
    if ((request + turn) % bred == 0) ends_.push_back(asked_.size());
  }
  if (!settle(asked_.size()) || !confirm_front(seeds_wanted(settings_, settings_.generations - 1)))
    return false;
  tell_algorithm();
  complete_ = true;
  close_generations();
  return true;
}

bool Search::set_reference(RunFile& file, Workers& workers) {
  std::map<std::string, double> known = file.reference();
  if (known.empty()) {
    auto point = reference_point(settings_, workers, interrupted_);
    if (!point) return false;
    known = *point;
    file.record_reference(known);
  }
  for (auto& objective : settings_.objectives) {
    require(known.count(objective.name()), "run file: the reference point lacks {}", objective);
    reference_.push_back(known[objective.name()]);
  }
  return true;
}

// Breeds individuals from what was told, and asks for what is not known of them yet.
bool Search::breed(int count) {
  std::vector<Offspring> offspring = propose(count);
  if (stopped() || !record(offspring)) return false;
  promotion_.begin_generation();
  for (auto& o : offspring) {
    if (stopped()) return false;
    asked_.push_back({to_text(o.genome), cost_of(settings_, pool_, o.genome)});
    promotion_.enter();
    if (screening_ && screening_->ready())
      expected_[int(asked_.size()) - 1] = screening_->predict(asked_.back().genome);
    ask(int(asked_.size()) - 1);
  }
  promote();
  evaluations_->order_queue(by_generations());
  report();
  return true;
}

// So many as the algorithm breeds; of more where a model chooses.
std::vector<Offspring> Search::propose(int count) {
  if (!screening_ || !screening_->ready()) return algorithm_->ask(count, interrupted_);
  std::vector<Offspring> all = algorithm_->ask(count * settings_.screen, interrupted_), chosen;
  if (stopped()) return {};
  std::vector<std::string> texts;
  for (auto& o : all) texts.push_back(to_text(o.genome));
  const std::vector<size_t> places =
      screening_->choose(texts, size_t(count), population_at(0),
                         Rng(settings_.seed, "screening", uint64_t(asked_.size())));
  algorithm_->keep(places);
  for (size_t place : places) chosen.push_back(std::move(all[place]));
  return chosen;
}

bool Search::record(const std::vector<Offspring>& offspring) {
  std::vector<Candidate> candidates;
  size_t begin = ends_.empty() ? 0 : ends_.back();
  for (auto& o : offspring) {
    size_t individual = asked_.size() + candidates.size();
    Candidate c{int(ends_.size()), int(individual - begin), to_text(o.genome), {}, o.origin};
    for (int parent : o.parents) c.parents.push_back(asked_[size_t(parent)].genome);
    candidates.push_back(std::move(c));
  }
  return recorder_->record(candidates, asked_.size(), interrupted_);
}

// Waits until the first `count` individuals are at their end and tells them: those of a generation
// together, otherwise one by one.
bool Search::settle(size_t count) {
  close_generations();  // one that bred nothing has ended already
  while (told_ < count) {
    const size_t next = by_generations() ? count : told_ + 1;
    for (size_t i = told_; i < next; ++i)
      while (!at_end(int(i)))
        if (!step()) return false;
    if (!tell(next)) return false;
    close_generations();
  }
  return true;
}

bool Search::step() {
  const auto [individual, evaluation] = evaluations_->step();
  if (!evaluation) return false;
  if (!evaluation->recipe.is_of_another_seed()) {
    take(individual, *evaluation);
    promote();
  }
  report();
  return true;
}

// A success of the whole training.
const Evaluation* Search::result(int individual) const {
  const Evaluation* e = evaluations_->find(asked_[size_t(individual)].genome);
  return e && e->ok() ? e : nullptr;
}

bool Search::at_end(int individual) const {
  return promotion_.stopped(individual) || promotion_.failed(individual) ||
         (promotion_.last_stage(individual) && result(individual));
}

// What stopped at a rung says nothing about its end, and is not told.
bool Search::tell(size_t count) {
  for (; told_ < count; ++told_)
    if (!promotion_.stopped(int(told_))) judge(int(told_));
  if (!confirm_front(1 + settings_.reseed)) return false;
  tell_algorithm();
  return true;
}

// Its fitness by what it was trained from until now.
void Search::judge(int individual) {
  Fitness fitness{std::vector<double>(settings_.objectives.size(), std::nan("")), 0, true};
  if (result(individual)) {
    const Evaluation mean = over_seeds(trainings(genome(individual))).mean;
    if (mean.ok()) fitness = fitness_of(mean.metrics, settings_.objectives, settings_.bounds);
  }
  judged_.insert(individual);
  const bool again = fitness_.count(individual);
  fitness_[individual] = fitness;
  if (!again) return archive_.add(individual, fitness);
  // What it dominated before may stand in the front now.
  archive_ = {};
  for (auto& [i, f] : fitness_) archive_.add(i, f);
  best_ = std::nan("");
  for (auto& m : archive_.members())
    if (m.fitness.violation == 0) best_ = std::fmin(best_, m.fitness.objectives[0]);
}

// Trains the front until each of its members has been trained from so many seeds: what one makes
// room for is trained too.
bool Search::confirm_front(int seeds) {
  while (true) {
    std::vector<int> lacking;
    for (auto& m : archive_.members())
      if (int(trainings(genome(m.individual)).size()) < seeds) lacking.push_back(m.individual);
    if (lacking.empty()) return true;
    for (int i : lacking)
      for (int seed = int(trainings(genome(i)).size()); seed < seeds; ++seed)
        evaluations_->ask({i, genome(i), Recipe::of_seed(seed), asked_[size_t(i)].cost});
    evaluations_->order_queue(by_generations());
    for (int i : lacking) {
      while (int(trainings(genome(i)).size()) < seeds)
        if (!step()) return false;
      judge(i);
      result_.failed += fitness_.at(i).failed;
    }
  }
}

void Search::tell_algorithm() {
  std::vector<Result> results;
  for (int i : judged_) results.push_back({i, fitness_.at(i)});
  judged_.clear();
  if (!results.empty()) algorithm_->tell(results);
}

// All that the search has asked for and knows, from the first seed on.
std::vector<const Evaluation*> Search::trainings(const std::string& genome) const {
  std::vector<const Evaluation*> all;
  const Evaluation* next = evaluations_->find(genome);
  for (int seed = 1; next; ++seed) {
    all.push_back(next);
    next = evaluations_->find(genome, Recipe::of_seed(seed));
  }
  return all;
}

void Search::close_generations() {
  while (size_t(result_.generations) < ends_.size() &&
         told_ == ends_[size_t(result_.generations)]) {
    if (result_.generations + 1 == settings_.generations && !complete_) return;
    result_.history.push_back(summarise());
    const Generation& g = result_.history.back();
    recorder_->record(g);
    learn(g.generation);
    result_.hypervolume.push_back(g.hypervolume);
    result_.scaled.push_back(g.scaled);
    ++result_.generations;
    report();
  }
}

Generation Search::summarise() {
  Generation g;
  g.generation = result_.generations;
  g.evaluated = int64_t(fitness_.size());
  for (auto& [i, fitness] : fitness_) g.failed += fitness.failed;
  for (int i : algorithm_->population()) g.population.push_back(asked_[size_t(i)].genome);
  std::vector<std::vector<double>> points;
  for (const Archive::Member& m : archive_.members()) {
    g.front.push_back(asked_[size_t(m.individual)].genome);
    if (m.fitness.violation == 0) points.push_back(m.fitness.objectives);
  }
  g.hypervolume = points.empty() ? 0 : hypervolume(points, reference_);
  if (!scale_ && !points.empty()) scale_.emplace(points, reference_, settings_.population);
  g.scaled = scale_ ? scale_->of(points) : std::nan("");
  count_rungs(g);
  judge_screening(g);
  return g;
}

// Of a generation that is complete, all its trainings are; of one that is not, those that ended.
void Search::report() const {
  if (!progress_) return;
  const int64_t trainings = trainings_of_generation(settings_);
  int64_t done = trainings * result_.generations;
  for (size_t i = begin_of(result_.generations); i < asked_.size(); ++i)
    done += int64_t(promotion_.stage(int(i))) + at_end(int(i));
  const int64_t total = trainings * settings_.generations;
  double volume = result_.hypervolume.empty() ? 0 : result_.hypervolume.back();
  progress_({result_.generations, std::min(done, total), total, result_.failed, best_, volume});
}

void Search::finish() {
  for (size_t i = 0; i < asked_.size(); ++i) {
    result_.stopped += promotion_.stopped(int(i));
    result_.evaluated += !promotion_.stopped(int(i)) && at_end(int(i));
  }
  if (result_.history.empty()) return;
  for (auto& text : result_.history.back().front)
    result_.front.push_back(front_member(settings_, over_seeds(trainings(text))));
  sort_front(settings_, result_.front);
}

}  // namespace star
