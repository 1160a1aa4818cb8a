// Orders that are made of small operations.
#include <algorithm>

#include "autograd/orders.h"

namespace star::autograd {
namespace {

using Kind = Node::Kind;

// Applies f to every operand, inside functions too.
template <class F>
void for_each_factor(std::vector<Factor>& factors, const F& f) {
  for (Factor& x : factors) {
    f(x);
    for_each_factor(x.inside, f);
  }
}

// The letters of the factors beside one, and of the result.
std::string letters_outside(const Network& network, const std::vector<Factor>& factors,
                            const Factor& one, std::string letters) {
  for (const Factor& other : factors) {
    if (&other == &one) continue;
    letters += letters_of(other);
    if (other.node.kind == Kind::band || other.node.kind == Kind::toeplitz ||
        other.node.kind == Kind::decay || other.node.kind == Kind::delta)
      letters += {network.read, network.write};
  }
  return letters;
}

// How a network with structure falls apart: what reads has i, what writes has j.
struct Sides {
  std::vector<Operand> reads, writes, decays, kernels, others;
  double number = 1;
  bool both = false, function = false, band = false, delta = false;

  explicit Sides(const BoundNetwork& b) {
    Kinds k(b.factors);
    number = k.number;
    band = k.window != Node::kCausal;
    function = !k.functions.empty();
    delta = !k.deltas.empty();
    kernels = k.kernels;
    for (const Factor* decay : k.decays) decays.push_back(decay->operand);
    for (const Operand& x : k.tensors) {
      bool i = x.has(b.network.read), j = x.has(b.network.write);
      both |= i && j;
      (j ? writes : i ? reads : others).push_back(x);
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
  return {{b.network.read, b.network.write}, {b.rows, b.columns}, -1, true, window};
}

// A function of the entries of one tensor is a tensor, and a decay by a function one of a tensor.
bool pointwise(const Factor& f, const Network& network) {
  if (f.node.kind != Kind::function || f.node.is_softmax()) return false;
  for (const Factor& x : f.inside)
    if (x.node.kind != Kind::tensor && x.node.kind != Kind::number) return false;
  std::string letters = letters_of(f);
  return !has(letters, network.read) || !has(letters, network.write);
}

Factor evaluated(Machine& m, const Factor& f, const std::string& outside) {
  Kinds inside(f.inside);
  std::string letters;
  for (const Operand& x : inside.tensors)
    for (char c : x.letters)
      if (has(outside, c) && !has(letters, c)) letters += c;
  multiply(m, inside.tensors, inside.number);
  return {{}, m.mapped(m.contract(inside.tensors, letters), *f.node.function), {}};
}

// The network with its functions of single tensors evaluated.
BoundNetwork with_values(Machine& m, const BoundNetwork& b) {
  BoundNetwork y = b;
  for (size_t n = 0; n < b.factors.size(); ++n) {
    const Factor& f = b.factors[n];
    std::string outside = letters_outside(b.network, b.factors, f, b.network.result);
    if (pointwise(f, b.network)) y.factors[n] = evaluated(m, f, outside);
    if (f.node.kind != Kind::decay || f.inside.empty()) continue;
    y.factors[n] = evaluated(m, f.inside[0], outside + f.node.along);
    y.factors[n].node.kind = Kind::decay;
    std::string& letters = y.factors[n].operand.letters;
    letters = renamed(letters, f.node.along, Node::kTokens);
  }
  return y;
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
  if (f.node.is_softmax()) return softmax_of_scores(m, b, f.inside, entries);
  return m.mapped(scores(m, b, f.inside, entries), *f.node.function);
}

// All pairs of tokens: structure becomes tensors of (i, j), which meet the others like any factor.
Operand scores(Machine& m, const BoundNetwork& b, const std::vector<Factor>& factors,
               const std::string& result) {
  std::vector<Operand> operands;
  double number = 1;
  char i = b.network.read, j = b.network.write;
  // Letters of the entries of a function: those that something outside has, and (i, j).
  auto entries_of = [&](const Factor& f) {
    std::string outside = letters_outside(b.network, factors, f, result), entries;
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
      case Kind::delta: {
        auto inside = [&](size_t n) {
          const Factor& x = f.inside[n];
          Operand of = x.inside.empty() ? x.operand : m.mapped(x.inside[0].operand, Unary::exp);
          of.letters = renamed(of.letters, f.node.along, Node::kTokens);
          return of;
        };
        operands.push_back(m.delta_matrix(inside(0), inside(1), inside(2), f.operand.letters));
        break;
      }
      case Kind::function:
        operands.push_back(function_of_scores(m, b, f, entries_of(f)));
    }
  }
  multiply(m, operands, number);
  return m.contract(operands, result);
}

// i and j are one index.
Operand diagonal(Machine& m, const BoundNetwork& b, int64_t) {
  std::vector<Operand> operands;
  Sides sides(b);
  for (auto* list : {&sides.reads, &sides.writes, &sides.others})
    for (Operand x : *list) {
      x.letters = renamed(x.letters, b.network.write, b.network.read);
      operands.push_back(x);
    }
  multiply(m, operands, sides.number);
  return m.contract(operands, renamed(b.network.result, b.network.write, b.network.read));
}

// What is written is carried along the tokens, by a scan or a convolution, and then read.
Operand carried(Machine& m, const BoundNetwork& b, ConvMethod method) {
  Sides sides(b);
  char i = b.network.read, j = b.network.write;
  multiply(m, sides.writes, sides.number);
  Operand u = m.contract(sides.writes, kept_letters(sides.writes, sides.needed(b.network), j));
  for (Operand& x : sides.decays) x.letters = renamed(x.letters, Node::kTokens, j);
  u = sides.kernels.empty() ? m.scanned(sides.decays, u, j)
                            : m.convolved(sides.kernels[0], u, j, method);
  u.letters = renamed(u.letters, j, i);
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
    total.letters = renamed(total.letters, Node::kTokens, chunk);
    start.letters = renamed(start.letters, Node::kTokens, i);
    end.letters = renamed(end.letters, Node::kTokens, j);
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

// What of a network the orders ask for before they take it.
struct Traits {
  bool forward = false;  // as many i as j, and the result is that of the i
  bool plain = false;    // beside, no function of the entries and no delta: a product of structure
  bool banded = false, diagonal = false;
  int64_t window = Node::kCausal;
  size_t decays = 0, kernels = 0;

  Traits(const BoundNetwork& b, const Rates& rates) {
    const Network& n = b.network;
    if (!n.read || b.rows != b.columns || !has(n.result, n.read) || has(n.result, n.write)) return;
    Machine scratch(n, rates, false);
    BoundNetwork values = with_values(scratch, b);
    Sides sides(values);
    window = narrowest_band(values.factors);
    decays = sides.decays.size();
    kernels = sides.kernels.size();
    forward = !sides.both && !sides.delta;
    plain = forward && !sides.function && !sides.writes.empty();
    banded = sides.band;
    diagonal = plain && window == 1 && decays == 0 && kernels == 0;
  }
  bool convolution() const { return plain && !banded && kernels == 1 && decays == 0; }
  bool state() const { return plain && !banded && !diagonal && kernels == 0; }
};

using Sizes = std::vector<int64_t>;

Sizes chunk_sizes(const BoundNetwork& b, const Rates& rates) {
  Sizes sizes;
  if (!Traits(b, rates).state()) return sizes;
  for (int64_t size : {16, 32, 64, 128, 256})
    if (size < b.rows) sizes.push_back(size);
  return sizes;
}

Sizes block_sizes(const BoundNetwork& b, const Rates& rates) {
  Traits t(b, rates);
  int64_t size = std::max<int64_t>(t.window, 16);
  bool does = t.forward && !t.diagonal && t.window != Node::kCausal && t.decays == 0 &&
              t.kernels == 0 && size < b.rows;
  return does ? Sizes{size} : Sizes{};
}

template <Operand (*order)(Machine&, const BoundNetwork&, int64_t)>
Operand on_values(Machine& m, const BoundNetwork& b, int64_t size) {
  return order(m, with_values(m, b), size);
}

Operand all_pairs(Machine& m, const BoundNetwork& b, int64_t) {
  return scores(m, b, b.factors, b.network.result);
}

}  // namespace

std::vector<Order> composed_orders() {
  using B = const BoundNetwork&;
  using R = const Rates&;
  auto direct = [](Machine& m, B b, int64_t) {
    return carried(m, with_values(m, b), ConvMethod::direct);
  };
  auto fourier = [](Machine& m, B b, int64_t) {
    return carried(m, with_values(m, b), ConvMethod::fourier);
  };
  return {
      {"pairs", [](B b, R) { return fits(!b.network.read); }, on_values<all_pairs>},
      {"diagonal", [](B b, R r) { return fits(Traits(b, r).diagonal); }, on_values<diagonal>},
      {"scores", [](B b, R) { return fits(b.network.read); }, on_values<all_pairs>},
      {"convolution", [](B b, R r) { return fits(Traits(b, r).convolution()); }, direct},
      {"transform", [](B b, R r) { return fits(r.transform > 0 && Traits(b, r).convolution()); },
       fourier},
      {"state", [](B b, R r) { return fits(Traits(b, r).state()); }, direct},
      {"chunks of {}", chunk_sizes, on_values<chunked>},
      {"blocks of {}", block_sizes, on_values<blocked>},
  };
}

}  // namespace star::autograd
