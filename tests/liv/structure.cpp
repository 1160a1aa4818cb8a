// What the genome claims of T(x) holds for the numbers of T, and fails on operators broken on
// purpose.
#include <doctest/doctest.h>

#include "liv/mixing.h"
#include "liv/toeplitz.h"
#include "tests/liv/models.h"

namespace star {
namespace {

constexpr double kZero = 1e-13, kRank = 1e-9;  // relative to the largest entry

// T of one branch without the output gate, and the operator that made it.
struct Materialised {
  Layout layout;
  DenseCore core;
};

Materialised materialised(const std::string& genome, const Sizes& sizes, int64_t length,
                          uint64_t seed) {
  Exec exec(cpu_backend());
  RandomOperator random(exec, first_class(genome), sizes, DType::f64, seed);
  Rng rng(seed, "test.structure");
  Tape tape(exec, false);
  Weights weights = random.weights(tape);
  Features f;
  random.op.apply(weights,
                  tape.constant(random_tensor(exec, rng, {1, length, sizes.width}, DType::f64)), {},
                  nullptr, &f);
  return {random.op.layout(), make_mixing(random.op.layout())->materialize(f, weights)};
}

double largest(const DenseCore& T) {
  double worst = 0;
  for (double x : T.entries) worst = std::max(worst, std::abs(x));
  return worst;
}

// The largest entry where where(i, j) holds, relative to the largest of all.
template <class Where>
double largest_where(const DenseCore& T, Where where) {
  double worst = 0;
  for (int64_t r = 0; r < T.rows; ++r)
    for (int64_t i = 0; i < T.length; ++i)
      for (int64_t j = 0; j < T.length; ++j)
        if (where(i, j)) worst = std::max(worst, std::abs(T.at(r, i, j)));
  return worst / largest(T);
}

double above_diagonal(const DenseCore& T) {
  return largest_where(T, [](int64_t i, int64_t j) { return j > i; });
}
double off_diagonal(const DenseCore& T) {
  return largest_where(T, [](int64_t i, int64_t j) { return j != i; });
}
double outside_band(const DenseCore& T, int64_t window) {
  return largest_where(T, [&](int64_t i, int64_t j) { return i - j >= window; });
}

// By elimination with full pivoting: pivots below kRank of the first are none.
int64_t numerical_rank(std::vector<std::vector<double>> m) {
  double first = 0;
  for (size_t rank = 0; rank < std::min(m.size(), m[0].size()); ++rank) {
    size_t pi = rank, pj = rank;
    for (size_t i = rank; i < m.size(); ++i)
      for (size_t j = rank; j < m[0].size(); ++j)
        if (std::abs(m[i][j]) > std::abs(m[pi][pj])) pi = i, pj = j;
    double pivot = std::abs(m[pi][pj]);
    if (rank == 0) first = pivot;
    if (pivot <= kRank * first || pivot == 0) return int64_t(rank);
    std::swap(m[rank], m[pi]);
    for (auto& row : m) std::swap(row[rank], row[pj]);
    for (size_t i = rank + 1; i < m.size(); ++i) {
      double factor = m[i][rank] / m[rank][rank];
      for (size_t j = rank; j < m[0].size(); ++j) m[i][j] -= factor * m[rank][j];
    }
  }
  return int64_t(std::min(m.size(), m[0].size()));
}

// The largest rank of the blocks T[i:, :i]: the semi-separable order.
int64_t semi_separable_order(const DenseCore& T) {
  int64_t order = 0;
  for (int64_t r = 0; r < T.rows; ++r)
    for (int64_t cut = 1; cut < T.length; ++cut) {
      std::vector<std::vector<double>> block;
      for (int64_t i = cut; i < T.length; ++i) {
        block.emplace_back();
        for (int64_t j = 0; j < cut; ++j) block.back().push_back(T.at(r, i, j));
      }
      order = std::max(order, numerical_rank(block));
    }
  return order;
}

// The scalings of T_ij = C_i K_{i−j} B_j cancel in a rectangle of entries:
//   T_ij T_uv K_{i−v} K_{u−j} = T_iv T_uj K_{i−j} K_{u−v}
// The largest difference of the two sides, relative to the greater; K [taps, channels].
double toeplitz_residual(const DenseCore& T, const std::vector<double>& K, int64_t channels) {
  double worst = 0;
  auto kernel = [&](int64_t lag, int64_t c) {
    return lag >= 0 && lag * channels + c < int64_t(K.size()) ? K[size_t(lag * channels + c)] : 0;
  };
  for (int64_t c = 0; c < T.rows; ++c)
    for (int64_t i = 0; i < T.length; ++i)
      for (int64_t u = 0; u < T.length; ++u)
        for (int64_t j = 0; j <= i; ++j)
          for (int64_t v = 0; v <= u; ++v) {
            double a = T.at(c, i, j) * T.at(c, u, v) * kernel(i - v, c) * kernel(u - j, c);
            double b = T.at(c, i, v) * T.at(c, u, j) * kernel(i - j, c) * kernel(u - v, c);
            if (a != b)
              worst = std::max(worst, std::abs(a - b) / std::max(std::abs(a), std::abs(b)));
          }
  return worst;
}

}  // namespace

TEST_CASE("structure: nothing above the diagonal, entries below it") {
  const Pool pool = extended_pool();
  for (const LivClass& liv : pool.classes) {
    INFO(liv.name);
    Materialised m = materialised(std::string(1, liv.id) + "1111", {12, 2, 5, 16, 4}, 9, 1);
    CHECK(above_diagonal(m.core) == 0);
    CHECK((off_diagonal(m.core) == 0) == (liv.op.token_mixing() == 1));
  }
  DenseCore broken = materialised("11111", {12, 2, 5, 16, 4}, 9, 1).core;
  broken.at(1, 3, 4) = 1e-9;
  CHECK(above_diagonal(broken) > kZero);
}

TEST_CASE("structure: a band holds the window, and fills it") {
  for (const char* genome : {"j1111", "11111|1:12213", "11111|1:12243", "41111|4:42223"}) {
    INFO(std::string(genome));
    for (int64_t window : {1, 2, 5, 9, 12}) {
      Materialised m = materialised(genome, {12, 2, 5, 16, window}, 10, 2);
      CHECK(outside_band(m.core, window) == 0);
      if (window <= 10) CHECK(outside_band(m.core, window - 1) > kZero);
    }
  }
  CHECK(outside_band(materialised("11111", {12, 2, 5, 16, 4}, 10, 2).core, 4) > kZero);
}

TEST_CASE("structure: rows of softmax and of kernel-normalised attention sum to 1, none below 0") {
  for (const char* genome : {"11111", "j1111", "i1111", "41111"}) {
    INFO(std::string(genome));
    DenseCore T = materialised(genome, {12, 2, 5, 16, 4}, 10, 3).core;
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

TEST_CASE("structure: semi-separable order is the number of states, at most") {
  struct Claim {
    const char* genome;
    int64_t order;
  };
  // Head width 6, so that a matrix state has rank 6; linear attention is a recurrence, too.
  for (Claim claim : {Claim{"51111", 16},
                      {"51111|%5:23114,21114,41115,21311,21311", 4},
                      {"51111|%5:23114,21114,41115,21111,21111", 1},
                      {"61111", 1},
                      {"k1111", 6},
                      {"l1111", 6},
                      {"i1111", 6},
                      {"71111", 2},
                      {"91111", 0}}) {
    INFO(std::string(claim.genome));
    Materialised m = materialised(claim.genome, {12, 2, 5, 16, 4}, 14, 4);
    int64_t order = semi_separable_order(m.core);
    CHECK(order <= claim.order);
    CHECK(order >= std::min<int64_t>(claim.order, 5));  // numbers decay below the bound of a rank
  }
  // A softmax has no such order, and a changed entry raises one.
  CHECK(semi_separable_order(materialised("11111", {12, 2, 5, 16, 4}, 14, 4).core) > 6);
  DenseCore broken = materialised("61111", {12, 2, 5, 16, 4}, 14, 4).core;
  broken.at(0, 9, 4) *= 1.01;
  CHECK(semi_separable_order(broken) > 1);
}

TEST_CASE("structure: a Toeplitz operator is one kernel between a row and a column scaling") {
  for (const char* genome : {"71111", "81111", "71111|%7:23117,21114,21111,13111"}) {
    INFO(std::string(genome));
    const Sizes sizes{6, 2, 5, 16, 4};
    const uint64_t seed = 6;
    Materialised m = materialised(genome, sizes, 8, seed);
    Exec exec(cpu_backend());
    RandomOperator random(exec, first_class(genome), sizes, DType::f64, seed);
    Tape tape(exec, false);
    Weights w = random.weights(tape);
    bool implicit = m.layout.group("filter") != nullptr;
    Var kernel = implicit ? filter_kernel(w, 8, sizes.seq) : kernel_of_taps(w["kernel"]);
    std::vector<double> K = kernel.value().to_doubles();
    if (implicit)
      for (size_t c = 0; c < 6; ++c) K[c] += w["D"].value().to_doubles()[c];
    CHECK(toeplitz_residual(m.core, K, 6) < 1e-10);
    m.core.at(2, 5, 4) *= 1.001;
    CHECK(toeplitz_residual(m.core, K, 6) > 1e-5);
    if (!implicit) CHECK(outside_band(m.core, kTaps) == 0);
  }
}

}  // namespace star
