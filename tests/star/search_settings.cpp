#include "star/search_settings.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "core/error.h"
#include "core/json.h"
#include "star/settings_table.h"

using namespace star;

using namespace star::synthesis;

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
  CHECK(settings_from_json(without("device_target")).device_target == "");
  CHECK(settings_from_json(without("schedule")).training.schedule == "cosine");
  CHECK(settings_from_json(without("decay")).training.decay == 0.2);
  CHECK(settings_from_json(without("accumulate")).training.accumulate == 1);
  CHECK(settings_from_json(without("math")).training.math == "fp32");
  CHECK(settings_from_json(without("keep")).keep == 1);
  CHECK(settings_from_json(without("screen")).screen == 0);
  CHECK(settings_from_json(without("reseed")).reseed == 0);
  CHECK(settings_from_json(without("rungs")).rungs.empty());
  CHECK(settings_from_json(without("validation_tokens")).validation_tokens == kUnknownSample);
  CHECK_THROWS_WITH_AS(settings_from_json(without("width")),
                       "run file: the setting `width` is missing", Error);
}

namespace {

// Another value of a field, that its row and the other settings allow.
void change(const Setting& row, double&, nlohmann::json& value) {
  for (double x : {0.5, 1.5, 0.25})
    if (row.range.holds(x) && value.get<double>() != x) return void(value = x);
}
template <class T>
requires std::is_integral_v<T>
void change(const Setting& row, T&, nlohmann::json& value) {
  const auto x = value.get<int64_t>();
  // The width has to be a multiple of the heads, the largest depth at least the smallest.
  const std::string name = row.name;
  value = name == "width" || name == "heads" ? 2 * x : name == "min_depth" ? x - 1 : x + 1;
}
void change(const Setting& row, std::string&, nlohmann::json& value) {
  value = row.words.empty() ? "another" : row.words.back();
}
void change(const Setting& row, std::vector<std::string>&, nlohmann::json& value) {
  value = {row.words.empty() ? "another" : row.words.back()};
}
void change(const Setting&, std::vector<int64_t>&, nlohmann::json& value) { value = {30}; }
void change(const Setting&, std::vector<Objective>&, nlohmann::json& value) { value = {"quality"}; }
void change(const Setting&, Bounds&, nlohmann::json& value) { value = {{"params", 1.5}}; }
void change(const Setting&, std::vector<EarlierBounds>&, nlohmann::json& value) {
  value = {{{"generations", 2}, {"bounds", {{"params", 1.5}}}}};
}
template <class Row>
void change(const Setting&, Named<Row>&, nlohmann::json& value) {
  value = Named<Row>::names().back();
}

// The settings with one of them changed.
SearchSettings with_another(const std::string& name) {
  nlohmann::json json = parse_json(settings_to_json(SearchSettings()), "settings");
  SearchSettings usual;
  for_each_setting([&](const Setting& row, const auto& field) {
    if (name == row.name) change(row, field(usual), json.at(name));
  });
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
  const std::set<std::string> kWithout = {"vocab",          "training_seed", "wall_seconds",
                                          "cpu_target",     "blas_core",     "data_identity",
                                          "earlier_bounds", "device_target", "decoder"};
  const nlohmann::json json = parse_json(settings_to_json(SearchSettings()), "settings");
  for (auto& [name, value] : json.items()) {
    CAPTURE(name);
    const bool seen = texts(with_another(name)) != texts(SearchSettings());
    CHECK(seen == (kWithout.count(name) == 0));
    SearchSettings changed = with_another(name);
    // Those that another option gives an effect are said beside that one.
    SearchSettings usual;
    if (name == "keep") usual.rungs = changed.rungs = {1};
    if (name == "decay") usual.training.schedule = changed.training.schedule = "wsd";
    if (seen && name != "task" && name != "pool")
      CHECK(reproducing_command(changed, "x.run") != reproducing_command(usual, "x.run"));
  }
  // Alone they would be refused.
  for (const char* name : {"keep", "decay"})
    CHECK(reproducing_command(with_another(name), "x.run") ==
          reproducing_command(SearchSettings(), "x.run"));
}

TEST_CASE("a candidate's time is the processor's, and on a device the clock's") {
  SearchSettings settings;
  settings.limits.cpu_seconds = 7;
  settings.limits.wall_seconds = 70;
  CHECK(worker_limits(settings).cpu_seconds == 7);
  CHECK(worker_limits(settings).wall_seconds == 70);
  for (const char* device : {"cuda", "cuda:3"}) {
    settings.device = device;
    CHECK(settings_from_json(settings_to_json(settings)).device == device);
    CHECK(worker_limits(settings).cpu_seconds == 0);
    CHECK(worker_limits(settings).wall_seconds == 7);
    CHECK(worker_limits(settings).memory_bytes == settings.limits.memory_bytes);
  }
  for (const char* none : {"cuda:", "cuda:-1", "cuda:x", "cuda1", "gpu"}) {
    settings.device = none;
    CHECK_THROWS_WITH_AS(settings_from_json(settings_to_json(settings)),
                         doctest::Contains("the setting `device` is"), Error);
  }
}

TEST_CASE("the command that makes a run again") {
  SearchSettings settings;
  settings.task = "source";
  CHECK(reproducing_command(settings, "a.run") == "star search --seq 128");
  settings.task = "mqar:D=8,L=64";
  settings.seed = settings.training.seed = 3;
  settings.lag = 0;
  settings.min_depth = 4;
  settings.start = {"11111-91111|1:12133"};
  settings.objectives = {"latency:decode@64", "quality"};
  settings.bounds = {{"params", 1e6}};
  settings.hv_reference = {{"quality", 2.5}};
  settings.training.learning_rate = 0.003;
  settings.pool = "class …";
  CHECK(reproducing_command(settings, "it's a.run", "./star") ==
        "./star search --task mqar:D=8,L=64 --pool 'it'\\''s a.run' --seed 3 --lag 0 --depth 4-8 "
        "--start '11111-91111|1:12133' --objectives latency:decode@64,quality --max params=1000000 "
        "--hv-ref quality=2.5 --seq 128 --lr 0.003");
  settings = {};
  settings.task = "source";
  settings.start = {kNoStart};
  CHECK(reproducing_command(settings, "a.run") == "star search --start none --seq 128");
  settings.generations = 9;
  settings.bounds = {{"cache", 5e6}, {"params", 1e5}};
  settings.earlier_bounds = {{3, {{"params", 2e5}}}, {6, {}}};
  CHECK(reproducing_command(settings, "a.run", "./star") ==
        "./star search --generations 3 --start none --max params=200000 --seq 128 --out again.run"
        " && ./star search --resume again.run --generations 6 --max none"
        " && ./star search --resume again.run --generations 9 --max cache=5000000 --max "
        "params=100000");
  CHECK(shell_path("-x.run") == "./-x.run");
  CHECK(shell_path("--a b.run") == "'./--a b.run'");
  CHECK(shell_path("a/-x.run") == "a/-x.run");
}
