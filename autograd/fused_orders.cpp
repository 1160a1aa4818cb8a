#include "autograd/fused_orders.h"

#include <algorithm>
#include <optional>

namespace star {
namespace {

using Kind = Node::Kind;

bool has(const std::string& letters, char c) { return letters.find(c) != std::string::npos; }

// The factors of a list by their kinds, numbers multiplied.
struct Kinds {
  std::vector<Operand> tensors, kernels, decays;
  std::vector<const Factor*> functions;
  double number = 1;
  int64_t window = Node::kCausal;
  bool band = false;

  explicit Kinds(const std::vector<Factor>& factors) {
    for (const Factor& f : factors) {
      if (f.node.kind == Kind::number) number *= f.node.number;
      if (f.node.kind == Kind::tensor) tensors.push_back(f.operand);
      if (f.node.kind == Kind::toeplitz) kernels.push_back(f.operand);
      if (f.node.kind == Kind::decay) decays.push_back(f.operand);
      if (f.node.kind == Kind::function) functions.push_back(&f);
      if (f.node.kind != Kind::band) continue;
      band = true;
      window = std::min(window, f.node.window);
    }
  }
};

// A short kernel between one factor that reads and two that write, all of the same letters:
//   bic,[i-j]c,bjc,bjc->bic
struct GatedConvolution {
  Operand read, kernel, write, value;

  static std::optional<GatedConvolution> in(const BoundNetwork& b) {
    Kinds k(b.factors);
    if (k.kernels.size() != 1 || k.tensors.size() != 3 || !k.decays.empty() ||
        !k.functions.empty() || k.number != 1 || k.window != Node::kCausal || b.rows != b.columns)
      return {};
    const std::string& result = b.network.result;
    std::string written = result;
    std::replace(written.begin(), written.end(), b.network.read, b.network.write);
    auto read = std::find_if(k.tensors.begin(), k.tensors.end(),
                             [&](const Operand& x) { return x.letters == result; });
    if (read == k.tensors.end()) return {};
    GatedConvolution g{*read, k.kernels[0], {}, {}};
    k.tensors.erase(read);
    if (k.tensors[0].letters != written || k.tensors[1].letters != written) return {};
    if (g.kernel.size(Node::kTokens) > kShortKernel ||
        g.kernel.letters != Node::kTokens + result.substr(result.find(b.network.read) + 1))
      return {};
    g.write = k.tensors[0];
    g.value = k.tensors[1];
    return g;
  }
};

// What reads, what writes and the value, lying as the fused kernels want them:
//   query lead i heads group inner, key lead j heads inner, value lead j heads value
std::optional<Machine::Attended> letters_of(const BoundNetwork& b, const Operand& query,
                                            const Operand& key, const Operand& value) {
  const std::string& result = b.network.result;
  size_t j = key.letters.find(b.network.write);
  if (j == std::string::npos) return {};
  Machine::Attended l;
  l.lead = key.letters.substr(0, j);
  for (char c : key.letters.substr(j + 1)) (has(result, c) ? l.heads : l.inner) += c;
  for (char c : query.letters)
    if (!has(key.letters, c) && c != b.network.read) l.group += c;
  for (char c : value.letters)
    if (!has(key.letters, c)) l.value += c;
  bool lies = query.letters == l.lead + b.network.read + l.heads + l.group + l.inner &&
              key.letters == l.lead + b.network.write + l.heads + l.inner &&
              value.letters == l.lead + b.network.write + l.heads + l.value &&
              result == l.result(b.network.read);
  if (!lies || l.inner.empty() || l.value.empty()) return {};
  return l;
}

// softmax(0.25,bihgn,bjhn,[i>=j]),bjhv->bihgv
struct SoftmaxAttention {
  Operand query, key, value, band;
  Machine::Attended letters;
  double factor;

  static std::optional<SoftmaxAttention> in(const BoundNetwork& b) {
    Kinds outside(b.factors);
    if (outside.functions.size() != 1 || outside.tensors.size() != 1 || outside.band ||
        outside.number != 1 || !outside.kernels.empty() || !outside.decays.empty() ||
        outside.functions[0]->node.function != "softmax")
      return {};
    Kinds inside(outside.functions[0]->inside);
    if (inside.tensors.size() != 2 || !inside.band || !inside.functions.empty() ||
        !inside.kernels.empty() || !inside.decays.empty())
      return {};
    SoftmaxAttention a{inside.tensors[0], inside.tensors[1], outside.tensors[0], {}, {}, 1};
    if (!a.query.has(b.network.read)) std::swap(a.query, a.key);
    auto letters = letters_of(b, a.query, a.key, a.value);
    if (!letters) return {};
    a.letters = *letters;
    a.factor = inside.number;
    a.band = {{b.network.read, b.network.write}, {b.rows, b.columns}, {}, true, inside.window};
    return a;
  }
};

}  // namespace

std::vector<OrderChoice> fused_orders(const BoundNetwork& b) {
  std::vector<OrderChoice> orders;
  if (GatedConvolution::in(b)) orders.push_back({Algorithm::gated_convolution});
  if (SoftmaxAttention::in(b)) orders.push_back({Algorithm::tiles});
  return orders;
}

Operand run_fused(Machine& m, const BoundNetwork& b, const OrderChoice& order) {
  if (order.algorithm == Algorithm::gated_convolution) {
    auto g = *GatedConvolution::in(b);
    return m.gated_convolved(g.read, g.kernel, g.write, g.value);
  }
  auto a = *SoftmaxAttention::in(b);
  return m.attended(a.letters, a.query, a.key, a.value, a.factor, a.band);
}

}  // namespace star
