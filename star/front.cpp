#include "star/front.h"

#include <algorithm>

#include "core/error.h"

namespace star {

FrontMember front_member(const SearchSettings& settings, const Evaluation& evaluation) {
  const Fitness fitness = fitness_of(evaluation.metrics, settings.objectives, settings.bounds);
  FrontMember member{evaluation.genome, {}, evaluation.metrics, fitness.violation};
  for (size_t i = 0; i < settings.objectives.size(); ++i)
    member.objectives[settings.objectives[i]] = fitness.objectives[i];
  return member;
}

void sort_front(const SearchSettings& settings, std::vector<FrontMember>& front) {
  const std::string& first = settings.objectives.at(0);
  std::stable_sort(front.begin(), front.end(), [&](auto& a, auto& b) {
    return a.objectives.at(first) < b.objectives.at(first);
  });
}

std::vector<FrontMember> last_front(const SearchSettings& settings, const RunContents& contents) {
  std::vector<FrontMember> front;
  if (contents.generations.empty()) return front;
  std::map<std::string, const Evaluation*> results;
  for (auto& e : contents.evaluations)
    if (e.recipe == "search") results[e.genome] = &e;
  for (auto& genome : contents.generations.back().front)
    front.push_back(front_member(settings, *results.at(genome)));
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
  for (auto& [name, bound] : settings.bounds) {
    const double value = nearest->metrics.at(name);
    if (value > bound)
      broken.push_back(
          fmt::format("{} is {:.6g}, at most {:.6g} was asked for", name, value, bound));
  }
  return fmt::format("no candidate keeps the bounds; {} comes nearest: {}", nearest->genome,
                     fmt::join(broken, ", "));
}

}  // namespace star
