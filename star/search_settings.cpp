#include "star/search_settings.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "star/settings_table.h"

namespace star::synthesis {
namespace {

// Fields as JSON, where that is not what the library makes of them.
template <class T>
nlohmann::json json_of(const T& field) {
  return field;
}
nlohmann::json json_of(const Bounds& bounds) {
  nlohmann::json json = nlohmann::json::object();
  for (auto& [objective, value] : bounds) json[objective.name()] = value;
  return json;
}

nlohmann::json json_of(const std::vector<EarlierBounds>& all) {
  nlohmann::json json = nlohmann::json::array();
  for (auto& [generations, bounds] : all)
    json.push_back({{"generations", generations}, {"bounds", json_of(bounds)}});
  return json;
}

template <class T>
void read_field(const nlohmann::json& json, const Setting&, T& field) {
  json.get_to(field);
}
void read_field(const nlohmann::json& json, const Setting& row, Bounds& bounds) {
  for (auto& [name, value] : json.get<std::map<std::string, double>>())
    bounds[Objective(name, row.option)] = value;
}
void read_field(const nlohmann::json& json, const Setting& row, std::vector<EarlierBounds>& all) {
  all.clear();
  for (auto& earlier : json) {
    all.push_back({earlier.at("generations").get<int>(), {}});
    read_field(earlier.at("bounds"), row, all.back().bounds);
  }
}
void read_field(const nlohmann::json& json, const Setting& row, std::vector<Objective>& list) {
  list.clear();
  for (auto& name : json.get<std::vector<std::string>>()) list.emplace_back(name, row.option);
}

template <class T>
void read_setting(const nlohmann::json& json, const Setting& row, T& field) {
  bool fits = true;
  if constexpr (std::is_integral_v<T>)  // which the library would cut down to size
    fits = json.is_number_unsigned()
               ? std::in_range<T>(json.get<uint64_t>())
               : json.is_number_integer() && std::in_range<T>(json.get<int64_t>());
  try {
    if (fits) read_field(json, row, field);
  } catch (const nlohmann::json::exception&) {
    fits = false;
  }
  require(fits, "the setting `{}` is {}", row.name, json.dump());
}

// Of what a text is older than the default holds: its device was the CPU, its schedule a cosine.
template <class T>
void take_setting(const nlohmann::json& json, const Setting& row, T& field) {
  const bool known = json.contains(row.name);
  require(known || row.newer, "the setting `{}` is missing", row.name);
  if (known) read_setting(json.at(row.name), row, field);
}

// The option's values for a field.
std::vector<std::string> values_of(const std::string& text) {
  return text.empty() ? std::vector<std::string>() : std::vector<std::string>{text};
}
template <class T>
std::vector<std::string> values_of(const std::vector<T>& list) {
  return values_of(fmt::format("{}", fmt::join(list, ",")));
}
std::vector<std::string> values_of(const Bounds& bounds) {
  std::vector<std::string> values;
  for (auto& [objective, value] : bounds) values.push_back(fmt::format("{}={}", objective, value));
  return values;
}
// It has no option: they were --max of the run until it went on.
std::vector<std::string> values_of(const std::vector<EarlierBounds>&) { return {}; }
template <class T>
std::vector<std::string> values_of(const T& field) {
  return {fmt::format("{}", field)};  // of a number the shortest text that reads back as it
}

void check_word(const Setting& row, const std::string& word) {
  const auto& all = row.words;
  const bool known = std::find(all.begin(), all.end(), word) != all.end();
  require(all.empty() || known || (row.other && row.other(word)),
          "the setting `{}` is {}, must be one of {}", row.name, word, fmt::join(all, ", "));
}

void check_bounds(const Bounds& bounds) {
  for (auto& [objective, value] : bounds)
    require(value > 0 && std::isfinite(value), "{}={} is not a positive number", objective, value);
}

template <class T>
void check_field(const Setting& row, const T& field) {
  if constexpr (std::is_arithmetic_v<T>) {
    require(row.range.holds(double(field)), "the setting `{}` is {}, must be {}", row.name, field,
            row.range.words());
  } else if constexpr (std::is_same_v<T, std::string>) {
    check_word(row, field);
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    for (auto& word : field) check_word(row, word);
  } else if constexpr (std::is_same_v<T, Bounds>) {
    check_bounds(field);
  }
}

void check_evolution(const SearchSettings& s) {
  require(s.min_depth <= s.max_depth,
          "search: the setting `max_depth` is {}, must be from {} to 1000", s.max_depth,
          s.min_depth);
  require(
      s.start.size() < 2 || std::find(s.start.begin(), s.start.end(), kNoStart) == s.start.end(),
      "search: --start {} is for no other genome beside it", kNoStart);
  require(!s.evolve.empty(), "search: no level of the genome evolves");
}

void check_earlier_bounds(const SearchSettings& s) {
  int before = 0;
  for (auto& [generations, bounds] : s.earlier_bounds) {
    require(generations > before && generations <= s.generations,
            "search: bounds changed after {} generations, after {} and of {}", generations, before,
            s.generations);
    before = generations;
    check_bounds(bounds);
  }
}

void check_rungs(const SearchSettings& s) {
  int64_t before = 0;
  for (int64_t rung : s.rungs) {
    require(rung > before && rung < s.training.steps,
            "search: the rungs {} are not ascending steps of a training of {}",
            fmt::join(s.rungs, ","), s.training.steps);
    before = rung;
  }
  // What else is minimised is known before any training, or at its end.
  const auto& all = s.objectives;
  const bool judged = s.algorithm->by_first_objective
                          ? all[0] == Objective::quality()
                          : std::find(all.begin(), all.end(), Objective::quality()) != all.end();
  require((s.rungs.empty() && s.screen == 0) || judged,
          "search: rungs and screening judge by the quality, which is no objective{}",
          s.algorithm->by_first_objective ? " that comes first" : "");
  const int64_t most = int64_t(1) << 20, bred = s.cohort_sizes().front();
  require(bred >= 1 && bred <= most,
          "search: the setting `candidates of a generation` is {}, must be from 1 to {}", bred,
          most);
}

void check_objectives(const SearchSettings& s) {
  require(!s.objectives.empty(), "search: no objective");
  check_distinct(s.objectives);
  for (auto& [option, values] :
       {std::pair("--hv-ref", &s.hv_reference), std::pair("--until", &s.until)})
    for (auto& [objective, value] : *values)
      require(std::find(s.objectives.begin(), s.objectives.end(), objective) != s.objectives.end(),
              "{}: `{}` is no objective of this search", option, objective);
}

}  // namespace

void check_settings(const SearchSettings& settings) {
  check_sizes(settings.sizes);
  try {
    for_each_setting(
        [&](const Setting& row, const auto& field) { check_field(row, field(settings)); });
  } catch (const Error& e) {
    fail("search: {}", e.what());
  }
  require(settings.training.accumulate <= settings.training.batch,
          "search: the setting `accumulate` is {}, must be from 1 to the batch, {}",
          settings.training.accumulate, settings.training.batch);
  check_evolution(settings);
  check_objectives(settings);
  check_rungs(settings);
  check_earlier_bounds(settings);
}

std::vector<int64_t> SearchSettings::cohort_sizes() const {
  constexpr double kRounding = 1e-9;  // of 3 / 0.3
  std::vector<int64_t> cohorts = {population};
  for (size_t rung = 0; rung < rungs.size(); ++rung) {
    const double above = std::ceil(double(cohorts.back()) / keep - kRounding);
    cohorts.push_back(int64_t(std::min(above, 0x1p40)));
  }
  std::reverse(cohorts.begin(), cohorts.end());
  return cohorts;
}

int64_t SearchSettings::trainings_of_generation() const {
  const std::vector<int64_t> cohorts = cohort_sizes();
  return std::accumulate(cohorts.begin(), cohorts.end(), int64_t(0));
}

const Bounds& SearchSettings::bounds_of(int generation) const {
  for (auto& earlier : earlier_bounds)
    if (generation < earlier.generations) return earlier.bounds;
  return bounds;
}

std::vector<std::string> lag_values(const SearchSettings& s) {
  return values_of(s.lag == kByGenerations ? "" : fmt::format("{}", s.lag));
}
std::vector<std::string> depth_values(const SearchSettings& s) { return {depth_text(s)}; }
std::vector<std::string> start_values(const SearchSettings& s) { return s.start; }
std::vector<std::string> memory_values(const SearchSettings& s) {
  return {fmt::format("{}", double(s.limits.memory_bytes) / (1 << 20))};
}

std::vector<std::string> vocab_values(const SearchSettings& s) {
  return values_of(s.data_vocab == 0 ? "" : fmt::format("{}", s.data_vocab));
}

Limits worker_limits(const SearchSettings& s) {
  Limits limits = s.limits;
  if (!is_cuda(s.device)) return limits;
  limits.wall_seconds = limits.cpu_seconds;
  limits.cpu_seconds = 0;
  return limits;
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
  std::vector<FixedOption> options;
  for_each_setting([&](const Setting& row, const auto& field) {
    if (*row.option)
      options.push_back(
          {row.option, row.values ? row.values(settings) : values_of(field(settings))});
  });
  return options;
}

namespace {

std::string search_command(const SearchSettings& s, const std::string& run,
                           const std::string& program) {
  SearchSettings usual;
  usual.task = s.data_path.empty() ? "source" : "";
  usual.sizes.seq = 0;  // its default depends on the data
  SearchSettings meant = s;
  if (s.pool != "paper" && s.pool != "extended") meant.pool = run;
  const std::vector<FixedOption> defaults = fixed_options(usual), options = fixed_options(meant);
  std::set<std::string> said;
  for (size_t i = 0; i < options.size(); ++i)
    if (options[i].values != defaults[i].values) said.insert(options[i].name);
  for_each_setting([&](const Setting& row, const auto&) {  // what has no effect is refused
    if (*row.beside && !said.count(row.beside)) said.erase(row.option);
  });
  std::string command = shell_word(program) + " search";
  for (auto& option : options)
    for (auto& value : option.values)
      if (said.count(option.name)) command += fmt::format(" {} {}", option.name, shell_word(value));
  return command;
}

}  // namespace

std::string reproducing_command(const SearchSettings& s, const std::string& run,
                                const std::string& program) {
  if (s.earlier_bounds.empty()) return search_command(s, run, program);
  constexpr const char* kAgain = "again.run";
  SearchSettings first = s;
  first.generations = s.earlier_bounds[0].generations;
  first.bounds = s.earlier_bounds[0].bounds;
  std::string command = search_command(first, run, program) + fmt::format(" --out {}", kAgain);
  for (size_t i = 1; i <= s.earlier_bounds.size(); ++i) {
    const bool last = i == s.earlier_bounds.size();
    const auto& [generations, bounds] =
        last ? EarlierBounds{s.generations, s.bounds} : s.earlier_bounds[i];
    command += fmt::format(" && {} search --resume {} --generations {}", shell_word(program),
                           kAgain, generations);
    if (bounds.empty()) command += fmt::format(" --max {}", kNoBounds);
    for (auto& value : values_of(bounds)) command += fmt::format(" --max {}", value);
  }
  return command;
}

std::string settings_to_json(const SearchSettings& settings) {
  nlohmann::ordered_json json;
  for_each_setting(
      [&](const Setting& row, const auto& field) { json[row.name] = json_of(field(settings)); });
  try {
    return json.dump(2);
  } catch (const nlohmann::json::type_error&) {
    fail("run file: cannot hold `{}`, a path that is no UTF-8", settings.data_path);
  }
}

nlohmann::ordered_json training_to_json(const TrainOptions& options) {
  nlohmann::ordered_json json;
  for_each_training_setting(
      [&](const Setting& row, const auto& field) { json[row.name] = json_of(field(options)); });
  return json;
}

TrainOptions training_from_json(const nlohmann::json& json) {
  TrainOptions options;
  for_each_training_setting([&](const Setting& row, const auto& field) {
    take_setting(json, row, field(options));
    check_field(row, field(options));
  });
  return options;
}

SearchSettings settings_from_json(const std::string& text) {
  const nlohmann::json json = parse_json(text, "run file: the text of its settings");
  require(json.is_object(), "run file: the settings are not a JSON object");
  SearchSettings settings;
  settings.validation_tokens = kUnknownSample;
  try {
    for_each_setting(
        [&](const Setting& row, const auto& field) { take_setting(json, row, field(settings)); });
    check_settings(settings);
  } catch (const Error& e) {
    fail("run file: {}", e.what());
  }
  return settings;
}

}  // namespace star::synthesis
