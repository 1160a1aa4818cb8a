// Which numbers a setting or an option takes, and how that is said.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <string>

namespace star::synthesis {

struct Range {
  static constexpr double kNoEnd = std::numeric_limits<double>::max();

  double least = -kNoEnd, most = kNoEnd;
  bool open = false;  // at its least end

  // False of NaN, and of what is not finite.
  bool holds(double x) const {
    return std::isfinite(x) && (open ? x > least : x >= least) && x <= most;
  }
  // "from 0 to 1", "of at least 0", "above 0", "above 0, at most 1".
  std::string words() const {
    if (open && most == kNoEnd) return fmt::format("above {}", least);
    if (open) return fmt::format("above {}, at most {}", least, most);
    if (most == kNoEnd) return fmt::format("of at least {}", least);
    return fmt::format("from {} to {}", least, most);
  }
  // As --help shows it.
  std::string shown() const {
    if (most == kNoEnd) return open ? "POSITIVE" : "NONNEGATIVE";
    return fmt::format("in {}{} - {}]", open ? "(" : "[", least, most);
  }
};

inline Range within(double least, double most) { return {least, most}; }
inline Range from_zero() { return {0}; }
inline Range above_zero() { return {0, Range::kNoEnd, true}; }

}  // namespace star::synthesis
