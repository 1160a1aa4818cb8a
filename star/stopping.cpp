#include "star/stopping.h"

#include <algorithm>

namespace star::synthesis {
namespace {

// "quality 2.0951", of a member that has all the values; empty where one is missed.
std::string reached(const SearchSettings& s, const Fitness& fitness) {
  std::string text;
  if (fitness.violation > 0) return text;
  for (size_t i = 0; i < s.objectives.size(); ++i) {
    const auto wanted = s.until.find(s.objectives[i]);
    if (wanted == s.until.end()) continue;
    if (!(fitness.objectives[i] <= wanted->second)) return "";
    text += fmt::format("{}{} {:.6g}", text.empty() ? "" : ", ", s.objectives[i],
                        fitness.objectives[i]);
  }
  return text;
}

double best_volume(std::span<const Generation> generations) {
  double best = 0;
  for (auto& g : generations) best = std::max(best, g.hypervolume);
  return best;
}

}  // namespace

std::string reason_to_stop(const SearchSettings& s, std::span<const Generation> complete,
                           const std::vector<Archive::Member>& front) {
  for (auto& member : front)
    if (const std::string found = reached(s, member.fitness); !found.empty())
      return fmt::format("{} was reached", found);
  const auto patience = size_t(s.patience);
  // Volumes under other bounds say nothing.
  if (!s.earlier_bounds.empty())
    complete =
        complete.subspan(std::min(complete.size(), size_t(s.earlier_bounds.back().generations)));
  if (patience == 0 || complete.size() <= patience) return "";
  const size_t before = complete.size() - patience;
  if (best_volume(complete.subspan(before)) > best_volume(complete.first(before))) return "";
  return fmt::format("{} generation{} without a gain in hypervolume", patience,
                     patience == 1 ? "" : "s");
}

std::string Deadline::reason_to_stop(double now) {
  const double took = now - last_;
  last_ = now;
  if (seconds_ <= 0 || now - begin_ + took <= seconds_) return "";
  return fmt::format("another generation would not have ended within {:.6g} s", seconds_);
}

}  // namespace star::synthesis
