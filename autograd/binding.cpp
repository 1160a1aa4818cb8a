#include "autograd/binding.h"

namespace star {
namespace {

using Kind = Node::Kind;

// Fits shapes to the nodes and notes the extents of letters.
class Binder {
 public:
  Binder(const Network& network, std::span<const Shape> shapes)
      : network_(network), shapes_(shapes) {}

  // Within a product, `along` is its letter of tokens.
  std::vector<Factor> factors(const std::vector<Node>& nodes, char along = 0) {
    std::vector<Factor> list;
    for (const Node& node : nodes) {
      Factor f{node, {}, factors(node.inside, node.along ? node.along : along)};
      f.node.inside.clear();
      f.operand.letters = node.axes;
      f.operand.value = node.tensor;
      if (node.tensor >= 0 && !shapes_.empty()) fit(f, along);
      list.push_back(std::move(f));
    }
    return list;
  }

  const Extents& extents() const { return extents_; }

 private:
  void fit(Factor& f, char along) {
    const Shape& shape = shapes_[size_t(f.node.tensor)];
    const std::string& axes = f.node.axes;
    f.operand.shape = shape;
    require(int(axes.size()) == shape.rank(), "contract \"{}\": tensor {} has shape {}",
            network_.text, f.node.tensor + 1, shape);
    for (size_t i = 0; i < axes.size(); ++i) {
      char c = axes[i];
      int64_t n = shape[int(i)];
      if (c == Node::kTokens && f.node.kind == Kind::toeplitz) {
        require(f.node.window == Node::kCausal || f.node.window == n,
                "contract \"{}\": a kernel of {} lags", network_.text, n);
        continue;
      }
      if (c == Node::kTokens || c == along) c = network_.write;
      auto [at, fresh] = extents_.emplace(c, n);
      require(at->second == n, "contract \"{}\": '{}' is {} and {}", network_.text, c, at->second,
              n);
    }
  }

  const Network& network_;
  std::span<const Shape> shapes_;
  Extents extents_;
};

bool decays(const std::vector<Node>& nodes) {
  for (const Node& n : nodes)
    if (n.kind == Kind::decay || n.kind == Kind::delta || decays(n.inside)) return true;
  return false;
}

}  // namespace

BoundNetwork bind(const Network& network, std::span<const Shape> shapes) {
  require(!shapes.empty(), "contract \"{}\": no tensor given", network.text);
  require(int(shapes.size()) >= network.tensors, "contract \"{}\": {} tensors given, more expected",
          network.text, shapes.size());
  require(int(shapes.size()) == network.tensors, "contract \"{}\": {} tensors given, {} expected",
          network.text, shapes.size(), network.tensors);
  Binder binder(network, shapes);
  BoundNetwork b{network, binder.factors(network.nodes)};
  if (!network.read) return b;
  const Extents& extents = binder.extents();
  auto i = extents.find(network.read), j = extents.find(network.write);
  require(i != extents.end() || j != extents.end(), "contract \"{}\": no tensor has tokens",
          network.text);
  b.columns = j != extents.end() ? j->second : i->second;
  b.rows = i != extents.end() ? i->second : j->second;
  require(b.rows <= b.columns, "contract \"{}\": {} tokens read {}", network.text, b.rows,
          b.columns);
  require(!decays(network.nodes) || b.rows == b.columns,
          "contract \"{}\": decays between {} and {} tokens", network.text, b.rows, b.columns);
  return b;
}

BoundNetwork without_shapes(const Network& network) {
  return {network, Binder(network, {}).factors(network.nodes)};
}

std::string letters_of(const Factor& f) {
  std::string letters = f.operand.letters;
  for (const Factor& x : f.inside) letters += letters_of(x);
  return letters;
}

Kinds::Kinds(const std::vector<Factor>& factors) {
  for (const Factor& f : factors) {
    switch (f.node.kind) {
      case Kind::number:
        number *= f.node.number;
        break;
      case Kind::tensor:
        tensors.push_back(f.operand);
        break;
      case Kind::toeplitz:
        kernels.push_back(f.operand);
        break;
      case Kind::decay:
        decays.push_back(&f);
        break;
      case Kind::delta:
        deltas.push_back(&f);
        break;
      case Kind::function:
        functions.push_back(&f);
        break;
      case Kind::band:
        band = true;
        window = std::min(window, f.node.window);
    }
  }
}

bool Kinds::are(size_t t, size_t k, size_t d, size_t f) const {
  return tensors.size() == t && kernels.size() == k && decays.size() == d &&
         functions.size() == f && deltas.empty();
}

}  // namespace star
