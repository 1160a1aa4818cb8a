#include "star/front.h"

#include <algorithm>

#include "core/error.h"
#include "liv/pool_file.h"
#include "star/genome.h"

namespace star::synthesis {

FrontMember front_member(const SearchSettings& settings, const SeedMean& judged) {
  const Metrics& metrics = judged.mean.metrics;
  const Fitness fitness = fitness_of(metrics, settings.objectives, settings.bounds);
  FrontMember member{judged.mean.genome, {}, metrics, fitness.violation, judged.seeds, {}};
  for (size_t i = 0; i < settings.objectives.size(); ++i) {
    const std::string& name = settings.objectives[i].name();
    member.objectives[name] = fitness.objectives[i];
    if (judged.deviation.count(name)) member.deviation[name] = judged.deviation.at(name);
  }
  return member;
}

void sort_front(const SearchSettings& settings, std::vector<FrontMember>& front) {
  const std::string& first = settings.objectives.at(0).name();
  std::stable_sort(front.begin(), front.end(), [&](auto& a, auto& b) {
    return a.objectives.at(first) < b.objectives.at(first);
  });
}

std::vector<FrontMember> last_front(const SearchSettings& settings, const RunContents& contents) {
  std::vector<FrontMember> front;
  if (contents.generations.empty()) return front;
  const auto results =
      results_over_seeds(settings, contents.evaluations, int(contents.generations.size()));
  for (auto& genome : contents.generations.back().front)
    front.push_back(front_member(settings, results.at(genome)));
  sort_front(settings, front);
  return front;
}

const FrontMember* nearest_to_bounds(const std::vector<FrontMember>& front) {
  auto nearest = std::min_element(front.begin(), front.end(),
                                  [](auto& a, auto& b) { return a.violation < b.violation; });
  return nearest == front.end() || nearest->violation == 0 ? nullptr : &*nearest;
}

std::string broken_bounds(const SearchSettings& settings, const std::vector<FrontMember>& front) {
  const FrontMember* nearest = nearest_to_bounds(front);
  if (!nearest) return "";
  std::vector<std::string> broken;
  for (auto& [objective, bound] : settings.bounds) {
    const double value = nearest->metrics.at(objective.name());
    if (value > bound)
      broken.push_back(
          fmt::format("{} is {:.6g}, at most {:.6g} was asked for", objective, value, bound));
  }
  return fmt::format("no candidate keeps the bounds; {} comes nearest: {}", nearest->genome,
                     fmt::join(broken, ", "));
}

std::vector<std::string> seeds_of_front(const CheckedRun& run, const std::string& path,
                                        const Pool& pool, size_t most) {
  const std::vector<FrontMember> front = last_front(run.settings, run.contents);
  require(!front.empty(), "{}: the search has no front yet", path);
  const Pool own = named_pool(run.settings.pool);
  std::vector<Fitness> fitness;
  for (auto& member : front) {
    require_same_classes(parse(member.genome, own), pool, own, path);
    fitness.push_back(fitness_of(member.metrics, run.settings.objectives, run.settings.bounds));
  }
  std::vector<size_t> order = best_first(standings(fitness));
  order.resize(std::min(order.size(), most));
  std::sort(order.begin(), order.end());
  std::vector<std::string> seeds;
  for (size_t i : order) seeds.push_back(front[i].genome);
  return seeds;
}

std::string best_of_front(const CheckedRun& run, const std::string& path) {
  const std::vector<FrontMember> front = last_front(run.settings, run.contents);
  require(!front.empty(), "{}: the search has no front yet", path);
  const std::string broken = broken_bounds(run.settings, front);
  require(broken.empty(), "{}: {}", path, broken);
  return std::min_element(
             front.begin(), front.end(),
             [](auto& a, auto& b) { return a.metrics.at("quality") < b.metrics.at("quality"); })
      ->genome;
}

}  // namespace star::synthesis
