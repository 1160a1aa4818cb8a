#include "star/search_settings.h"

#include <utility>

#include "core/error.h"
#include "core/json.h"

namespace star {
namespace {

// Calls f(name, field) for every setting, so that writing and reading cannot differ.
template <class Settings, class F>
void for_each_setting(Settings& s, const F& f) {
  f("seed", s.seed);
  f("algorithm", s.algorithm);
  f("population", s.population);
  f("generations", s.generations);
  f("min_depth", s.min_depth);
  f("max_depth", s.max_depth);
  f("pool", s.pool);
  f("evolve", s.evolve);
  f("start", s.start);
  f("objectives", s.objectives);
  f("bounds", s.bounds);
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
  f("memory_bytes", s.limits.memory_bytes);
  f("cpu_seconds", s.limits.cpu_seconds);
  f("wall_seconds", s.limits.wall_seconds);
  f("data_path", s.data_path);
  f("task", s.task);
  f("data_identity", s.data_identity);
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
  }
  require(fits, "run file: the setting `{}` is {}", name, json.dump());
}

}  // namespace

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
  const nlohmann::json json = parse_json(text, "run file: the settings");
  require(json.is_object(), "run file: the settings are not a JSON object");
  SearchSettings settings;
  for_each_setting(settings, [&](const char* name, auto& field) {
    require(json.contains(name), "run file: the setting `{}` is missing", name);
    read_setting(json.at(name), name, field);
  });
  return settings;
}

}  // namespace star
