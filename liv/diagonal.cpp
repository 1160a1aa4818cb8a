// Diagonal token mixing: the gated linear unit (Shazeer, "GLU variants improve transformer", 2020).
//   T_ij^α = δ_ij σ(gate_i^α),  gate, v: [L, inner];  σ: none, relu or silu
#include <algorithm>
#include <cmath>

#include "liv/mixing.h"

namespace star {
namespace {

[[noreturn]] void unknown_nonlinearity(const Layout& layout) {
  fail("{}: nonlinearity {} of a diagonal is unknown", layout.liv.name,
       int(layout.liv.op.entries()));
}

std::string network_of(const Layout& layout) {
  switch (layout.liv.op.entries()) {
    case Entries::linear:
      return "bic,bjc,[i=j]->bic";
    case Entries::relu:
      return "relu(bic),bjc,[i=j]->bic";
    case Entries::silu:
      return "silu(bic),bjc,[i=j]->bic";
    case Entries::softmax:
    case Entries::normalised:
      break;  // one entry a row: liv/legality.cpp refuses them
  }
  unknown_nonlinearity(layout);
}

class Diagonal : public TokenMixing {
 public:
  explicit Diagonal(const Layout& layout) : TokenMixing(layout, network_of(layout)) {}

  std::vector<Var> operands(const Features& f, const Weights&, State*) const override {
    return {f[Role::gate], f[Role::value]};
  }
  std::vector<Shape> shapes(int64_t B, int64_t L) const override {
    return {2, {B, L, layout_.inner()}};
  }

  DenseCore materialize(const Features& f, const Weights&) const override {
    FeatureRows gate(f[Role::gate]);
    DenseCore core{layout_.inner(), gate.length(), {}};
    core.entries.resize(size_t(core.rows * core.length * core.length));
    for (int64_t c = 0; c < core.rows; ++c)
      for (int64_t i = 0; i < core.length; ++i) core.at(c, i, i) = entry(gate.at(i, c));
    return core;
  }

  int64_t cache(int64_t) const override { return 0; }
  double work(int64_t) const override { return double(layout_.inner()); }

 private:
  // One entry of T by its definition.
  double entry(double gate) const {
    switch (layout_.liv.op.entries()) {
      case Entries::linear:
        return gate;
      case Entries::relu:
        return std::max(gate, 0.0);
      case Entries::silu:
        return gate / (1 + std::exp(-gate));
      case Entries::softmax:
      case Entries::normalised:
        break;
    }
    unknown_nonlinearity(layout_);
  }
};

}  // namespace

std::unique_ptr<TokenMixing> make_diagonal(const Layout& layout) {
  return std::make_unique<Diagonal>(layout);
}

}  // namespace star
