// star search: the main job.
#include <cmath>
#include <filesystem>
#include <limits>

#include "star/device.h"
#include "star/search.h"
#include "star/training_record.h"
#include "tools/ranks/ranks.h"
#include "tools/report.h"
#include "tools/run_command.h"

namespace star {
namespace {

struct SearchCommand {
  Common common;
  DataOptions data;
  ModelOptions model;
  SearchSettings settings;
  std::string program;  // as it was called
  std::string out, resume, depth = "8", objectives = "quality,params", preset;
  std::vector<std::string> bounds, hv_reference;
  int lag = 0, workers = 0;
  bool steady = false, retry = false;
  double memory_mib = double(SearchSettings().limits.memory_bytes) / (1 << 20);

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
    check_device(common.device);
    if (!data.given()) data.task = "source";
    std::unique_ptr<Dataset> dataset = data.open(model.length, 0, common.seed);
    fill(*dataset);
    Search search(settings, *dataset);  // refuses bad settings before a file appears
    std::string path = out;
    RunFile file = out.empty() ? create_under_free_name(path)
                               : RunFile::create(path, settings_to_json(settings));
    go(search, file, path);
  }

  void go_on() {
    Run then = open_run(resume, true);
    settings = then.settings;
    check_device(settings.device);
    Search search(settings, *then.data);
    go(search, then.file, resume);
  }

  // The settings that follow from other options and from the data.
  void fill(const Dataset& dataset) {
    if (preset == "paper") {
      settings.population = 16;
      settings.generations = 18;
      depth = "24";
    }
    auto [low, high] = parse_depth();
    settings.min_depth = low;
    settings.max_depth = high;
    if (steady) settings.lag = lag;
    settings.seed = settings.training.seed = common.seed;
    settings.pool = model.pool;
    settings.objectives = parse_objectives(objectives);
    for (auto& text : bounds) settings.bounds.insert(parse_value(text, "--max"));
    for (auto& text : hv_reference) settings.hv_reference.insert(parse_value(text, "--hv-ref"));
    settings.sizes = model.for_data(dataset);
    if (!data.path.empty()) settings.data_path = absolute_path(data.path);
    settings.task = data.task;
    settings.data_identity = dataset.identity();
    settings.device = common.device;
    settings.cpu_target = cpu_backend().target;
    settings.blas_core = blas_core();
    settings.limits.memory_bytes = memory_limit(memory_mib);
    settings.limits.wall_seconds =
        std::min(10 * settings.limits.cpu_seconds, std::numeric_limits<double>::max());
  }

  std::pair<int, int> parse_depth() const {
    int low = 0, high = 0;
    char rest;
    if (std::sscanf(depth.c_str(), "%d-%d%c", &low, &high, &rest) != 2) {
      require(std::sscanf(depth.c_str(), "%d%c", &low, &rest) == 1,
              "--depth: `{}` is neither a number nor a range such as 6-10", depth);
      high = low;
    }
    require(low >= 1 && high >= low && high <= 1000, "--depth: {} is not within 1 to 1000", depth);
    return {low, high};
  }

  void go(Search& search, RunFile& file, const std::string& path) {
    if (resume.empty()) file.claim();
    std::unique_ptr<Workers> crew =
        workers_for(search, settings, workers > 0 ? workers : common.cores());
    int count = crew->count();
    if (!common.quiet)
      fmt::print(stderr, "star: {} generations of {}, {} worker{}, run file {}\n",
                 settings.generations, settings.population, count, count == 1 ? "" : "s", path);
    std::string onward =
        fmt::format("{} search --resume {}", shell_word(program), shell_word(path));
    SearchResult result;
    try {
      result = search_with(search, file, *crew);
    } catch (const RunFileDamaged&) {
      throw;
    } catch (const Error& e) {  // the disk is full, no process can be had
      if (!is_run_file(path)) throw Failure(fmt::format("{}; what was found is lost", e.what()));
      throw Failure(fmt::format("{}; what was found is kept, go on with: {}", e.what(), onward));
    }
    const bool kept = is_run_file(path);
    if (result.interrupted)
      throw Interrupted(kept
                            ? fmt::format("interrupted; go on with: {}", onward)
                            : fmt::format("interrupted; {} is gone, what was found is lost", path));
    const std::string report = report_on(file, path, onward);
    common.json ? print_result_json(result, path, report) : print_text(result, path, report);
    if (!kept)
      throw Failure(fmt::format("{}: the run file is gone: it was deleted or moved", path));
    const std::string broken = broken_bounds(settings, result.front);
    if (!broken.empty()) throw Failure(broken);
    if (!result.front.empty()) return;
    for (auto& e : file.evaluations())
      if (!e.ok())
        throw Failure(fmt::format("every candidate failed; {}: {}", e.genome, e.failure));
    throw Failure("no candidate was evaluated");
  }

  SearchResult search_with(Search& search, RunFile& file, Workers& crew) const {
    Progress bar(common.quiet, "candidate", int64_t(settings.population) * settings.generations);
    auto show = [&](const SearchProgress& p) {
      bar.update(p.done,
                 fmt::format("generation {}/{}  best {}  hypervolume {:.4f}{}",
                             std::min(p.generation + 1, settings.generations), settings.generations,
                             std::isnan(p.best) ? "-" : fmt::format("{:.4f}", p.best),
                             p.hypervolume, p.failed ? fmt::format("  {} failed", p.failed) : ""));
    };
    return search.run(
        file, crew, show, [] { return interrupted(); }, retry);
  }

  // The name of the page; empty, after a warning, where it could not be written: the run is safe.
  static std::string report_on(const RunFile& file, const std::string& path,
                               const std::string& onward) {
    try {
      if (write_report(file, path, [] { return interrupted(); })) return report_path(path);
      throw Interrupted(
          fmt::format("interrupted when the search was complete; its result, again: {}", onward));
    } catch (const Error& e) {
      fmt::print(stderr, "star: warning: no report: {}\n", e.what());
      return "";
    }
  }

  void print_result_json(const SearchResult& r, const std::string& path,
                         const std::string& report) const {
    nlohmann::json front = nlohmann::json::array();
    for (auto& m : r.front)
      front.push_back({{"genome", m.genome},
                       {"objectives", m.objectives},
                       {"metrics", m.metrics},
                       {"violation", m.violation}});
    print_json({{"run", path},
                {"report", report},
                {"generations", r.generations},
                {"evaluated", r.evaluated},
                {"failed", r.failed},
                {"hypervolume", r.hypervolume},
                {"busy", r.busy},
                {"command", reproducing_command(settings, path, program)},
                {"feasible", feasible_json(r.front)},
                {"front", front}});
  }

  // Losses and times to four places, what is counted whole.
  static int places(const std::string& objective) {
    Objective::What what = parse_objective(objective, "objective").what;
    bool fine =
        what == Objective::quality || what == Objective::prefill || what == Objective::decode;
    return fine ? 4 : 0;
  }

  void print_text(const SearchResult& r, const std::string& path, const std::string& report) const {
    fmt::print("{} candidates in {} generations, {} failed; hypervolume {:.4f} to {:.4f}{}\n\n",
               r.evaluated, r.generations, r.failed, r.hypervolume.front(), r.hypervolume.back(),
               std::isnan(r.busy) ? "" : fmt::format("; workers busy {:.1f} %", 100 * r.busy));
    auto width = [](const std::string& name) { return std::max<size_t>(12, name.size() + 2); };
    for (auto& name : settings.objectives) fmt::print("{:>{}}", name, width(name));
    fmt::print("  genome\n");
    for (auto& m : r.front) {
      for (auto& name : settings.objectives)
        fmt::print("{:{}.{}f}", m.objectives.at(name), width(name), places(name));
      fmt::print("  {}{}\n", m.genome, m.violation > 0 ? "  breaks the bounds" : "");
    }
    if (r.front.empty()) return;
    std::vector<const Metrics*> judged;
    for (auto& m : r.front) judged.push_back(&m.metrics);
    fmt::print("\n{}", judged_text(judged));
    const std::string run = shell_word(path), star = shell_word(program);
    fmt::print("\nrun file    {}\n", run);
    if (!nearest_to_bounds(r.front))
      fmt::print("train one   {} train {} --out best.safetensors\n", star, run);
    bool named = settings.pool == "paper" || settings.pool == "extended";
    fmt::print("read one    {} genome show '{}' --pool {}\n", star, r.front[0].genome,
               named ? settings.pool : run);
    fmt::print("run again   {}\n", reproducing_command(settings, path, program));
    if (!report.empty()) fmt::print("report      {}\n", report);
  }
};

}  // namespace

void declare_search(CLI::App& app) {
  auto c = std::make_shared<SearchCommand>();
  SearchSettings& s = c->settings;
  CLI::App* sub = app.add_subcommand(
      "search",
      "Evolves architectures; without options, a few minutes on the program's own source");
  sub->add_option("--out", c->out, "The run file (default star.run, or the first free star-N.run)");
  sub->add_option("--resume", c->resume, "Goes on with a run file, under the settings it holds")
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
  sub->add_option("--population", s.population, "Genomes a generation")
      ->check(CLI::Range(2, 1 << 16))
      ->capture_default_str();
  sub->add_option("--generations", s.generations, "Generations, the initial one included")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  CLI::Option* lag =
      sub->add_option("--lag", c->lag,
                      "Breed steadily, from all results but this many latest ones, rather than by "
                      "generations; several times the workers keeps them busy")
          ->check(CLI::Range(0, 1 << 20));
  sub->add_option("--algorithm", s.algorithm, "How to evolve")
      ->check(CLI::IsMember(algorithm_names()))
      ->capture_default_str();
  sub->add_option("--crossover-points", s.crossover_points, "Where two parents are cut")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  sub->add_option("--mutation-rate", s.mutation_rate, "Share of the digits that are drawn anew")
      ->check(number_within(0, 1))
      ->capture_default_str();
  sub->add_option("--objectives", c->objectives,
                  fmt::format("What to minimise, of {}; a latency at the cache context, or as in "
                              "latency:decode@1000",
                              fmt::join(objective_names(), ", ")))
      ->capture_default_str();
  sub->add_option("--max", c->bounds, "A bound on an objective: params=500000; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  sub->add_option("--hv-ref", c->hv_reference,
                  "Where the hypervolume ends, if not at ln V for the quality and twice a "
                  "Transformer's value: quality=5,params=1e6")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  sub->add_option("--start", s.start, "Genomes or names that the initial population begins with")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  sub->add_option("--evolve", s.evolve, "Levels of the genome: backbone, operator, featurizer")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(CLI::IsMember({"backbone", "operator", "featurizer"}))
      ->capture_default_str();
  sub->add_option("--preset", c->preset, "paper: population 16, 18 generations, depth 24")
      ->check(CLI::IsMember({"paper"}));
  sub->add_option("--cache-context", s.cache_context,
                  "Tokens at which cache, latencies and memory are taken")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 40))
      ->capture_default_str();
  sub->add_option("--timeout", s.limits.cpu_seconds,
                  "Processor seconds a candidate may take; 0: any")
      ->check(number_from_zero())
      ->capture_default_str();
  sub->add_option("--memory-limit", c->memory_mib, "MiB a candidate may take; 0: any")
      ->check(number_from_zero())
      ->capture_default_str();
  sub->add_option("--workers", c->workers, "Candidates at a time; 0: one for each core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  c->common.declare(*sub);
  sub->callback([c, lag, root = &app] {
    c->program = root->get_name();
    c->steady = lag->count() > 0;
    c->run();
  });
}

}  // namespace star
