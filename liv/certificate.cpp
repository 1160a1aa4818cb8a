#include "liv/certificate.h"

#include <algorithm>
#include <cmath>

#include "autograd/elementwise.h"
#include "liv/featurizer.h"
#include "liv/rank.h"

namespace star::liv {
namespace {

constexpr double kRankThreshold = 1e-10;
constexpr const char* kOrder = "semi-separable order";

// The width of the band that holds all entries, the diagonal included; 0 without one.
int64_t band_width(const Layout& l) {
  if (l.liv.op.sparsity() == Sparsity::banded) return l.sizes.window;
  return l.kernel_taps();
}

// The states through which all of the past acts on the future; 0 where no number is claimed.
int64_t states(const Layout& l) {
  const OperatorGenome& op = l.liv.op;
  if (op.mixing() == Mixing::semi_separable) return l.grouped() ? l.head_width() : l.states();
  // Linear attention is a recurrence, too; what divides its rows changes no rank.
  return op.mixing() == Mixing::low_rank && linear_in_keys(op.entries()) &&
                 op.sparsity() == Sparsity::none
             ? l.head_width()
             : 0;
}

template <class Where>
double largest_where(const DenseCore& T, Where where) {
  double worst = 0;
  for (int64_t r = 0; r < T.rows; ++r)
    for (int64_t i = 0; i < T.length; ++i)
      for (int64_t j = 0; j < T.length; ++j) {
        double entry = std::abs(T.at(r, i, j));
        if (where(i, j) && !(entry <= worst)) worst = std::isnan(entry) ? INFINITY : entry;
      }
  return worst;
}

double above_diagonal(const Layout&, const Evidence& e) {
  return largest_where(e.core, [](int64_t i, int64_t j) { return j > i; });
}

double off_diagonal(const Layout&, const Evidence& e) {
  return largest_where(e.core, [](int64_t i, int64_t j) { return j != i; });
}

double outside_band(const Layout& l, const Evidence& e) {
  return largest_where(e.core,
                       [width = band_width(l)](int64_t i, int64_t j) { return i - j >= width; });
}

int64_t block_rank(const DenseCore& T, int64_t r, int64_t from_row, int64_t columns) {
  Columns block(static_cast<size_t>(columns));
  for (int64_t j = 0; j < columns; ++j)
    for (int64_t i = from_row; i < T.length; ++i) block[size_t(j)].push_back(T.at(r, i, j));
  return numerical_rank(std::move(block), kRankThreshold);
}

double score_rank(const Layout&, const Evidence& e) {
  if (e.scores.entries.empty()) return NAN;  // nothing was measured
  int64_t rank = 0;
  for (int64_t r = 0; r < e.scores.rows; ++r)
    rank = std::max(rank, block_rank(e.scores, r, 0, e.scores.length));
  return double(rank);
}

double semi_separable_order(const Layout&, const Evidence& e) {
  int64_t order = 0;
  for (int64_t r = 0; r < e.core.rows; ++r)
    for (int64_t rank : cut_ranks(e.core, r)) order = std::max(order, rank);
  return double(order);
}

// With S_ij = C_i B_j, and K_τ the least-squares fit of T_ij = S_ij K_{i−j} along a diagonal:
// max|T_ij − S_ij K_{i−j}| / max|T|, by channel. No quotient, since C and B may be 0.
double toeplitz_deviation(const Layout&, const Evidence& e) {
  const DenseCore& T = e.core;
  double worst = 0;
  for (int64_t r = 0; r < T.rows; ++r) {
    double largest = 0, deviation = 0;
    for (int64_t lag = 0; lag < T.length; ++lag) {
      auto scaling = [&](int64_t j) {
        return e.read[size_t((j + lag) * T.rows + r)] * e.write[size_t(j * T.rows + r)];
      };
      double along = 0, squares = 0;
      for (int64_t j = 0; j + lag < T.length; ++j) {
        along += scaling(j) * T.at(r, j + lag, j);
        squares += scaling(j) * scaling(j);
      }
      double kernel = squares > 0 ? along / squares : 0;
      for (int64_t j = 0; j + lag < T.length; ++j) {
        double entry = T.at(r, j + lag, j), off = std::abs(entry - scaling(j) * kernel);
        largest = std::max(largest, std::abs(entry));
        if (!(off <= deviation)) deviation = std::isnan(off) ? INFINITY : off;
      }
    }
    if (deviation > 0) worst = std::max(worst, deviation / largest);
  }
  return worst;
}

double residual(const Layout&, const Evidence& e) { return relative_error(e.dense, e.parallel); }

// Of a differential class, what a claim is about: T, its parts T₀ and T₁, or each of them.
enum class About { whole, parts, all };

// Which claims a class makes, and how they are measured.
struct Claim {
  const char* name;
  About about;
  bool (*made)(const Layout&);
  double (*bound)(const Layout&);
  double (*measure)(const Layout&, const Evidence&);
};

// What T is made of: scores, or what scales its rows (the gate as well) and columns.
void add_factors(const Operator& op, const FeatureSet& features, int part, Evidence& e) {
  const Layout& l = op.layout();
  if (l.liv.op.mixing() == Mixing::low_rank) e.scores = op.scores(features, part);
  if (l.liv.op.mixing() != Mixing::toeplitz) return;
  const Features f = features.part(part);
  e.read = f[l.reader()].value().to_doubles();
  e.write = f[l.writer()].value().to_doubles();
  if (const FeatureGroup* gate = l.group(Role::z)) {
    auto nonlinear = pointwise(*gate);
    std::vector<double> z =
        (nonlinear ? unary(*nonlinear, f[Role::z]) : f[Role::z]).value().to_doubles();
    for (size_t i = 0; i < z.size(); ++i) e.read[i] *= z[i];
  }
}

bool always(const Layout&) { return true; }
double zero(const Layout&) { return 0; }
double agreeing(const Layout&) { return agreement(DType::f64); }

constexpr Claim kClaims[] = {
    {"causality", About::all, always, zero, above_diagonal},
    {"diagonal", About::all, [](const Layout& l) { return l.liv.op.mixing() == Mixing::diagonal; },
     zero, off_diagonal},
    {"band", About::all, [](const Layout& l) { return band_width(l) > 0; }, zero, outside_band},
    {"score rank", About::parts,
     [](const Layout& l) { return l.liv.op.mixing() == Mixing::low_rank; },
     [](const Layout& l) { return double(l.head_width()); }, score_rank},
    {kOrder, About::all, [](const Layout& l) { return states(l) > 0; },
     [](const Layout& l) { return double(states(l)); }, semi_separable_order},
    {"Toeplitz", About::parts,
     [](const Layout& l) { return l.liv.op.mixing() == Mixing::toeplitz; }, agreeing,
     toeplitz_deviation},
    {"residual", About::whole, always, agreeing, residual},
};

}  // namespace

double relative_error(const std::vector<double>& a, const std::vector<double>& b, double scale) {
  if (a.size() != b.size()) return INFINITY;
  double worst = 0, largest = scale;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return INFINITY;
    worst = std::max(worst, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return worst == 0 ? 0 : worst / largest;
}

double agreement(DType dtype) { return dtype == DType::f64 ? 1e-10 : 1e-5; }

Testimony gather(const Operator& op, const Weights& weights, const Var& x) {
  Testimony t;
  FeatureSet f;
  t.whole.parallel = op.apply(weights, x, f, nullptr).value().to_doubles();
  t.whole.core = op.materialize(weights, f);
  t.whole.dense = op.apply_dense(t.whole.core, weights, f);
  if (!op.liv().differential) {
    add_factors(op, f, 0, t.whole);
    return t;
  }
  for (int part = 0; part < op.layout().parts(); ++part) {
    t.parts.emplace_back().core = op.materialize_part(weights, f, part);
    add_factors(op, f, part, t.parts.back());
  }
  return t;
}

std::vector<Check> certify(const Layout& layout, const Testimony& testimony) {
  std::vector<Check> checks;
  const auto judge = [&](const Evidence& evidence, const std::string& of, About not_about) {
    const bool difference = of == "T" && layout.liv.differential;
    for (const Claim& claim : kClaims) {
      if (!claim.made(layout) || (layout.liv.differential && claim.about == not_about)) continue;
      const double bound = claim.bound(layout) * (difference && claim.name == kOrder ? 2 : 1);
      checks.push_back({claim.name, of, claim.measure(layout, evidence), bound});
    }
  };
  judge(testimony.whole, "T", About::parts);
  for (size_t part = 0; part < testimony.parts.size(); ++part)
    judge(testimony.parts[part], fmt::format("T{}", part), About::whole);
  return checks;
}

std::vector<int64_t> cut_ranks(const DenseCore& T, int64_t row) {
  std::vector<int64_t> ranks;
  for (int64_t cut = 1; cut < T.length; ++cut) ranks.push_back(block_rank(T, row, cut, cut));
  return ranks;
}

int64_t least_length(const Layout& layout) {
  int64_t length = std::max<int64_t>(2, band_width(layout) + 1);
  if (layout.liv.op.mixing() == Mixing::low_rank)
    length = std::max(length, layout.head_width() + 1);
  const int64_t order = states(layout) * layout.parts();
  return order > 0 ? std::max(length, 2 * order + 2) : length;
}

}  // namespace star::liv
