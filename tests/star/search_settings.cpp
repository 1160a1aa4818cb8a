#include "star/search_settings.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>

#include "core/error.h"
#include "core/json.h"

using namespace star;

namespace {

// The settings as JSON without one line, that of `name`.
std::string without(const std::string& name) {
  std::string text = settings_to_json(SearchSettings());
  size_t begin = text.find("  \"" + name + "\"");
  return text.erase(begin, text.find('\n', begin) + 1 - begin);
}

}  // namespace

TEST_CASE("a run file from before a setting says so, every other setting must be there") {
  CHECK(settings_from_json(without("device")).device == "cpu");
  CHECK(settings_from_json(without("keep")).keep == 1);
  CHECK(settings_from_json(without("screen")).screen == 0);
  CHECK(settings_from_json(without("reseed")).reseed == 0);
  CHECK(settings_from_json(without("rungs")).rungs.empty());
  CHECK(settings_from_json(without("validation_tokens")).validation_tokens == kUnknownSample);
  CHECK_THROWS_WITH_AS(settings_from_json(without("width")),
                       "run file: the setting `width` is missing", Error);
}

namespace {

// The settings with one of them changed.
SearchSettings with_another(const std::string& name) {
  // Where any other value would not do.
  static const std::map<std::string, nlohmann::json> kValues = {{"algorithm", "random"},
                                                                {"evolve", {"operator"}},
                                                                {"objectives", {"quality"}},
                                                                {"bounds", {{"params", 1.5}}},
                                                                {"hv_reference", {{"params", 1.5}}},
                                                                {"device", "cuda"},
                                                                {"lag", 3},
                                                                {"rungs", {30}},
                                                                {"keep", 0.5},
                                                                {"min_depth", 7},
                                                                {"width", 128},
                                                                {"heads", 8},
                                                                {"start", {"another"}}};
  nlohmann::json json = parse_json(settings_to_json(SearchSettings()), "settings");
  nlohmann::json& value = json.at(name);
  if (auto known = kValues.find(name); known != kValues.end())
    value = known->second;
  else if (value.is_string())
    value = "another";
  else
    value = value.get<int64_t>() + 1;
  return settings_from_json(json.dump());
}

std::vector<std::string> texts(const SearchSettings& settings) {
  std::vector<std::string> all;
  for (auto& option : fixed_options(settings))
    all.push_back(fmt::format("{} {}", option.name, fmt::join(option.values, " ")));
  return all;
}

}  // namespace

TEST_CASE("every setting has its option, but those that follow from others or from the machine") {
  const std::set<std::string> kWithout = {"vocab",      "training_seed", "wall_seconds",
                                          "cpu_target", "blas_core",     "data_identity"};
  const nlohmann::json json = parse_json(settings_to_json(SearchSettings()), "settings");
  for (auto& [name, value] : json.items()) {
    CAPTURE(name);
    const bool seen = texts(with_another(name)) != texts(SearchSettings());
    CHECK(seen == (kWithout.count(name) == 0));
    SearchSettings changed = with_another(name);
    if (seen && name != "task" && name != "pool")
      CHECK(reproducing_command(changed, "x.run") !=
            reproducing_command(SearchSettings(), "x.run"));
  }
}
