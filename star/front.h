// The front that a search has come to: what it hands to its user.
#pragma once

#include "star/objectives.h"
#include "star/run_check.h"
#include "star/seeds.h"

namespace star::synthesis {

struct FrontMember {
  std::string genome;
  std::map<std::string, double> objectives;
  Metrics metrics;
  double violation = 0;                     // of the bounds, as selection sees it; 0: it keeps them
  int seeds = 1;                            // of which all of these are means
  std::map<std::string, double> deviation;  // of the objectives over them; empty for one seed
};

// Throws `Error` where a metric is missing.
FrontMember front_member(const SearchSettings& settings, const SeedMean& judged);
// By the first objective.
void sort_front(const SearchSettings& settings, std::vector<FrontMember>& front);

// Of the last complete generation of a run that was checked, so that each member has its result;
// empty where there is no such generation or all of it failed.
std::vector<FrontMember> last_front(const SearchSettings& settings, const RunContents& contents);

// A front in which no member keeps the bounds is that of a search that found nothing it was asked
// for. The member that comes nearest; null where some member keeps them, or there is none.
const FrontMember* nearest_to_bounds(const std::vector<FrontMember>& front);

// What is said of such a front, a line without a full stop; empty of any other.
std::string broken_bounds(const SearchSettings& settings, const std::vector<FrontMember>& front);

// Of the front what another search begins with, whose genomes are of `pool`: all, or the `most` that
// lie furthest apart. Throws `Error`, which begins with `path`, where there is no front or the pool
// means another class by one of its characters.
std::vector<std::string> seeds_of_front(const CheckedRun& run, const std::string& path,
                                        const Pool& pool, size_t most);

// The genome of the best quality in the front that a search has come to. Throws `Error`, which begins
// with `path`, where there is none or all break the bounds.
std::string best_of_front(const CheckedRun& run, const std::string& path);

}  // namespace star::synthesis
