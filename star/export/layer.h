// What an export has to know of the layers of a model, by the words of liv/digits.h. Nothing else in
// this folder looks into a backbone.
#pragma once

#include <string>
#include <vector>

#include "liv/backbone.h"

namespace star::synthesis {

struct ExportedFeature {
  Role role;
  std::string name;  // the text of the role, and what its parameters are called
  Projection projection = Projection::dense;
  Activation activation = Activation::none;
  int64_t taps = 0;  // of an explicit kernel, or of the convolution behind the projection; 0: none
  bool biased = false;
  int64_t channels = 0;
  bool reads = false, writes = false;
  bool in_parts = false;  // exists in each part of a differential operator
  int lender = -1;        // the layer that owns its weights, where that is another
  int donor = -1;         // the layer that computes it, where that is another
  bool given = false;     // to later layers

  bool is_kernel() const { return liv::is_kernel(role); }
  bool convolved() const { return taps > 0; }
  bool computed() const { return donor < 0; }
  bool owned() const { return donor < 0 && lender < 0; }
};

struct ExportedLayer {
  std::string id, name;  // of its class: "2", "SA-2"
  std::string op;        // "22123"
  Mixing mixing = Mixing::diagonal;
  Entries entries = Entries::linear;
  bool rotary = false;  // positions rotate what reads and what writes
  bool banded = false, grouped = false, differential = false;
  bool parallel = false;  // reads what the layer before it read
  int64_t width = 1;      // of x and y
  int64_t heads = 1, kv_heads = 1, head_width = 1, states = 1;
  int64_t inner = 1;  // the width of v
  int64_t rank = 0;   // of low-rank projections
  std::vector<ExportedFeature> features;

  // By role, by what it does; null if there is none.
  const ExportedFeature* feature(Role role) const;
  const ExportedFeature* reader() const;
  const ExportedFeature* writer() const;
  // Whether one parameter a head or channel scales v beside T(x) v.
  bool skips() const { return feature(Role::dt) != nullptr; }
};

// The names of the features of which test(f) is true.
template <class Test>
std::vector<std::string> roles(const ExportedLayer& layer, Test test) {
  std::vector<std::string> found;
  for (const ExportedFeature& f : layer.features)
    if (test(f)) found.push_back(f.name);
  return found;
}

std::vector<ExportedLayer> exported_layers(const Backbone& model);

}  // namespace star::synthesis
