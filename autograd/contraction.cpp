#include "autograd/contraction.h"

#include <bit>
#include <cctype>
#include <limits>

#include "autograd/values.h"
#include "autograd/views.h"

namespace star {

Network parse_network(const std::string& text) {
  Network network;
  size_t arrow = text.find("->");
  require(arrow != std::string::npos, "contract \"{}\": no ->", text);
  auto letters_at = [&](size_t begin, size_t end) {
    std::string letters = text.substr(begin, end - begin);
    for (size_t i = 0; i < letters.size(); ++i) {
      require(std::isalpha(static_cast<unsigned char>(letters[i])),
              "contract \"{}\": bad letter '{}'", text, letters[i]);
      require(letters.find(letters[i]) == i, "contract \"{}\": '{}' stands twice in one place",
              text, letters[i]);
    }
    return letters;
  };
  for (size_t begin = 0; begin <= arrow;) {
    size_t end = std::min(text.find(',', begin), arrow);
    network.factors.push_back(letters_at(begin, end));
    begin = end + 1;
  }
  network.result = letters_at(arrow + 2, text.size());
  for (char c : network.result) {
    bool found = false;
    for (auto& f : network.factors) found |= f.find(c) != std::string::npos;
    require(found, "contract \"{}\": no factor has '{}'", text, c);
  }
  return network;
}

namespace {

// Letters of a subset of the factors that are needed outside of it, in order of appearance.
std::string open_letters(const Network& network, unsigned subset) {
  std::string open;
  for (size_t f = 0; f < network.factors.size(); ++f) {
    if (!(subset >> f & 1)) continue;
    for (char c : network.factors[f]) {
      bool outside = network.result.find(c) != std::string::npos;
      for (size_t g = 0; g < network.factors.size(); ++g)
        outside |= !(subset >> g & 1) && network.factors[g].find(c) != std::string::npos;
      if (outside && open.find(c) == std::string::npos) open += c;
    }
  }
  return open;
}

double volume(const std::string& a, const std::string& b, const std::map<char, int64_t>& sizes) {
  double product = 1;
  for (char c : a) product *= double(sizes.at(c));
  for (char c : b)
    if (a.find(c) == std::string::npos) product *= double(sizes.at(c));
  return product;
}

}  // namespace

ContractionPlan plan_contraction(const Network& network, const std::map<char, int64_t>& sizes) {
  size_t n = network.factors.size();
  require(n <= 12, "contract: {} factors; at most 12 are planned", n);
  unsigned all = (1u << n) - 1;
  struct Best {
    double cost = std::numeric_limits<double>::infinity();
    double step = 0;
    unsigned left = 0;
    std::string letters;
  };
  std::vector<Best> best(size_t(all) + 1);
  for (unsigned set = 1; set <= all; ++set) {
    Best& here = best[set];
    here.letters = open_letters(network, set);
    if (std::has_single_bit(set)) {
      here.cost = 0;
      continue;
    }
    // Each split once: the part with the lowest factor is the left one.
    for (unsigned left = (set - 1) & set; left; left = (left - 1) & set) {
      if (!(left & (set & -set))) continue;
      const Best &l = best[left], &r = best[set ^ left];
      double step = volume(l.letters, r.letters, sizes), cost = l.cost + r.cost + step;
      if (cost < here.cost) {
        here.cost = cost;
        here.step = step;
        here.left = left;
      }
    }
  }
  ContractionPlan plan;
  plan.cost = best[all].cost;
  int next = int(n);
  auto emit = [&](auto&& self, unsigned set) -> int {
    if (std::has_single_bit(set)) return std::countr_zero(set);
    int left = self(self, best[set].left), right = self(self, set ^ best[set].left);
    plan.steps.push_back({left, right, best[set].letters, best[set].step});
    return next++;
  };
  emit(emit, all);
  if (!plan.steps.empty()) plan.steps.back().letters = network.result;
  return plan;
}

namespace {

struct Factor {
  Var var;
  std::string letters;
};

// Sums the letters of f that no other place needs.
Factor without_private_letters(Factor f, const std::string& needed) {
  std::vector<int> axes;
  std::string letters;
  for (size_t i = 0; i < f.letters.size(); ++i) {
    if (needed.find(f.letters[i]) == std::string::npos)
      axes.push_back(int(i));
    else
      letters += f.letters[i];
  }
  if (axes.empty()) return f;
  return {sum(f.var, axes), letters};
}

void give(const Var& v, const std::string& lv, const Tensor& dy, const std::string& lo,
          const Tensor& other, const std::string& lother) {
  if (!v.needs_grad()) return;
  Exec& exec = v.exec();
  // A parameter's gradient is accumulated by the GEMM itself.
  if (Tensor home = v.tape().target(v); home.defined())
    values::contract_add(exec, dy, lo, other, lother, lv, home);
  else
    v.tape().add(v, values::contract(exec, dy, lo, other, lother, lv));
}

Var contract_pair(const Factor& a, const Factor& b, const std::string& letters) {
  Var x = a.var, w = b.var;
  std::string lx = a.letters, lw = b.letters, lo = letters;
  Tensor y = values::contract(x.exec(), x.value(), lx, w.value(), lw, lo);
  return x.tape().record(Primitive::contract, y, {x, w}, [=](const Tensor& dy) {
    give(x, lx, dy, lo, w.value(), lw);
    give(w, lw, dy, lo, x.value(), lx);
  });
}

}  // namespace

Var contract(const std::string& text, std::vector<Var> factors) {
  Network network = parse_network(text);
  require(network.factors.size() == factors.size(), "contract \"{}\": {} factors given", text,
          factors.size());
  std::map<char, int64_t> sizes;
  std::vector<Factor> operands;
  for (size_t f = 0; f < factors.size(); ++f) {
    const std::string& letters = network.factors[f];
    require(int(letters.size()) == factors[f].value().rank(),
            "contract \"{}\": factor {} has shape {}", text, f + 1, factors[f].shape());
    for (size_t i = 0; i < letters.size(); ++i) {
      int64_t n = factors[f].size(int(i));
      auto [at, fresh] = sizes.emplace(letters[i], n);
      require(at->second == n, "contract \"{}\": '{}' is {} and {}", text, letters[i], at->second,
              n);
    }
    std::string needed = network.result;
    for (size_t g = 0; g < factors.size(); ++g)
      if (g != f) needed += network.factors[g];
    operands.push_back(without_private_letters({factors[f], letters}, needed));
    network.factors[f] = operands.back().letters;
  }
  for (auto& step : plan_contraction(network, sizes).steps)
    operands.push_back(
        {contract_pair(operands[size_t(step.first)], operands[size_t(step.second)], step.letters),
         step.letters});
  if (factors.size() > 1) return operands.back().var;
  std::vector<int> order;
  for (char c : network.result) order.push_back(int(operands[0].letters.find(c)));
  return permute(operands[0].var, order);
}

Var linear(const Var& x, const Var& weight) {
  require(weight.value().rank() == 2 && x.value().rank() >= 1 && x.shape().back() == weight.size(1),
          "linear: input {} and weight {}", x.shape(), weight.shape());
  Shape out = x.shape();
  out[out.rank() - 1] = weight.size(0);
  int64_t width = weight.size(1), rows = x.value().numel() / std::max<int64_t>(width, 1);
  return reshape(contract("tc,oc->to", {reshape(x, {rows, width}), weight}), out);
}

Var solve_unit_lower(const Var& lower, const Var& right) {
  Exec& exec = lower.exec();
  int64_t n = right.size(-2), m = right.size(-1);
  require(lower.size(-1) == n && lower.size(-2) == n &&
              lower.value().numel() / (n * n) == right.value().numel() / (n * m),
          "solve_unit_lower: {} and {}", lower.shape(), right.shape());
  int64_t batch = right.value().numel() / (n * m);
  Tensor N = exec.contiguous(lower.value());
  auto solve = [=, &exec](const Tensor& r, bool transpose) {
    Tensor x = exec.empty(r.shape(), r.dtype());
    exec.copy(r, x);
    dispatch(x.dtype(), [&]<class T>() {
      exec.kernels<T>().solve_unit_lower(exec, {batch, n, m, transpose, N.data<T>(), x.data<T>()});
    });
    return x;
  };
  Tensor x = solve(right.value(), false);
  // dR = (I + N)⁻ᵀ dX,  dN = −dR Xᵀ strictly below the diagonal.
  return lower.tape().record(
      Primitive::solve_unit_lower, x, {lower, right}, [=, &exec](const Tensor& dy) {
        Tensor dr = solve(dy, true);
        right.tape().add(right, dr);
        if (!lower.needs_grad()) return;
        Tensor outer = values::contract(exec, dr.reshape({batch, n, m}), "bim",
                                        x.reshape({batch, n, m}), "bjm", "bij");
        Tensor dn = exec.zeros(outer.shape(), outer.dtype());
        for (int64_t i = 1; i < n; ++i)
          exec.copy(outer.narrow(1, i, 1).narrow(2, 0, i), dn.narrow(1, i, 1).narrow(2, 0, i));
        lower.tape().add(lower, values::scale(exec, dn, -1).reshape(lower.shape()));
      });
}

}  // namespace star
