#include "star/export/onnx_layer.h"

#include <fmt/format.h>

#include "core/error.h"
#include "star/export/onnx_pieces.h"

namespace star::synthesis::onnx {
namespace {

// One layer; of a differential one, T(x) v is computed once for each part of the map.
class LayerNodes {
 public:
  LayerNodes(Builder& g, Pass& pass, const ExportedLayer& layer, int l, const Sizes& sizes,
             GivenFeatures& given)
      : g_(g), pass_(pass), layer_(layer), l_(l), sizes_(sizes), given_(given) {}

  Value output(const Value& x) {
    features(x, false);
    Value y = map_of_value(x);
    if (layer_.differential) {
      part_ = 1;
      const Value y1 = map_of_value(x);
      y = g_.sub(y, g_.mul(by_head(own("lambda")), y1));
    }
    if (layer_.skips()) y = g_.add(y, g_.mul(by_head(own("D")), feature(Role::value)));
    if (layer_.grouped) y = merge_heads(g_, y, layer_.inner);
    if (layer_.feature(Role::z)) y = g_.mul(feature(Role::z), y);
    return g_.matmul(y, g_.transposed_weight(parameter_of(l_, "o.weight")));
  }

 private:
  // --- Names -------------------------------------------------------------------------------------

  static std::string parameter_of(int layer, const std::string& name) {
    return fmt::format("blocks.{}.liv.{}", layer, name);
  }
  std::string part_of(bool in_parts) const {
    return layer_.differential && in_parts ? fmt::format("{}.", part_) : "";
  }
  // Parameters of the structure, where they exist once, and where each part has its own.
  Value own(const std::string& name) { return g_.weight(parameter_of(l_, name)); }
  Value of_map(const std::string& name) { return own(part_of(true) + name); }
  // Of a feature, which another layer may lend.
  std::string parameter(const ExportedFeature& f, const char* piece) const {
    return parameter_of(f.lender < 0 ? l_ : f.lender, part_of(f.in_parts) + f.name + piece);
  }
  LayerPieces pieces(bool in_parts) const {
    return {g_, pass_, fmt::format("{}.{}", l_, part_of(in_parts))};
  }

  // --- Features ----------------------------------------------------------------------------------

  Value& place(const ExportedFeature& f) {
    return given_[{f.donor < 0 ? l_ : f.donor, int(f.role), f.in_parts ? part_ : 0}];
  }
  Value feature(Role role) { return place(*layer_.feature(role)); }

  // Those that this layer computes, of a part of the map or of all.
  void features(const Value& x, bool in_parts) {
    for (const ExportedFeature& f : layer_.features) {
      if (f.in_parts != in_parts || f.is_kernel() || !f.computed()) continue;
      const Builder::Scope scope(g_, part_of(in_parts) + f.name);
      place(f) = computed(f, x);
    }
  }

  // Read, write and value features of grouped channels.
  bool has_heads(const ExportedFeature& f) const {
    return layer_.grouped && (f.reads || f.writes || f.role == Role::value);
  }

  // As it is finally used: [B, L, channels]; by head [B, L, n, e], or [B, n, L, e] where tokens
  // are compared with tokens, keys and values then being those of all tokens in the cache.
  Value computed(const ExportedFeature& f, const Value& x) {
    Value u = activated(f, biased(f, convolved(f, projected(f, x))));
    const int64_t e = layer_.head_width, n = f.channels / e;
    const bool length = f.activation == Activation::unit_length;
    const bool rms = f.activation == Activation::unit_rms;
    if (!has_heads(f) && !length && !rms) return u;
    u = split_heads(g_, u, n, e);
    if (length) u = unit_length(g_, u);
    if (rms) u = rms_norm(g_, u, g_.weight(parameter(f, ".norm")), 1e-6);
    if (!has_heads(f)) return merge_heads(g_, u, f.channels);
    if (layer_.mixing != Mixing::low_rank) return u;
    u = g_.transpose(u, {0, 2, 1, 3});
    if (!layer_.rotary) return u;
    if (f.reads || f.writes) u = pieces(f.in_parts).rotate(u, e);
    return f.reads ? u : pieces(f.in_parts).cached(f.name, u, n, e, window());
  }

  Value projected(const ExportedFeature& f, const Value& x) {
    switch (f.projection) {
      case Projection::diagonal:
        return g_.mul(x, g_.weight(parameter(f, ".weight")));
      case Projection::dense:
      case Projection::a_head:
        return g_.matmul(x, g_.transposed_weight(parameter(f, ".weight")));
      case Projection::low_rank: {
        const Value inside = g_.matmul(x, g_.transposed_weight(parameter(f, "_a.weight")));
        return g_.matmul(inside, g_.transposed_weight(parameter(f, "_b.weight")));
      }
    }
    fail("export: projection {} of {} is unknown", int(f.projection), f.name);
  }

  Value convolved(const ExportedFeature& f, const Value& u) {
    if (!f.convolved()) return u;
    const Value taps = g_.weight(parameter(f, ".conv"));
    return pieces(f.in_parts).short_convolution(f.name + ".conv", u, taps, f.taps, f.channels);
  }

  Value biased(const ExportedFeature& f, const Value& u) {
    if (!f.biased) return u;
    const bool low_rank = f.projection == Projection::low_rank;
    return g_.add(u, g_.weight(parameter(f, low_rank ? "_b.bias" : ".bias")));
  }

  // The recurrence takes `a` before its sigmoid.
  Value activated(const ExportedFeature& f, const Value& u) {
    if (f.role == Role::a) return u;
    switch (f.activation) {
      case Activation::none:
      case Activation::sigmoid_root_with_bias:  // of a alone
      case Activation::unit_length:             // by head
      case Activation::unit_rms:
        return u;
      case Activation::softmax:
        return g_.op("Softmax", {u}, {{"axis", int64_t(-1)}});
      case Activation::relu:
        return g_.op("Relu", {u});
      case Activation::silu:
        return g_.silu(u);
      case Activation::softplus_with_bias:
        return g_.softplus(u);
      case Activation::sigmoid_with_bias:
      case Activation::sigmoid:
        return g_.op("Sigmoid", {u});
      case Activation::twice_sigmoid:
        return g_.mul(g_.number(2), g_.op("Sigmoid", {u}));
      case Activation::elu_plus_one:
        return elu_plus_one(g_, u);
    }
    fail("export: activation {} of {} is unknown", int(f.activation), f.name);
  }

  // A parameter a head or channel, to scale [B, L, H, e] or [B, L, channels].
  Value by_head(const Value& parameter) {
    return layer_.grouped ? g_.unsqueeze(parameter, 1) : parameter;
  }

  // --- T(x) v ------------------------------------------------------------------------------------

  // [B, L, H, e] of grouped channels, else [B, L, channels].
  Value map_of_value(const Value& x) {
    features(x, true);
    const Builder::Scope scope(g_, part_of(true) + "T");
    switch (layer_.mixing) {
      case Mixing::diagonal:
        return g_.mul(entries(feature(Role::gate)), feature(Role::value));
      case Mixing::low_rank:
        return g_.transpose(attention(), {0, 2, 1, 3});
      case Mixing::toeplitz:
        return convolution();
      case Mixing::semi_separable:
        return recurrence();
    }
    fail("export: token mixing {} is unknown", int(layer_.mixing));
  }

  int64_t window() const { return layer_.banded ? sizes_.window : 0; }
  Value read() { return place(*layer_.reader()); }
  Value written() { return place(*layer_.writer()); }

  // The nonlinearity on the entries of T, where it is a function of single entries.
  Value entries(const Value& scores) {
    switch (layer_.entries) {
      case Entries::linear:
        return scores;
      case Entries::relu:
        return g_.op("Relu", {scores});
      case Entries::silu:
        return g_.silu(scores);
      case Entries::softmax:
      case Entries::normalised:
        break;
    }
    fail("export: nonlinearity {} of entries is unknown", int(layer_.entries));
  }

  // Keys or values [B, n, L, e], a head of them for each query head.
  Value for_each_head(const Value& u) {
    if (layer_.heads == layer_.kv_heads) return u;
    Ints heads;
    for (int64_t h = 0; h < layer_.heads; ++h) heads.push_back(h * layer_.kv_heads / layer_.heads);
    return g_.op("Gather", {u, g_.integers(heads)}, {{"axis", int64_t(1)}});
  }

  // [B, H, L, e].
  Value attention() {
    const Value k = for_each_head(written()), v = for_each_head(feature(Role::value));
    const int64_t e = layer_.head_width;
    if (layer_.entries == Entries::normalised)
      return pieces(true).linear_attention(read(), k, v, layer_.heads, e);
    if (layer_.entries == Entries::softmax)
      return pieces(true).softmax_attention(read(), k, v, e, window());
    const auto function = [&](const Value& scores) { return entries(scores); };
    return pieces(true).pointwise_attention(function, read(), k, v, e, window());
  }

  Value convolution() {
    const Value u = g_.mul(written(), feature(Role::value));
    if (const ExportedFeature* kernel = layer_.feature(Role::kernel)) {
      const Value taps = g_.weight(parameter(*kernel, ""));
      return g_.mul(read(),
                    pieces(true).short_convolution("inputs", u, taps, kernel->taps, layer_.inner));
    }
    const ExportedFeature& f = *layer_.feature(Role::filter);
    const Filter filter = {.w1 = g_.transposed_weight(parameter(f, ".w1")),
                           .b1 = g_.weight(parameter(f, ".b1")),
                           .w2 = g_.transposed_weight(parameter(f, ".w2")),
                           .decay = g_.weight(parameter(f, ".decay")),
                           .seq = sizes_.seq};
    const Value y = pieces(true).long_convolution(u, filter, layer_.inner);
    return g_.mul(read(), g_.add(y, g_.mul(of_map("D"), u)));
  }

  Value recurrence() {
    const Value v = feature(Role::value);
    if (layer_.grouped) return matrix_state(v);
    if (layer_.feature(Role::a))
      return pieces(true).gated_recurrence(feature(Role::a), v, layer_.inner);
    return pieces(true).selective_scan(feature(Role::dt), of_map("A_log"), written(), read(), v,
                                       layer_.inner, layer_.states);
  }

  Value matrix_state(const Value& v) {
    const int64_t H = layer_.heads, e = layer_.head_width;
    const Value beta = layer_.feature(Role::beta) ? feature(Role::beta) : "";
    if (const ExportedFeature* a = layer_.feature(Role::a)) {
      // log σ(a) = −softplus(−a)
      const Value log = g_.neg(g_.softplus(g_.neg(place(*a))));
      const bool root = a->activation == Activation::sigmoid_root_with_bias;
      const Value share = root ? g_.mul(log, g_.number(1 / liv::kSigmoidRoot)) : log;
      return pieces(true).matrix_state(read(), written(), v, split_heads(g_, g_.exp(share), H, e),
                                       beta, H, e);
    }
    const Value dt = feature(Role::dt);
    const Value decay = g_.exp(g_.mul(dt, g_.neg(g_.exp(of_map("A_log")))));
    const Value u = beta.empty() ? g_.mul(g_.unsqueeze(dt, 3), v) : v;
    return pieces(true).matrix_state(read(), written(), u, g_.unsqueeze(decay, 3), beta, H, e);
  }

  Builder& g_;
  Pass& pass_;
  const ExportedLayer& layer_;
  const int l_;
  const Sizes& sizes_;
  GivenFeatures& given_;
  int part_ = 0;
};

}  // namespace

Value layer_nodes(Builder& builder, Pass& pass, const ExportedLayer& layer, int l,
                  const Sizes& sizes, const Value& x, GivenFeatures& given) {
  return LayerNodes(builder, pass, layer, l, sizes, given).output(x);
}

}  // namespace star::synthesis::onnx
