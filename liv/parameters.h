// The parameters of an operator: what they are called, how big they are, how they start.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "core/rng.h"

namespace star {

// Fills a fresh parameter.
using Initializer = std::function<void(Rng&, std::span<double>)>;

namespace init {
Initializer constant(double value);
Initializer normal(double deviation);
Initializer linear(int64_t fan_in);  // N(0, 1/(3·fan_in))
Initializer current_tap();           // [channels, taps]: a convolution that passes its input
// b such that softplus(b), respectively σ(b), is log-uniform, respectively uniform, in [lo, hi].
Initializer softplus_log_uniform(double lo, double hi);
Initializer sigmoid_uniform(double lo, double hi);
}  // namespace init

struct ParameterSpec {
  std::string name;  // as in liv/README.md: "q.weight", "A_log"
  Shape shape;
  std::string group;  // the feature group that owns it, which sharing follows; "" for none
  bool decay;         // weight decay: linear maps only
  Initializer init;
};

// What exists in each part of a differential operator: "0.q", "1.A_log".
inline std::string name_in_part(int part, const std::string& name) {
  return std::to_string(part) + "." + name;
}

// Of things by name those of one part, under their plain names, and those that exist once.
template <class T>
std::map<std::string, T> part_of(const std::map<std::string, T>& all, int part) {
  const std::string own = name_in_part(part, ""), other = name_in_part(1 - part, "");
  std::map<std::string, T> named;
  for (auto& [name, thing] : all) {
    if (name.starts_with(other)) continue;
    named[name.starts_with(own) ? name.substr(own.size()) : name] = thing;
  }
  return named;
}

// The parameters of one operator on a tape, by name.
class Weights {
 public:
  void bind(const std::string& name, Var v) { vars_[name] = std::move(v); }
  Weights part(int part) const {
    Weights own;
    own.vars_ = part_of(vars_, part);
    return own;
  }
  const Var& operator[](const std::string& name) const {
    auto at = vars_.find(name);
    require(at != vars_.end(), "parameter {} is missing", name);
    return at->second;
  }

 private:
  std::map<std::string, Var> vars_;
};

}  // namespace star
