// The sizes of one operator: what the digits of a class mean at a given width.
#pragma once

#include <cstdint>
#include <string>

#include "liv/pool.h"
#include "liv/role.h"

namespace star::liv {

// What a genome leaves open.
struct Sizes {
  int64_t width = 64;   // d
  int64_t heads = 4;    // H
  int64_t vocab = 256;  // V
  int64_t seq = 128;    // the training length, which implicit filters are scaled to (Lr)
  int64_t window = 64;  // of banded operators
  int64_t decoder = 0;  // 1: all places are told from the last state (Backbone::hidden)
  bool operator==(const Sizes&) const = default;
};

// Throws `Error` unless every size is positive and H divides d.
void check_sizes(const Sizes& sizes);

struct Layout {
  // Throws `Error` where the class does not fit the sizes: rotary positions need heads of even
  // width, grouped channels need H to divide the width of v.
  Layout(const LivClass& liv, const Sizes& sizes);

  // Null where the class has none.
  const FeatureGroup* group(Role role) const { return find_group(liv.groups, role); }
  // The roles of what reads and of what writes, where the class has them.
  Role reader() const { return liv::reader(liv.groups)->role; }
  Role writer() const { return liv::writer(liv.groups)->role; }
  bool grouped() const { return liv.op.channels() == Channels::grouped; }
  // The taps of an explicit kernel; 0 where the class has none.
  int64_t kernel_taps() const {
    const FeatureGroup* kernel = group(Role::kernel);
    return kernel ? taps_of(kernel->along()) : 0;
  }
  // The channels that a feature group puts out.
  int64_t width_of(const FeatureGroup& g) const;
  // A differential operator, T = T₀ − λT₁, has two parts. What makes T exists in each of them;
  // value and output gate exist once, as all does elsewhere.
  int parts() const { return liv.differential ? kParts : 1; }
  int copies(const FeatureGroup& g) const { return makes_map(g.role) ? parts() : 1; }
  // The heads that hold keys and values: max(1, ⌊H / repeat⌋).
  int64_t kv_heads() const { return kv_heads_; }
  int64_t inner() const { return inner_; }            // the width of v before repetition
  int64_t head_width() const { return head_width_; }  // e
  int64_t states() const { return states_; }          // N, 1 where a channel has one state

  LivClass liv;
  Sizes sizes;

 private:
  int64_t inner_, head_width_, kv_heads_, states_;
};

}  // namespace star::liv
