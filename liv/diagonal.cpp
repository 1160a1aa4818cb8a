// Diagonal token mixing: the gated linear unit (Shazeer, "GLU variants improve transformer", 2020).
//   T_ij^α = δ_ij σ(gate_i^α),  gate, v: [L, inner];  network bic,bjc,[i=j]->bic
#include "autograd/elementwise.h"
#include "liv/mixing.h"

namespace star {
namespace {

class Diagonal : public TokenMixing {
 public:
  using TokenMixing::TokenMixing;

  Var apply(const Features& f, const Weights&, State*) const override {
    const Var &gate = f.at("gate"), &v = f.at("v");
    switch (layout_.liv.op.nonlinearity()) {  // with a nonlinearity, both in one pass
      case 3:
        return gated(Unary::relu, gate, v);
      case 4:
        return gated(Unary::silu, gate, v);
      default:
        return contract(network(), {gate, v});
    }
  }

  DenseCore materialize(const Features& f, const Weights&) const override {
    Var diagonal = entry(f.at("gate"));
    FeatureRows gate({{"entry", diagonal}}, "entry");
    DenseCore core{layout_.inner(), gate.length(), {}};
    core.entries.resize(size_t(core.rows * core.length * core.length));
    for (int64_t c = 0; c < core.rows; ++c)
      for (int64_t i = 0; i < core.length; ++i) core.at(c, i, i) = gate.at(i, c);
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
  Var entry(const Var& gate) const {
    switch (layout_.liv.op.nonlinearity()) {
      case 3:
        return relu(gate);
      case 4:
        return silu(gate);
      default:
        return gate;
    }
  }
};

}  // namespace

std::unique_ptr<TokenMixing> make_diagonal(const Layout& layout) {
  return std::make_unique<Diagonal>(layout);
}

}  // namespace star
