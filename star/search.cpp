#include "star/search.h"

#include <algorithm>
#include <cmath>

#include "core/clock.h"
#include "core/counting.h"
#include "star/compiler.h"
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
    seeds = named_designs(pool, s.max_depth);
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

std::string parents_text(const Candidate& c) {
  return c.parents.empty() ? "nothing" : fmt::format("{}", fmt::join(c.parents, " and "));
}

}  // namespace

std::vector<Genome> random_genomes(const SearchSettings& settings, int count) {
  EvolutionConfig config = evolution_of(settings, named_pool(settings.pool));
  config.seed ^= hash_text("random genomes");
  if (config.variation.backbone) config.seeds.clear();  // else random genomes are mutants of them
  const int seeds = int(config.seeds.size());
  std::vector<Genome> genomes;
  for (auto& drawn : make_algorithm("random", std::move(config))->ask(seeds + count))
    if (drawn.origin != "seed") genomes.push_back(std::move(drawn.genome));
  return genomes;
}

Search::Search(const SearchSettings& settings, const Dataset& data)
    : settings_(settings), data_(data), pool_(named_pool(settings.pool)) {
  check_settings(settings);
  require(settings.validation_tokens >= 0, "search: the setting `validation_tokens` is missing");
  data.check(Split::train);
  data.check(Split::validation);
  // The heads must fit every class of the pool: better said now than in every worker.
  // So must the bytes that the deepest genome keeps, whatever its class, be countable.
  for (auto& liv : pool_.classes) {
    const Operator op(liv, settings.sizes);
    counted_product("cache", op.cache_floats(settings.cache_context, {}), 4 * settings.max_depth);
  }
  algorithm_ = make_algorithm(settings.algorithm, evolution_of(settings, pool_));
}

Search::~Search() = default;

std::unique_ptr<Workers> Search::local_workers(int count) const {
  return std::make_unique<LocalWorkers>(
      count, settings_.limits,
      [this](const std::string& request) { return answer(settings_, data_, request); });
}

SearchResult Search::run(RunFile& file, Workers& workers,
                         const std::function<void(const SearchProgress&)>& progress,
                         const Interrupt& interrupted, bool retry) {
  file_ = &file;
  workers_ = &workers;
  progress_ = progress;
  interrupted_ = interrupted;
  retry_ = retry;
  stored_ = file.candidates();
  stored_generations_ = file.generations().size();
  prepare_blas();
  double start = seconds_now();
  result_.interrupted = !search();
  result_.busy = busy_seconds_ > 0
                     ? busy_seconds_ / (double(workers.count()) * (seconds_now() - start))
                     : std::nan("");
  finish();
  return result_;
}

// False: interrupted, as with all that follows.
bool Search::search() {
  if (!set_reference()) return false;
  const int64_t total = int64_t(settings_.population) * settings_.generations;
  const int turn = by_generations() ? settings_.population : 1;
  for (int64_t request = 0; request < total; request += turn) {
    size_t lag = by_generations() ? 0 : size_t(settings_.lag);
    if (!settle(asked_.size() - std::min(lag, asked_.size()))) return false;
    if (!breed(turn)) return false;
    if ((request + turn) % settings_.population == 0) ends_.push_back(asked_.size());
  }
  return settle(asked_.size());
}

// quality: ln V; the others: twice the value of a Transformer of the run's depth and sizes.
bool Search::set_reference() {
  std::map<std::string, double> point = file_->reference();
  if (point.empty()) {
    Pool pool = extended_pool();
    Genome transformer = named_genome(fmt::format("@transformer:{}", settings_.max_depth));
    Backbone model(nullptr, compile(transformer, pool), settings_.sizes);
    point = static_metrics(model, settings_.cache_context);
    if (!measure_reference(point)) return false;
    for (auto& [name, value] : point) value *= 2;
    point["quality"] = std::log(double(settings_.sizes.vocab));
    for (auto& [name, value] : settings_.hv_reference) point[name] = value;
    std::erase_if(point, [&](auto& entry) {
      auto& all = settings_.objectives;
      return std::find(all.begin(), all.end(), entry.first) == all.end();
    });
    file_->record_reference(point);
  }
  for (auto& name : settings_.objectives) {
    require(point.count(name), "run file: the reference point lacks {}", name);
    reference_.push_back(point[name]);
  }
  return true;
}

bool Search::measure_reference(std::map<std::string, double>& point) {
  auto given = [&](const std::string& name) { return settings_.hv_reference.count(name) > 0; };
  std::vector<std::string> names = measured_names(settings_);
  if (std::all_of(names.begin(), names.end(), given)) return true;
  std::string genome = to_text(named_genome(fmt::format("@transformer:{}", settings_.max_depth)));
  auto outcome = workers_->alone(measuring_request(genome), interrupted_);
  if (!outcome) return false;
  Evaluation e = evaluation_of(*outcome);
  require(e.ok(), "search: the reference point, a Transformer, cannot be measured: {}", e.failure);
  point.merge(e.metrics);
  return true;
}

// Breeds individuals from what was told, and queues those that are not known yet.
bool Search::breed(int count) {
  std::vector<Offspring> offspring = algorithm_->ask(count, interrupted_);
  if (stopped() || !record(offspring)) return false;
  for (auto& o : offspring) {
    if (stopped()) return false;
    std::string text = to_text(o.genome);
    int individual = int(asked_.size());
    asked_.push_back(text);
    auto stored = file_->evaluation(text);
    if (stored && (stored->ok() || !retry_))
      learn(*stored);
    else
      queue_.push_back({individual, cost_of(settings_, pool_, o.genome)});
  }
  // With a lag the first is waited for; in a generation all are, and a dear one must not be last.
  if (by_generations())
    std::stable_sort(queue_.begin(), queue_.end(),
                     [](const Queued& a, const Queued& b) { return a.cost > b.cost; });
  report();
  return true;
}

bool Search::record(const std::vector<Offspring>& offspring) {
  std::vector<Candidate> candidates;
  size_t begin = ends_.empty() ? 0 : ends_.back();
  for (auto& o : offspring) {
    size_t individual = asked_.size() + candidates.size();
    Candidate c{int(ends_.size()), int(individual - begin), to_text(o.genome), {}, o.origin};
    for (int parent : o.parents) c.parents.push_back(asked_[size_t(parent)]);
    if (individual < stored_.size() && !(stored_[individual] == c)) {
      const Candidate& stored = stored_[individual];
      if (stored.genome == c.genome && stored.origin == c.origin)
        throw RunFileDamaged(
            fmt::format("{}: the run file is damaged: candidate {} of generation {}, {} by {}, has "
                        "{} as parents, "
                        "where {} follow from what came before",
                        file_->path(), c.place, c.generation, c.genome, c.origin,
                        parents_text(stored), parents_text(c)));
      throw RunFileDamaged(fmt::format(
          "{}: candidate {} of generation {} is {} by {}, where {} by {} follows from what came "
          "before: the run file was changed, or written by another version of star",
          file_->path(), c.place, c.generation, stored.genome, stored.origin.substr(0, 20),
          c.genome, c.origin));
    }
    candidates.push_back(std::move(c));
  }
  const size_t asked = asked_.size() + candidates.size();
  return asked <= stored_.size() || file_->record(candidates, interrupted_);
}

// Where a candidate that had failed succeeds, only what was asked for without knowing of the
// failure stands.
void Search::record(const Evaluation& evaluation) {
  auto before = retry_ && evaluation.ok() ? file_->evaluation(evaluation.genome) : std::nullopt;
  if (!before || before->ok()) return file_->record(evaluation);
  const auto generations = size_t(result_.generations);
  file_->record_anew(evaluation, asked_.size(), generations);
  stored_.resize(std::min(stored_.size(), asked_.size()));
  stored_generations_ = std::min(stored_generations_, generations);
}

// Waits for the results of the first `count` individuals and tells them: those of a generation
// together, otherwise one by one.
bool Search::settle(size_t count) {
  close_generations();  // one that bred nothing has ended already
  while (told_ < count) {
    size_t next = by_generations() ? count : told_ + 1;
    while (!known(told_, next))
      if (!step()) return false;
    std::vector<Fitness> results;
    for (; told_ < next; ++told_) {
      results.push_back(known_.at(asked_[told_]).fitness);
      told_failed_ += results.back().failed;
      archive_.add(int(told_), results.back());
    }
    algorithm_->tell(results);
    close_generations();
  }
  return true;
}

bool Search::known(size_t from, size_t to) const {
  for (size_t i = from; i < to; ++i)
    if (!known_.count(asked_[i])) return false;
  return true;
}

// Lets free workers begin, then waits for one of them.
bool Search::step() {
  while (!queue_.empty() && workers_->running() < workers_->count()) {
    int individual = queue_.front().individual;
    queue_.pop_front();
    workers_->start(individual, training_request(asked_[size_t(individual)]));
  }
  WorkerPool::Finished finished = workers_->wait(interrupted_);
  return finished.job >= 0 && accept(finished.job, finished.outcome);
}

bool Search::accept(int individual, const Outcome& outcome) {
  Evaluation e = evaluation_of(outcome);
  e.genome = asked_[size_t(individual)];
  busy_seconds_ += e.seconds;
  if (e.ok() && !measure(e)) return false;
  record(e);
  learn(e);
  report();
  return true;
}

// Adds what is measured, if anything is.
bool Search::measure(Evaluation& evaluation) {
  if (measured_names(settings_).empty()) return true;
  auto outcome = workers_->alone(measuring_request(evaluation.genome), interrupted_);
  if (!outcome) return false;
  Evaluation measured = evaluation_of(*outcome);
  evaluation.seconds += measured.seconds;
  busy_seconds_ += measured.seconds;
  evaluation.metrics.merge(measured.metrics);
  if (!measured.ok())
    evaluation.failure = fmt::format("while it was measured: {}", measured.failure);
  return true;
}

void Search::learn(const Evaluation& evaluation) {
  Known known{evaluation, {}};
  if (evaluation.ok())
    known.fitness = fitness_of(evaluation.metrics, settings_.objectives, settings_.bounds);
  else
    known.fitness.failed = true;
  known.fitness.objectives.resize(settings_.objectives.size(), std::nan(""));
  const Fitness& f = known.fitness;
  if (!has_failed(f) && f.violation == 0 && !(f.objectives[0] >= best_)) best_ = f.objectives[0];
  failed_ += !evaluation.ok();
  known_[evaluation.genome] = std::move(known);
}

void Search::close_generations() {
  while (size_t(result_.generations) < ends_.size() &&
         told_ == ends_[size_t(result_.generations)]) {
    last_ = summarise();
    if (size_t(last_.generation) >= stored_generations_) file_->record(last_);
    result_.hypervolume.push_back(last_.hypervolume);
    result_.scaled.push_back(last_.scaled);
    ++result_.generations;
    report();
  }
}

Generation Search::summarise() {
  Generation g;
  g.generation = result_.generations;
  g.evaluated = int64_t(told_);
  g.failed = int64_t(told_failed_);
  for (int i : algorithm_->population()) g.population.push_back(asked_[size_t(i)]);
  std::vector<std::vector<double>> points;
  for (const Archive::Member& m : archive_.members()) {
    g.front.push_back(asked_[size_t(m.individual)]);
    if (m.fitness.violation == 0) points.push_back(m.fitness.objectives);
  }
  g.hypervolume = points.empty() ? 0 : hypervolume(points, reference_);
  if (!scale_ && !points.empty()) scale_.emplace(points, reference_, settings_.population);
  g.scaled = scale_ ? scale_->of(points) : std::nan("");
  return g;
}

void Search::report() const {
  if (!progress_) return;
  double volume = result_.hypervolume.empty() ? 0 : result_.hypervolume.back();
  progress_({result_.generations, int64_t(known_.size()),
             int64_t(settings_.population) * settings_.generations, failed_, best_, volume});
}

void Search::finish() {
  result_.evaluated = int64_t(known_.size());
  result_.failed = failed_;
  for (auto& genome : last_.front)
    result_.front.push_back(front_member(settings_, known_.at(genome).evaluation));
  sort_front(settings_, result_.front);
}

}  // namespace star
