// When a search ends before the last of its generations. It is asked for between generations: what
// has begun is finished, and the search ends as it would have ended after the last.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "star/archive.h"
#include "star/search_settings.h"
#include "star/store.h"

namespace star::synthesis {

// Why no further generation is bred; empty where nothing stands against one. `complete` are the
// generations that have ended, `front` is that of all that was judged by now.
//   until      a member of the front keeps the bounds and has these values, or less
//   patience   so many generations have gone by without a gain in hypervolume
std::string reason_to_stop(const SearchSettings& settings, std::span<const Generation> complete,
                           const std::vector<Archive::Member>& front);

// A search that may take so many seconds, or any time. No generation is begun that would end too
// late, were it to take as long as the last.
class Deadline {
 public:
  explicit Deadline(double seconds, double now) : seconds_(seconds), begin_(now), last_(now) {}

  // Asked once before each generation but the first. Empty: it may begin.
  std::string reason_to_stop(double now);

 private:
  double seconds_, begin_, last_;
};

}  // namespace star::synthesis
