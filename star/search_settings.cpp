#include "star/search_settings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "star/objectives.h"
#include "star/promotion.h"

namespace star {
namespace {

// Calls f(name, field) for every setting, so that writing and reading cannot differ.
template <class Settings, class F>
void for_each_setting(Settings& s, const F& f) {
  f("seed", s.seed);
  f("algorithm", s.algorithm);
  f("population", s.population);
  f("generations", s.generations);
  f("lag", s.lag);
  f("rungs", s.rungs);
  f("keep", s.keep);
  f("screen", s.screen);
  f("reseed", s.reseed);
  f("crossover_points", s.crossover_points);
  f("mutation_rate", s.mutation_rate);
  f("min_depth", s.min_depth);
  f("max_depth", s.max_depth);
  f("pool", s.pool);
  f("evolve", s.evolve);
  f("start", s.start);
  f("objectives", s.objectives);
  f("bounds", s.bounds);
  f("hv_reference", s.hv_reference);
  f("cache_context", s.cache_context);
  f("width", s.sizes.width);
  f("heads", s.sizes.heads);
  f("vocab", s.sizes.vocab);
  f("seq", s.sizes.seq);
  f("window", s.sizes.window);
  f("steps", s.training.steps);
  f("batch", s.training.batch);
  f("lr", s.training.learning_rate);
  f("warmup", s.training.warmup);
  f("training_seed", s.training.seed);
  f("weight_decay", s.training.optimizer.weight_decay);
  f("clip", s.training.optimizer.clip);
  f("beta1", s.training.optimizer.beta1);
  f("beta2", s.training.optimizer.beta2);
  f("epsilon", s.training.optimizer.epsilon);
  f("validation_tokens", s.validation_tokens);
  f("memory_bytes", s.limits.memory_bytes);
  f("cpu_seconds", s.limits.cpu_seconds);
  f("wall_seconds", s.limits.wall_seconds);
  f("data_path", s.data_path);
  f("task", s.task);
  f("data_identity", s.data_identity);
  f("device", s.device);
  f("cpu_target", s.cpu_target);
  f("blas_core", s.blas_core);
}

template <class T>
void read_setting(const nlohmann::json& json, const char* name, T& field) {
  bool fits = true;
  if constexpr (std::is_integral_v<T>)  // which the library would cut down to size
    fits = json.is_number_unsigned()
               ? std::in_range<T>(json.get<uint64_t>())
               : json.is_number_integer() && std::in_range<T>(json.get<int64_t>());
  try {
    if (fits) json.get_to(field);
  } catch (const nlohmann::json::exception&) {
    fits = false;
  } catch (const Error& e) {
    fail("run file: {}", e.what());
  }
  require(fits, "run file: the setting `{}` is {}", name, json.dump());
}

// Collects options with their values.
class Options {
 public:
  void add(const char* name, const std::string& value) {
    list.push_back({name, {}});
    if (!value.empty()) list.back().values.push_back(value);
  }
  template <class T>
  requires std::is_arithmetic_v<T>
  void add(const char* name, T value) {
    add(name, fmt::format("{}", value));  // the shortest text that reads back as the number
  }
  void add(const char* name, const std::map<std::string, double>& values) {
    list.push_back({name, {}});
    for (auto& [key, value] : values)
      list.back().values.push_back(fmt::format("{}={}", key, value));
  }

  std::vector<FixedOption> list;
};

void add_evolution(Options& o, const SearchSettings& s) {
  auto joined = [](const auto& words) { return fmt::format("{}", fmt::join(words, ",")); };
  o.add("--data", s.data_path);
  o.add("--task", s.task);
  o.add("--pool", s.pool);
  o.add("--seed", s.seed);
  o.add("--algorithm", s.algorithm.name());
  o.add("--population", s.population);
  o.add("--generations", s.generations);
  o.add("--lag", s.lag == kByGenerations ? "" : fmt::format("{}", s.lag));
  o.add("--rungs", joined(s.rungs));
  o.add("--keep", s.keep);
  o.add("--screen", s.screen);
  o.add("--reseed", s.reseed);
  o.add("--crossover-points", s.crossover_points);
  o.add("--mutation-rate", s.mutation_rate);
  o.add("--depth", depth_text(s));
  o.add("--evolve", joined(s.evolve));
  o.list.push_back({"--start", s.start});
  o.add("--objectives", joined(s.objectives));
  o.add("--max", s.bounds);
  o.add("--hv-ref", s.hv_reference);
  o.add("--cache-context", s.cache_context);
}

void add_candidates(Options& o, const SearchSettings& s) {
  const TrainOptions& t = s.training;
  o.add("--width", s.sizes.width);
  o.add("--heads", s.sizes.heads);
  o.add("--seq", s.sizes.seq);
  o.add("--window", s.sizes.window);
  o.add("--steps", t.steps);
  o.add("--batch", t.batch);
  o.add("--lr", t.learning_rate);
  o.add("--warmup", t.warmup);
  o.add("--weight-decay", t.optimizer.weight_decay);
  o.add("--clip", t.optimizer.clip);
  o.add("--beta1", t.optimizer.beta1);
  o.add("--beta2", t.optimizer.beta2);
  o.add("--epsilon", t.optimizer.epsilon);
  o.add("--validation-tokens", s.validation_tokens);
  o.add("--timeout", s.limits.cpu_seconds);
  o.add("--device", s.device);
  o.add("--memory-limit", double(s.limits.memory_bytes) / (1 << 20));
}

template <class T>
void check_range(const char* name, const T& value, const T& least, const T& most) {
  // False for NaN.
  require(value >= least && value <= most, "search: the setting `{}` is {}, must be from {} to {}",
          name, value, least, most);
}

void check_evolution(const SearchSettings& s) {
  require(s.population > 1, "search: a population of {} cannot breed", s.population);
  check_range("population", s.population, 2, 1 << 16);
  check_range("generations", s.generations, 1, 1 << 20);
  check_range("lag", s.lag, kByGenerations, 1 << 20);
  check_range("screen", s.screen, 0, 1000);
  check_range("reseed", s.reseed, 0, 1000);
  check_range("crossover_points", s.crossover_points, 1, 1000);
  check_range("mutation_rate", s.mutation_rate, 0.0, 1.0);
  check_range("min_depth", s.min_depth, 1, 1000);
  check_range("max_depth", s.max_depth, s.min_depth, 1000);
  require(
      s.start.size() < 2 || std::find(s.start.begin(), s.start.end(), kNoStart) == s.start.end(),
      "search: --start {} is for no other genome beside it", kNoStart);
  require(!s.evolve.empty(), "search: no level of the genome evolves");
  for (auto& level : s.evolve)
    require(level == "backbone" || level == "operator" || level == "featurizer",
            "search: the level {} is not one of backbone, operator, featurizer", level);
}

void check_rungs(const SearchSettings& s) {
  int64_t before = 0;
  for (int64_t rung : s.rungs) {
    require(rung > before && rung < s.training.steps,
            "search: the rungs {} are not ascending steps of a training of {}",
            fmt::join(s.rungs, ","), s.training.steps);
    before = rung;
  }
  require(s.keep > 0 && s.keep <= 1, "search: the setting `keep` is {}, must be above 0, at most 1",
          s.keep);
  // What else is minimised is known before any training, or at its end.
  const auto& all = s.objectives;
  const bool judged = s.algorithm->by_first_objective
                          ? all[0] == "quality"
                          : std::find(all.begin(), all.end(), "quality") != all.end();
  require((s.rungs.empty() && s.screen == 0) || judged,
          "search: rungs and screening judge by the quality, which is no objective{}",
          s.algorithm->by_first_objective ? " that comes first" : "");
  check_range("candidates of a generation", cohort_sizes(s).front(), int64_t(1), int64_t(1) << 20);
}

void check_objectives(const SearchSettings& s) {
  require(!s.objectives.empty(), "search: no objective");
  // As one text, since a name in the list might itself be a list.
  const std::string text = fmt::format("{}", fmt::join(s.objectives, ","));
  require(parse_objectives(text) == s.objectives, "search: the objectives `{}` are no list", text);
  for (auto* values : {&s.bounds, &s.hv_reference})
    for (auto& [name, value] : *values) {
      parse_objective(name, values == &s.bounds ? "--max" : "--hv-ref");
      require(value > 0 && std::isfinite(value), "search: {}={} is not a positive number", name,
              value);
    }
  for (auto& [name, value] : s.hv_reference)
    require(std::find(s.objectives.begin(), s.objectives.end(), name) != s.objectives.end(),
            "--hv-ref: `{}` is no objective of this search", name);
  check_range("cache_context", s.cache_context, int64_t(1), int64_t(1) << 40);
}

void check_candidates(const SearchSettings& s) {
  constexpr double kMost = std::numeric_limits<double>::max(),
                   kLeast = std::numeric_limits<double>::denorm_min();
  check_sizes(s.sizes);
  const TrainOptions& t = s.training;
  check_range("steps", t.steps, int64_t(0), int64_t(1) << 40);
  check_range("batch", t.batch, 1, 1 << 20);
  check_range("lr", t.learning_rate, kLeast, kMost);
  check_range("warmup", t.warmup, 0.0, 1.0);
  check_range("weight_decay", t.optimizer.weight_decay, 0.0, kMost);
  check_range("clip", t.optimizer.clip, 0.0, kMost);
  check_range("beta1", t.optimizer.beta1, 0.0, 1.0);
  check_range("beta2", t.optimizer.beta2, 0.0, 1.0);
  check_range("epsilon", t.optimizer.epsilon, kLeast, kMost);
  check_range("validation_tokens", s.validation_tokens, kUnknownSample, int64_t(1) << 40);
  check_range("cpu_seconds", s.limits.cpu_seconds, 0.0, kMost);
  check_range("wall_seconds", s.limits.wall_seconds, 0.0, kMost);
  require(s.device == "cpu" || s.device == "cuda", "search: the device {} is not cpu or cuda",
          s.device);
}

}  // namespace

void check_settings(const SearchSettings& settings) {
  check_evolution(settings);
  check_objectives(settings);
  check_candidates(settings);
  check_rungs(settings);
}

std::string depth_text(const SearchSettings& s) {
  return s.min_depth == s.max_depth ? fmt::format("{}", s.min_depth)
                                    : fmt::format("{}-{}", s.min_depth, s.max_depth);
}

std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./,:=@%+";
  if (!text.empty() && text.find_first_not_of(kPlain) == text.npos) return text;
  std::string word = "'";
  for (char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

std::string shell_path(const std::string& path) {
  return shell_word(path.starts_with('-') ? "./" + path : path);
}

std::vector<FixedOption> fixed_options(const SearchSettings& settings) {
  Options options;
  add_evolution(options, settings);
  add_candidates(options, settings);
  return options.list;
}

std::string reproducing_command(const SearchSettings& s, const std::string& run,
                                const std::string& program) {
  SearchSettings usual;
  usual.task = s.data_path.empty() ? "source" : "";
  usual.sizes.seq = 0;  // its default depends on the data
  SearchSettings meant = s;
  if (s.pool != "paper" && s.pool != "extended") meant.pool = run;
  const std::vector<FixedOption> defaults = fixed_options(usual), options = fixed_options(meant);
  std::string command = shell_word(program) + " search";
  for (size_t i = 0; i < options.size(); ++i)
    for (auto& value : options[i].values)
      if (options[i].values != defaults[i].values)
        command += fmt::format(" {} {}", options[i].name, shell_word(value));
  return command;
}

std::string settings_to_json(const SearchSettings& settings) {
  nlohmann::ordered_json json;
  for_each_setting(settings, [&](const char* name, const auto& field) { json[name] = field; });
  try {
    return json.dump(2);
  } catch (const nlohmann::json::type_error&) {
    fail("run file: cannot hold `{}`, a path that is no UTF-8", settings.data_path);
  }
}

SearchSettings settings_from_json(const std::string& text) {
  const nlohmann::json json = parse_json(text, "run file: the text of its settings");
  require(json.is_object(), "run file: the settings are not a JSON object");
  SearchSettings settings;
  settings.validation_tokens = kUnknownSample;
  for_each_setting(settings, [&](const char* name, auto& field) {
    const bool known = json.contains(name);
    // What a run file is older than: its device was the CPU, its losses were judged otherwise.
    static const std::set<std::string_view> kNewer = {
        "device", "validation_tokens", "rungs", "keep", "screen", "reseed"};
    require(known || kNewer.count(name), "run file: the setting `{}` is missing", name);
    if (known) read_setting(json.at(name), name, field);
  });
  try {
    check_settings(settings);
  } catch (const Error& e) {
    fail("run file: {}", e.what());
  }
  return settings;
}

}  // namespace star
