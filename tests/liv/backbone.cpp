// Whole models: gradients, sharing, names, starting values, decoding, costs.
#include "liv/backbone.h"

#include <doctest/doctest.h>

#include <numeric>
#include <set>

#include "autograd/rows.h"
#include "cpu/cpu.h"
#include "tests/liv/models.h"

namespace star::liv {
namespace {

const Sizes kSizes{8, 2, 7, 6, 3};

struct Sample {
  Tensor tokens, targets;
};

Sample sample(Exec& exec, int64_t B, int64_t L, uint64_t seed) {
  Rng rng(seed, "test.backbone");
  Tensor tokens = random_tokens(exec, rng, B, L, kSizes.vocab);
  return {tokens, random_tokens(exec, rng, B, L, kSizes.vocab).reshape({B * L})};
}

// Of some sequences of x [B, L, …] the tokens from … to.
std::vector<double> piece(const Tensor& x, const std::vector<int64_t>& sequences, int64_t from,
                          int64_t to) {
  std::vector<double> all;
  for (int64_t s : sequences)
    for (double y : x.narrow(0, s, 1).narrow(1, from, to - from).to_doubles()) all.push_back(y);
  return all;
}

double loss_of(Exec& exec, const Backbone& model, const Sample& s) {
  Tape tape(exec, false);
  return cross_entropy(model.forward(tape, s.tokens), s.targets).value().item();
}

// Fills the gradients and returns the loss.
double differentiate(Exec& exec, Backbone& model, const Sample& s) {
  exec.fill(model.flat_grads(), 0);
  Tape tape(exec);
  Var loss = cross_entropy(model.forward(tape, s.tokens), s.targets);
  double value = loss.value().item();
  tape.backward(loss);
  return value;
}

// Each parameter's gradient along a random direction against a central difference.
void check_gradients(const std::string& genome, uint64_t seed, const Sizes& sizes = kSizes) {
  INFO(genome);
  Exec exec(cpu_backend());
  Backbone model = random_model(exec, genome, sizes, DType::f64, seed);
  Sample s = sample(exec, 2, 5, seed);
  differentiate(exec, model, s);
  Rng rng(seed, "test.directions");
  constexpr double step = 1e-5;
  for (auto& p : model.parameters()) {
    INFO(p.name);
    std::vector<double> grad = p.grad.to_doubles();
    double* w = p.value.data<double>();
    std::vector<double> start(w, w + grad.size());
    double along = 0, norm = 0, square = 0;
    std::vector<double> direction = normals(rng, int64_t(grad.size()));
    for (double d : direction) square += d * d;
    for (size_t i = 0; i < grad.size(); ++i) {
      direction[i] /= std::sqrt(square);
      along += grad[i] * direction[i];
      norm += grad[i] * grad[i];
    }
    auto moved = [&](double by) {
      for (size_t i = 0; i < grad.size(); ++i) w[i] = start[i] + by * direction[i];
      double loss = loss_of(exec, model, s);
      for (size_t i = 0; i < grad.size(); ++i) w[i] = start[i];
      return loss;
    };
    double numeric = (moved(step) - moved(-step)) / (2 * step);
    // Differences of step 1e-5 are off by about 1e-10 from rounding and from the third derivative.
    CHECK(std::abs(numeric - along) < 1e-7 * std::max(1.0, std::sqrt(norm)));
    CHECK(norm > 1e-16);  // no parameter is without effect
  }
}

std::set<std::string> liv_names(const std::string& genome) {
  const Pool pool = extended_pool();
  Backbone model(nullptr, compile(parse(genome, pool), pool), kSizes);
  std::set<std::string> names;
  for (auto& s : model.shapes())
    if (s.name.find(".liv.") != std::string::npos) names.insert(s.name.substr(7));
  return names;
}

}  // namespace

TEST_CASE("backbone: gradients of every class") {
  for (const LivClass& c : extended_pool().classes)
    check_gradients(fmt::format("{0}1111-{0}1111", c.id), 1);
}

TEST_CASE(
    "backbone: gradients with shared weights and features, in part, of differential classes, in "
    "parallel") {
  for (const char* genome :
       {"11211-91311-11211-91311", "22212-91111-22212-91111", "11513-11513", "51z18-51z18-51z18",
        "61512-61512", "71612-716122", "81412-81412-81412", "k1k14-k1k142-91112-91112",
        "l1k16-l1k16-l1k16", "i1314-i1314", "j1213-j12132", "a1412-91111-a1412", "e1m15-e1m15",
        "p1918-p19182", "11112-112122-112112", "31212-312122-41212-412122", "11111|1:12133",
        "11111-11111|1:12143", "11112-11112|1:12213|%1:21211,23221,21221"}) {
    check_gradients(to_text(repair(genome, extended_pool())), 2);
  }
}

const Sizes kDecoding{8, 2, 7, 6, 3, 1};

TEST_CASE("backbone: gradients with a decoder") {
  check_gradients("11111-91111", 4, kDecoding);
  check_gradients("71612-716122", 4, kDecoding);
}

TEST_CASE("backbone: shared weights are equal copies, and their gradients add") {
  for (const char* text :
       {"11211-11211-91311-91311", "b1411-b1411-b1411", "51c11-51c112-51c11", "8121-8121",
        "k1k11-k1k11", "l1s11-l1s11", "61411-61411", "71711-71711"}) {
    const Pool pool = extended_pool();
    Genome shared = repair(text, pool), free = shared;
    INFO(to_text(shared));
    for (Segment& s : free.segments) s.weight_group = s.weight_strategy = 1;
    Exec exec(cpu_backend());
    Backbone a = random_model(exec, to_text(shared), kSizes, DType::f64, 3);
    Backbone b = random_model(exec, to_text(free), kSizes, DType::f64, 4);
    CHECK(a.parameter_count() < b.parameter_count());
    // From the names of the copies to the names of what they copy.
    std::map<std::string, std::string> source;
    for (auto& p : b.parameters()) source[p.name] = p.name;
    for (int l = 0; l < int(a.blocks().size()); ++l) {
      const Operator& op = a.liv(l);
      for (auto& spec : op.parameters(1))
        for (size_t g = 0; g < op.liv().groups.size(); ++g) {
          if (op.liv().groups[g].role != spec.key.role) continue;
          int owner = a.blocks()[size_t(l)].sources[g].weights;
          source[fmt::format("blocks.{}.liv.{}", l, spec.name())] =
              fmt::format("blocks.{}.liv.{}", owner, spec.name());
        }
    }
    for (auto& p : b.parameters()) {
      REQUIRE_MESSAGE(a.find(source[p.name]), p.name);
      exec.copy(a.find(source[p.name])->value, p.value);
    }
    Sample s = sample(exec, 2, 5, 7);
    CHECK(differentiate(exec, a, s) == doctest::Approx(differentiate(exec, b, s)).epsilon(1e-12));
    for (auto& p : a.parameters()) {
      INFO(p.name);
      std::vector<double> total(size_t(p.value.numel()), 0.0);
      for (auto& q : b.parameters()) {
        if (source[q.name] != p.name) continue;
        std::vector<double> grad = q.grad.to_doubles();
        for (size_t i = 0; i < total.size(); ++i) total[i] += grad[i];
      }
      CHECK(relative_error(p.grad.to_doubles(), total) < 1e-10);
    }
  }
}

// Two parallel LIVs with equal norms and equal weights compute equal features.
TEST_CASE("backbone: a follower's features are its donor's, of the donor's input") {
  for (auto [weights, features] : {std::pair{"11211-112112", "11112-111122"},
                                   {"a1211-a12112", "a1112-a11122"},
                                   {"51211-512112", "51112-511122"},
                                   {"61211-612112", "61112-611122"},
                                   {"71211-712112", "71112-711122"},
                                   {"81211-812112", "81112-811122"},
                                   {"91211-912112", "91112-911122"},
                                   {"k1211-k12112", "k1112-k11122"},
                                   {"l1211-l12112", "l1112-l11122"},
                                   {"i1211-i12112", "i1112-i11122"}}) {
    INFO(std::string(features));
    Exec exec(cpu_backend());
    Backbone recomputed = random_model(exec, weights, kSizes, DType::f64, 5);
    Backbone reused = random_model(exec, features, kSizes, DType::f64, 6);
    auto copy_into = [&](const std::string& to, const std::string& from) {
      exec.copy(recomputed.find(from)->value, reused.find(to)->value);
    };
    // What the follower still has of its own is, in the other model, the first one's.
    for (auto& p : reused.parameters()) {
      std::string from = p.name;
      if (!recomputed.find(from)) from.replace(from.find("blocks.1"), 8, "blocks.0");
      copy_into(p.name, from);
    }
    exec.copy(recomputed.find("blocks.0.norm.weight")->value,
              recomputed.find("blocks.1.norm.weight")->value);
    copy_into("blocks.1.norm.weight", "blocks.0.norm.weight");
    Sample s = sample(exec, 2, 5, 8);
    CHECK(loss_of(exec, reused, s) == doctest::Approx(loss_of(exec, recomputed, s)).epsilon(1e-12));
    for (Backbone* model : {&reused, &recomputed}) {
      double* norm = model->find("blocks.1.norm.weight")->value.data<double>();
      for (int i = 0; i < 8; ++i) norm[i] *= -3;
    }
    CHECK(std::abs(loss_of(exec, reused, s) - loss_of(exec, recomputed, s)) > 1e-6);
  }
}

TEST_CASE("backbone: names of shared tensors") {
  using Names = std::set<std::string>;
  CHECK(liv_names("21211-21211") == Names{"0.liv.q.weight", "0.liv.q.conv", "0.liv.k.weight",
                                          "0.liv.k.conv", "0.liv.v.weight", "0.liv.v.conv",
                                          "0.liv.o.weight", "1.liv.o.weight"});
  CHECK(liv_names("a1112-a1112") == Names{"0.liv.0.q.weight", "0.liv.1.q.weight",
                                          "0.liv.0.k.weight", "0.liv.1.k.weight", "0.liv.v.weight",
                                          "0.liv.lambda", "0.liv.o.weight", "1.liv.0.q.weight",
                                          "1.liv.1.q.weight", "1.liv.lambda", "1.liv.o.weight"});
  // Twice what makes T, once the value, the gate, and the D of a recurrence, not that of a kernel.
  CHECK(liv_names("e1111") ==
        Names{"0.liv.v.weight", "0.liv.v.conv", "0.liv.z.weight", "0.liv.0.dt_a.weight",
              "0.liv.0.dt_b.weight", "0.liv.0.dt_b.bias", "0.liv.1.dt_a.weight",
              "0.liv.1.dt_b.weight", "0.liv.1.dt_b.bias", "0.liv.0.B.weight", "0.liv.1.B.weight",
              "0.liv.0.C.weight", "0.liv.1.C.weight", "0.liv.0.A_log", "0.liv.1.A_log", "0.liv.D",
              "0.liv.lambda", "0.liv.o.weight"});
  CHECK(liv_names("h1111-h1111").count("1.liv.1.D") == 1);
  CHECK(liv_names("h1111-h1111").count("1.liv.D") == 0);
  // Part 0 with part 0, part 1 with part 1.
  CHECK(liv_names("a1211-a1211").count("1.liv.0.q.weight") == 0);
  CHECK(liv_names("a1211-a1211").count("1.liv.1.q.weight") == 0);
  // Different owners in one group: the second LIV reuses k and v, so that the third owns them.
  CHECK(liv_names("11112-11212-11211") ==
        Names{"0.liv.q.weight", "0.liv.k.weight", "0.liv.v.weight", "0.liv.o.weight",
              "1.liv.q.weight", "1.liv.o.weight", "2.liv.k.weight", "2.liv.v.weight",
              "2.liv.o.weight"});
  // β goes with dt, as weights and as features; the low-rank dt has two parts and a bias.
  CHECK(liv_names("l1i16-l1i16").count("1.liv.beta.weight") == 0);
  CHECK(liv_names("l1i11-l1i11").count("1.liv.beta.weight") == 0);
  CHECK(liv_names("l1311-l1311").count("1.liv.beta.weight") == 1);
  CHECK(liv_names("51112-51112") ==
        Names{"0.liv.v.weight", "0.liv.v.conv", "0.liv.z.weight", "0.liv.dt_a.weight",
              "0.liv.dt_b.weight", "0.liv.dt_b.bias", "0.liv.B.weight", "0.liv.C.weight",
              "0.liv.A_log", "0.liv.D", "0.liv.o.weight", "1.liv.v.weight", "1.liv.v.conv",
              "1.liv.z.weight", "1.liv.A_log", "1.liv.D", "1.liv.o.weight"});
}

TEST_CASE("backbone: decoding is the parallel form, and keeps what cache_bytes says") {
  Rng rng(9, "test.backbone.decode");
  const Pool pool = extended_pool();
  for (int round = 0; round < 80; ++round) {
    Genome genome = repair(random_genome_text(rng, pool, 5, round % 2), pool);
    if (round == 0) genome = parse(with_all_classes("1111"), pool);
    INFO(to_text(genome));
    Exec exec(cpu_backend());
    bool wide = rng.chance(0.5);
    Backbone model =
        random_model(exec, to_text(genome), kSizes, wide ? DType::f64 : DType::f32, 10);
    int64_t B = 1 + rng.below(2), L = 9;
    Tensor tokens = random_tokens(exec, rng, B, L, kSizes.vocab);
    Tape tape(exec, false);
    Tensor parallel = model.forward(tape, tokens).value().reshape({B, L, kSizes.vocab});
    DecodingState state;
    int64_t from = 0, prefix = rng.below(4);
    std::vector<int64_t> order(static_cast<size_t>(B));  // the sequences that go on
    std::iota(order.begin(), order.end(), 0);
    while (from < L) {
      int64_t to = from == 0 && prefix > 0 ? prefix : from + 1;
      const int64_t count = int64_t(order.size());
      const std::vector<double> next = piece(tokens, order, from, to);
      const std::vector<int32_t> given(next.begin(), next.end());
      Var y = model.forward(tape, exec.from({count, to - from}, given), &state);
      CHECK(state.position() == to);
      CHECK(4 * state.floats() == count * model.cache_bytes(to));
      CHECK(relative_error(y.value().to_doubles(), piece(parallel, order, from, to)) <
            (wide ? 1e-10 : 1e-4));
      from = to;
      if (rng.chance(0.5)) continue;
      std::vector<int64_t> some(1 + rng.below(3)), then;
      for (int64_t& i : some) i = rng.below(uint32_t(order.size()));
      for (int64_t i : some) then.push_back(order[size_t(i)]);
      state = state.of(exec, some);
      order = then;
    }
  }
}

TEST_CASE("backbone: parameters are counted once, layer by layer") {
  Rng rng(2, "test.backbone.count");
  const Pool pool = extended_pool();
  for (int round = 0; round < 60; ++round) {
    Genome genome = repair(random_genome_text(rng, pool, 4, false), pool);
    INFO(to_text(genome));
    Exec exec(cpu_backend());
    Backbone model(&exec, compile(genome, pool), kSizes),
        bare(nullptr, compile(genome, pool), kSizes);
    int64_t total = 0, padded = 0;
    std::set<std::string> names;
    for (auto& p : model.parameters()) {
      total += p.value.numel();
      padded += (p.value.numel() + 15) / 16 * 16;
      CHECK(names.insert(p.name).second);
    }
    CHECK(model.parameter_count() == total);
    CHECK(bare.parameter_count() == total);
    CHECK(model.flat_values().numel() == padded);
    CHECK(model.body_parameter_count() == total - 7 * 8);
    int64_t layers = 7 * 8 + 8;
    for (int l = 0; l < 4; ++l) layers += model.layer_parameter_count(l);
    CHECK(layers == total);
  }
}

TEST_CASE("backbone: training FLOPs are six a multiply-add") {
  const Pool pool = extended_pool();
  auto work = [&](const char* text) {
    return Backbone(nullptr, compile(parse(text, pool), pool), kSizes).training_flops() / 6;
  };
  const double logits = 7 * 8, attention = 4 * 8 * 8 + 2 * 8 * (1 + 6) / 2.0;
  CHECK(work("11111") == logits + attention);
  CHECK(work("a1111") == logits + 2 * attention - 2 * 8 * 8 + 8);  // v and o once, and λ
  CHECK(work("11111-11111") == logits + 2 * attention);
  CHECK(work("11211-11211") == logits + 2 * attention);              // weights shared: work is not
  CHECK(work("11112-11112") == logits + 2 * attention - 2 * 8 * 8);  // features reused: less work
  CHECK(work("91111") == logits + 3 * 8 * 24 + 24);
  // A window of 3 over 6 tokens: 1 + 2 + 3 + 3 + 3 + 3 positions seen.
  CHECK(work("j1111") == doctest::Approx(logits + 4 * 8 * 8 + 2 * 8 * 15 / 6.0));
  CHECK(Backbone(nullptr, compile(parse("11111", pool), pool), kDecoding).training_flops() / 6 ==
        logits + attention + 2 * 8 * 8);
}

TEST_CASE("backbone: sharing features leaves the follower no cache") {
  const Pool pool = extended_pool();
  auto cache = [&](const char* text, int layer) {
    return Backbone(nullptr, compile(parse(text, pool), pool), kSizes)
               .layer_cache_bytes(layer, 100) /
           4;
  };
  CHECK(cache("11112-11112", 0) == 2 * 8 * 100);
  CHECK(cache("11112-11112", 1) == 0);
  CHECK(cache("11113-11113", 1) == 8 * 100);          // k reused, v its own
  CHECK(cache("21112-21112", 1) == 2 * 8);            // the convolution of q
  CHECK(cache("21113-21113", 1) == 8 * 100 + 4 * 8);  // those of q and v
  CHECK(cache("81112-81112", 1) == 8 * 100 + 2 * 8);  // the past of B ⊙ v, the convolution of v
  CHECK(cache("k1112-k1112", 1) == 2 * 4 * 4);        // states are never shared
  CHECK(cache("a1112-a1112", 1) == 0);
  CHECK(cache("a1113-a1113", 1) == 8 * 100);  // both k reused
  CHECK(cache("a1114-a1114", 1) == 2 * 8 * 100);
}

TEST_CASE("backbone: parameters start as liv/README.md says, by seed and name") {
  const Pool pool = extended_pool();
  const Sizes sizes{64, 32, 100, 32, 8};
  Exec exec(cpu_backend());
  auto built = [&](const std::string& text, uint64_t seed) {
    return Backbone(&exec, compile(parse(text, pool), pool), sizes, DType::f64, seed);
  };
  Backbone model = built("51111-61111-81111-21111-k1111-a1111-71111-l1111", 1);
  auto values = [&](const std::string& name) { return model.find(name)->value.to_doubles(); };
  // The deviation, of the values divided by those of `unit` where they have one each: within a
  // tenth, some three times what it varies by.
  auto deviates = [&](const std::string& name, double expected, std::vector<double> unit = {}) {
    INFO(name);
    double square = 0;
    auto all = values(name);
    for (size_t i = 0; i < all.size(); ++i)
      square += std::pow(all[i] / (unit.empty() ? 1 : unit[i * unit.size() / all.size()]), 2);
    CHECK(std::abs(std::sqrt(square / double(all.size())) / expected - 1) < 0.1);
  };
  // Within the range, over most of it, and in its middle on average: five deviations of the mean of
  // uniform values.
  auto between = [&](const std::string& name, double lo, double hi, double (*f)(double)) {
    INFO(name);
    double least = INFINITY, most = -INFINITY, mean = 0;
    const std::vector<double> all = values(name);
    for (double x : all) {
      least = std::min(least, f(x)), most = std::max(most, f(x));
      mean += f(x) / double(all.size());
    }
    CHECK((least >= lo - 1e-6 && most <= hi + 1e-6));
    CHECK((least <= lo + 0.3 * (hi - lo) && most >= hi - 0.3 * (hi - lo)));
    CHECK(std::abs(mean - (lo + hi) / 2) <=
          5 * (hi - lo) / std::sqrt(12 * double(all.size())) + 1e-6);
  };
  deviates("embed.weight", 0.02);
  deviates("blocks.3.liv.q.weight", 1 / std::sqrt(3 * 64.0));
  deviates("blocks.3.liv.o.weight", 1 / std::sqrt(3 * 64.0 * 2 * 8));
  deviates("blocks.1.liv.o.weight", 1 / std::sqrt(3 * 128.0 * 2 * 8));
  deviates("blocks.0.liv.dt_b.weight", 1 / std::sqrt(3 * 4.0));
  deviates("blocks.6.liv.kernel", 1.0 / 3);
  deviates("blocks.2.liv.filter.w1", 1);
  std::vector<double> energy;
  for (double x : values("blocks.2.liv.filter.decay"))
    energy.push_back(std::sqrt(-std::expm1(-2 * std::log1p(std::exp(x))) / 16));
  deviates("blocks.2.liv.filter.w2", 1, energy);
  auto log_softplus = [](double x) { return std::log(std::log1p(std::exp(x))); };
  auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  between("blocks.0.norm.weight", 1, 1, [](double x) { return x; });
  between("blocks.0.liv.D", 1, 1, [](double x) { return x; });
  between("blocks.2.liv.D", 1, 1, [](double x) { return x; });
  between("blocks.7.liv.D", 1, 1, [](double x) { return x; });
  between("blocks.2.liv.filter.b1", 0, 0, [](double x) { return x; });
  between("blocks.5.liv.lambda", 0.5, 0.5, [](double x) { return x; });
  between("blocks.0.liv.dt_b.bias", std::log(1e-3), std::log(0.1), log_softplus);
  between("blocks.4.liv.dt.bias", std::log(1e-3), std::log(0.1), log_softplus);
  between("blocks.1.liv.a.bias", 0.9, 0.999, sigmoid);
  between("blocks.4.liv.A_log", 1, 16, [](double x) { return std::exp(x); });
  between("blocks.7.liv.A_log", 1, 16, [](double x) { return std::exp(x); });
  between("blocks.2.liv.filter.decay", std::log(1 / 32.0), std::log(1 / 4.0), log_softplus);
  auto conv = values("blocks.3.liv.k.conv"), rates = values("blocks.0.liv.A_log");
  for (size_t i = 0; i < conv.size(); ++i) CHECK(conv[i] == (i % 3 == 2));
  for (size_t i = 0; i < rates.size(); ++i) CHECK(rates[i] == std::log(double(i % 16 + 1)));

  CHECK(built("11111-91111", 4).flat_values().to_doubles() ==
        built("11111-91111", 4).flat_values().to_doubles());
  Backbone other = built("11111-91111", 5), longer = built("11111-11111-91111", 4);
  Backbone first = built("11111-91111", 4);
  CHECK(first.find("blocks.0.liv.q.weight")->value.to_doubles() !=
        other.find("blocks.0.liv.q.weight")->value.to_doubles());
  CHECK(first.find("blocks.0.liv.q.weight")->value.to_doubles() ==
        longer.find("blocks.0.liv.q.weight")->value.to_doubles());
}

TEST_CASE("backbone: only linear maps and the embedding decay") {
  const Pool pool = extended_pool();
  Exec exec(cpu_backend());
  const std::string genome =
      with_all_classes("1111") + "|%1:11111,43111,21116|%5:23114,21114,41115,21211,21211";
  Backbone model(&exec, compile(parse(genome, pool), pool), kSizes);
  int64_t decayed = 0;
  for (auto& p : model.parameters()) {
    INFO(p.name);
    bool map = p.name.ends_with(".weight") && p.value.rank() == 2;
    CHECK(p.decay == map);
    if (map) decayed += (p.value.numel() + 15) / 16 * 16;
  }
  CHECK(model.decayed() == decayed);
}

TEST_CASE("backbone: errors") {
  const Pool pool = extended_pool();
  Exec exec(cpu_backend());
  auto blocks = [&](const char* text) { return compile(parse(text, pool), pool); };
  CHECK_THROWS_WITH_AS(Backbone(&exec, {}, kSizes), doctest::Contains("no LIV"), Error);
  CHECK_THROWS_WITH_AS(Backbone(&exec, blocks("11111"), {8, 3, 7, 6, 3}),
                       doctest::Contains("3 heads do not divide the width 8"), Error);  // heads
  CHECK_THROWS_WITH_AS(Backbone(&exec, blocks("11111"), {6, 2, 7, 6, 3}),
                       doctest::Contains("even head width, not 3"), Error);  // odd head width
  CHECK_NOTHROW(Backbone(&exec, blocks("i1111"), {6, 2, 7, 6, 3}));
  auto refuses = [&](const Sizes& sizes, const char* words) {
    CHECK_THROWS_WITH_AS(Backbone(nullptr, blocks("91111"), sizes), doctest::Contains(words),
                         Error);
  };
  for (int64_t Sizes::*size :
       {&Sizes::width, &Sizes::heads, &Sizes::vocab, &Sizes::seq, &Sizes::window}) {
    for (int64_t least : {0, -8}) {
      Sizes sizes = kSizes;
      sizes.*size = least;
      refuses(sizes, "must be positive");
    }
    for (int bits : {25, 40, 62}) {
      Sizes sizes = kSizes;
      sizes.*size = int64_t(1) << bits;
      refuses(sizes, "is too large");
    }
  }
  // A cache or a number of parameters beyond 64 bits: of one LIV, of the bytes, of the sum.
  auto overflows = [&](const Backbone& model, int64_t context) {
    CHECK_THROWS_WITH_AS(model.cache_bytes(context), doctest::Contains("is too large"), Error);
  };
  constexpr int64_t kContext = int64_t(1) << 40;
  const Backbone one(nullptr, blocks("11111"), {1 << 18, 1, 256, 8, 8});
  CHECK(one.cache_bytes(kContext) == int64_t(1) << 61);
  const Backbone two(nullptr, blocks("11111-11111"), {1 << 18, 1, 256, 8, 8});
  CHECK(two.cache_bytes(kContext) == int64_t(1) << 62);
  overflows(Backbone(nullptr, blocks("11111-11111-11111-11111"), {1 << 18, 1, 256, 8, 8}),
            kContext);
  overflows(Backbone(nullptr, blocks("11111"), {1 << 20, 1, 256, 8, 8}), kContext);
  overflows(one, int64_t(1) << 62);
  Tape tape(exec, false);
  Backbone bare(nullptr, blocks("11111"), kSizes), model(&exec, blocks("11111"), kSizes);
  Tensor tokens = exec.from({1, 2}, std::vector<int32_t>{1, 2});
  CHECK_THROWS_WITH_AS(bare.forward(tape, tokens), doctest::Contains("built without memory"),
                       Error);
  CHECK_THROWS_WITH_AS(model.forward(tape, tokens.reshape({2})),
                       doctest::Contains("tokens of shape [2]"), Error);
  CHECK(model.find("blocks.0.liv.q.weight") != nullptr);
  CHECK(model.find("blocks.1.liv.q.weight") == nullptr);
}

TEST_CASE("backbone: T(x) of a block is that of its operator on what the block reads") {
  constexpr int64_t L = 6;
  for (const LivClass& c : extended_pool().classes) {
    INFO(c.name);
    Exec exec(cpu_backend());
    // A first block that adds nothing to the stream.
    Backbone model = random_model(exec, fmt::format("91111-{}1111", c.id), kSizes, DType::f64, 3);
    exec.fill(model.find("blocks.0.liv.o.weight")->value, 0);
    const RandomOperator random(exec, c, kSizes, DType::f64, 4);
    for (size_t i = 0; i < random.specs.size(); ++i)
      exec.copy(random.values[i], model.find("blocks.1.liv." + random.specs[i].name())->value);
    Rng rng(5, "test.matrix");
    const Tensor tokens = random_tokens(exec, rng, 1, L, kSizes.vocab);

    Tape tape(exec, false);
    const Var x = rms_norm(embedding(tape.constant(model.find("embed.weight")->value), tokens),
                           tape.constant(model.find("blocks.1.norm.weight")->value));
    const std::vector<Var> values = random.on(tape);
    FeatureSet features;
    random.op.apply(random.weights(values), x, features, nullptr);
    const DenseCore expected = random.op.materialize(random.weights(values), features);
    const DenseCore core = model.materialize(tape, tokens, 1);
    CHECK(core.rows == expected.rows);
    CHECK(core.length == L);
    CHECK(relative_error(core.entries, expected.entries) < 1e-12);
    for (int part = 0; part < (c.differential ? 2 : 0); ++part) {
      const DenseCore half = random.op.materialize_part(random.weights(values), features, part);
      CHECK(relative_error(model.materialize(tape, tokens, 1, part).entries, half.entries) < 1e-12);
    }
    CHECK_THROWS_AS(model.materialize(tape, tokens, 2), Error);
  }
}

}  // namespace star::liv
