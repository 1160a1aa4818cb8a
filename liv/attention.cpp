// Low-rank token mixing: attention (Vaswani et al., 2017), with grouped keys and values (Ainslie et
// al., 2023), and linear attention (Katharopoulos et al., 2020).
//   T_ij = σ(q_i · k_j),  j ≤ i;  q: [L, H, e];  k, v: [L, Hkv, e]
// σ is the softmax over j, or an elementwise function divided by the number of visible positions,
// or nothing, normalised by its sum (liv/entries.h). Query head h reads key/value head ⌊h·Hkv/H⌋.
#include <cmath>

#include "autograd/elementwise.h"
#include "autograd/views.h"
#include "liv/mixing.h"

namespace star {
namespace {

const EntriesRow& entries_of(const Layout& layout) { return row_of(layout.liv.op.entries()); }

// Read heads b i h g n, g of them a key/value head; the entries of T get their nonlinearity.
std::string network_of(const Layout& layout) {
  const EntriesRow& entries = entries_of(layout);
  std::string band = layout.liv.op.sparsity() == Sparsity::banded
                         ? fmt::format("[i>=j>i-{}]", layout.sizes.window)
                         : "[i>=j]";
  std::string scores = "bihgn,bjhn", T;
  if (scaled(layout.liv.op))
    scores = fmt::format("{},{}", 1 / std::sqrt(double(layout.head_width())), scores);
  if (!entries.function)
    T = fmt::format("{},{}", scores, band);
  else if (entries.normalises)  // over what is seen
    T = fmt::format("{}({},{})", entries.function, scores, band);
  else
    T = fmt::format("{}({}),{}", entries.function, scores, band);
  return fmt::format("{}{},bjhv->bihgv", T, entries.normalises ? "" : ",i");
}

class LowRank : public TokenMixing {
 public:
  explicit LowRank(const Layout& layout)
      : TokenMixing(layout, network_of(layout)), repeat_("btkn,kh->bthn") {}

  // While decoding, k and v are those of all tokens.
  std::vector<Var> operands(const Features& f, const Weights&, State*) const override {
    Var q = f[layout_.reader()];
    int64_t B = q.size(0), L = q.size(1), e = layout_.head_width();
    Var k = by_kv_head(f[layout_.writer()]), v = by_kv_head(f[Role::value]);
    q = reshape(q, {B, L, k.size(2), layout_.sizes.heads / k.size(2), e});
    if (normalised()) return {q, k, with_ones(v)};
    if (entries_of(layout_).normalises) return {q, k, v};
    return {q, k, means(q.tape(), q.dtype(), L, k.size(1)), v};
  }
  std::vector<Shape> shapes(int64_t B, int64_t L) const override {
    int64_t H = layout_.sizes.heads, kv = H % layout_.kv_heads() ? H : layout_.kv_heads();
    int64_t e = layout_.head_width();
    Shape q{B, L, kv, H / kv, e}, k{B, L, kv, e}, v{B, L, kv, e + normalised()};
    if (entries_of(layout_).normalises) return {q, k, v};
    return {q, k, {L}, v};
  }

  // Σ_j (q_i·k_j) v_j / (Σ_j q_i·k_j + ε), whose sums are the channels of one contraction.
  Var result(const Var& y) const override {
    if (!normalised()) return TokenMixing::result(y);
    int64_t e = layout_.head_width();
    return TokenMixing::result(narrow(y, 4, 0, e) / scale(narrow(y, 4, e, 1), 1, kNormaliserFloor));
  }

  DenseCore scores(const Features& f) const override {
    FeatureRows q(f[layout_.reader()]), k(f[layout_.writer()]);
    int64_t H = layout_.sizes.heads, e = layout_.head_width(), L = q.length();
    double factor = scaled(layout_.liv.op) ? 1 / std::sqrt(double(e)) : 1;
    DenseCore S{H, L, std::vector<double>(size_t(H * L * L), 0.0)};
    for (int64_t h = 0; h < H; ++h)
      for (int64_t i = 0; i < L; ++i)
        for (int64_t j = 0; j < L; ++j) {
          int64_t kv = h * layout_.kv_heads() / H;
          double s = 0;
          for (int64_t n = 0; n < e; ++n) s += q.at(i, h * e + n) * k.at(j, kv * e + n);
          S.at(h, i, j) = s * factor;
        }
    return S;
  }

  DenseCore materialize(const Features& f, const Weights&) const override {
    DenseCore core = scores(f);
    for (int64_t h = 0; h < core.rows; ++h)
      for (int64_t i = 0; i < core.length; ++i) {
        int64_t from = banded() ? std::max<int64_t>(0, i - layout_.sizes.window + 1) : 0;
        for (int64_t j = 0; j < core.length; ++j)
          if (j < from || j > i) core.at(h, i, j) = 0;
        entries_of(layout_).row({&core.at(h, i, from), size_t(i - from + 1)});
      }
    return core;
  }

  int64_t cache(int64_t) const override {
    if (!normalised()) return 0;  // keys and values: feature_cache
    int64_t e = layout_.head_width(), H = layout_.sizes.heads, kv = layout_.kv_heads();
    return (H % kv == 0 ? kv : H) * (e * e + e);
  }

  double work(int64_t length) const override {
    double e = double(layout_.head_width()), H = double(layout_.sizes.heads);
    double L = double(length), w = double(layout_.sizes.window);
    if (normalised()) return H * (2 * e * e + 2 * e);
    double seen = banded() && w < L ? w * (1 - (w - 1) / (2 * L)) : (L + 1) / 2;
    return 2 * H * e * seen;
  }

 private:
  bool banded() const { return layout_.liv.op.sparsity() == Sparsity::banded; }
  bool normalised() const { return kernel_normalised(layout_.liv.op.entries()); }

  // One over the number of keys that each of the last L of T tokens sees.
  Var means(Tape& tape, DType dtype, int64_t L, int64_t T) const {
    std::vector<double> m;
    for (int64_t seen = T - L + 1; seen <= T; ++seen)
      m.push_back(1 / double(banded() ? std::min(seen, layout_.sizes.window) : seen));
    return tape.constant(tape.exec().from({L}, m, dtype));
  }

  // [B, T, Hkv·e] -> [B, T, Hkv, e]; where Hkv does not divide H, a copy with a head a query head.
  Var by_kv_head(const Var& x) const {
    int64_t kv = layout_.kv_heads(), H = layout_.sizes.heads;
    Var y = reshape(x, {x.size(0), x.size(1), kv, layout_.head_width()});
    if (H % kv == 0) return y;
    std::vector<double> pick(size_t(kv * H), 0.0);
    for (int64_t h = 0; h < H; ++h) pick[size_t(h * kv / H * H + h)] = 1;
    Var choose = x.tape().constant(x.exec().from({kv, H}, pick, x.dtype()));
    return repeat_({y, choose});
  }

  // A column of ones beside v, for the sum of the entries.
  static Var with_ones(const Var& v) {
    return concat(v, v.tape().constant(v.exec().full(v.shape().with(3, 1), v.dtype(), 1)), 3);
  }

  const Contraction repeat_;  // of key and value heads that do not divide the heads
};

}  // namespace

std::unique_ptr<TokenMixing> make_attention(const Layout& layout) {
  return std::make_unique<LowRank>(layout);
}

}  // namespace star
