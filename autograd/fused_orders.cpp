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
          decays.push_back(f.operand);
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

// Query, key and value if they lie as Machine::Heads says.
std::optional<Machine::Heads> heads_of(const BoundNetwork& b, Operand query, Operand key,
                                       Operand value) {
  const std::string& result = b.network.result;
  char i = b.network.read, j = b.network.write;
  size_t at = key.letters.find(j);
  if (at == std::string::npos) return {};
  Machine::Heads x{query, key, value, key.letters.substr(0, at), "", "", "", ""};
  for (char c : key.letters.substr(at + 1)) (has(result, c) ? x.heads : x.inner) += c;
  for (char c : query.letters)
    if (!has(key.letters, c) && c != i) x.group += c;
  for (char c : value.letters)
    if (!has(key.letters, c)) x.rest += c;
  bool lies = query.letters == x.lead + i + x.heads + x.group + x.inner &&
              key.letters == x.lead + j + x.heads + x.inner &&
              value.letters == x.lead + j + x.heads + x.rest && result == x.result(i);
  if (!lies || x.inner.empty() || x.rest.empty()) return {};
  return x;
}

// softmax(0.25,bihgn,bjhn,[i>=j]),bjhv->bihgv
struct SoftmaxAttention {
  Machine::Heads heads;
  Operand band;

  static std::optional<SoftmaxAttention> in(const BoundNetwork& b) {
    Kinds outside(b.factors);
    if (outside.functions.size() != 1 || outside.tensors.size() != 1 || outside.band ||
        outside.number != 1 || !outside.kernels.empty() || !outside.decays.empty() ||
        outside.functions[0]->node.function != Node::Function::softmax)
      return {};
    Kinds inside(outside.functions[0]->inside);
    if (inside.tensors.size() != 2 || !inside.band || !inside.functions.empty() ||
        !inside.kernels.empty() || !inside.decays.empty())
      return {};
    Operand &query = inside.tensors[0], &key = inside.tensors[1];
    if (!query.has(b.network.read)) std::swap(query, key);
    auto heads = heads_of(b, query, key, outside.tensors[0]);
    if (!heads) return {};
    heads->factor = inside.number;
    return SoftmaxAttention{
        *heads, {{b.network.read, b.network.write}, {b.rows, b.columns}, {}, true, inside.window}};
  }
};

// bihgn,bjhn,[i>=j],bjhv->bihgv, or with a decay and strengths:
// 0.25,bihn,b[i..j]h,bjh,bjhn,bjhv->bihv
struct MatrixStateChunks {
  Machine::Heads heads;
  std::vector<Operand> decay, strength;  // at most one of each

  static std::optional<MatrixStateChunks> in(const BoundNetwork& b) {
    Kinds k(b.factors);
    if (!k.functions.empty() || !k.kernels.empty() || k.decays.size() > 1 || b.rows != b.columns ||
        b.rows <= kStateChunk || k.window != Node::kCausal || (!k.band && k.decays.empty()))
      return {};
    MatrixStateChunks m{{}, k.decays, {}};
    std::vector<Operand> queries, writes;
    for (const Operand& x : k.tensors) (x.has(b.network.read) ? queries : writes).push_back(x);
    if (queries.size() != 1) return {};
    // What has no letter of its own is a strength.
    const std::string& result = b.network.result;
    auto extra = [&](const Operand& x) {
      return std::any_of(x.letters.begin(), x.letters.end(), [&](char c) {
        return c != b.network.write && (!has(result, c) || !has(queries[0].letters, c));
      });
    };
    for (const Operand& x : writes)
      if (!extra(x)) m.strength.push_back(x);
    writes.erase(
        std::remove_if(writes.begin(), writes.end(), [&](const Operand& x) { return !extra(x); }),
        writes.end());
    if (writes.size() != 2 || m.strength.size() > 1) return {};
    auto shares = [&](const Operand& x) {
      return std::any_of(x.letters.begin(), x.letters.end(),
                         [&](char c) { return !has(result, c) && has(queries[0].letters, c); });
    };
    if (!shares(writes[0])) std::swap(writes[0], writes[1]);
    auto heads = heads_of(b, queries[0], writes[0], writes[1]);
    if (!heads) return {};
    for (const Operand& x : m.decay)
      if (x.letters != heads->lead + Node::kTokens + heads->heads) return {};
    for (const Operand& x : m.strength)
      if (x.letters != heads->lead + b.network.write + heads->heads) return {};
    heads->factor = k.number;
    m.heads = *heads;
    return m;
  }
};

}  // namespace

std::vector<OrderChoice> fused_orders(const BoundNetwork& b) {
  std::vector<OrderChoice> orders;
  if (GatedConvolution::in(b)) orders.push_back({Algorithm::gated_convolution});
  if (SoftmaxAttention::in(b)) orders.push_back({Algorithm::tiles});
  if (MatrixStateChunks::in(b)) orders.push_back({Algorithm::state_chunks, kStateChunk});
  return orders;
}

Operand run_fused(Machine& m, const BoundNetwork& b, const OrderChoice& order) {
  if (order.algorithm == Algorithm::gated_convolution) {
    auto g = *GatedConvolution::in(b);
    return m.gated_convolved(g.read, g.kernel, g.write, g.value);
  }
  if (order.algorithm == Algorithm::tiles) {
    auto a = *SoftmaxAttention::in(b);
    return m.attended(a.heads, a.band);
  }
  require(order.algorithm == Algorithm::state_chunks, "contract \"{}\": no kernel is {}",
          b.network.text, order.name());
  auto s = *MatrixStateChunks::in(b);
  return m.remembered(s.heads, s.decay.empty() ? nullptr : &s.decay[0],
                      s.strength.empty() ? nullptr : &s.strength[0]);
}

}  // namespace star
