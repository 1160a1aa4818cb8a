#include "star/objectives.h"

#include <doctest/doctest.h>

#include "tests/liv/models.h"

namespace star {
namespace {

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("objectives: lists of names, in the order given") {
  using Names = std::vector<std::string>;
  CHECK(parse_objectives("quality") == Names{"quality"});
  CHECK(parse_objectives("flops,quality,cache,params") ==
        Names{"flops", "quality", "cache", "params"});
  for (const char* text :
       {"", ",", "quality,", ",quality", "Quality", "quality params", "size", "quality,,params"}) {
    INFO(std::string(text));
    CHECK(error_of([&] { parse_objectives(text); }).find("unknown objective") != std::string::npos);
  }
  CHECK(error_of([] { parse_objectives("params,quality,params"); }).find("`params`") !=
        std::string::npos);
  CHECK(error_of([] { parse_objectives("size"); }).find("`size`") != std::string::npos);
}

TEST_CASE("objectives: a latency names what it is of, and where") {
  auto parsed = [](const std::string& name) { return parse_objective(name, "--objectives"); };
  CHECK(parsed("latency") == Objective{Objective::decode, 0});
  CHECK(parsed("latency:decode") == Objective{Objective::decode, 0});
  CHECK(parsed("latency:prefill@512") == Objective{Objective::prefill, 512});
  CHECK(parsed("latency@1") == Objective{Objective::decode, 1});
  CHECK(parse_objectives("latency:decode@16,quality,latency:decode") ==
        std::vector<std::string>{"latency:decode@16", "quality", "latency:decode"});
  for (const char* text : {"latency@", "latency@0", "latency@-1", "latency@1.5", "latency@9e9",
                           "latency@99999999999999999999", "latency@5@6", "latency@5 ", "cache@5",
                           "memory@5", "quality@5"}) {
    INFO(std::string(text));
    CHECK(error_of([&] { parsed(text); }).find("latency:decode@4096") != std::string::npos);
  }
  CHECK(error_of([&] { parsed("latency:encode"); }).find("unknown") != std::string::npos);
  // Two names for one thing.
  CHECK(error_of([] { parse_objectives("latency,latency:decode"); }).find("twice") !=
        std::string::npos);
  std::string measured;
  for (auto& name : objective_names()) measured += parsed(name).measured() ? name + " " : "";
  CHECK(measured == "latency latency:prefill latency:decode memory ");
}

TEST_CASE("objectives: bounds are positive numbers of known objectives") {
  CHECK(parse_value("params=500000", "--max") == std::pair<std::string, double>{"params", 500000});
  CHECK(parse_value("quality=1.25", "--max") == std::pair<std::string, double>{"quality", 1.25});
  CHECK(parse_value("flops=2e9", "--max") == std::pair<std::string, double>{"flops", 2e9});
  for (const char* text : {"", "params", "params=", "=5", "params=x", "params=5x", "params= 5",
                           "params=0", "params=-1", "params=nan", "params=5=6", "size=5",
                           "params=1e999", "params=inf", "latency:=3", "params@5=3"}) {
    INFO(std::string(text));
    CHECK(error_of([&] { parse_value(text, "--max"); }).find("--max") == 0);
  }
}

TEST_CASE("objectives: what is known of a model without running it") {
  const Pool pool = extended_pool();
  Backbone model(nullptr, compile(parse("11111-91111", pool), pool), {8, 2, 7, 6, 3});
  Metrics metrics = static_metrics(model, 50);
  CHECK(metrics.at("params") == 7 * 8 + 3 * 8 + 4 * 64 + 3 * 8 * 24);
  CHECK(metrics.at("body_params") == metrics.at("params") - 7 * 8);
  CHECK(metrics.at("cache") == 4 * 2 * 8 * 50);
  CHECK(metrics.at("flops") == model.training_flops());
}

TEST_CASE("objectives: the fitness holds the objectives in order, and the excess over the bounds") {
  const Metrics metrics = {{"quality", 2}, {"params", 150}, {"cache", 30}, {"flops", 7}};
  Fitness free = fitness_of(metrics, {"params", "quality"}, {});
  CHECK(free.objectives == std::vector<double>{150, 2});
  CHECK(free.violation == 0);
  CHECK_FALSE(free.failed);
  CHECK(fitness_of(metrics, {"quality"}, {{"params", 150}}).violation == 0);
  CHECK(fitness_of(metrics, {"quality"}, {{"params", 100}}).violation == doctest::Approx(0.5));
  // What keeps its bound does not make up for what exceeds it.
  CHECK(fitness_of(metrics, {"quality"}, {{"params", 100}, {"cache", 10}, {"flops", 100}})
            .violation == doctest::Approx(0.5 + 2));
  CHECK_THROWS_WITH_AS(fitness_of({}, {"quality"}, {}),
                       "search: a candidate has no value of quality", Error);
}

TEST_CASE("objectives: all names are known to both parsers") {
  for (const std::string& name : objective_names()) {
    CHECK(parse_objectives(name).size() == 1);
    CHECK(parse_value(name + "=1", "--max").first == name);
  }
}

}  // namespace star
