// What a class claims of T(x) holds for the numbers of T; a wrong claim, and an operator broken on
// purpose, fail.
#include "liv/certificate.h"

#include <doctest/doctest.h>

#include <set>

#include "core/error.h"
#include "cpu/cpu.h"
#include "liv/pool_file.h"
#include "liv/verify.h"
#include "tests/liv/models.h"

namespace star::liv {
namespace {

using Names = std::set<std::string>;

struct Trial {
  Layout layout;
  Testimony testimony;
  Evidence& evidence() { return testimony.whole; }
  DenseCore& core() { return testimony.whole.core; }
};

Trial trial(const LivClass& liv, const Sizes& sizes, int64_t length, uint64_t seed) {
  Exec exec(cpu_backend());
  RandomOperator random(exec, liv, sizes, DType::f64, seed);
  Rng rng(seed, "test.certificate.input");
  Tape tape(exec, false);
  Tensor x = random_tensor(exec, rng, {1, length, sizes.width}, DType::f64);
  const std::vector<Var> values = random.on(tape);
  return {random.op.layout(), gather(random.op, random.weights(values), tape.constant(x))};
}

Trial trial(const std::string& genome, uint64_t seed = 1) {
  return trial(first_class(genome), {16, 4, 5, 40, 8}, 40, seed);
}

std::string described(const std::vector<Check>& checks) {
  std::string text;
  for (auto& c : checks)
    text += fmt::format("{} {} {}: {} of {}\n", c.pass() ? "pass" : "FAIL", c.name, c.of, c.value,
                        c.bound);
  return text;
}

Names failing(const std::vector<Check>& checks) {
  Names names;
  for (auto& c : checks)
    if (!c.pass()) names.insert(c.name);
  return names;
}

double value_of(const std::vector<Check>& checks, const std::string& name) {
  for (auto& c : checks)
    if (c.name == name) return c.value;
  FAIL("no check called " << name);
  return NAN;
}

// Changes every entry below the diagonal by a relative 1e-6.
void shake(Trial& t) {
  Rng rng(3, "test.certificate.shake");
  for (int64_t r = 0; r < t.core().rows; ++r)
    for (int64_t i = 0; i < t.core().length; ++i)
      for (int64_t j = 0; j < i; ++j) t.core().at(r, i, j) *= 1 + 1e-6 * rng.normal();
}

// An operator whose algorithms agree on a T that is not what the class claims; the certificate that
// finds it, and no other does.
struct Broken {
  const char* genome;
  std::string found;
  void (*harm)(Trial&);
};

const Broken kBroken[] = {
    {"11111", "causality", [](Trial& t) { t.core().at(1, 3, 4) = 1e-12; }},
    {"71111", "causality", [](Trial& t) { t.core().at(3, 0, 39) = -1e-12; }},
    {"61111", "causality", [](Trial& t) { t.core().at(31, 38, 39) = NAN; }},
    {"91111", "diagonal", [](Trial& t) { t.core().at(1, 6, 2) = 1e-12; }},
    {"j1111", "band", [](Trial& t) { t.core().at(3, 20, 12) = 1e-12; }},
    {"71111", "band", [](Trial& t) { t.core().at(3, 20, 17) = 1e-13; }},
    {"11111", "score rank",
     [](Trial& t) {
       // Of rank 1, so that the scores are of rank e + 1.
       for (int64_t i = 0; i < 40; ++i)
         for (int64_t j = 0; j < 40; ++j)
           t.evidence().scores.at(2, i, j) += 1e-6 * std::cos(double(i)) * std::sin(double(j * j));
     }},
    {"j1111", "score rank", [](Trial& t) { t.evidence().scores.at(0, 1, 30) += 1e-6; }},
    {"i1111", "score rank", [](Trial& t) { t.evidence().scores = {}; }},
    {"51111", "semi-separable order", shake},
    {"61111", "semi-separable order", shake},
    {"61111", "semi-separable order", [](Trial& t) { t.core().at(0, 9, 7) *= 1.01; }},
    {"k1111", "semi-separable order", shake},
    {"l1111", "semi-separable order", shake},
    {"q1111", "semi-separable order", shake},
    {"r1111", "semi-separable order", shake},
    {"71111|%7:21111,21111,21111,15111", "band", [](Trial& t) { t.core().at(3, 20, 16) = 1e-13; }},
    {"i1111", "semi-separable order", shake},
    {"71111", "Toeplitz", [](Trial& t) { t.core().at(2, 5, 4) *= 1.001; }},
    {"81111", "Toeplitz", shake},
    {"81111", "Toeplitz",
     [](Trial& t) {
       // A kernel that depends on the position.
       for (int64_t j = 0; j < 37; ++j) t.core().at(5, j + 3, j) *= 1 + 1e-3 * double(j);
     }},
    {"k1111", "residual", [](Trial& t) { t.evidence().dense[7] *= 1 + 1e-3; }},
    {"11111", "residual", [](Trial& t) { t.evidence().parallel[7] = NAN; }},
    {"81111", "residual",
     [](Trial& t) {
       t.evidence() = trial("81111", 2).evidence();
       t.evidence().parallel = trial("81111", 1).evidence().parallel;
     }},
};

}  // namespace

TEST_CASE("certificate: every class makes its claims, and no other") {
  struct Row {
    const char* classes;
    Names names;
  };
  for (const Row& row : {Row{"1234abcd", {"causality", "score rank", "residual"}},
                         {"jn", {"causality", "score rank", "band", "residual"}},
                         {"im", {"causality", "score rank", "semi-separable order", "residual"}},
                         {"56eflkopqrst", {"causality", "semi-separable order", "residual"}},
                         {"7g", {"causality", "Toeplitz", "band", "residual"}},
                         {"8h", {"causality", "Toeplitz", "residual"}},
                         {"9", {"causality", "diagonal", "residual"}}})
    for (char id : std::string(row.classes)) {
      INFO(id);
      Trial t = trial(std::string(1, id) + "1111");
      Names names;
      for (auto& c : certify(t.layout, t.testimony)) names.insert(c.name);
      CHECK(names == row.names);
    }
}

TEST_CASE("certificate: all classes pass every check, at any size") {
  Rng rng(4, "test.certificate");
  constexpr int64_t kShapes[][2] = {{16, 4}, {8, 2}, {24, 6}, {28, 7}, {6, 1}};
  Exec exec(cpu_backend());
  for (const LivClass& liv : extended_pool().classes)
    for (int i = 0; i < 2; ++i) {
      auto& shape = kShapes[rng.below(std::size(kShapes))];
      Sizes sizes{shape[0], shape[1], 5, 3 + rng.below(90), 1 + rng.below(20)};
      int64_t length = least_length(Layout(liv, sizes)) + rng.below(40);
      std::vector<Check> checks = verify(exec, liv, sizes, length, rng.bits());
      INFO(liv.name << ", width " << shape[0] << ", length " << length);
      CHECK_MESSAGE(failing(checks).empty(), described(checks));
      // T is judged, and of a differential class both parts.
      Names residuals, judged;
      for (auto& c : checks) (c.name == "residual" ? residuals : judged).insert(c.of);
      CHECK(residuals == Names{"T"});
      CHECK(judged == (liv.differential ? Names{"T", "T0", "T1"} : Names{"T"}));
    }
}

TEST_CASE("certificate: random legal operators pass every check") {
  Rng rng(5, "test.certificate.random");
  const Pool pool = extended_pool();
  Exec exec(cpu_backend());
  for (int i = 0; i < 60; ++i) {
    std::string genome = to_text(repair(random_genome_text(rng, pool, 1, true), pool));
    LivClass liv = first_class(genome);
    Sizes sizes{4, 2, 5, 20, 1 + rng.below(6)};
    int64_t length = least_length(Layout(liv, sizes)) + rng.below(8);
    uint64_t seed = rng.bits();
    std::vector<Check> checks = verify(exec, liv, sizes, length, seed);
    INFO(genome << ", length " << length << ", seed " << seed);
    CHECK_MESSAGE(failing(checks).empty(), described(checks));
  }
}

TEST_CASE("certificate: ranks and bands are not only kept but reached") {
  for (auto [genome, rank] :
       {std::pair{"11111", 4.0}, {"31111", 4}, {"j1111", 4}, {"11111|%1:21211,21211,21211", 8}}) {
    INFO(std::string(genome));
    Trial t = trial(genome);
    CHECK(value_of(certify(t.layout, t.testimony), "score rank") == rank);
  }
  for (auto [genome, order] : {std::pair{"51111", 5.0},  // of 16: rounding hides what decays
                               {"51111|%5:23114,21114,41115,21311,21311", 4},
                               {"51111|%5:23114,21114,41115,21111,21111", 1},
                               {"61111", 1},
                               {"k1111", 4},
                               {"l1111", 4},
                               {"q1111", 4},
                               {"r1111", 4},
                               {"i1111", 4},
                               {"11111|1:12113", 4}}) {
    INFO(std::string(genome));
    Trial t = trial(genome);
    CHECK(value_of(certify(t.layout, t.testimony), "semi-separable order") >= order);
  }
  for (const char* genome : {"j1111", "11111|1:12213", "11111|1:12243", "41111|4:42223"})
    for (int64_t window : {1, 2, 5, 20}) {
      INFO(std::string(genome) << ", window " << window);
      Trial t = trial(first_class(genome), {16, 4, 5, 40, window}, 40, 2);
      for (int64_t i = window - 1; i < 40; ++i) CHECK(t.core().at(1, i, i - window + 1) != 0);
    }
}

TEST_CASE("certificate: an operator broken on purpose fails what it breaks, and only that") {
  Names found;
  for (const Broken& broken : kBroken) {
    INFO(std::string(broken.genome));
    Trial t = trial(broken.genome);
    CHECK(failing(certify(t.layout, t.testimony)).empty());
    broken.harm(t);
    std::vector<Check> checks = certify(t.layout, t.testimony);
    CHECK_MESSAGE(failing(checks) == Names{broken.found}, described(checks));
    found.insert(broken.found);
  }
  for (const LivClass& liv : extended_pool().classes) {
    Trial t = trial(std::string(1, liv.id) + "1111");
    for (auto& c : certify(t.layout, t.testimony))
      CHECK_MESSAGE(found.contains(c.name), c.name << " is broken by none of the operators");
  }
}

// A part that breaks its claim, and a difference whose rank is more than that of two.
TEST_CASE("certificate: the parts of a differential operator are judged by themselves") {
  struct Row {
    const char *genome, *of, *found;
    void (*harm)(Testimony&);
  };
  const auto shake_part = [](Testimony& t) {
    Rng rng(3, "test.certificate.shake");
    for (int64_t i = 0; i < t.parts[1].core.length; ++i)
      for (int64_t j = 0; j < i; ++j) t.parts[1].core.at(0, i, j) *= 1 + 1e-6 * rng.normal();
  };
  for (const Row& row :
       {Row{"a1111", "T0", "causality", [](Testimony& t) { t.parts[0].core.at(1, 5, 6) = 1e-12; }},
        Row{"c1111", "T1", "score rank",
            [](Testimony& t) {
              for (int64_t i = 0; i < 40; ++i)
                for (int64_t j = 0; j < 40; ++j)
                  t.parts[1].scores.at(2, i, j) +=
                      1e-6 * std::cos(double(i)) * std::sin(double(j * j));
            }},
        Row{"f1111", "T1", "semi-separable order", shake_part},
        Row{"p1111", "T1", "semi-separable order", shake_part},
        Row{"h1111", "T1", "Toeplitz", shake_part},
        Row{"n1111", "T1", "band", [](Testimony& t) { t.parts[1].core.at(0, 30, 2) = 1e-12; }},
        Row{"f1111", "T", "semi-separable order",
            [](Testimony& t) {
              Rng rng(5, "test.certificate.shake");
              for (double& x : t.whole.core.entries) x *= 1 + 1e-6 * rng.normal();
            }},
        Row{"o1111", "T", "residual", [](Testimony& t) { t.whole.dense[3] *= 1 + 1e-6; }}}) {
    INFO(std::string(row.genome) << " " << row.of);
    Trial t = trial(row.genome);
    CHECK(failing(certify(t.layout, t.testimony)).empty());
    row.harm(t.testimony);
    for (const Check& c : certify(t.layout, t.testimony))
      CHECK_MESSAGE(c.pass() == !(c.of == row.of && c.name == row.found), c.of << " " << c.name);
  }
  // The difference of two maps of order 1 is of order 2, and not less.
  Trial t = trial("f1111");
  for (const Check& c : certify(t.layout, t.testimony))
    if (c.name == "semi-separable order") CHECK(c.value == (c.of == "T" ? 2 : 1));
}

TEST_CASE("certificate: views agree within 1e-10 in double precision and 1e-5 in single") {
  Exec exec(cpu_backend());
  for (auto& c : verify(exec, first_class("l1111"), {8, 2, 5, 20, 8}, 20, 1)) {
    INFO(c.name);
    if (c.name.ends_with("float64") || c.name == "residual") CHECK(c.bound == 1e-10);
    if (c.name.ends_with("float32")) CHECK(c.bound == 1e-5);
  }
}

TEST_CASE(
    "certificate: decoding takes a prefix at once, then single tokens, and counts the cache") {
  Exec exec(cpu_backend());
  Rng rng(8, "test.decode");
  Tensor x = random_tensor(exec, rng, {1, 7, 2}, DType::f64);
  for (int64_t prefill : {0, 1, 3, 7}) {
    std::vector<int64_t> pieces;
    auto step = [&](const Tensor& tokens, State& state) {
      pieces.push_back(tokens.size(1));
      state.extend(exec, State::kCarried, tokens, kAllRows);
      return tokens;
    };
    auto decoded = [&](int64_t missing_at) {
      pieces.clear();
      return decode(exec, x, prefill, step,
                    [=](int64_t context) { return 2 * context + (context == missing_at ? 2 : 0); });
    };
    CHECK(decoded(0).y == x.to_doubles());
    std::vector<int64_t> expected(size_t(7 - std::max<int64_t>(prefill - 1, 0)), 1);
    if (prefill > 0) expected[0] = prefill;
    CHECK(pieces == expected);
    CHECK(decoded(0).cache == 0);
    CHECK(decoded(7).cache == 2);
    CHECK(decoded(5).cache == (prefill == 7 ? 0 : 2));
  }
}

// No default class has one on a Toeplitz operator.
TEST_CASE("certificate: a gate on the output scales the rows of T") {
  const Pool pool = parse_pool(
      "featurizer g: B 21111, C 21111, v 21111, z 21114, kernel 13111\nclass 1 gated: g3111\n"
      "featurizer h: B 21111, C 21111, v 21111, z 21111, filter 14111\nclass 2 long: h3111\n",
      "test");
  for (const LivClass& liv : pool.classes) {
    INFO(liv.name);
    Trial t = trial(liv, {16, 4, 5, 40, 8}, 40, 1);
    std::vector<Check> checks = certify(t.layout, t.testimony);
    CHECK_MESSAGE(failing(checks).empty(), described(checks));
  }
}

TEST_CASE("certificate: the claims of one class fail on the operator of another") {
  struct Pair {
    const char *claimed, *actual, *found;
  };
  for (const Pair& pair : {Pair{"91111", "11111", "diagonal"},
                           {"j1111", "11111", "band"},
                           {"i1111", "11111", "semi-separable order"},
                           {"61111", "k1111", "semi-separable order"},
                           {"k1111", "51111", "semi-separable order"},
                           {"11111", "11111|%1:21211,21211,21211", "score rank"},
                           {"71111", "81111", "band"}}) {
    INFO(std::string(pair.claimed) << " claimed of " << std::string(pair.actual));
    std::vector<Check> checks = certify(trial(pair.claimed).layout, trial(pair.actual).testimony);
    CHECK_MESSAGE(failing(checks) == Names{pair.found}, described(checks));
  }
}

TEST_CASE("certificate: the least length is the shortest on which every claim can fail") {
  Rng rng(6, "test.certificate.length");
  auto noise = [&](int64_t n) { return normals(rng, n); };
  for (const LivClass& liv : extended_pool().classes) {
    INFO(liv.name);
    Layout layout(liv, {16, 4, 5, 40, 8});
    for (int64_t shorter : {0, 1}) {
      int64_t L = least_length(layout) - shorter, rows = 16;
      Evidence e{{rows, L, noise(rows * L * L)},
                 {4, L, noise(4 * L * L)},
                 noise(L * rows),
                 noise(L * rows),
                 noise(L * 16),
                 noise(L * 16)};
      Testimony t{e, {}};
      if (liv.differential) t.parts = {e, e};
      std::vector<Check> checks = certify(layout, t);
      const auto passes =
          std::count_if(checks.begin(), checks.end(), [](auto& c) { return c.pass(); });
      CHECK_MESSAGE((passes == 0) == (shorter == 0), described(checks));
    }
    Exec exec(cpu_backend());
    CHECK_THROWS_WITH_AS(verify(exec, liv, {16, 4, 5, 40, 8}, least_length(layout) - 1, 0),
                         doctest::Contains("claims cannot fail"), Error);
  }
}

TEST_CASE(
    "certificate: rows of softmax and of kernel-normalised attention sum to 1, none below 0") {
  for (const char* genome : {"11111", "j1111", "i1111", "41111"}) {
    INFO(std::string(genome));
    DenseCore T = trial(genome).core();
    for (int64_t r = 0; r < T.rows; ++r)
      for (int64_t i = 0; i < T.length; ++i) {
        double total = 0;
        for (int64_t j = 0; j < T.length; ++j) {
          CHECK(T.at(r, i, j) >= 0);
          total += T.at(r, i, j);
        }
        CHECK(total == doctest::Approx(1).epsilon(1e-5));
      }
  }
}

}  // namespace star::liv
