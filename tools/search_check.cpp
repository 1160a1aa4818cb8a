#include "tools/search_check.h"

#include <cmath>

#include "star/seeds.h"
#include "tools/console.h"
#include "tools/table.h"

namespace star::cli {
namespace {

nlohmann::json losses(const AtRate& trained) {
  nlohmann::json all = nlohmann::json::array();
  for (auto& e : trained.by_seed)
    all.push_back(e.ok() ? nlohmann::json(e.metrics.at("test_quality")) : nlohmann::json());
  return all;
}

// The greatest of those that the sequences of the test part give the losses.
double standard_error(const AtRate& trained) {
  double greatest = 0;
  for (const Evaluation* e : trained.done())
    greatest = std::max(greatest, e->metrics.at("test_standard_error"));
  return greatest;
}

nlohmann::json side_json(const CheckSide& side) {
  return {{"genome", side.genome},
          {"params", side.params},
          {"losses", losses(side.trained)},
          {"mean", side.loss.mean},
          {"deviation", side.loss.deviation},
          {"standard_error", standard_error(side.trained)}};
}

std::string verdict(const SearchCheck& check) {
  const PairedDifference& d = check.difference;
  const std::string by = fmt::format("by {}", plus_minus(std::fabs(d.mean), d.standard_error, 4));
  const std::string than = fmt::format(" than {}", check.design.name);
  if (check.better()) return "better" + than + " " + by;
  if (check.worse()) return "worse" + than + " " + by;
  return fmt::format("no better{}: the difference is {}", than,
                     plus_minus(d.mean, d.standard_error, 4));
}

std::vector<Evaluation> train_all(RunFile& file, const std::vector<Trial>& trials,
                                  const SearchSettings& settings, const Dataset& data,
                                  const CheckWork& work) {
  Progress bar(work.quiet, "training of the check", int64_t(trials.size()));
  TrialOptions options{.workers = work.workers, .retry = work.retry};
  // Of memory alone: the trainings are longer than those that the search limits.
  options.limits.memory_bytes = settings.limits.memory_bytes;
  options.progress = [&](int64_t done, int64_t) { bar.update(done, file.path()); };
  options.interrupted = [] { return interrupted(); };
  const auto one = [&](const Trial& trial) { return evaluate(trial, data); };
  std::optional<std::vector<Evaluation>> trained;
  try {
    trained = run_trials(file, trials, one, options);
  } catch (const Error& e) {  // the disk is full, no process can be had
    throw Failure(fmt::format("{}; what was found is kept, go on with: {}", e.what(), work.onward));
  }
  if (!trained)
    throw Interrupted(
        fmt::format("interrupted when the search was complete and its result was being checked; "
                    "that goes on with: {}",
                    work.onward));
  return *trained;
}

}  // namespace

std::optional<SearchCheck> check_found(RunFile& file, const SearchSettings& settings,
                                       const Dataset& data, const CheckWork& work) {
  try {
    data.check(Split::test);
  } catch (const Error& e) {
    say("star: warning: the result is not checked: {}\n", e.what());
    return {};
  }
  const RunContents contents = file.contents();
  const std::string path = file.path();
  const auto train = [&](const std::vector<Trial>& trials) {
    return train_all(file, trials, settings, data, work);
  };
  return check_search({path, settings, contents, judging_seed(settings), train});
}

nlohmann::json check_json(const std::optional<SearchCheck>& check) {
  if (!check) return nullptr;
  if (!check->failure.empty()) return {{"failure", check->failure}, {"better", false}};
  const PairedDifference& d = check->difference;
  return {{"steps", check->steps},
          {"seeds", d.n},
          {"genome", check->found.genome},
          {"finalists", check->finalists},
          {"baseline", check->design.name},
          {"losses", {{"genome", side_json(check->found)}, {"baseline", side_json(check->design)}}},
          {"baselines", check->designs},
          {"larger_baseline", check->larger},
          {"difference",
           {{"mean", d.mean},
            {"standard_error", d.standard_error},
            {"low", d.low},
            {"high", d.high},
            {"p", d.p}}},
          {"better", check->better()}};
}

std::string check_text(const SearchCheck& check) {
  if (!check.failure.empty()) return fmt::format("checked     nothing: {}\n", check.failure);
  const AtRate &found = check.found.trained, &design = check.design.trained;
  auto loss = [](const CheckSide& side) {
    return plus_minus(side.loss.mean, side.loss.deviation, 4);
  };
  return fmt::format(
      "checked     {} is {}\n"
      "            test loss {} against {}, after {} steps, mean ± standard deviation over {} "
      "seeds "
      "(of the difference: ± its standard error)\n"
      "            the best of {} that were found against the best of the {} named designs {}\n"
      "            {} parameters against {}\n",
      check.found.genome, verdict(check), loss(check.found), loss(check.design), check.steps,
      std::min(found.done().size(), design.done().size()), check.finalists.size(),
      check.designs.size(), check.larger ? "there are: none is so small" : "of no more parameters",
      check.found.params, check.design.params);
}

}  // namespace star::cli
