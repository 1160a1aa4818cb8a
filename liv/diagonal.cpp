// Diagonal token mixing: the gated linear unit (Shazeer, "GLU variants improve transformer", 2020).
//   T_ij^α = δ_ij σ(gate_i^α),  gate, v: [L, inner];  network bic,bjc,[i=j]->bic
#include <algorithm>
#include <cmath>
#include <optional>

#include "autograd/elementwise.h"
#include "liv/mixing.h"

namespace star {
namespace {

class Diagonal : public TokenMixing {
 public:
  using TokenMixing::TokenMixing;

  Var apply(const Features& f, const Weights&, State*) const override {
    const Var &gate = f.at("gate"), &v = f.at("v");
    if (auto nonlinear = of_entries()) return gated(*nonlinear, gate, v);  // both in one pass
    return contract(network(), {gate, v});
  }

  DenseCore materialize(const Features& f, const Weights&) const override {
    FeatureRows gate(f, "gate");
    DenseCore core{layout_.inner(), gate.length(), {}};
    core.entries.resize(size_t(core.rows * core.length * core.length));
    for (int64_t c = 0; c < core.rows; ++c)
      for (int64_t i = 0; i < core.length; ++i) core.at(c, i, i) = entry(gate.at(i, c));
    return core;
  }

  std::string network() const override { return "bic,bjc,[i=j]->bic"; }
  ContractionPlan plan(int64_t B, int64_t L) const override {
    Shape shape{B, L, layout_.inner()};
    return plan_contraction(network(), {shape, shape});
  }

  int64_t cache(int64_t) const override { return 0; }
  double work(int64_t) const override { return double(layout_.inner()); }

 private:
  // The nonlinearity on the entries of T, and one entry by its definition.
  std::optional<Unary> of_entries() const {
    switch (layout_.liv.op.entries()) {
      case Entries::linear:
        return {};
      case Entries::relu:
        return Unary::relu;
      case Entries::silu:
        return Unary::silu;
      case Entries::softmax:
      case Entries::normalised:
        break;
    }
    unknown_nonlinearity();
  }
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
    unknown_nonlinearity();
  }
  [[noreturn]] void unknown_nonlinearity() const {
    fail("{}: nonlinearity {} of a diagonal is unknown", layout_.liv.name,
         int(layout_.liv.op.entries()));
  }
};

}  // namespace

std::unique_ptr<TokenMixing> make_diagonal(const Layout& layout) {
  return std::make_unique<Diagonal>(layout);
}

}  // namespace star
