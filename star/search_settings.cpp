#include "star/search_settings.h"

#include <nlohmann/json.hpp>

#include "core/error.h"

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

}  // namespace

std::string settings_to_json(const SearchSettings& settings) {
  nlohmann::ordered_json json;
  for_each_setting(settings, [&](const char* name, const auto& field) { json[name] = field; });
  return json.dump(2);
}

SearchSettings settings_from_json(const std::string& text) {
  auto json = nlohmann::json::parse(text, nullptr, false);
  require(json.is_object(), "run file: the settings are not a JSON object");
  SearchSettings settings;
  for_each_setting(settings, [&](const char* name, auto& field) {
    require(json.contains(name), "run file: the setting `{}` is missing", name);
    try {
      json.at(name).get_to(field);
    } catch (const nlohmann::json::exception&) {
      fail("run file: the setting `{}` is {}", name, json.at(name).dump());
    }
  });
  return settings;
}

}  // namespace star
