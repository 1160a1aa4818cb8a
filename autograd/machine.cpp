#include "autograd/machine.h"

#include <algorithm>
#include <cmath>

#include "autograd/elementwise.h"
#include "autograd/linear.h"
#include "autograd/matrix_state.h"
#include "autograd/rows.h"
#include "autograd/views.h"

namespace star::autograd {
namespace {

using Run = Program::Run;

// The queries are the last of the keys.
CausalMask mask_of(const Operand& band) {
  int64_t queries = band.shape[0], keys = band.shape[1];
  return {keys - queries, band.window == Node::kCausal ? 0 : band.window};
}

}  // namespace

double Operand::volume() const {
  double product = 1;
  for (int64_t n : shape) product *= double(n);
  return product;
}

std::string renamed(std::string letters, char a, char b) {
  std::replace(letters.begin(), letters.end(), a, b);
  return letters;
}

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

Shape three_axes(const Operand& x, char letter) {
  Shape shape{1, x.size(letter), 1};
  for (int i = 0; i < x.shape.rank(); ++i)
    if (i != x.axis(letter)) shape[i < x.axis(letter) ? 0 : 2] *= x.shape[i];
  return shape;
}

Operand Machine::computed(Operand x, const std::vector<Operand>& of, Program::Compute compute) {
  std::vector<int> values;
  for (const Operand& o : of) values.push_back(o.value);
  x.value = program_.add(std::move(values), std::move(compute));
  return x;
}

Operand Machine::constant(const std::string& letters, const Shape& shape, double value) {
  return computed({letters, shape}, {}, [=](const Run& run) {
    return run.tape().constant(run.tape().exec().full(shape, run.dtype(), value));
  });
}

Operand Machine::ordered(const Operand& x, const std::string& letters) {
  if (x.letters == letters) return x;
  std::vector<int> order;
  Operand y{letters, {}};
  for (char c : letters) {
    order.push_back(x.axis(c));
    y.shape.push_back(x.size(c));
  }
  return computed(y, {x}, [=, v = x.value](const Run& run) { return permute(run[v], order); });
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
  y = computed(y, {x}, [=, v = x.value](const Run& run) { return autograd::sum(run[v], axes); });
  note(y, x.volume(), x.volume(), "{}->{}", x.letters, y.letters);
  return y;
}

Operand Machine::product(const Operand& a, const Operand& b, const std::string& letters) {
  if (b.is_band && a.has(b.letters[0]) && a.has(b.letters[1]))
    return ordered(summed(visible(a, b), letters), letters);
  if (a.is_band) return product(b, band_matrix(a), letters);
  if (b.is_band) return product(a, band_matrix(b), letters);
  Extents extents = extents_of({a, b});
  Operand y{letters, shape_of(letters, extents)};
  y = computed(y, {a, b}, [=](const Run& run) {
    return contract_pair(run[a.value], a.letters, run[b.value], b.letters, letters);
  });
  tell(pair_cost(a.letters, b.letters, letters, extents), "{},{}->{}", a.letters, b.letters,
       letters);
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
  for (auto& step : cheapest_pairs(letters, result, extents_of(factors), rates_).steps) {
    std::string l = step.letters;
    if (l != result && has(l, read_) && has(l, write_)) l = last(last(l, read_), write_);
    const Operand a = factors[size_t(step.first)], b = factors[size_t(step.second)];
    factors.push_back(a.is_band ? product(b, a, l) : product(a, b, l));
  }
  return factors.back();
}

Operand Machine::scaled(const Operand& x, double factor) {
  if (factor == 1) return x;
  Operand y = computed(x, {x}, [=, v = x.value](const Run& run) { return scale(run[v], factor); });
  note(y, x.volume(), x.volume(), "{:.4g} {}", factor, x.letters);
  return y;
}

Operand Machine::sum(const Operand& a, const Operand& b) {
  Operand other = ordered(b, a.letters);
  Operand y = computed(a, {a, other},
                       [v = a.value, w = other.value](const Run& run) { return run[v] + run[w]; });
  note(y, 2 * a.volume(), a.volume(), "{} + {}", a.letters, b.letters);
  return y;
}

Operand Machine::visible(const Operand& x, const Operand& band) {
  std::string letters;
  for (char c : x.letters)
    if (!band.has(c)) letters += c;
  Operand y = ordered(x, letters + band.letters);
  y = computed(y, {y}, [v = y.value, mask = mask_of(band)](const Run& run) {
    return autograd::visible(run[v], mask);
  });
  note(y, x.volume(), 0, "band of {}", y.letters);
  return y;
}

Operand Machine::mapped(const Operand& x, Unary function) {
  Operand y =
      computed(x, {x}, [=, v = x.value](const Run& run) { return unary(function, run[v]); });
  note(y, x.volume(), 4 * x.volume(), "{} of {}", name_of(function), x.letters);
  return y;
}

Operand Machine::softmax(const Operand& x, double factor, const Operand* band) {
  // Without a band a query sees all keys: each row is a matrix of one query, the last.
  int64_t keys = x.shape.back();
  Shape rows = x.shape;
  if (!band) rows = {x.shape.numel() / std::max<int64_t>(keys, 1), 1, keys};
  CausalMask mask = band ? mask_of(*band) : CausalMask{keys - 1, 0};
  Operand y = computed(x, {x}, [=, v = x.value, shape = x.shape](const Run& run) {
    return reshape(autograd::softmax(reshape(run[v], rows), mask, factor), shape);
  });
  note(y, x.volume(), 8 * x.volume(), "softmax of {}", x.letters);
  return y;
}

Operand Machine::band_matrix(const Operand& band) {
  Operand ones = constant(band.letters, band.shape, 1);
  Operand y = computed(ones, {ones}, [v = ones.value, mask = mask_of(band)](const Run& run) {
    return autograd::visible(run[v], mask);
  });
  note(y, 0, 0, "band {}", y.letters);
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
  y = computed(y, {decays}, [=, v = decays.value, shape = y.shape](const Run& run) {
    return reshape(decay(reshape(run[v], three)), shape);
  });
  note(y, decays.volume(), y.volume(), "decays {} as {}", decays.letters, y.letters);
  return y;
}

Operand Machine::toeplitz_matrix(const Operand& kernel, int64_t rows, int64_t columns) {
  std::string rest = kernel.letters;
  rest.erase(rest.find(Node::kTokens), 1);
  Operand k = ordered(kernel, Node::kTokens + rest);
  int64_t taps = k.shape[0], width = k.shape.numel() / std::max<int64_t>(taps, 1);
  Operand y{std::string{read_, write_} + rest, {rows, columns}};
  for (char c : rest) y.shape.push_back(k.size(c));
  y = computed(y, {k}, [=, v = k.value, shape = y.shape](const Run& run) {
    // Row `taps` of the table is 0, for all pairs that the kernel does not reach.
    std::vector<int32_t> lag;
    for (int64_t i = columns - rows; i < columns; ++i)
      for (int64_t j = 0; j < columns; ++j)
        lag.push_back(int32_t(j <= i && i - j < taps ? i - j : taps));
    Exec& exec = run.tape().exec();
    Var zero = run.tape().constant(exec.zeros({1, width}, run.dtype()));
    Var table = concat(reshape(run[v], {taps, width}), zero, 0);
    return reshape(embedding(table, exec.from({rows * columns}, lag)), shape);
  });
  note(y, kernel.volume(), 0, "lags {} as {}", kernel.letters, y.letters);
  return y;
}

Operand Machine::delta_matrix(const Operand& key, const Operand& strength, const Operand& decay,
                              const std::string& letters) {
  std::string rest = strength.letters;
  rest.erase(rest.find(Node::kTokens), 1);
  Operand w = ordered(strength, rest + Node::kTokens);
  std::string own;
  for (char c : key.letters)
    if (!strength.has(c)) own += c;
  Operand k = ordered(key, w.letters + own);
  const bool by_channel = decay.has(own[0]);
  Operand a = ordered(decay, by_channel ? k.letters : w.letters);
  int64_t L = k.size(Node::kTokens), N = k.shape.back(),
          R = k.shape.numel() / std::max<int64_t>(L * N, 1);
  Operand y{rest + read_ + write_ + own + letters.back(), w.shape};
  for (int64_t n : {L, N, N}) y.shape.push_back(n);
  y = computed(y, {k, w, a}, [=, shape = y.shape](const Run& run) {
    const Shape decays = by_channel ? Shape{R, L, N} : Shape{R, L};
    return reshape(delta_transitions(reshape(run[k.value], {R, L, N}),
                                     reshape(run[w.value], {R, L}), reshape(run[a.value], decays)),
                   shape);
  });
  double product = double(R * L) * double(L) * double(N * N) * double(N);
  tell({product, 4 * 3 * y.volume(), 4 * y.volume(), int(L)}, "transitions of {} as {}",
       key.letters, y.letters);
  return y;
}

Operand Machine::scanned(const std::vector<Operand>& decays, const Operand& x, char along) {
  std::vector<Operand> all = decays;
  all.push_back(x);
  Extents extents = extents_of(all);
  std::string letters = x.letters, decay_letters;
  for (auto& a : decays)
    for (char c : a.letters) {
      if (!has(decay_letters, c)) decay_letters += c;
      if (!has(letters, c)) letters += c;
    }
  Operand input = stretched(x, letters, extents);
  Operand a = decays.empty() ? constant(letters, shape_of(letters, extents), 1)
                             : stretched(contract(decays, decay_letters), letters, extents);
  Operand y{letters, input.shape};
  Shape three = three_axes(y, along);
  y = computed(y, {a, input}, [=, v = a.value, u = input.value, shape = y.shape](const Run& run) {
    return reshape(scan(reshape(run[v], three), reshape(run[u], three)), shape);
  });
  note(y, 2 * y.volume(), 2 * y.volume(), "scan of {} along {}", letters, along);
  return y;
}

Operand Machine::convolved(const Operand& kernel, const Operand& input, char along,
                           ConvMethod method) {
  std::string channels = kernel.letters, letters;
  channels.erase(channels.find(Node::kTokens), 1);
  for (char c : input.letters)
    if (c != along && !has(channels, c)) letters += c;
  letters += along + channels;
  Operand x = stretched(input, letters, extents_of({input, kernel}));
  Operand k = ordered(kernel, Node::kTokens + channels);
  double L = double(x.size(along)), taps = std::min(L, double(k.shape[0]));
  double signals = x.volume() / std::max(L, 1.0);
  Operand y{letters, x.shape};
  int64_t width = k.shape.numel() / std::max<int64_t>(k.shape[0], 1);
  int64_t batch = y.shape.numel() / std::max<int64_t>(width * x.size(along), 1);
  Shape signal{batch, x.size(along), width}, lags{k.shape[0], width};
  y = computed(y, {x, k}, [=, u = x.value, v = k.value, shape = y.shape](const Run& run) {
    return reshape(conv(reshape(run[u], signal), reshape(run[v], lags), method), shape);
  });
  auto noted = [&](const char* name, double work) {
    note(y, x.volume() + k.volume(), work, "{} of {} by {} along {}", name, letters, k.letters,
         along);
    return y;
  };
  switch (method) {
    case ConvMethod::direct:
      return noted("convolution", 2 * signals * taps * (L - (taps - 1) / 2));
    case ConvMethod::fourier: {
      // Two sequences a transform there and back, and one for the kernel; log N passes over N.
      double n = std::exp2(std::ceil(std::log2(std::max(L + taps - 1, 1.0))));
      double transforms = double(width) * (2 * std::ceil(double(batch) / 2) + 1);
      return noted("transform", rates_.transform * transforms * n * std::log2(n));
    }
  }
  fail("conv: no method {}", int(method));
}

Operand Machine::from_start(const Operand& decays) {
  Operand y =
      computed(decays, {decays}, [=, three = three_axes(decays, Node::kTokens)](const Run& run) {
        return reshape(cumulative_product(reshape(run[decays.value], three)), decays.shape);
      });
  note(y, decays.volume(), decays.volume(), "products of {}", decays.letters);
  return y;
}

Operand Machine::to_end(const Operand& decays) {
  Operand y =
      computed(decays, {decays}, [=, three = three_axes(decays, Node::kTokens)](const Run& run) {
        return reshape(remaining_product(reshape(run[decays.value], three)), decays.shape);
      });
  note(y, decays.volume(), decays.volume(), "products behind {}", decays.letters);
  return y;
}

Operand Machine::narrowed(const Operand& x, char letter, int64_t start, int64_t length) {
  if (!x.has(letter)) return x;
  Operand y = x;
  y.shape[x.axis(letter)] = length;
  if (x.is_band) return y;
  return computed(y, {x}, [=, v = x.value, axis = x.axis(letter)](const Run& run) {
    return narrow(run[v], axis, start, length);
  });
}

Operand Machine::split(const Operand& x, char letter, char chunk, int64_t size) {
  if (!x.has(letter) || x.is_band) return x;
  int axis = x.axis(letter);
  int64_t length = x.shape[axis], chunks = blocks_of(length, size);
  Operand y{x.letters.substr(0, size_t(axis)) + chunk + x.letters.substr(size_t(axis)), {}};
  for (int i = 0; i < x.shape.rank(); ++i) {
    if (i == axis) y.shape.push_back(chunks);
    y.shape.push_back(i == axis ? size : x.shape[i]);
  }
  Operand whole = x;
  if (int64_t rest = chunks * size - length; rest > 0)
    whole = joined(x, constant(x.letters, x.shape.with(axis, rest), 0), letter);
  return computed(y, {whole}, [v = whole.value, shape = y.shape](const Run& run) {
    return reshape(run[v], shape);
  });
}

Operand Machine::merged(const Operand& x, char chunk, char letter, int64_t length) {
  Operand y{x.letters, {}};
  int axis = x.axis(chunk);
  y.letters.erase(size_t(axis), 1);
  for (int i = 0; i < x.shape.rank(); ++i)
    if (i != axis) y.shape.push_back(i == axis + 1 ? x.shape[axis] * x.shape[i] : x.shape[i]);
  y = computed(y, {x},
               [v = x.value, shape = y.shape](const Run& run) { return reshape(run[v], shape); });
  return narrowed(y, letter, 0, length);
}

Operand Machine::joined(const Operand& a, const Operand& b, char letter) {
  int axis = a.axis(letter);
  Operand y{a.letters, a.shape.with(axis, a.shape[axis] + b.shape[axis])};
  y = computed(y, {a, b}, [=, v = a.value, w = b.value](const Run& run) {
    return concat(run[v], run[w], axis);
  });
  note(y, y.volume(), 0, "join of {} along {}", a.letters, letter);
  return y;
}

Operand Machine::delayed(const Operand& x, char letter) {
  int64_t n = x.size(letter);
  Operand zero = constant(x.letters, x.shape.with(x.axis(letter), 1), 0);
  return n > 1 ? joined(zero, narrowed(x, letter, 0, n - 1), letter) : zero;
}

}  // namespace star::autograd
