#include "autograd/machine.h"

#include <algorithm>
#include <cmath>

#include "autograd/attention.h"
#include "autograd/contraction.h"
#include "autograd/elementwise.h"
#include "autograd/matrix_state.h"
#include "autograd/rows.h"
#include "autograd/views.h"

namespace star {
namespace {

// A complex transform of N numbers takes 5 N log₂ N FLOPs, at about half the rate of a convolution.
constexpr double kTransformFlops = 10;

Extents extents_of(const std::vector<Operand>& operands) {
  Extents extents;
  for (auto& x : operands)
    for (size_t i = 0; i < x.letters.size(); ++i) extents[x.letters[i]] = x.shape[int(i)];
  return extents;
}

Shape shape_of(const std::string& letters, const Extents& extents) {
  Shape shape;
  for (char c : letters) shape.push_back(extents.at(c));
  return shape;
}

bool has(const std::string& letters, char c) { return letters.find(c) != std::string::npos; }

// The queries are the last of the keys.
CausalMask mask_of(const Operand& band) {
  int64_t queries = band.shape[0], keys = band.shape[1];
  return {keys - queries, band.window == Node::kCausal ? 0 : band.window};
}

}  // namespace

void Machine::note(const Operand& x, double read, double flops, std::string what) {
  steps_.push_back({std::move(what), {flops, 4 * (read + x.volume()), 4 * x.volume(), 1}});
}

Shape Machine::three_axes(const Operand& x, char letter) const {
  Shape shape{1, x.size(letter), 1};
  for (int i = 0; i < x.shape.rank(); ++i)
    if (i != x.axis(letter)) shape[i < x.axis(letter) ? 0 : 2] *= x.shape[i];
  return shape;
}

Operand Machine::constant(const std::string& letters, const Shape& shape, double value) {
  Operand x{letters, shape};
  if (tape_) x.var = tape_->constant(tape_->exec().full(shape, dtype_, value));
  return x;
}

Operand Machine::ordered(const Operand& x, const std::string& letters) {
  if (x.letters == letters) return x;
  std::vector<int> order;
  Operand y{letters, {}};
  for (char c : letters) {
    order.push_back(x.axis(c));
    y.shape.push_back(x.size(c));
  }
  if (tape_) y.var = permute(x.var, order);
  return y;
}

Operand Machine::stretched(const Operand& x, const std::string& letters, const Extents& extents) {
  std::string missing;
  for (char c : letters)
    if (!x.has(c)) missing += c;
  if (missing.empty()) return ordered(x, letters);
  return product(x, constant(missing, shape_of(missing, extents), 1), letters);
}

Operand Machine::summed(const Operand& x, const std::string& kept) {
  std::vector<int> axes;
  Operand y;
  for (size_t i = 0; i < x.letters.size(); ++i) {
    if (has(kept, x.letters[i])) {
      y.letters += x.letters[i];
      y.shape.push_back(x.shape[int(i)]);
    } else {
      axes.push_back(int(i));
    }
  }
  if (axes.empty()) return x;
  if (tape_) y.var = star::sum(x.var, axes);
  note(y, x.volume(), x.volume(), fmt::format("{}->{}", x.letters, y.letters));
  return y;
}

Operand Machine::product(const Operand& a, const Operand& b, const std::string& letters) {
  if (b.is_band && a.has(b.letters[0]) && a.has(b.letters[1]))
    return ordered(summed(visible(a, b), letters), letters);
  if (a.is_band) return product(b, band_matrix(a), letters);
  if (b.is_band) return product(a, band_matrix(b), letters);
  Extents extents = extents_of({a, b});
  Operand y{letters, shape_of(letters, extents)};
  if (tape_) y.var = contract_pair(a.var, a.letters, b.var, b.letters, letters);
  steps_.push_back({fmt::format("{},{}->{}", a.letters, b.letters, letters),
                    pair_cost(a.letters, b.letters, letters, extents)});
  return y;
}

Operand Machine::contract(std::vector<Operand> factors, const std::string& result) {
  std::vector<std::string> letters;
  for (size_t f = 0; f < factors.size(); ++f) {
    std::string needed = result;
    for (size_t g = 0; g < factors.size(); ++g)
      if (g != f) needed += factors[g].letters;
    if (!factors[f].is_band) factors[f] = summed(factors[f], needed);
    letters.push_back(factors[f].letters);
  }
  if (factors.size() == 1)
    return ordered(factors[0].is_band ? band_matrix(factors[0]) : factors[0], result);
  // Scores are [.., i, j], as bands and functions want them.
  auto last = [](std::string l, char c) {
    l.erase(l.find(c), 1);
    return l + c;
  };
  for (auto& step : cheapest_pairs(letters, result, extents_of(factors)).steps) {
    std::string l = step.letters;
    if (l != result && has(l, read_) && has(l, write_)) l = last(last(l, read_), write_);
    const Operand a = factors[size_t(step.first)], b = factors[size_t(step.second)];
    factors.push_back(a.is_band ? product(b, a, l) : product(a, b, l));
  }
  return factors.back();
}

Operand Machine::scaled(const Operand& x, double factor) {
  if (factor == 1) return x;
  Operand y = x;
  if (tape_) y.var = scale(x.var, factor);
  note(y, x.volume(), x.volume(), fmt::format("{:.4g} {}", factor, x.letters));
  return y;
}

Operand Machine::sum(const Operand& a, const Operand& b) {
  Operand y = a;
  if (tape_) y.var = a.var + ordered(b, a.letters).var;
  note(y, 2 * a.volume(), a.volume(), fmt::format("{} + {}", a.letters, b.letters));
  return y;
}

Operand Machine::visible(const Operand& x, const Operand& band) {
  std::string letters;
  for (char c : x.letters)
    if (!band.has(c)) letters += c;
  Operand y = ordered(x, letters + band.letters);
  if (tape_) y.var = star::visible(y.var, mask_of(band));
  note(y, x.volume(), 0, fmt::format("band of {}", y.letters));
  return y;
}

Operand Machine::mapped(const Operand& x, Unary function) {
  Operand y = x;
  if (tape_) y.var = unary(function, x.var);
  note(y, x.volume(), 4 * x.volume(), fmt::format("{} of {}", name_of(function), x.letters));
  return y;
}

Operand Machine::softmax(const Operand& x, double factor, const Operand* band) {
  Operand y = x;
  if (tape_ && band) y.var = star::softmax(x.var, mask_of(*band), factor);
  if (tape_ && !band) {  // all keys: each row is a matrix of one query, the last
    int64_t keys = x.shape.back();
    Shape rows{x.shape.numel() / std::max<int64_t>(keys, 1), 1, keys};
    y.var = reshape(star::softmax(reshape(x.var, rows), {keys - 1, 0}, factor), x.shape);
  }
  note(y, x.volume(), 8 * x.volume(), fmt::format("softmax of {}", x.letters));
  return y;
}

namespace {

// The sizes of the axes that the letters of Heads stand for, together.
struct HeadSizes {
  int64_t B, H, G, e, f, queries, keys;
  Shape shape;  // of the result
  HeadSizes(const Machine::Heads& x, char i, char j) {
    Extents extents = extents_of({x.query, x.key, x.value});
    auto size = [&](const std::string& letters) { return shape_of(letters, extents).numel(); };
    B = size(x.lead);
    H = size(x.heads);
    G = size(x.group);
    e = size(x.inner);
    f = size(x.rest);
    queries = extents.at(i);
    keys = extents.at(j);
    shape = shape_of(x.result(i), extents);
  }
};

}  // namespace

Operand Machine::attended(const Heads& x, const Operand& band) {
  HeadSizes n(x, read_, write_);
  Operand y{x.result(read_), n.shape};
  CausalMask mask = mask_of(band);
  if (tape_)
    y.var = reshape(attention(reshape(x.query.var, {n.B, n.queries, n.H, n.G, n.e}),
                              reshape(x.key.var, {n.B, n.keys, n.H, n.e}),
                              reshape(x.value.var, {n.B, n.keys, n.H, n.f}), mask, x.factor),
                    y.shape);
  double seen = double(n.keys) - double(n.queries - 1) / 2;
  if (mask.window > 0) seen = std::min(seen, double(mask.window));
  double pairs = double(n.B * n.H * n.G * n.queries) * seen;
  // Keys and values are copied into tiles first.
  note(y, x.query.volume() + 2 * (x.key.volume() + x.value.volume()),
       pairs * double(2 * n.e + 2 * n.f + 8),
       fmt::format("softmax of {},{} by tiles, with {}", x.query.letters, x.key.letters,
                   x.value.letters));
  return y;
}

Operand Machine::remembered(const Heads& x, const Operand* decay, const Operand* strength) {
  HeadSizes n(x, read_, write_);
  Operand y{x.result(read_), n.shape};
  Shape by_token{n.B, n.queries, n.H};
  if (tape_) {
    MatrixStateInputs in{reshape(x.query.var, {n.B, n.queries, n.H, n.G, n.e}),
                         reshape(x.key.var, {n.B, n.queries, n.H, n.e}),
                         reshape(x.value.var, {n.B, n.queries, n.H, n.f})};
    if (decay) in.decay = reshape(decay->var, by_token);
    if (strength) in.strength = reshape(strength->var, by_token);
    in.factor = x.factor;
    y.var = reshape(matrix_state(in), y.shape);
  }
  double tokens = double(by_token.numel()), e = double(n.e), f = double(n.f), G = double(n.G);
  double inside = 2 * G * double(kStateChunk) * (e + f), across = 2 * (G + 1) * e * f;
  note(y, x.query.volume() + x.key.volume() + x.value.volume() + 2 * tokens,
       tokens * (inside + across),
       fmt::format("state of {},{} in chunks, read by {}", x.key.letters, x.value.letters,
                   x.query.letters));
  return y;
}

Operand Machine::band_matrix(const Operand& band) {
  Operand y = constant(band.letters, band.shape, 1);
  if (tape_) y.var = star::visible(y.var, mask_of(band));
  note(y, 0, 0, fmt::format("band {}", y.letters));
  return y;
}

Operand Machine::decay_matrix(const Operand& decays) {
  Shape three = three_axes(decays, Node::kTokens);
  int64_t L = three[1];
  Operand y{decays.letters, decays.shape};
  int axis = decays.axis(Node::kTokens);
  y.letters.erase(size_t(axis), 1);
  y.letters += {read_, write_};
  y.shape = {};
  for (int i = 0; i < decays.shape.rank(); ++i)
    if (i != axis) y.shape.push_back(decays.shape[i]);
  y.shape.push_back(L);
  y.shape.push_back(L);
  if (tape_) y.var = reshape(decay(reshape(decays.var, three)), y.shape);
  note(y, decays.volume(), y.volume(), fmt::format("decays {} as {}", decays.letters, y.letters));
  return y;
}

Operand Machine::toeplitz_matrix(const Operand& kernel, int64_t rows, int64_t columns) {
  std::string rest = kernel.letters;
  rest.erase(rest.find(Node::kTokens), 1);
  Operand k = ordered(kernel, Node::kTokens + rest);
  int64_t taps = k.shape[0], width = k.shape.numel() / std::max<int64_t>(taps, 1);
  Operand y{std::string{read_, write_} + rest, {rows, columns}};
  for (char c : rest) y.shape.push_back(k.size(c));
  if (tape_) {
    // Row `taps` of the table is 0, for all pairs that the kernel does not reach.
    std::vector<int32_t> lag;
    for (int64_t i = columns - rows; i < columns; ++i)
      for (int64_t j = 0; j < columns; ++j)
        lag.push_back(int32_t(j <= i && i - j < taps ? i - j : taps));
    Var zero = tape_->constant(tape_->exec().zeros({1, width}, dtype_));
    Var table = concat(reshape(k.var, {taps, width}), zero, 0);
    y.var = reshape(embedding(table, tape_->exec().from({rows * columns}, lag)), y.shape);
  }
  note(y, kernel.volume(), 0, fmt::format("lags {} as {}", kernel.letters, y.letters));
  return y;
}

Operand Machine::scanned(const std::vector<Operand>& decays, const Operand& u, char along) {
  std::vector<Operand> all = decays;
  all.push_back(u);
  Extents extents = extents_of(all);
  std::string letters = u.letters, decay_letters;
  for (auto& a : decays)
    for (char c : a.letters) {
      if (!has(decay_letters, c)) decay_letters += c;
      if (!has(letters, c)) letters += c;
    }
  Operand input = stretched(u, letters, extents);
  Operand a = decays.empty() ? constant(letters, shape_of(letters, extents), 1)
                             : stretched(contract(decays, decay_letters), letters, extents);
  Operand y{letters, input.shape};
  Shape three = three_axes(y, along);
  if (tape_) y.var = reshape(scan(reshape(a.var, three), reshape(input.var, three)), y.shape);
  note(y, 2 * y.volume(), 2 * y.volume(), fmt::format("scan of {} along {}", letters, along));
  return y;
}

Operand Machine::convolved(const Operand& kernel, const Operand& u, char along, ConvMethod method) {
  std::string channels = kernel.letters, letters;
  channels.erase(channels.find(Node::kTokens), 1);
  for (char c : u.letters)
    if (c != along && !has(channels, c)) letters += c;
  letters += along + channels;
  Operand x = stretched(u, letters, extents_of({u, kernel}));
  Operand k = ordered(kernel, Node::kTokens + channels);
  double L = double(x.size(along)), taps = std::min(L, double(k.shape[0]));
  double signals = x.volume() / std::max(L, 1.0);
  Operand y{letters, x.shape};
  int64_t width = k.shape.numel() / std::max<int64_t>(k.shape[0], 1);
  int64_t batch = y.shape.numel() / std::max<int64_t>(width * x.size(along), 1);
  if (tape_) {
    Var in = reshape(x.var, {batch, x.size(along), width});
    y.var = reshape(conv(in, reshape(k.var, {k.shape[0], width}), method), y.shape);
  }
  auto noted = [&](const char* name, double work) {
    note(y, x.volume() + k.volume(), work,
         fmt::format("{} of {} by {} along {}", name, letters, k.letters, along));
    return y;
  };
  switch (method) {
    case ConvMethod::direct:
      return noted("convolution", 2 * signals * taps * (L - (taps - 1) / 2));
    case ConvMethod::fourier: {
      // Two sequences a transform there and back, and one for the kernel; log N passes over N.
      double n = std::exp2(std::ceil(std::log2(std::max(L + taps - 1, 1.0))));
      double transforms = double(width) * (2 * std::ceil(double(batch) / 2) + 1);
      return noted("transform", kTransformFlops * transforms * n * std::log2(n));
    }
  }
  fail("conv: no method {}", int(method));
}

Operand Machine::gated_convolved(const Operand& read, const Operand& kernel, const Operand& write,
                                 const Operand& value) {
  Operand y = read;
  Shape three = three_axes(read, read_), k{kernel.size(Node::kTokens), three[2]};
  if (tape_)
    y.var = reshape(gated_conv(reshape(read.var, three), reshape(kernel.var, k),
                               reshape(write.var, three), reshape(value.var, three)),
                    y.shape);
  note(y, 3 * y.volume() + kernel.volume(), double(2 * k[0] + 2) * y.volume(),
       fmt::format("gated convolution of {} by {}", write.letters, kernel.letters));
  return y;
}

Operand Machine::from_start(const Operand& decays) {
  Operand y = decays;
  if (tape_)
    y.var = reshape(cumulative_product(reshape(decays.var, three_axes(decays, Node::kTokens))),
                    y.shape);
  note(y, decays.volume(), decays.volume(), fmt::format("products of {}", decays.letters));
  return y;
}

Operand Machine::to_end(const Operand& decays) {
  Operand y = decays;
  if (tape_)
    y.var =
        reshape(remaining_product(reshape(decays.var, three_axes(decays, Node::kTokens))), y.shape);
  note(y, decays.volume(), decays.volume(), fmt::format("products behind {}", decays.letters));
  return y;
}

Operand Machine::narrowed(const Operand& x, char letter, int64_t start, int64_t length) {
  if (!x.has(letter)) return x;
  Operand y = x;
  y.shape[x.axis(letter)] = length;
  if (x.is_band) return y;
  if (tape_) y.var = narrow(x.var, x.axis(letter), start, length);
  return y;
}

Operand Machine::split(const Operand& x, char letter, char chunk, int64_t size) {
  if (!x.has(letter) || x.is_band) return x;
  int axis = x.axis(letter);
  int64_t length = x.shape[axis], chunks = (length + size - 1) / size;
  Operand y{x.letters.substr(0, size_t(axis)) + chunk + x.letters.substr(size_t(axis)), {}};
  for (int i = 0; i < x.shape.rank(); ++i) {
    if (i == axis) y.shape.push_back(chunks);
    y.shape.push_back(i == axis ? size : x.shape[i]);
  }
  if (int64_t rest = chunks * size - length; rest > 0) {
    Operand padding = constant(x.letters, x.shape.with(axis, rest), 0);
    Operand padded = joined(x, padding, letter);
    if (tape_) y.var = reshape(padded.var, y.shape);
  } else if (tape_) {
    y.var = reshape(x.var, y.shape);
  }
  return y;
}

Operand Machine::merged(const Operand& x, char chunk, char letter, int64_t length) {
  Operand y{x.letters, {}};
  int axis = x.axis(chunk);
  y.letters.erase(size_t(axis), 1);
  for (int i = 0; i < x.shape.rank(); ++i)
    if (i != axis) y.shape.push_back(i == axis + 1 ? x.shape[axis] * x.shape[i] : x.shape[i]);
  if (tape_) y.var = reshape(x.var, y.shape);
  return narrowed(y, letter, 0, length);
}

Operand Machine::joined(const Operand& a, const Operand& b, char letter) {
  int axis = a.axis(letter);
  Operand y{a.letters, a.shape.with(axis, a.shape[axis] + b.shape[axis])};
  if (tape_) y.var = concat(a.var, b.var, axis);
  note(y, y.volume(), 0, fmt::format("join of {} along {}", a.letters, letter));
  return y;
}

Operand Machine::delayed(const Operand& x, char letter) {
  int64_t n = x.size(letter);
  Operand zero = constant(x.letters, x.shape.with(x.axis(letter), 1), 0);
  return n > 1 ? joined(zero, narrowed(x, letter, 0, n - 1), letter) : zero;
}

}  // namespace star
