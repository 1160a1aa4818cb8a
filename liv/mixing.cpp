#include "liv/mixing.h"

namespace star {

std::unique_ptr<TokenMixing> make_mixing(const Layout& layout) {
  switch (layout.liv.op.mixing()) {
    case Mixing::diagonal:
      return make_diagonal(layout);
    case Mixing::low_rank:
      return make_attention(layout);
    case Mixing::toeplitz:
      return make_toeplitz(layout);
    case Mixing::semi_separable:
      return make_recurrence(layout);
  }
  fail("{}: token mixing {} is unknown", layout.liv.name, int(layout.liv.op.mixing()));
}

}  // namespace star
