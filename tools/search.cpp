// star search: the main job.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include "core/number.h"
#include "liv/pool_file.h"
#include "star/data_files.h"
#include "star/device.h"
#include "star/front.h"
#include "star/reference.h"
#include "star/search.h"
#include "tools/console.h"
#include "tools/options.h"
#include "tools/ranks/ranks.h"
#include "tools/report.h"
#include "tools/run_command.h"
#include "tools/search_check.h"
#include "tools/table.h"

namespace star::cli {
namespace {

struct SearchCommand {
  Common common;
  DataOptions data;
  ModelOptions model;
  SearchSettings settings;
  std::string program;  // as it was called
  std::string out, resume, depth = "8", objectives = "quality,params", preset;
  std::vector<std::string> bounds, hv_reference, until;
  double most_seconds = 0;
  int lag = 0, workers = 0;
  bool retry = false, no_check = false;
  CLI::App* command = nullptr;  // whose options these are

  void run() {
    interrupted();  // from here on a signal is an orderly end
    resume.empty() ? begin() : go_on();
  }

 private:
  // Another search may begin at the same moment and take the name first.
  RunFile create_under_free_name(std::string& path) const {
    for (int i = 1;; ++i) {
      path = i == 1 ? "star.run" : fmt::format("star-{}.run", i);
      try {
        return RunFile::create(path, settings_to_json(settings));
      } catch (const RunFileExists&) {
        // The next one.
      }
    }
  }

  void begin() {
    settings.device_target = check_device(common.device);
    if (!data.given()) data.task = "source";
    std::unique_ptr<Dataset> dataset = data.open(model.length, 0, common.seed);
    fill(*dataset);
    Search search(settings, *dataset);  // refuses bad settings before a file appears
    std::unique_ptr<Workers> crew =
        workers_for(search, settings, workers, common.trainings(0, settings.device));
    std::string path = out;
    RunFile file = out.empty() ? create_under_free_name(path)
                               : RunFile::create(path, settings_to_json(settings));
    go(search, *dataset, file, path, *crew);
  }

  void go_on() {
    Run then = open_run(resume, true, data);
    fill_options();
    fill_values(then.settings);
    require_same(then.settings);
    settings = go_on_under(changed(then.settings), then.settings, then.file);
    warn_of_device(then.settings, check_device(settings.device));
    Search search(settings, *then.data);
    std::unique_ptr<Workers> crew =
        workers_for(search, settings, workers, common.trainings(0, settings.device));
    go(search, *then.data, then.file, resume, *crew);
  }

  // What may change of a run that goes on: how long it does, what a candidate may take, and where
  // the same data lies.
  SearchSettings changed(const SearchSettings& run) const {
    SearchSettings now = run;
    for_each_setting([&](const Setting& row, const auto& field) {
      if (row.may_change && given(row.option)) field(now) = field(settings);
    });
    now.limits.wall_seconds = longest_wait(now.limits);
    if (data.given()) now.task = data.task;
    return now;
  }

  // A candidate that waits takes no processor.
  static double longest_wait(const Limits& limits) {
    return std::min(10 * limits.cpu_seconds, std::numeric_limits<double>::max());
  }

  bool given(const char* option) const { return command->count(option) > 0; }

  // The settings that the options make, but for what follows from the data.
  void fill_options() {
    if (preset == "paper") {
      if (!given("--population")) settings.population = 16;
      if (!given("--generations")) settings.generations = 18;
      if (!given("--depth")) depth = "24";
      if (!given("--start")) settings.start = {kNoStart};
    }
    fill_depth();
    settings.lag = settings.algorithm->usual_lag;
    if (given("--lag")) settings.lag = lag;
    settings.seed = settings.training.seed = common.seed;
    settings.pool = model.pool;
    settings.objectives = parse_objectives(objectives);
    settings.start = start_of(settings.start);
    settings.sizes = model.sizes;
    settings.sizes.seq = model.length;
    settings.data_path = place_from_root(data.path);
    settings.text_field = data.text_field;
    settings.tokenizer = place_from_root(data.tokenizer_path);
    settings.data_vocab = data.vocab;
    settings.task = data.task;
    settings.device = common.device;
    settings.limits.wall_seconds = longest_wait(settings.limits);
  }

  // The values of objectives, among which may be those of designs at the sizes of the run.
  void fill_values(const SearchSettings& run) {
    const bool no_bounds = bounds == std::vector<std::string>{kNoBounds};
    for (auto& text : bounds)
      if (!no_bounds) set_value(settings.bounds, run, text, "--max");
    for (auto& text : hv_reference) set_value(settings.hv_reference, run, text, "--hv-ref");
    for (auto& text : until) set_value(settings.until, run, text, "--until");
  }

  // All settings.
  void fill(const Dataset& dataset) {
    fill_options();
    check_training(*command, settings.training);
    for_each_setting([&](const Setting& row, const auto&) {
      require(!*row.beside || !given(row.option) || given(row.beside),
              "{}: it has no effect without {}", row.option, row.beside);
    });
    settings.sizes = model.for_data(dataset);
    fill_values(settings);
    settings.data_identity = dataset.identity();
    const CpuKernels kernels = cpu_kernels();
    settings.cpu_target = kernels.target;
    settings.blas_core = kernels.blas;
  }

  void fill_depth() {
    const std::string option = "--depth";
    const size_t dash = depth.find('-', 1);
    settings.min_depth = whole_number(depth.substr(0, dash), 1, 1000, option);
    settings.max_depth = dash == depth.npos ? settings.min_depth
                                            : whole_number(depth.substr(dash + 1), 1, 1000, option);
    require(settings.min_depth <= settings.max_depth, "{}: {} is no range such as 6-10", option,
            depth);
  }

  // Genomes, names at the depth, and of a run as much of the front as the population has room for.
  std::vector<std::string> start_of(const std::vector<std::string>& given) const {
    const auto runs = size_t(std::count_if(given.begin(), given.end(), is_run_file));
    const size_t others = given.size() - runs, population = size_t(settings.population);
    size_t room = population - std::min(population, others);
    std::vector<std::string> start;
    for (auto& text : given) {
      if (!is_run_file(text)) {
        start.push_back(at_depth(text, settings.max_depth));
        continue;
      }
      const CheckedRun run = open_run_file(text);
      const std::vector<std::string> front =
          seeds_of_front(run, "--start: " + text, named_pool(settings.pool), room);
      const size_t all = run.contents.generations.back().front.size();
      if (front.size() < all)
        say("star: --start: {} of the {} members of the front of {}, those that lie furthest "
            "apart; the population is {}\n",
            front.size(), all, text, population);
      start.insert(start.end(), front.begin(), front.end());
      room -= front.size();
    }
    return start;
  }

  // Of an objective given twice the last value counts.
  static void set_value(Bounds& values, const SearchSettings& run, const std::string& text,
                        const std::string& option) {
    const size_t design = text.find("=@");
    const auto parsed = design == text.npos
                            ? parse_value(text, option)
                            : value_of_design(run, Objective(text.substr(0, design), option),
                                              text.substr(design + 1), option);
    const Objective& objective = parsed.first;
    std::erase_if(values, [&](auto& known) { return known.first.same_as(objective); });
    values[objective] = parsed.second;
  }

  // params=@lfm2: as many as that has.
  static std::pair<Objective, double> value_of_design(const SearchSettings& run,
                                                      const Objective& objective,
                                                      const std::string& name,
                                                      const std::string& option) {
    require(objective.counted(), "{}: the {} of {} is not counted; give a number", option,
            objective, name);
    try {
      const double value = counted_of_design(run, name).at(objective.name());
      require(value > 0, "the {} of {} is 0", objective, name);
      return {objective, value};
    } catch (const Error& e) {
      fail("{}: {}", option, e.what());
    }
  }

  // Error: an option beside --resume that the run file fixes, and has otherwise.
  void require_same(const SearchSettings& run) const {
    std::set<std::string> free = {"--help",  "--resume", "--retry",    "--workers", "--threads",
                                  "--quiet", "--json",   "--no-check", "--max-time"};
    for_each_setting([&](const Setting& row, const auto&) {
      if (row.may_change) free.insert(row.option);
    });
    static const std::set<std::string> kPreset = {"--population", "--generations", "--depth",
                                                  "--start"};
    const std::vector<FixedOption> asked = fixed_options(settings), kept = fixed_options(run);
    for (const CLI::Option* option : command->get_options()) {
      const std::string name = option->get_name();
      const bool preset_too = !preset.empty() && kPreset.count(name);
      if ((option->empty() && !preset_too) || free.count(name) || name == "--preset") continue;
      auto same_name = [&](auto& o) { return o.name == name; };
      const auto now = std::find_if(asked.begin(), asked.end(), same_name),
                 then = std::find_if(kept.begin(), kept.end(), same_name);
      require(now != asked.end(), "{} cannot be given with --resume", name);
      require(now->values == then->values,
              "{}{} {}: {} was begun with {}, and goes on under its own settings",
              option->empty() ? "--preset, " : "", name, words(option->results(), now->values),
              resume, words({}, then->values));
    }
  }

  // The text of a pool file is no word for an error: as it was given rather, where it was.
  static std::string words(const std::vector<std::string>& typed,
                           const std::vector<std::string>& values) {
    auto& shown = typed.empty() ? values : typed;
    if (shown.empty()) return "the default";
    const std::string all = fmt::format("{}", fmt::join(shown, " "));
    return all.find('\n') == all.npos ? all : "a pool of its own";
  }

  void go(Search& search, const Dataset& dataset, RunFile& file, const std::string& path,
          Workers& crew) {
    if (resume.empty()) file.claim();
    int count = crew.count();
    if (!common.quiet)
      say("star: {} generations of {}, {} worker{}, run file {}\n", settings.generations,
          settings.population, count, count == 1 ? "" : "s", path);
    std::string onward = fmt::format("{} search --resume {}{}", shell_word(program),
                                     shell_path(path), no_check ? " --no-check" : "");
    SearchResult result;
    try {
      result = search_with(search, file, crew);
    } catch (const RunFileDamaged&) {
      throw;
    } catch (const Error& e) {  // the disk is full, no process can be had
      if (!is_run_file(path)) throw Failure(fmt::format("{}; what was found is lost", e.what()));
      throw Failure(fmt::format("{}; what was found is kept, go on with: {}", e.what(), onward));
    }
    settings.generations = result.ended.empty() ? settings.generations : result.generations;
    const bool kept = is_run_file(path);
    if (result.interrupted)
      throw Interrupted(kept
                            ? fmt::format("interrupted; go on with: {}", onward)
                            : fmt::format("interrupted; {} is gone, what was found is lost", path));
    if (rungs_tell_little(result.history, settings.keep))
      say("star: warning: the loss at step {} tells little of the quality: Kendall's tau of those "
          "that went on is {:.2f}, the mean over the generations; a later --rungs would tell "
          "more\n",
          settings.rungs.back(), mean_rung_tau(result.history));
    const std::string report = report_on(file, path, onward);
    const std::string broken = broken_bounds(settings, result.front);
    if (!common.json) print_text(result, path, report);
    flush_output();  // to be read while the check goes on
    std::optional<SearchCheck> check;
    if (kept && broken.empty() && !no_check) {
      const int trainings = common.trainings(workers, settings.device);
      check = check_found(file, settings, dataset, {trainings, retry, common.quiet, onward});
    }
    if (check && !common.json) fmt::print("\n{}", check_text(*check));
    if (common.json) print_result_json(result, path, report, check);
    if (!kept)
      throw Failure(fmt::format("{}: the run file is gone: it was deleted or moved", path));
    if (!broken.empty()) throw Failure(broken);
    if (!result.front.empty()) return;
    for (auto& e : file.evaluations())
      if (!e.ok())
        throw Failure(fmt::format("every candidate failed; {}: {}", e.genome, e.failure));
    throw Failure("no candidate was evaluated");
  }

  SearchResult search_with(Search& search, RunFile& file, Workers& crew) const {
    Progress bar(common.quiet, settings.rungs.empty() ? "candidate" : "training",
                 settings.trainings_of_generation() * settings.generations);
    auto show = [&](const SearchProgress& p) {
      bar.update(p.done,
                 fmt::format("generation {}/{}  best {}  hypervolume {:.4f}{}",
                             std::min(p.generation + 1, settings.generations), settings.generations,
                             std::isnan(p.best) ? "-" : fmt::format("{:.4f}", p.best),
                             p.hypervolume, p.failed ? fmt::format("  {} failed", p.failed) : ""));
    };
    return search.run(
        file, crew, show, [] { return interrupted(); }, retry, most_seconds);
  }

  // The name of the page; empty, after a warning, where it could not be written: the run is safe.
  static std::string report_on(const RunFile& file, const std::string& path,
                               const std::string& onward) {
    try {
      if (write_report(file, path, [] { return interrupted(); })) return report_path(path);
      throw Interrupted(
          fmt::format("interrupted when the search was complete; its result, again: {}", onward));
    } catch (const Error& e) {
      say("star: warning: no report: {}\n", e.what());
      return "";
    }
  }

  void print_result_json(const SearchResult& r, const std::string& path, const std::string& report,
                         const std::optional<SearchCheck>& check) const {
    print_json({{"run", path},
                {"report", report},
                {"generations", r.generations},
                {"evaluated", r.evaluated},
                {"failed", r.failed},
                {"stopped", r.stopped},
                {"ended", r.ended.empty() ? nlohmann::json() : nlohmann::json(r.ended)},
                {"rungs", rungs_json(r.history)},
                {"hypervolume", r.hypervolume},
                {"hypervolume_scaled", r.scaled},
                {"busy", r.busy},
                {"command", reproducing_command(settings, absolute_path(path), program)},
                {"feasible", feasible_json(r.front)},
                {"check", check_json(check)},
                {"front", front_json(r.front)}});
  }

  void print_text(const SearchResult& r, const std::string& path, const std::string& report) const {
    fmt::print(
        "{} candidates in {} generations, {}{} failed; hypervolume {:.4f} to {:.4f}, scaled {} "
        "to {}{}\n\n",
        r.evaluated + r.stopped, r.generations,
        settings.rungs.empty() ? "" : fmt::format("{} stopped at a rung, ", r.stopped), r.failed,
        r.hypervolume.front(), r.hypervolume.back(), fixed(r.scaled.front(), 3),
        fixed(r.scaled.back(), 3),
        std::isnan(r.busy) ? "" : fmt::format("; workers busy {:.1f} %", 100 * r.busy));
    if (!r.ended.empty()) fmt::print("ended early: {}\n\n", r.ended);
    fmt::print("{}", front_text(settings, r.front));
    if (r.front.empty()) return;
    const std::string run = shell_path(path), star = shell_word(program);
    fmt::print("\nrun file    {}\n", run);
    if (!nearest_to_bounds(r.front))
      fmt::print("train one   {} train {} --out best.safetensors\n", star, run);
    bool named = settings.pool == "paper" || settings.pool == "extended";
    fmt::print("read one    {} genome show '{}' --pool {}\n", star, r.front[0].genome,
               named ? settings.pool : run);
    fmt::print("run again   {}\n", reproducing_command(settings, absolute_path(path), program));
    if (!report.empty()) fmt::print("report      {}\n", report);
  }
};

// "regularized: 8".
std::string steady_lags() {
  std::vector<std::string> lags;
  for (auto& row : SearchAlgorithm::rows())
    if (row.usual_lag != kByGenerations)
      lags.push_back(fmt::format("{}: {}", row.name, row.usual_lag));
  return fmt::format("{}", fmt::join(lags, ", "));
}

}  // namespace

void declare_search(CLI::App& app) {
  auto c = std::make_shared<SearchCommand>();
  SearchSettings& s = c->settings;
  c->model.pool = s.pool;
  CLI::App* sub = app.add_subcommand(
      "search",
      "Evolves architectures; without options, a few minutes on the program's own source");
  sub->add_option("--out", c->out, "The run file (default star.run, or the first free star-N.run)");
  sub->add_option(
         "--resume", c->resume,
         "Goes on with a run file, under the settings it holds. How long it goes on "
         "(--generations, --until, --patience, --max-time), what a candidate may take (--timeout, "
         "--memory-limit) and the place of the data (--data) may be others; what says otherwise "
         "in another option is refused")
      ->excludes("--out");
  sub->add_flag("--retry", c->retry,
                "With --resume: tries failed candidates again; where one succeeds, what was bred "
                "since is bred anew, and only what the run file has no result of is trained")
      ->needs("--resume");
  c->data.declare(*sub);
  c->model.declare(*sub);
  sub->add_option("--depth", c->depth, "LIVs of a genome, or a range such as 6-10")
      ->capture_default_str();
  declare_training(*sub, s.training);
  declare_validation(*sub, s.validation_tokens);
  for_each_evolution_setting(
      [&](const Setting& row, const auto& field) { add_setting(*sub, row, field(s)); });
  add_whole(
      *sub, "--lag", c->lag, 0, 1 << 20,
      fmt::format("Breed steadily, from all results but this many latest ones, rather than by "
                  "generations; several times the workers keeps them busy (default for {})",
                  steady_lags()));
  sub->add_option("--objectives", c->objectives,
                  fmt::format("What to minimise, of {}; a latency at the cache context, or as in "
                              "latency:decode@1000",
                              fmt::join(Objective::names(), ", ")))
      ->capture_default_str();
  sub->add_option("--max", c->bounds,
                  "A bound on an objective: params=500000, or params=@lfm2, as many as that design "
                  "has; may be repeated for others. Beside --resume those of the generations to "
                  "come; none: they have no bounds")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_list(*sub, "--hv-ref", c->hv_reference,
           "Where the hypervolume ends, if not at ln V for the quality and twice a Transformer's "
           "value: quality=5,params=1e6");
  add_list(*sub, "--until", c->until,
           "Ends after the generation in which a member of the front has these values, or less: "
           "quality=2.1");
  add_duration(*sub, "--max-time", c->most_seconds,
               "Begins no generation that would end later than so long from now: 90s, 30m, 1h30m");
  sub->add_option("--start", s.start,
                  "Genomes, names, or run files, for their fronts, that the initial population "
                  "begins with; names at the largest --depth unless they say another; none: it is "
                  "random (default: the named genomes whose classes the pool has, as many as find "
                  "place)")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  sub->add_option(
         "--preset", c->preset,
         "paper: population 16, 18 generations, depth 24, --start none, where they are not given; "
         "not the paper's width (768), its sequences (4096), its data and trainings")
      ->check(CLI::IsMember({"paper"}));
  add_memory_limit(
      *sub, "MiB a candidate may take; 0: any",
      [c](uint64_t bytes) { c->settings.limits.memory_bytes = bytes; }, s.limits.memory_bytes)
      ->capture_default_str();
  sub->add_flag(
      "--no-check", c->no_check,
      "Leaves out the end: the best of six finalists against the best named design of no "
      "more parameters, trained alike for four times the steps from three seeds, on the test "
      "part. With five designs that takes as long as some sixty candidates: three quarters of "
      "the time of a default search");
  add_whole(*sub, "--workers", c->workers, 0, 1024,
            "Candidates at a time; 0: one for each core, 8 on a GPU")
      ->capture_default_str();
  c->common.declare(*sub);
  c->command = sub;
  sub->callback([c, root = &app] {
    c->program = root->get_name();
    c->run();
  });
}

}  // namespace star::cli
