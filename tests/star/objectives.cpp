#include "star/objectives.h"

#include <doctest/doctest.h>

#include "tests/liv/models.h"

namespace star::synthesis {
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
  CHECK(names_of(parse_objectives("quality")) == Names{"quality"});
  CHECK(names_of(parse_objectives("flops,quality,cache,params")) ==
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
  CHECK(Objective("latency").same_as("latency:decode"));
  CHECK_FALSE(Objective("latency") == Objective("latency:decode"));
  CHECK_FALSE(Objective("latency").same_as("latency:prefill"));
  CHECK_FALSE(Objective("latency").same_as("latency:decode@5"));
  CHECK(Objective("latency").context() == 0);
  CHECK(Objective("latency:prefill@512").context() == 512);
  CHECK(Objective("latency@1").same_as("latency:decode@1"));
  CHECK(names_of(parse_objectives("latency:decode@16,quality,latency:decode")) ==
        std::vector<std::string>{"latency:decode@16", "quality", "latency:decode"});
  for (const char* text : {"latency@", "latency@0", "latency@-1", "latency@1.5", "latency@9e9",
                           "latency@99999999999999999999", "latency@5@6", "latency@5 ", "cache@5",
                           "memory@5", "quality@5"}) {
    INFO(std::string(text));
    CHECK(error_of([&] { Objective{text}; }).find("latency:decode@4096") != std::string::npos);
  }
  CHECK(error_of([] { Objective("latency:encode"); }).find("unknown") != std::string::npos);
  // Two names for one thing.
  CHECK(error_of([] { parse_objectives("latency,latency:decode"); }).find("twice") !=
        std::string::npos);
  CHECK(names_of(Objective::all_measured()) ==
        std::vector<std::string>{"memory", "latency:prefill", "latency:decode"});
  CHECK(Objective::of_metric("latency:decode@7:spread")->name() == "latency:decode@7");
  CHECK_FALSE(Objective::of_metric("body_params").has_value());
}

TEST_CASE("objectives: bounds are positive numbers of known objectives") {
  CHECK(parse_value("params=500000", "--max") == std::pair<Objective, double>{"params", 500000});
  CHECK(parse_value("quality=1.25", "--max") == std::pair<Objective, double>{"quality", 1.25});
  CHECK(parse_value("flops=2e9", "--max") == std::pair<Objective, double>{"flops", 2e9});
  for (const char* text : {"", "params", "params=", "=5", "params=x", "params=5x", "params= 5",
                           "params=0", "params=-1", "params=nan", "params=5=6", "size=5",
                           "params=1e999", "params=inf", "latency:=3", "params@5=3"}) {
    INFO(std::string(text));
    CHECK(error_of([&] { parse_value(text, "--max"); }).find("--max") == 0);
  }
}

TEST_CASE("objectives: each is what its definition says of a model, or is measured of it") {
  const Pool pool = extended_pool();
  const Backbone model(nullptr, compile(parse("11111-91111", pool), pool), {8, 2, 7, 6, 3});
  const double params = 7 * 8 + 3 * 8 + 4 * 64 + 3 * 8 * 24;
  const std::map<std::string, double> counted = {
      {"params", params}, {"cache", 4 * 2 * 8 * 50}, {"flops", model.training_flops()}};
  const Metrics metrics = static_metrics(model, 50);
  CHECK(metrics.at("body_params") == params - 7 * 8);
  for (auto& row : Objective::rows()) {
    CAPTURE(row.name);
    const bool trained = Objective(row.name) == Objective::quality();
    CHECK(int(row.count != nullptr) + int(row.measure != nullptr) + int(trained) == 1);
    CHECK(bool(counted.count(row.name)) == bool(row.count));
    if (row.count) CHECK(metrics.at(row.name) == counted.at(row.name));
    CHECK_FALSE(std::string(row.title).empty());
  }
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
  for (const std::string& name : Objective::names()) {
    CHECK(parse_objectives(name).size() == 1);
    CHECK(parse_value(name + "=1", "--max").first == Objective(name));
  }
}

}  // namespace star::synthesis
