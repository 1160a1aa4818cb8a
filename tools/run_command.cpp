#include "tools/run_command.h"

#include <algorithm>

#include "star/candidate.h"
#include "star/device.h"
#include "star/seeds.h"
#include "tools/console.h"
#include "tools/options.h"
#include "tools/table.h"

namespace star::cli {

Run open_run(const std::string& path, bool write, const DataOptions& moved_to) {
  auto [file, settings, contents] = open_run_file(path, write);
  DataOptions source = DataOptions::of(settings);
  if (!moved_to.path.empty()) {
    source.path = moved_to.path;
    source.task.clear();
    source.silent = true;  // warned of where it was
  }
  require(moved_to.tokenizer_path.empty() || source.task.empty(),
          "--tokenizer {}: {} was begun with the task {}, which has no text",
          moved_to.tokenizer_path, path, source.task);
  if (!moved_to.tokenizer_path.empty()) source.tokenizer_path = moved_to.tokenizer_path;
  auto data = source.open(settings.sizes.seq, 0, settings.seed);
  require(moved_to.path.empty() || data->identity() == settings.data_identity,
          "--data {}: it is other data than {} was begun with ({}, then {})", moved_to.path, path,
          data->identity(), settings.data_identity);
  require(moved_to.tokenizer_path.empty() || data->identity() == settings.data_identity,
          "--tokenizer {}: it makes other data than {} was begun with ({}, then {})",
          moved_to.tokenizer_path, path, data->identity(), settings.data_identity);
  require(data->identity() == settings.data_identity,
          "{}: the data is no longer what the search began with ({}, then {})", path,
          data->identity(), settings.data_identity);
  const CpuKernels here = cpu_kernels();
  if (here != CpuKernels{settings.cpu_target, settings.blas_core})
    say("star: warning: the search began with {} and OpenBLAS {}, here they are {} and {}: "
        "losses will differ in their last digits\n",
        settings.cpu_target, settings.blas_core, here.target, here.blas);
  return {path, std::move(file), std::move(settings), std::move(contents), std::move(data)};
}

void warn_of_device(const SearchSettings& settings, const std::string& target) {
  const std::string& then = settings.device_target;
  if (!then.empty() && !target.empty() && then != target)
    say("star: warning: the search began on {}, here it is {}: losses will differ in their last "
        "digits\n",
        then, target);
}

void warn_of_bounds(const std::string& path, const SearchSettings& settings,
                    const RunContents& contents) {
  const std::string broken = broken_bounds(settings, last_front(settings, contents));
  if (!broken.empty()) say("star: warning: {}: {}\n", path, broken);
}

nlohmann::json feasible_json(const std::vector<FrontMember>& front) {
  return front.empty() ? nlohmann::json() : nlohmann::json(nearest_to_bounds(front) == nullptr);
}

nlohmann::json rungs_json(const std::vector<Generation>& generations) {
  nlohmann::json all = nlohmann::json::array();
  for (auto& g : generations)
    all.push_back({{"stopped", g.stopped.size()},
                   {"promoted", g.promoted},
                   {"rung_tau", g.rung_tau},
                   {"model_tau", g.model_tau}});
  return all;
}

// What depends on no seed has no deviation.
static std::string objective_text(const std::string& name, const FrontMember& member) {
  const auto known = member.deviation.find(name);
  const double value = member.objectives.at(name),
               deviation = known == member.deviation.end() ? 0 : known->second;
  const std::string text = metric_text(name, value);
  return deviation > 0 ? text + " ± " + metric_text(name, deviation) : text;
}

nlohmann::json front_json(const std::vector<FrontMember>& front) {
  nlohmann::json all = nlohmann::json::array();
  for (auto& m : front)
    all.push_back({{"genome", m.genome},
                   {"objectives", m.objectives},
                   {"metrics", m.metrics},
                   {"violation", m.violation},
                   {"seeds", m.seeds},
                   {"deviation", m.deviation}});
  return all;
}

std::string front_text(const SearchSettings& settings, const std::vector<FrontMember>& front) {
  std::vector<std::string> head = names_of(settings.objectives);
  head.push_back("genome");
  Table table(head);
  std::vector<const Metrics*> judged;
  for (auto& member : front) {
    std::vector<std::string> cells;
    for (auto& objective : settings.objectives)
      cells.push_back(objective_text(objective.name(), member));
    cells.push_back(member.genome + (member.violation > 0 ? "  breaks the bounds" : ""));
    table.add(std::move(cells));
    judged.push_back(&member.metrics);
  }
  const std::string seeds =
      front.empty() || front[0].seeds == 1
          ? ""
          : fmt::format("mean ± standard deviation over {} seeds\n", front[0].seeds);
  return table.text() + "\n" + judged_text(judged) + seeds;
}

void RunCommand::declare(CLI::App& app) {
  app.add_option("run", path, "The run file of a search")->required();
  common.declare(app);
  seed_option_ = app.get_option("--seed");
  seed_option_->description("Seed of everything random (default: the search's)")->default_str("");
  device_option_ = app.get_option("--device");
  device_option_->description("Where to compute (default: as in the search)")->default_str("");
}

void RunCommand::declare_trainings(CLI::App& app) {
  trains = true;
  add_whole(app, "--workers", workers, 0, 1024,
            "Trainings at a time; 0: one for each core, 8 on a GPU")
      ->capture_default_str();
  add_memory_limit(app, "MiB a training may take; 0: any (default: as in the search)",
                   [this](uint64_t bytes) { memory_bytes = bytes; });
  app.add_flag("--retry", retry, "Trains again what failed before");
}

void RunCommand::declare_judging(CLI::App& app) {
  declare_trainings(app);
  judges = true;
  seed_option_->description(
      "Seed of everything random (default: the search's + 10000, since it has chosen by its own)");
}

void RunCommand::open() {
  run.emplace(open_run(path, trains));
  warn_of_bounds(path, settings(), run->contents);
  if (seed_option_->count() == 0) common.seed = judges ? judging_seed(settings()) : settings().seed;
  if (device_option_->count() > 0) run->settings.device = common.device;
  warn_of_device(settings(), check_device(settings().device));
}

Study RunCommand::study() {
  return {path,
          settings(),
          run->contents,
          common.seed,
          [this](auto& trials) { return train(trials, *run->data); },
          [this](auto& trials, auto& data) { return train(trials, data); },
          [this](auto& subjects, auto& objectives, int64_t context) {
            return measure(subjects, objectives, context);
          }};
}

std::vector<Evaluation> RunCommand::train(const std::vector<Trial>& trials, const Dataset& data) {
  return work_on(trials, "training", common.trainings(workers, settings().device),
                 [&](const Trial& trial) { return evaluate(trial, data); });
}

std::vector<Evaluation> RunCommand::measure(const std::vector<Subject>& subjects,
                                            const std::vector<Objective>& objectives,
                                            int64_t context) {
  std::vector<Trial> trials;
  for (auto& subject : subjects) {
    trials.push_back(candidate_trial(settings(), subject.genome));
    trials.back().pool = subject.pool;
    trials.back().recipe = recipe_of(objectives, context);
  }
  SearchSettings measured = settings();
  measured.objectives = objectives;
  measured.bounds.clear();
  measured.cache_context = context;
  // One at a time, so that none disturbs another.
  return work_on(trials, "measurement", 1, [&](const Trial& trial) {
    SearchSettings s = measured;
    s.pool = trial.pool;
    Evaluation e;
    e.metrics = measure_candidate(s, trial.genome);
    return e;
  });
}

std::vector<Evaluation> RunCommand::work_on(const std::vector<Trial>& trials,
                                            const std::string& what, int count,
                                            const std::function<Evaluation(const Trial&)>& work) {
  std::optional<Progress> bar;
  TrialOptions options;
  options.workers = count;
  // Of memory alone: how long it takes is what was asked for.
  options.limits.memory_bytes = memory_bytes.value_or(settings().limits.memory_bytes);
  options.retry = retry;
  options.progress = [&](int64_t done, int64_t total) {
    if (!bar) bar.emplace(common.quiet, what, total);
    bar->update(done, path);
  };
  options.interrupted = [] { return interrupted(); };
  auto evaluations = run_trials(run->file, trials, work, options);
  bar.reset();
  if (!evaluations)
    throw Interrupted(
        fmt::format("interrupted; {} keeps what has ended, and the same command goes on", path));
  return *evaluations;
}

CLI::Option* add_group(CLI::App& app, std::string& group, const std::string& what) {
  return app
      .add_option("--from", group,
                  what +
                      ": the front, the best of the last population, or of all that was evaluated "
                      "(default: the front; with one objective, where that is one genome, all)")
      ->check(CLI::IsMember(kSubjectGroups));
}

std::string group_text(const std::string& group) {
  if (group == "front") return "of the front";
  if (group == "population") return "of the last population";
  return "of all that was evaluated";
}

CLI::Option* add_rates(CLI::App& app, std::vector<double>& rates, const std::string& whose) {
  return add_reals(app, "--lr", rates, above_zero(),
                   fmt::format("Peak learning rates of {}, as in 1e-2,3e-3,1e-3: each genome is "
                               "trained at every one and shown at that with the least mean "
                               "validation loss (default: the search's)",
                               whose));
}

nlohmann::json rates_json(const Study& study, const Tuned& tuned,
                          const std::vector<std::string>& metrics) {
  nlohmann::json rates = nlohmann::json::array();
  for (auto& at : tuned.rates) {
    const auto done = at.done();
    nlohmann::json j = {{"lr", at.rate}, {"seeds", done.size()}, {"failed", at.failed()}};
    if (at.failed() > 0) j["failure"] = at.failure();
    for (auto& name : metrics) {
      if (done.empty() || !done[0]->metrics.count(name)) continue;
      const Spread spread = at.spread(study, name);
      j[name] = {{"mean", spread.mean}, {"deviation", spread.deviation}};
    }
    rates.push_back(std::move(j));
  }
  return {{"lr", tuned.chosen().rate}, {"lr_at_end", tuned.at_end()}, {"rates", rates}};
}

std::string rates_text(const std::vector<const Tuned*>& tuned) {
  std::vector<std::string> rates, ends;
  for (auto& at : tuned.at(0)->rates) rates.push_back(fmt::format("{}", at.rate));
  if (rates.size() < 2) return "";
  for (const Tuned* t : tuned)
    if (t->ok() && t->at_end()) ends.push_back(t->subject.label());
  return fmt::format(
      "\nrate: of {} that with the least mean validation loss{}\n", fmt::join(rates, ", "),
      ends.empty()
          ? ""
          : fmt::format("; at an end of the list, so that one beyond may be better, for {}",
                        fmt::join(ends, ", ")));
}

nlohmann::json agreement_json(const Agreement& a) {
  return {{"signal", a.signal},
          {"target", a.target},
          {"tau", a.kendall.tau},
          {"p", a.kendall.p},
          {"n", a.n}};
}

std::string agreements_text(const std::vector<Agreement>& agreements) {
  Table table({"tau", "p", "genomes", "signal", "target"});
  for (auto& a : agreements)
    table.add({fixed(a.kendall.tau, 3), probability(a.kendall.p), std::to_string(a.n), a.signal,
               a.target});
  return table.text();
}

std::string metric_text(const std::string& name, double value) {
  const auto objective = Objective::of_metric(name);
  const bool whole =
      objective && ((*objective)->figure == Figure::count || (*objective)->figure == Figure::bytes);
  return fixed(value, whole ? 0 : 4);
}

}  // namespace star::cli
