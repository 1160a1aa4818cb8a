#include "liv/layout.h"

#include <algorithm>

#include "core/error.h"

namespace star::liv {

void check_sizes(const Sizes& s) {
  require(s.width > 0 && s.heads > 0 && s.vocab > 0 && s.seq > 0 && s.window > 0,
          "sizes: width {}, heads {}, vocabulary {}, length {} and window {} must be positive",
          s.width, s.heads, s.vocab, s.seq, s.window);
  require(s.width <= 1 << 20 && s.heads <= 1 << 20 && s.vocab <= 1 << 24 && s.seq <= 1 << 24 &&
              s.window <= 1 << 24,
          "sizes: width {}, heads {}, vocabulary {}, length {} or window {} is too large", s.width,
          s.heads, s.vocab, s.seq, s.window);
  require(s.decoder == 0 || s.decoder == 1, "sizes: {} decoders, not 0 or 1", s.decoder);
  require(s.width % s.heads == 0, "sizes: {} heads do not divide the width {}", s.heads, s.width);
}

Layout::Layout(const LivClass& l, const Sizes& s) : liv(l), sizes(s) {
  check_sizes(s);
  const FeatureGroup *v = group(Role::value), *write = liv::writer(l.groups);
  inner_ = expand(v->expansion(), int(s.width));
  head_width_ = inner_ / s.heads;
  kv_heads_ = std::max<int64_t>(1, s.heads / repeats(v->repeat()));
  states_ = counts_states(l.op) && write ? expand(write->expansion(), 1) : 1;
  require(!grouped() || inner_ % s.heads == 0, "{}: {} heads do not divide the inner width {}",
          l.name, s.heads, inner_);
  require(!rotary(l.op) || head_width_ % 2 == 0,
          "{}: rotary positions need an even head width, not {} (width {}, {} heads)", l.name,
          head_width_, s.width, s.heads);
}

int64_t Layout::width_of(const FeatureGroup& g) const {
  if (g.projection() == Projection::a_head) return sizes.heads;
  if (counts_states(liv.op) && (reads(g.role) || writes(g.role))) return states_;
  if (g.repeat() != 1) return kv_heads_ * head_width_;
  return inner_;
}

}  // namespace star::liv
