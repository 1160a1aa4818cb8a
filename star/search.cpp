#include "star/search.h"

#include <algorithm>
#include <cmath>

#include "core/clock.h"
#include "core/counting.h"
#include "liv/pool_file.h"
#include "star/candidate.h"
#include "star/device.h"
#include "star/reference.h"

namespace star::synthesis {
namespace {

const SearchSettings& checked(const SearchSettings& settings) {
  check_settings(settings);
  return settings;
}

// Error: something of the search was trained and not measured.
void require_known(const Bounds& bounds, const RunFile& file) {
  for (auto& e : file.evaluations())
    for (auto& [objective, bound] : bounds)
      require(!e.ok() || !e.recipe.is_whole() || e.metrics.count(objective.name()),
              "--max {}={}: {} was begun without, and did not measure it", objective, bound,
              file.path());
}

}  // namespace

// The last generation ends otherwise than those before it.
SearchSettings go_on_under(SearchSettings settings, const SearchSettings& held, RunFile& file) {
  const std::vector<Candidate> candidates = file.candidates();
  const int begun = candidates.empty() ? 0 : candidates.back().generation + 1;
  require(settings.generations >= begun, "--generations {}: {} has begun {} already",
          settings.generations, file.path(), begun);
  if (settings.bounds != held.bounds && begun > 0) {
    require_known(settings.bounds, file);
    auto& earlier = settings.earlier_bounds;
    if (earlier.empty() || earlier.back().generations < begun)
      earlier.push_back({begun, held.bounds});
  }
  if (settings_to_json(settings) == settings_to_json(held)) return settings;
  const size_t last = size_t(std::min(settings.generations, held.generations) - 1);
  file.record_settings(settings_to_json(settings), std::min(file.generations().size(), last));
  return settings;
}

Search::Search(const SearchSettings& settings, const Dataset& data)
    : given_(checked(settings)),
      settings_(given_),
      data_(data),
      pool_(named_pool(settings.pool)),
      breeding_(settings_, pool_),
      generations_(settings.generations) {
  require(settings.validation_tokens >= 0, "search: the setting `validation_tokens` is missing");
  data.check(Split::train);
  data.check(Split::validation);
  // The heads must fit every class of the pool: better said now than in every worker.
  // So must the bytes that the deepest genome keeps, whatever its class, be countable.
  for (auto& liv : pool_.classes) {
    const Operator op(liv, settings.sizes);
    counted_product("cache", op.cache_floats(settings.cache_context, {}), 4 * settings.max_depth);
  }
}

Search::~Search() = default;

std::unique_ptr<Workers> Search::local_workers(int count) const {
  return std::make_unique<LocalWorkers>(
      count, worker_limits(settings_),
      [this](const Request& request) { return answer(settings_, data_, request); },
      is_cuda(settings_.device) ? count : 0);
}

SearchResult Search::run(RunFile& file, Workers& workers,
                         const std::function<void(const SearchProgress&)>& progress,
                         const Interrupt& interrupted, bool retry, double most_seconds) {
  progress_ = progress;
  interrupted_ = interrupted;
  recorder_.emplace(file, retry);
  StateFolder states(file.path(), settings_.rungs);
  if (!recorder_->begun()) states.remove();  // of another run of this name
  states.make();
  prepare_blas();
  const double start = seconds_now();
  deadline_.emplace(most_seconds, start);
  Evaluations evaluations(
      settings_, file, workers,
      [this](const Evaluation& e) {
        recorder_->record(e, schedule_->size(), size_t(result_.generations));
      },
      interrupted, retry);
  evaluations.keep_states(states.path());
  schedule_.emplace(settings_, pool_, breeding_, evaluations, states,
                    [this](const Evaluation& e) { ledger_->see(e); });
  auto reference = reference_of_run(settings_, file, workers, interrupted_);
  if (reference) ledger_.emplace(settings_, *reference);
  result_.interrupted = !(ledger_ && search());
  if (!result_.interrupted) states.remove();
  const double busy = evaluations.busy_seconds();
  result_.busy =
      busy > 0 ? busy / (double(workers.count()) * (seconds_now() - start)) : std::nan("");
  finish();
  schedule_.reset();
  return result_;
}

// False: interrupted, as with all that follows.
bool Search::search() {
  while (int(schedule_->generations()) < generations_)
    if (!breed_generation()) return false;
  if (!settle(schedule_->size())) return false;
  judge_under_bounds_of(generations_);
  if (!confirm_front(seeds_wanted(settings_, settings_.generations - 1))) return false;
  tell();
  complete_ = true;
  close_generations();
  return true;
}

// Or ends the search, where it should end before its last generation.
bool Search::breed_generation() {
  const int64_t bred = settings_.cohort_sizes().front();
  const int64_t turn = settings_.by_generations() ? bred : 1;
  for (int64_t i = 0; i < bred; i += turn) {
    const size_t asked = schedule_->size();
    const int generation = int(schedule_->generations());
    const bool turns = given_.bounds_of(generation) != settings_.bounds;
    const size_t lag = settings_.by_generations() || turns ? 0 : size_t(settings_.lag);
    if (!settle(asked - std::min(lag, asked))) return false;
    if (turns) judge_under_bounds_of(generation);
    if (i == 0 && ends_early()) return true;
    if (!breed(int(turn))) return false;
  }
  schedule_->end_generation();
  return true;
}

// What was judged under others, anew.
void Search::judge_under_bounds_of(int generation) {
  settings_.bounds = given_.bounds_of(generation);
  ledger_->forget();
  for (size_t i = 0; i < told_; ++i)
    if (!schedule_->stopped(int(i))) judge(int(i));
  tell();
}

// What the file holds already was bred, and ends no search.
bool Search::ends_early() {
  if (schedule_->generations() == 0 || recorder_->held_more_than(schedule_->size())) return false;
  std::string reason = reason_to_stop(settings_, result_.history, ledger_->front());
  if (reason.empty()) reason = deadline_->reason_to_stop(seconds_now());
  if (reason.empty()) return false;
  result_.ended = reason;
  generations_ = int(schedule_->generations());
  SearchSettings shorter = given_;
  shorter.generations = generations_;
  recorder_->record_settings(settings_to_json(shorter), size_t(generations_ - 1));
  if (result_.generations == generations_) reopen_last_generation();
  return true;
}

// It ends otherwise where it is the last: its front is trained from more seeds.
void Search::reopen_last_generation() {
  --result_.generations;
  result_.history.pop_back();
  result_.hypervolume.pop_back();
  result_.scaled.pop_back();
  if (result_.generations == 0) ledger_->forget_scale();
}

// Breeds individuals from what was told, and asks for what is not known of them yet.
bool Search::breed(int count) {
  const std::vector<Offspring> offspring = breeding_.propose(
      count, schedule_->size(), [this] { return schedule_->population_at(0); }, interrupted_);
  if (stopped() || !record(offspring)) return false;
  std::vector<std::pair<Genome, std::optional<double>>> bred;
  for (auto& o : offspring) bred.emplace_back(o.genome, breeding_.expected(to_text(o.genome)));
  if (!schedule_->enter(bred, interrupted_)) return false;
  report();
  return true;
}

bool Search::record(const std::vector<Offspring>& offspring) {
  const int generation = int(schedule_->generations());
  const size_t before = schedule_->size();
  std::vector<Candidate> candidates;
  for (auto& o : offspring) {
    const size_t place = before + candidates.size() - schedule_->begin_of(generation);
    Candidate c{generation, int(place), to_text(o.genome), {}, o.origin};
    for (int parent : o.parents) c.parents.push_back(schedule_->genome(parent));
    candidates.push_back(std::move(c));
  }
  return recorder_->record(candidates, before, interrupted_);
}

// Waits until the first `count` individuals are at their end and tells them: those of a generation
// together, otherwise one by one. What stopped at a rung says nothing about its end, and is not
// told.
bool Search::settle(size_t count) {
  close_generations();  // one that bred nothing has ended already
  while (told_ < count) {
    const size_t next = settings_.by_generations() ? count : told_ + 1;
    for (size_t i = told_; i < next; ++i)
      while (!schedule_->at_end(int(i)))
        if (!step()) return false;
    for (; told_ < next; ++told_)
      if (!schedule_->stopped(int(told_))) judge(int(told_));
    schedule_->settled_until(told_);
    if (!confirm_front(1 + settings_.reseed)) return false;
    tell();
    close_generations();
  }
  return true;
}

bool Search::step() {
  if (!schedule_->step()) return false;
  report();
  return true;
}

bool Search::judge(int individual) {
  const bool sound = schedule_->result(individual) != nullptr;
  return ledger_->judge(individual, sound ? schedule_->trainings(schedule_->genome(individual))
                                          : std::vector<const Evaluation*>());
}

void Search::tell() {
  const std::vector<Result> results = ledger_->news();
  if (!results.empty()) breeding_.tell(results);
}

// Trains the front until each of its members has been trained from so many seeds: what one makes
// room for is trained too.
bool Search::confirm_front(int seeds) {
  const auto trained = [&](int i) {
    return int(schedule_->trainings(schedule_->genome(i)).size());
  };
  while (true) {
    std::vector<int> lacking;
    for (auto& m : ledger_->front())
      if (trained(m.individual) < seeds) lacking.push_back(m.individual);
    if (lacking.empty()) return true;
    for (int i : lacking)
      for (int seed = trained(i); seed < seeds; ++seed) schedule_->ask_again(i, seed);
    schedule_->order();
    for (int i : lacking) {
      while (trained(i) < seeds)
        if (!step()) return false;
      fallen_ += judge(i);
    }
  }
}

void Search::close_generations() {
  while (size_t(result_.generations) < schedule_->generations() &&
         told_ == schedule_->end_of(result_.generations)) {
    if (result_.generations + 1 == generations_ && !complete_) return;
    Generation g;
    g.generation = result_.generations;
    for (int i : breeding_.population()) g.population.push_back(schedule_->genome(i));
    ledger_->summarise(
        g, [this](int i) -> auto& { return schedule_->genome(i); });
    schedule_->summarise(g);
    recorder_->record(g);
    breeding_.learn(schedule_->first_losses(g.generation));
    result_.hypervolume.push_back(g.hypervolume);
    result_.scaled.push_back(g.scaled);
    result_.history.push_back(std::move(g));
    ++result_.generations;
    report();
  }
}

// Of a generation that is complete, all its trainings are; of one that is not, those that ended.
// Bred steadily a generation may have some more, which then are counted no longer: the count waits.
void Search::report() {
  if (!progress_) return;
  const int64_t trainings = settings_.trainings_of_generation();
  const int64_t done = trainings * result_.generations + schedule_->done_since(result_.generations);
  const int64_t total = trainings * generations_;
  const double volume = result_.hypervolume.empty() ? 0 : result_.hypervolume.back();
  done_ = std::max(done_, std::min(done, total));
  progress_(
      {result_.generations, done_, total, schedule_->failed() + fallen_, ledger_->best(), volume});
}

void Search::finish() {
  result_.failed = schedule_->failed() + fallen_;
  for (size_t i = 0; i < schedule_->size(); ++i) {
    result_.stopped += schedule_->stopped(int(i));
    result_.evaluated += !schedule_->stopped(int(i)) && schedule_->at_end(int(i));
  }
  if (result_.history.empty()) return;
  for (auto& text : result_.history.back().front)
    result_.front.push_back(front_member(settings_, over_seeds(schedule_->trainings(text))));
  sort_front(settings_, result_.front);
}

}  // namespace star::synthesis
