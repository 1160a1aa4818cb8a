// The views of one operator agree: the dense T(x), the parallel form, decoding, and the costs.
#include <doctest/doctest.h>

#include "autograd/elementwise.h"
#include "cpu/cpu.h"
#include "tests/liv/cases.h"

namespace star::liv {

TEST_CASE("views: the overrides of these tests are legal as written") {
  for (const std::string text : kOverrides) {
    INFO(text);
    GenomeCheck found = check(text, extended_pool());
    CHECK_MESSAGE(found.valid(), fmt::format("{}", fmt::join(found.errors, "; ")));
  }
}

TEST_CASE("views: the parallel form is W_o (T v) of the dense T") {
  for_each_sized_case("test.views.dense", 4, [](const SizedCase& s, Rng& rng) {
    Exec exec(cpu_backend());
    RandomOperator random(exec, s.liv, s.sizes, s.dtype, s.seed);
    Tape tape(exec, false);
    const std::vector<Var> values = random.on(tape);
    const Weights weights = random.weights(values);
    Var x = tape.constant(random_tensor(exec, rng, {1, s.length, s.sizes.width}, s.dtype));
    FeatureSet features;
    Var y = random.op.apply(weights, x, features, nullptr);
    DenseCore core = random.op.materialize(weights, features);
    CHECK(core.length == s.length);
    std::vector<double> dense = random.op.apply_dense(core, weights, features);
    CHECK(relative_error(y.value().to_doubles(), dense, random.scale(exec, x.value())) < s.bound());
  });
}

// From its two parts, each an operator of the base class with the value, the gate and the output
// projection of both: what is given to T₀ and T₁ is what the base class is given.
TEST_CASE("views: a differential operator is the difference of two of its base class") {
  const Pool pool = extended_pool();
  Rng rng(4, "test.views.difference");
  Exec exec(cpu_backend());
  for (const LivClass& liv : pool.classes) {
    if (!liv.differential) continue;
    INFO(liv.name);
    const Sizes sizes{8, 2, 11, 16, 4};
    RandomOperator random(exec, liv, sizes, DType::f64, 6);
    const Operator base(*pool.find(liv.base), sizes);
    Tape tape(exec, false);
    const std::vector<Var> values = random.on(tape);
    const Weights weights = random.weights(values);
    Var x = tape.constant(random_tensor(exec, rng, {2, 11, 8}, DType::f64));
    Var difference;
    for (int part : {0, 1}) {
      // λ goes into what projects; D v stays with the first part.
      std::vector<double> o = weights[Piece::o].value().to_doubles();
      std::vector<double> lambda = weights[Piece::lambda].value().to_doubles();
      const size_t inner = o.size() / 8, each = inner / lambda.size();
      for (size_t i = 0; part == 1 && i < o.size(); ++i) o[i] *= -lambda[i % inner / each];
      std::vector<Var> own;
      Places places;
      for (auto& spec : base.parameters(1)) {
        places.put(spec, int(own.size()));
        own.push_back(weights.part(part)[spec.key]);
        if (spec.key.piece == Piece::o)
          own.back() = tape.constant(exec.from({8, int64_t(inner)}, o, DType::f64));
        if (spec.key.piece == Piece::D && part == 1 && base.layout().group(Role::dt))
          own.back() = tape.constant(exec.zeros(spec.shape, DType::f64));
      }
      FeatureSet features;
      Var y = base.apply(Weights(own, places), x, features, nullptr);
      difference = part == 0 ? y : difference + y;
    }
    FeatureSet features;
    CHECK(relative_error(random.op.apply(weights, x, features, nullptr).value().to_doubles(),
                         difference.value().to_doubles()) < 1e-12);
  }
}

TEST_CASE("views: decoding token by token, and from a prefix cut anywhere, is the parallel form") {
  for_each_sized_case("test.views.decode", 4, [](const SizedCase& s, Rng& rng) {
    Exec exec(cpu_backend());
    RandomOperator random(exec, s.liv, s.sizes, s.dtype, s.seed);
    int64_t B = 1 + rng.below(2), L = s.length;
    Tensor x = random_tensor(exec, rng, {B, L, s.sizes.width}, s.dtype);
    Tensor parallel = random.apply(exec, x);
    const double scale = random.scale(exec, x);
    auto in_pieces = [&](const std::vector<int64_t>& cuts) {
      State state;
      Tensor y = exec.zeros(parallel.shape(), s.dtype);
      int64_t from = 0;
      for (int64_t to : cuts) {
        Tensor piece = random.apply(exec, tokens_between(exec, x, from, to), &state);
        exec.copy(piece, y.narrow(1, from, to - from));
        from = to;
        CHECK(state.position == to);
        CHECK(state.floats() == B * random.op.cache_floats(to, {}));
      }
      return y.to_doubles();
    };
    auto agree = [&](const std::vector<int64_t>& cuts) {
      CHECK(relative_error(in_pieces(cuts), parallel.to_doubles(), scale) < s.bound());
    };
    std::vector<int64_t> every;
    for (int64_t t = 1; t <= L; ++t) every.push_back(t);
    agree(every);
    for (int i = 0; i < 3 && L > 1; ++i) {
      int64_t a = 1 + rng.below(uint32_t(L - 1)), b = 1 + rng.below(uint32_t(L - 1));
      std::vector<int64_t> cuts = {std::min(a, b)};
      if (a != b) cuts.push_back(std::max(a, b));
      cuts.push_back(L);
      agree(cuts);
    }
    if (int64_t prefill = rng.below(uint32_t(L)); prefill > 0) {
      every.erase(every.begin(), every.begin() + prefill - 1);
      agree(every);
    }
  });
}

TEST_CASE("views: later tokens leave earlier outputs as they are, and change the later ones") {
  for_each_sized_case("test.views.causal", 2, [](const SizedCase& s, Rng& rng) {
    Exec exec(cpu_backend());
    RandomOperator random(exec, s.liv, s.sizes, s.dtype, s.seed);
    int64_t L = s.length, cut = rng.below(uint32_t(L));
    Tensor x = random_tensor(exec, rng, {1, L, s.sizes.width}, s.dtype);
    Tensor other = exec.zeros(x.shape(), s.dtype);
    exec.copy(x, other);
    exec.copy(random_tensor(exec, rng, {1, L - cut, s.sizes.width}, s.dtype),
              other.narrow(1, cut, L - cut));
    Tensor before = random.apply(exec, x), after = random.apply(exec, other);
    if (cut > 0)
      CHECK(relative_error(after.narrow(1, 0, cut).to_doubles(),
                           before.narrow(1, 0, cut).to_doubles(),
                           random.scale(exec, x)) < s.bound());
    CHECK(relative_error(after.narrow(1, cut, 1).to_doubles(),
                         before.narrow(1, cut, 1).to_doubles()) > 1e-3);
  });
}

TEST_CASE("views: sequences of a batch do not meet") {
  for_each_sized_case("test.views.batch", 2, [](const SizedCase& s, Rng& rng) {
    Exec exec(cpu_backend());
    RandomOperator random(exec, s.liv, s.sizes, s.dtype, s.seed);
    Tensor x = random_tensor(exec, rng, {3, s.length, s.sizes.width}, s.dtype);
    Tensor together = random.apply(exec, x);
    const double scale = random.scale(exec, x);
    for (int64_t b = 0; b < 3; ++b)
      CHECK(relative_error(random.apply(exec, x.narrow(0, b, 1)).to_doubles(),
                           together.narrow(0, b, 1).to_doubles(), scale) < s.bound());
  });
}

TEST_CASE("views: a class has the parameters and the cache that liv/README.md states") {
  // Of a base class at width d, heads H, and of it what a differential class has once: v, z, o, and
  // the D of a recurrence. The cache at context c.
  auto once = [](char base, int64_t d, int64_t H) -> int64_t {
    const int64_t e = d / H;
    switch (base) {
      case '2':
      case '8':
        return 2 * d * d + 3 * d;
      case '3':
        return d * d + std::max<int64_t>(1, H / 4) * e * d;
      case '4':
        return d * d + std::max<int64_t>(1, H / 2) * e * d;
      case '5':
        return 3 * d * d + 4 * d;
      case '6':
        return 6 * d * d;
      case 'k':
      case 'l':
        return 3 * d * d + H;
      case 'q':
      case 'r':
        return 3 * d * d;
    }
    return 2 * d * d;
  };
  auto lambdas = [](char base, int64_t d, int64_t H) {
    const std::string by_channel = "578";
    return base == '6' ? 2 * d : by_channel.find(base) != std::string::npos ? d : H;
  };
  auto parameters = [](char base, int64_t d, int64_t H) -> int64_t {
    int64_t e = d / H, r = (d + 15) / 16, m = 8 * ((d + 2) / 3);
    auto grouped = [&](int64_t kv) { return 2 * d * d + 2 * std::max<int64_t>(1, kv) * e * d; };
    switch (base) {
      case '2':
        return 4 * d * d + 9 * d;
      case '3':
        return grouped(H / 4);
      case '4':
        return grouped(H / 2);
      case '5':
        return 3 * d * d + 3 * d + 2 * d * r + d + 32 * d + 16 * d + d;
      case '6':
        return 8 * d * d + 2 * d;
      case '7':
        return 4 * d * d + 3 * d;
      case '8':
        return 4 * d * d + 9 * d + 32 * 17 + 32 + 32 * d + d + d;
      case '9':
        return 3 * d * m;
      case 'k':
        return 5 * d * d + H * d + 3 * H;
      case 'l':
        return 5 * d * d + 2 * H * d + 3 * H;
      case 'q':
        return 5 * d * d + 2 * d * r + d;
      case 'r':
        return 5 * d * d + 2 * d * r + d + H * d;
      case '1':
      case 'i':
      case 'j':
        return 4 * d * d;
    }
    FAIL("no parameters are stated for class " << base);
    return 0;
  };
  auto cache = [](char base, int64_t d, int64_t H, int64_t c, int64_t window) -> int64_t {
    int64_t e = d / H;
    switch (base) {
      case '1':
        return 2 * d * c;
      case '2':
        return 2 * d * c + 6 * d;
      case '3':
        return 2 * std::max<int64_t>(1, H / 4) * e * c;
      case '4':
        return 2 * std::max<int64_t>(1, H / 2) * e * c;
      case '5':
        return 16 * d + 2 * d;
      case '6':
      case '7':
        return 2 * d;
      case '8':
        return c * d + 6 * d;
      case '9':
        return 0;
      case 'i':
        return H * (e * e + e);
      case 'j':
        return 2 * d * std::min(c, window);
      case 'k':
      case 'l':
      case 'q':
      case 'r':
        return H * e * e;
    }
    FAIL("no cache is stated for class " << base);
    return 0;
  };
  auto differential_cache = [](char base, int64_t d, int64_t H, int64_t c,
                               int64_t window) -> int64_t {
    const int64_t e = d / H;
    switch (base) {
      case '1':
        return 3 * d * c;
      case '2':
        return 3 * d * c + 10 * d;
      case '3':
        return 3 * std::max<int64_t>(1, H / 4) * e * c;
      case '4':
        return 3 * std::max<int64_t>(1, H / 2) * e * c;
      case '5':
        return 2 * 16 * d + 2 * d;
      case '6':
      case '7':
        return 4 * d;
      case '8':
        return 2 * c * d + 10 * d;
      case 'i':
        return 2 * H * (e * e + e);
      case 'j':
        return 3 * d * std::min(c, window);
      case 'k':
      case 'l':
      case 'q':
      case 'r':
        return 2 * H * e * e;
    }
    FAIL("no cache is stated for the differential variant of class " << base);
    return 0;
  };
  for (const LivClass& liv : extended_pool().classes)
    for (auto [d, H] : kShapes) {
      INFO(liv.name << ", width " << d << ", " << H << " heads");
      Operator op(liv, {d, H, 11, 16, 5});
      int64_t count = 0, expected = parameters(liv.base, d, H);
      for (auto& spec : op.parameters(3)) count += spec.shape.numel();
      if (liv.differential)
        expected = 2 * expected - once(liv.base, d, H) + lambdas(liv.base, d, H);
      CHECK(count == expected);
      for (int64_t c : {1, 3, 5, 6, 1000})
        CHECK(op.cache_floats(c, {}) == (liv.differential ? differential_cache(liv.base, d, H, c, 5)
                                                          : cache(liv.base, d, H, c, 5)));
    }
}

TEST_CASE("views: a class does the multiply-adds a token that its equation takes") {
  // Of a base class: projections and convolutions of the features, T(x) v, D v, the gate, and W_o;
  // and of it what a differential class does once, to which λ comes.
  auto once = [](char base, double d, double H) -> double {
    auto value_heads = [&](double share) { return std::max(1.0, std::floor(H / share)) * d / H; };
    switch (base) {
      case '2':
      case '8':
        return 2 * d * d + 3 * d;
      case '3':
        return d * d + value_heads(4) * d;
      case '4':
        return d * d + value_heads(2) * d;
      case '5':
        return 3 * d * d + 3 * d + 2 * d;
      case '6':
        return 6 * d * d + 2 * d;
      case 'k':
      case 'l':
        return 3 * d * d + 2 * d;
      case 'q':
      case 'r':
        return 3 * d * d + d;
    }
    return 2 * d * d;
  };
  auto work = [](char base, double d, double H, int64_t L, int64_t window) -> double {
    double e = d / H, r = std::ceil(d / 16), m = 8 * std::ceil(d / 3),
           chunk = double(std::min<int64_t>(L, 48)),
           fades = double(std::min<int64_t>(L, 16));  // chunks of decays by channel
    double seen = 0, seen_in_window = 0;              // positions, on average
    for (int64_t i = 1; i <= L; ++i) {
      seen += double(i) / double(L);
      seen_in_window += double(std::min(i, window)) / double(L);
    }
    auto kept_heads = [&](double share) { return std::max(1.0, std::floor(H / share)); };
    switch (base) {
      case '1':
        return 4 * d * d + 2 * d * seen;
      case '2':
        return 4 * d * d + 9 * d + 2 * d * seen;
      case '3':
        return 2 * d * d + 2 * kept_heads(4) * e * d + 2 * d * seen;
      case '4':
        return 2 * d * d + 2 * kept_heads(2) * e * d + 2 * d * seen;
      case '5':
        return 3 * d * d + 3 * d + 2 * r * d + 32 * d + d * (4 * 16 + 2) + d;
      case '6':
        return 8 * d * d + 2 * 2 * d + 2 * d;
      case '7':
        return 4 * d * d + 5 * d;
      case '8':
        return 4 * d * d + 9 * d + (seen + 3) * d;
      case '9':
        return 3 * d * m + m;
      case 'i':
        return 4 * d * d + H * (2 * e * e + 2 * e);
      case 'j':
        return 4 * d * d + 2 * d * seen_in_window;
      case 'k':
        return 5 * d * d + H * d + 2 * d + H * e * (2 * e + 2 * chunk);
      case 'l':
        return 5 * d * d + 2 * H * d + 2 * d + H * e * (2 * e + 3 * chunk);
      case 'q':
        return 5 * d * d + 2 * d * r + d + H * e * (2 * e + 3 * fades);
      case 'r':
        return 5 * d * d + 2 * d * r + H * d + d + H * e * (2 * e + 4 * fades);
    }
    FAIL("no work is stated for class " << base);
    return 0;
  };
  for (const LivClass& liv : extended_pool().classes)
    for (auto [d, H] : kShapes) {
      Operator op(liv, {d, H, 11, 16, 5});
      for (int64_t L : {1, 4, 6, 48, 100}) {
        INFO(liv.name << ", width " << d << ", " << H << " heads, " << L << " tokens");
        double expected = work(liv.base, double(d), double(H), L, 5);
        if (liv.differential)
          expected = 2 * expected - once(liv.base, double(d), double(H)) +
                     double(d) * (liv.base == '6' ? 2 : 1);
        CHECK(op.work(L, {}) == doctest::Approx(expected).epsilon(1e-12));
      }
    }
}

TEST_CASE("views: logits are those of the materialised operators") {
  Rng rng(5, "test.views.model");
  for (const LivClass& liv : extended_pool().classes) {
    INFO(liv.name);
    Exec exec(cpu_backend());
    Sizes sizes{8, 2, 7, 16, 3};
    Backbone model = random_model(exec, std::string(1, liv.id) + "1111", sizes, DType::f64, 4);
    Tensor tokens = random_tokens(exec, rng, 1, 9, sizes.vocab);
    auto values = [&](const std::string& name) { return model.find(name)->value.to_doubles(); };
    auto norm = [](std::vector<double> x, const std::vector<double>& w) {
      for (size_t i = 0; i < x.size(); i += 8) {
        double squares = 0;
        for (size_t c = 0; c < 8; ++c) squares += x[i + c] * x[i + c];
        for (size_t c = 0; c < 8; ++c) x[i + c] *= w[c] / std::sqrt(squares / 8 + 1e-5);
      }
      return x;
    };
    std::vector<double> E = values("embed.weight"), h;
    for (double t : tokens.to_doubles())
      h.insert(h.end(), &E[size_t(t) * 8], &E[size_t(t) * 8] + 8);

    Tape tape(exec, false);
    Var x =
        tape.constant(exec.from({1, 9, 8}, norm(h, values("blocks.0.norm.weight")), DType::f64));
    const Operator& op = model.liv(0);
    std::vector<Var> own;
    Places places;
    for (auto& spec : op.parameters(1)) {
      places.put(spec, int(own.size()));
      own.push_back(tape.constant(model.find("blocks.0.liv." + spec.name())->value));
    }
    const Weights weights(own, places);
    FeatureSet features;
    op.apply(weights, x, features, nullptr);
    auto y = op.apply_dense(op.materialize(weights, features), weights, features);
    for (size_t i = 0; i < h.size(); ++i) h[i] += y[i];
    std::vector<double> last = norm(h, values("norm.weight")), logits(9 * 7, 0.0);
    for (size_t i = 0; i < 9; ++i)
      for (size_t t = 0; t < 7; ++t)
        for (size_t c = 0; c < 8; ++c) logits[i * 7 + t] += last[i * 8 + c] * E[t * 8 + c];
    CHECK(relative_error(model.forward(tape, tokens).value().to_doubles(), logits) < 1e-10);
  }
}

}  // namespace star::liv
