#include "star/run_rows.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace star::synthesis {
namespace {

using nlohmann::json;

struct Row {
  const Evaluation* training;
  const Candidate* candidate;  // null: not bred
  bool front;
};

std::vector<Row> rows_of(const RunContents& run) {
  std::map<std::string, const Candidate*> bred;
  for (auto& c : run.candidates) bred.emplace(c.genome, &c);
  std::set<std::string> front;
  if (!run.generations.empty())
    front.insert(run.generations.back().front.begin(), run.generations.back().front.end());
  std::vector<Row> rows;
  for (auto& e : run.evaluations) {
    auto candidate = bred.find(e.genome);
    rows.push_back({&e, candidate == bred.end() ? nullptr : candidate->second,
                    front.count(e.genome) > 0});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return a.candidate && (!b.candidate || a.candidate < b.candidate);
  });
  return rows;
}

std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}
std::string cell(double x) { return std::isnan(x) ? "" : fmt::to_string(x); }

std::string line(const std::vector<std::string>& cells) {
  return fmt::format("{}\n", fmt::join(cells, ","));
}

std::vector<std::string> cells_of(const std::string& run, const Row& row,
                                  const std::set<std::string>& metrics) {
  const Evaluation& e = *row.training;
  const Candidate* c = row.candidate;
  std::vector<std::string> cells = {cell(run),
                                    cell(e.genome),
                                    c ? fmt::to_string(c->generation) : "",
                                    c ? fmt::to_string(c->place) : "",
                                    c ? cell(c->origin) : "",
                                    c ? cell(fmt::format("{}", fmt::join(c->parents, " "))) : "",
                                    row.front ? "1" : "0",
                                    cell(e.recipe.text()),
                                    e.ok() ? "ok" : "failed",
                                    cell(e.failure),
                                    cell(e.seconds)};
  for (auto& name : metrics) {
    auto metric = e.metrics.find(name);
    cells.push_back(metric == e.metrics.end() ? "" : cell(metric->second));
  }
  return cells;
}

}  // namespace

std::string trainings_csv(const std::vector<NamedRun>& runs) {
  std::set<std::string> metrics;
  for (auto& run : runs)
    for (auto& e : run.contents.evaluations)
      for (auto& [name, value] : e.metrics) metrics.insert(name);
  std::vector<std::string> head = {"run",   "genome", "generation", "place",   "origin", "parents",
                                   "front", "recipe", "status",     "failure", "seconds"};
  for (auto& name : metrics) head.push_back(cell(name));
  std::string text = line(head);
  for (auto& run : runs)
    for (auto& row : rows_of(run.contents)) text += line(cells_of(run.name, row, metrics));
  return text;
}

std::string curves_csv(const std::vector<NamedRun>& runs) {
  std::string text = line({"run", "genome", "recipe", "step", "loss"});
  for (auto& run : runs)
    for (auto& row : rows_of(run.contents))
      for (auto& point : row.training->curve)
        text += line({cell(run.name), cell(row.training->genome), cell(row.training->recipe.text()),
                      fmt::to_string(point.step), cell(point.loss)});
  return text;
}

std::string trainings_json_lines(const NamedRun& run) {
  std::string text;
  for (auto& [training, c, front] : rows_of(run.contents)) {
    const Evaluation& e = *training;
    json curve = json::array();
    for (auto& point : e.curve) curve.push_back({point.step, point.loss});
    const json row = {{"run", run.name},
                      {"genome", e.genome},
                      {"generation", c ? json(c->generation) : json()},
                      {"place", c ? json(c->place) : json()},
                      {"origin", c ? json(c->origin) : json()},
                      {"parents", c ? json(c->parents) : json()},
                      {"front", front},
                      {"recipe", e.recipe.text()},
                      {"status", e.ok() ? "ok" : "failed"},
                      {"failure", e.failure},
                      {"seconds", e.seconds},
                      {"metrics", e.metrics},
                      {"curve", curve}};
    text += row.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  }
  return text;
}

}  // namespace star::synthesis
