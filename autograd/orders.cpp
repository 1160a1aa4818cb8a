#include "autograd/fused_orders.h"

#include <algorithm>

namespace star {
namespace {

using Kind = Node::Kind;

bool has(const std::string& letters, char c) { return letters.find(c) != std::string::npos; }

// Fits the tensors of `nodes` to them, from tensors[next] on, and notes the extents of letters.
std::vector<Factor> bind_nodes(const Network& network, const std::vector<Node>& nodes,
                               const std::vector<Operand>& tensors, size_t& next,
                               Extents& extents) {
  std::vector<Factor> factors;
  for (const Node& node : nodes) {
    Factor f{node, {}, {}};
    if (node.kind == Kind::function) {
      f.inside = bind_nodes(network, node.inside, tensors, next, extents);
    } else if (node.kind != Kind::number && node.kind != Kind::band) {
      require(next < tensors.size(), "contract \"{}\": {} tensors given, more expected",
              network.text, tensors.size());
      f.operand = tensors[next++];
      f.operand.letters = node.axes;
      require(int(node.axes.size()) == f.operand.shape.rank(),
              "contract \"{}\": tensor {} has shape {}", network.text, next, f.operand.shape);
      for (size_t i = 0; i < node.axes.size(); ++i) {
        char c = node.axes[i];
        if (c == Node::kTokens && node.kind == Kind::toeplitz) continue;
        if (c == Node::kTokens) c = network.write;
        int64_t n = f.operand.shape[int(i)];
        auto [at, fresh] = extents.emplace(c, n);
        require(at->second == n, "contract \"{}\": '{}' is {} and {}", network.text, c, at->second,
                n);
      }
    }
    factors.push_back(std::move(f));
  }
  return factors;
}

// Applies f to every operand, inside functions too.
template <class F>
void for_each_factor(std::vector<Factor>& factors, const F& f) {
  for (Factor& x : factors) {
    f(x);
    for_each_factor(x.inside, f);
  }
}

std::string letters_of(const Factor& f) {
  std::string letters = f.operand.letters;
  for (const Factor& x : f.inside) letters += letters_of(x);
  return letters;
}

// How a network with structure falls apart: what reads has i, what writes has j.
struct Sides {
  std::vector<Operand> reads, writes, decays, kernels, others;
  double number = 1;
  bool both = false, function = false, band = false, mask = false;

  Sides(const BoundNetwork& b) {
    for (const Factor& f : b.factors) {
      std::string letters = letters_of(f);
      bool i = has(letters, b.network.read), j = has(letters, b.network.write);
      switch (f.node.kind) {
        case Kind::number:
          number *= f.node.number;
          break;
        case Kind::band:
          (f.node.window == Node::kCausal ? mask : band) = true;
          break;
        case Kind::decay:
          decays.push_back(f.operand);
          break;
        case Kind::toeplitz:
          kernels.push_back(f.operand);
          break;
        case Kind::function:
          function = true;
          break;
        case Kind::tensor:
          both |= i && j;
          (j ? writes : i ? reads : others).push_back(f.operand);
      }
    }
  }

  // Letters that what is written must keep, beside those of the result.
  std::string needed(const Network& network) const {
    std::string letters = network.result;
    for (auto* list : {&reads, &others, &decays, &kernels})
      for (const Operand& x : *list) letters += x.letters;
    return letters;
  }
};

// The letters of the factors that are also in `needed`, those before the token's first.
std::string kept_letters(const std::vector<Operand>& factors, const std::string& needed,
                         char token) {
  std::string before, behind;
  for (const Operand& x : factors) {
    bool past = !x.has(token);
    for (char c : x.letters) {
      if (c == token) past = true;
      if (c == token || !has(needed, c) || has(before, c) || has(behind, c)) continue;
      (past ? behind : before) += c;
    }
  }
  return before + token + behind;
}

// A number multiplies the smallest factor.
void multiply(Machine& m, std::vector<Operand>& factors, double number) {
  Operand* smallest = nullptr;
  for (Operand& x : factors)
    if (!x.is_band && (!smallest || x.volume() < smallest->volume())) smallest = &x;
  if (smallest) *smallest = m.scaled(*smallest, number);
}

Operand band_of(const BoundNetwork& b, int64_t window) {
  return {{b.network.read, b.network.write}, {b.rows, b.columns}, {}, true, window};
}

Operand scores(Machine& m, const BoundNetwork& b, const std::vector<Factor>& factors,
               const std::string& result);

// The softmax of the entries in the bands inside, times the numbers inside.
Operand softmax_of_scores(Machine& m, const BoundNetwork& b, const std::vector<Factor>& factors,
                          const std::string& entries) {
  std::vector<Factor> inside;
  double factor = 1;
  Operand band;
  for (const Factor& x : factors) {
    if (x.node.kind == Kind::number)
      factor *= x.node.number;
    else if (x.node.kind == Kind::band)
      band = band_of(b, std::min(x.node.window, band.window));
    else
      inside.push_back(x);
  }
  Operand x = scores(m, b, inside, entries);
  return m.softmax(x, factor, band.is_band ? &band : nullptr);
}

Operand function_of_scores(Machine& m, const BoundNetwork& b, const Factor& f,
                           const std::string& entries) {
  switch (f.node.function) {
    case Node::Function::softmax:
      return softmax_of_scores(m, b, f.inside, entries);
    case Node::Function::relu:
      return m.mapped(scores(m, b, f.inside, entries), Unary::relu);
    case Node::Function::silu:
      return m.mapped(scores(m, b, f.inside, entries), Unary::silu);
  }
  fail("contract \"{}\": a function without an order", b.network.text);
}

// All pairs of tokens: structure becomes tensors of (i, j), which meet the others like any factor.
Operand scores(Machine& m, const BoundNetwork& b, const std::vector<Factor>& factors,
               const std::string& result) {
  std::vector<Operand> operands;
  double number = 1;
  char i = b.network.read, j = b.network.write;
  // Letters of the entries of a function: those that something outside has, and (i, j).
  auto entries_of = [&](const Factor& f) {
    std::string outside = result, entries;
    for (const Factor& other : factors)
      if (&other != &f) outside += letters_of(other);
    for (char c : letters_of(f))
      if (c != i && c != j && has(outside, c) && !has(entries, c)) entries += c;
    return entries += {i, j};
  };
  for (const Factor& f : factors) {
    switch (f.node.kind) {
      case Kind::number:
        number *= f.node.number;
        break;
      case Kind::tensor:
        operands.push_back(f.operand);
        break;
      case Kind::band:
        operands.push_back(band_of(b, f.node.window));
        break;
      case Kind::decay:
        operands.push_back(m.decay_matrix(f.operand));
        break;
      case Kind::toeplitz:
        operands.push_back(m.toeplitz_matrix(f.operand, b.rows, b.columns));
        break;
      case Kind::function:
        operands.push_back(function_of_scores(m, b, f, entries_of(f)));
    }
  }
  multiply(m, operands, number);
  return m.contract(operands, result);
}

// i and j are one index.
Operand diagonal(Machine& m, const BoundNetwork& b) {
  std::vector<Operand> operands;
  Sides sides(b);
  for (auto* list : {&sides.reads, &sides.writes, &sides.others})
    for (Operand x : *list) {
      std::replace(x.letters.begin(), x.letters.end(), b.network.write, b.network.read);
      operands.push_back(x);
    }
  multiply(m, operands, sides.number);
  std::string result = b.network.result;
  std::replace(result.begin(), result.end(), b.network.write, b.network.read);
  return m.contract(operands, result);
}

// What is written is carried along the tokens, by a scan or a convolution, and then read.
Operand carried(Machine& m, const BoundNetwork& b, ConvMethod method) {
  Sides sides(b);
  char i = b.network.read, j = b.network.write;
  multiply(m, sides.writes, sides.number);
  Operand u = m.contract(sides.writes, kept_letters(sides.writes, sides.needed(b.network), j));
  for (Operand& x : sides.decays) std::replace(x.letters.begin(), x.letters.end(), '.', j);
  u = sides.kernels.empty() ? m.scanned(sides.decays, u, j)
                            : m.convolved(sides.kernels[0], u, j, method);
  std::replace(u.letters.begin(), u.letters.end(), j, i);
  std::vector<Operand> factors = sides.reads;
  factors.insert(factors.end(), sides.others.begin(), sides.others.end());
  factors.push_back(u);
  return m.contract(factors, b.network.result);
}

std::string with_chunk(std::string letters, char token, char chunk) {
  return letters.insert(letters.find(token), 1, chunk);
}

// Scores inside each chunk; what a chunk wrote reaches the later ones as a state.
Operand chunked(Machine& m, const BoundNetwork& whole, int64_t size) {
  char i = whole.network.read, j = whole.network.write, chunk = whole.network.chunk;
  BoundNetwork b = whole;
  b.rows = b.columns = size;
  b.network.result = with_chunk(b.network.result, i, chunk);
  for_each_factor(b.factors, [&](Factor& f) {
    for (char c : {i, j, Node::kTokens}) f.operand = m.split(f.operand, c, chunk, size);
  });
  Operand inside = scores(m, b, b.factors, b.network.result);

  Sides sides(b);
  std::vector<Operand> wholes;
  for (const Operand& a : sides.decays) {
    Operand start = m.from_start(a), end = m.to_end(a);
    Operand total = m.narrowed(start, Node::kTokens, size - 1, 1);
    total = m.merged(total, chunk, Node::kTokens, total.size(chunk));
    std::replace(total.letters.begin(), total.letters.end(), Node::kTokens, chunk);
    std::replace(start.letters.begin(), start.letters.end(), Node::kTokens, i);
    std::replace(end.letters.begin(), end.letters.end(), Node::kTokens, j);
    sides.reads.push_back(start);
    sides.writes.push_back(end);
    wholes.push_back(total);
  }
  multiply(m, sides.writes, sides.number);
  std::string needed = sides.needed(b.network);
  needed.erase(std::remove(needed.begin(), needed.end(), j), needed.end());
  std::string kept = kept_letters(sides.writes, needed, chunk);
  Operand state = m.scanned(wholes, m.contract(sides.writes, kept), chunk);
  std::vector<Operand> factors = sides.reads;
  factors.insert(factors.end(), sides.others.begin(), sides.others.end());
  factors.push_back(m.delayed(state, chunk));
  if (sides.reads.empty()) factors.push_back(m.constant({i}, {size}, 1));
  Operand across = m.contract(factors, b.network.result);
  return m.merged(m.sum(inside, across), chunk, i, whole.rows);
}

// A band no wider than a block: each block of i meets the block of j before it and its own.
Operand blocked(Machine& m, const BoundNetwork& whole, int64_t size) {
  char i = whole.network.read, j = whole.network.write, chunk = whole.network.chunk;
  BoundNetwork first = whole, rest = whole;
  first.rows = first.columns = size;
  for_each_factor(first.factors, [&](Factor& f) {
    for (char c : {i, j}) f.operand = m.narrowed(f.operand, c, 0, size);
  });
  Operand head = scores(m, first, first.factors, first.network.result);

  rest.rows = size;
  rest.columns = 2 * size;
  rest.network.result = with_chunk(rest.network.result, i, chunk);
  for_each_factor(rest.factors, [&](Factor& f) {
    Operand& x = f.operand;
    x = m.split(m.narrowed(x, i, size, whole.rows - size), i, chunk, size);
    if (!x.has(j)) return;
    x = m.split(x, j, chunk, size);
    int64_t blocks = x.size(chunk);
    x = m.joined(m.narrowed(x, chunk, 0, blocks - 1), m.narrowed(x, chunk, 1, blocks - 1), j);
  });
  Operand tail = scores(m, rest, rest.factors, rest.network.result);
  return m.joined(head, m.merged(tail, chunk, i, whole.rows - size), i);
}

// The narrowest band, inside functions too; kCausal if there is none.
int64_t narrowest_band(std::vector<Factor> factors) {
  int64_t window = Node::kCausal;
  for_each_factor(factors, [&](Factor& f) {
    if (f.node.kind == Kind::band) window = std::min(window, f.node.window);
  });
  return window;
}

}  // namespace

BoundNetwork bind(const Network& network, const std::vector<Operand>& tensors) {
  BoundNetwork b{network, {}, 0, 0};
  size_t next = 0;
  Extents extents;
  b.factors = bind_nodes(network, network.nodes, tensors, next, extents);
  require(next == tensors.size(), "contract \"{}\": {} tensors given, {} expected", network.text,
          tensors.size(), next);
  if (!network.read) return b;
  auto i = extents.find(network.read), j = extents.find(network.write);
  require(i != extents.end() || j != extents.end(), "contract \"{}\": no tensor has tokens",
          network.text);
  b.columns = j != extents.end() ? j->second : i->second;
  b.rows = i != extents.end() ? i->second : j->second;
  require(b.rows <= b.columns, "contract \"{}\": {} tokens read {}", network.text, b.rows,
          b.columns);
  bool decays = false;
  for_each_factor(b.factors, [&](Factor& f) { decays |= f.node.kind == Kind::decay; });
  require(!decays || b.rows == b.columns, "contract \"{}\": decays between {} and {} tokens",
          network.text, b.rows, b.columns);
  return b;
}

std::string OrderChoice::name() const {
  switch (algorithm) {
#define STAR_CASE(id, text) \
  case Algorithm::id:       \
    return fmt::format(text, size);
    STAR_ALGORITHMS(STAR_CASE)
#undef STAR_CASE
  }
  fail("contract: no order {}", int(algorithm));
}

std::vector<OrderChoice> possible_orders(const BoundNetwork& b) {
  if (!b.network.read) return {{Algorithm::pairs}};
  std::vector<OrderChoice> orders{{Algorithm::scores}};
  Sides sides(b);
  int64_t window = narrowest_band(b.factors), L = b.rows;
  const std::string& result = b.network.result;
  bool forward = has(result, b.network.read) && !has(result, b.network.write);
  if (!forward || b.rows != b.columns || sides.both) return orders;
  bool plain = !sides.function && !sides.writes.empty();
  if (plain && window == 1 && sides.decays.empty() && sides.kernels.empty())
    return {{Algorithm::diagonal}, {Algorithm::scores}};
  if (plain && !sides.band && sides.kernels.size() == 1 && sides.decays.empty()) {
    orders.push_back({Algorithm::convolution});
    orders.push_back({Algorithm::transform});
  }
  if (plain && !sides.band && sides.kernels.empty()) {
    orders.push_back({Algorithm::state});
    for (int64_t size : {16, 32, 64, 128, 256})
      if (size < L) orders.push_back({Algorithm::chunks, size});
  }
  bool banded = window != Node::kCausal && sides.decays.empty() && sides.kernels.empty();
  if (int64_t size = std::max<int64_t>(window, 16); banded && size < L)
    orders.push_back({Algorithm::blocks, size});
  for (const OrderChoice& order : fused_orders(b)) orders.push_back(order);
  return orders;
}

Operand run_order(Machine& m, const BoundNetwork& b, const OrderChoice& order) {
  switch (order.algorithm) {
    case Algorithm::diagonal:
      return diagonal(m, b);
    case Algorithm::state:
    case Algorithm::convolution:
      return carried(m, b, ConvMethod::direct);
    case Algorithm::transform:
      return carried(m, b, ConvMethod::fourier);
    case Algorithm::gated_convolution:
    case Algorithm::tiles:
    case Algorithm::state_chunks:
      return run_fused(m, b, order);
    case Algorithm::chunks:
      return chunked(m, b, order.size);
    case Algorithm::blocks:
      return blocked(m, b, order.size);
    case Algorithm::pairs:
    case Algorithm::scores:
      return scores(m, b, b.factors, b.network.result);
  }
  fail("contract \"{}\": an order without a program", b.network.text);
}

}  // namespace star
