// Diagonal token mixing: the gated linear unit (Shazeer, "GLU variants improve transformer", 2020).
//   T_ij^α = δ_ij σ(gate_i^α),  gate, v: [L, inner];  σ: none, relu or silu
#include "liv/mixing.h"

namespace star {
namespace {

// A row has one entry, and would be 1 if it were divided by its sum (liv/legality.cpp).
const EntriesRow& entries_of(const Layout& layout) {
  const EntriesRow& entries = row_of(layout.liv.op.entries());
  require(!entries.normalises, "{}: a diagonal has no nonlinearity {}", layout.liv.name,
          int(entries.entries));
  return entries;
}

std::string network_of(const Layout& layout) {
  const char* function = entries_of(layout).function;
  return (function ? fmt::format("{}(bic)", function) : "bic") + ",bjc,[i=j]->bic";
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
      for (int64_t i = 0; i < core.length; ++i) {
        core.at(c, i, i) = gate.at(i, c);
        entries_of(layout_).row({&core.at(c, i, i), 1});
      }
    return core;
  }

  int64_t cache(int64_t) const override { return 0; }
  double work(int64_t) const override { return double(layout_.inner()); }
};

}  // namespace

std::unique_ptr<TokenMixing> make_diagonal(const Layout& layout) {
  return std::make_unique<Diagonal>(layout);
}

}  // namespace star
