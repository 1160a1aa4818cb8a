#include "star/search.h"

#include <algorithm>
#include <cmath>

#include "core/clock.h"
#include "core/counting.h"
#include "liv/pool_file.h"
#include "star/candidate.h"
#include "star/reference.h"

namespace star {
namespace {

const SearchSettings& checked(const SearchSettings& settings) {
  check_settings(settings);
  return settings;
}

}  // namespace

Search::Search(const SearchSettings& settings, const Dataset& data)
    : settings_(checked(settings)),
      data_(data),
      pool_(named_pool(settings.pool)),
      breeding_(settings, pool_) {
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
  return std::make_unique<LocalWorkers>(count, settings_.limits, [this](const Request& request) {
    return answer(settings_, data_, request);
  });
}

SearchResult Search::run(RunFile& file, Workers& workers,
                         const std::function<void(const SearchProgress&)>& progress,
                         const Interrupt& interrupted, bool retry) {
  progress_ = progress;
  interrupted_ = interrupted;
  recorder_.emplace(file, retry);
  StateFolder states(file.path(), settings_.rungs);
  if (!recorder_->begun()) states.remove();  // of another run of this name
  states.make();
  prepare_blas();
  const double start = seconds_now();
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
  const int64_t bred = cohort_sizes(settings_).front(), total = bred * settings_.generations;
  const int64_t turn = settings_.by_generations() ? bred : 1;
  for (int64_t request = 0; request < total; request += turn) {
    const size_t lag = settings_.by_generations() ? 0 : size_t(settings_.lag),
                 asked = schedule_->size();
    if (!settle(asked - std::min(lag, asked)) || !breed(int(turn))) return false;
    if ((request + turn) % bred == 0) schedule_->end_generation();
  }
  if (!settle(schedule_->size()) ||
      !confirm_front(seeds_wanted(settings_, settings_.generations - 1)))
    return false;
  tell();
  complete_ = true;
  close_generations();
  return true;
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
    if (result_.generations + 1 == settings_.generations && !complete_) return;
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
  const int64_t trainings = trainings_of_generation(settings_);
  const int64_t done = trainings * result_.generations + schedule_->done_since(result_.generations);
  const int64_t total = trainings * settings_.generations;
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

}  // namespace star
