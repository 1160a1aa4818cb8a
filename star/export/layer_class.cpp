#include "star/export/layer_class.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "star/export/layer_text.h"
#include "star/export/python_text.h"

namespace star::synthesis {
namespace {

constexpr int kClass = 1, kBody = 2;

std::string joined(const std::vector<std::string>& words, const std::string& before = ", ") {
  std::string text;
  for (auto& word : words) text += before + word;
  return text;
}

// A class: the layer, or what makes one part of the map of a differential layer.
class ClassWriter {
 public:
  ClassWriter(const ExportedLayer& layer, bool part) : layer_(layer), part_(part) {}

  // Submodules and parameters that this class registers, under the names of a checkpoint.
  void registrations() {
    for (const ExportedFeature& f : layer_.features)
      if (here(f) && f.owned()) registration(f);
    if (makes_map()) {
      if (layer_.feature(Role::dt))
        tensor("A_log", layer_.grouped ? std::to_string(layer_.heads)
                                       : fmt::format("{}, {}", width(layer_.inner), layer_.states));
      if (layer_.feature(Role::filter)) tensor("D", width(layer_.inner));
    }
    if (part_) return;
    if (layer_.skips()) tensor("D", scales());
    if (layer_.differential)
      out.line(kBody, "self.register_parameter(\"lambda\", nn.Parameter(torch.empty({})))",
               scales());
    out.line(kBody, "self.o = nn.Linear({}, WIDTH, bias=False)", width(layer_.inner));
  }

  // The features that this class computes, each as it is finally used.
  void features() {
    for (const ExportedFeature& f : layer_.features)
      if (here(f) && f.computed() && !f.is_kernel()) feature(f);
  }

  // y = T(x) v.
  void mixing() {
    switch (layer_.mixing) {
      case Mixing::diagonal:
        out.line(kBody, "y = {} * v", entries(text_of(Role::gate)));
        return;
      case Mixing::low_rank:
        return low_rank();
      case Mixing::toeplitz:
        return toeplitz();
      case Mixing::semi_separable:
        return recurrence();
    }
    fail("export: token mixing {} is unknown", int(layer_.mixing));
  }

  // What stands between T(x) v and the output projection.
  void output() {
    const std::string by_head = layer_.grouped ? "[:, None, None]" : "";
    if (layer_.differential)
      out.line(kBody, "y = y0 - self.get_parameter(\"lambda\"){} * y1", by_head);
    if (layer_.skips()) out.line(kBody, "y = y + self.D{} * v", by_head);
    if (layer_.grouped) out.line(kBody, "y = merge_heads(y)");
    if (layer_.feature(Role::z)) out.line(kBody, "y = z * y");
  }

  PythonText out;

 private:
  bool here(const ExportedFeature& f) const { return !layer_.differential || part_ == f.in_parts; }
  bool makes_map() const { return part_ || !layer_.differential; }
  std::string width(int64_t n) const { return n == layer_.width ? "WIDTH" : std::to_string(n); }
  std::string scales() const {
    return layer_.grouped ? std::to_string(layer_.heads) : width(layer_.inner);
  }
  std::string key(const std::string& name) const {
    return part_ ? fmt::format("self.part + \"{}\"", name) : fmt::format("\"{}\"", name);
  }
  std::string owner(const ExportedFeature& f) const {
    return f.lender < 0 ? "self" : lender_argument(layer_, f);
  }
  // Read, write and value features of grouped channels.
  bool by_head(const ExportedFeature& f) const {
    return layer_.grouped && (f.reads || f.writes || f.role == Role::value);
  }

  void tensor(const std::string& name, const std::string& shape) {
    out.line(kBody, "self.{} = nn.Parameter(torch.empty({}))", name, shape);
  }

  // Of a feature: states and heads are as many as the model's width by chance alone.
  std::string channels_of(const ExportedFeature& f) const {
    const bool states =
        !layer_.grouped && layer_.mixing == Mixing::semi_separable && (f.reads || f.writes);
    const bool counts = states || f.projection == Projection::a_head;
    return counts ? std::to_string(f.channels) : width(f.channels);
  }

  void registration(const ExportedFeature& f) {
    const std::string channels = channels_of(f), bias = f.biased ? "True" : "False";
    const std::string taps =
        f.convolved() && f.taps != 3 ? fmt::format(", taps={}", f.taps) : "";  // as pieces have it
    if (f.role == Role::kernel) return tensor("kernel", fmt::format("{}, {}", channels, f.taps));
    if (f.role == Role::filter)
      return out.line(kBody, "self.filter = ImplicitFilter({}, SEQ)", channels);
    if (f.projection == Projection::low_rank) {
      out.line(kBody, "self.{}_a = nn.Linear(WIDTH, {}, bias=False)", f.name, layer_.rank);
      out.line(kBody, "self.{}_b = nn.Linear({}, {}, bias={})", f.name, layer_.rank, channels,
               bias);
      if (f.convolved())
        out.line(kBody, "self.{} = Convolution({}{})", f.name, channels, taps);
      else if (f.activation == Activation::unit_rms)
        out.line(kBody, "self.{} = nn.Module()", f.name);
    } else if (f.projection == Projection::diagonal) {
      out.line(kBody, "self.{} = {}({}, bias={}{})", f.name,
               f.convolved() ? "ConvolvedScale" : "Scale", channels, bias, taps);
    } else {
      out.line(kBody, "self.{} = {}(WIDTH, {}, bias={}{})", f.name,
               f.convolved() ? "ConvolvedLinear" : "nn.Linear", channels, bias, taps);
    }
    if (f.activation == Activation::unit_rms)
      tensor(f.name + ".norm", std::to_string(layer_.head_width));
  }

  // Projection, convolution and bias of x.
  std::string projected(const ExportedFeature& f) const {
    const std::string self = owner(f), state = ", state, " + key(f.name + ".conv");
    if (f.projection != Projection::low_rank)
      return fmt::format("{}.{}(x{})", self, f.name, f.convolved() ? state : "");
    if (!f.convolved()) return fmt::format("{0}.{1}_b({0}.{1}_a(x))", self, f.name);
    // The bias comes after the convolution, not with the projection that owns it.
    return fmt::format("{0}.{1}({0}.{1}_a(x) @ {0}.{1}_b.weight.mT{2}){3}", self, f.name, state,
                       f.biased ? fmt::format(" + {}.{}_b.bias", self, f.name) : "");
  }

  // The recurrence takes `a` before its sigmoid: 1 − σ(a) is then σ(−a), without cancellation.
  std::string activated(const ExportedFeature& f) const {
    const std::string u = projected(f);
    if (f.role == Role::a) return u;
    switch (f.activation) {
      case Activation::none:
      case Activation::sigmoid_root_with_bias:  // of a alone
      case Activation::unit_length:             // by head
      case Activation::unit_rms:
        return u;
      case Activation::softmax:
        return u.ends_with(')') ? u + ".softmax(-1)" : fmt::format("({}).softmax(-1)", u);
      case Activation::relu:
        return fmt::format("F.relu({})", u);
      case Activation::silu:
        return fmt::format("F.silu({})", u);
      case Activation::softplus_with_bias:
        return fmt::format("F.softplus({})", u);
      case Activation::sigmoid_with_bias:
      case Activation::sigmoid:
        return fmt::format("torch.sigmoid({})", u);
      case Activation::twice_sigmoid:
        return fmt::format("2 * torch.sigmoid({})", u);
      case Activation::elu_plus_one:
        return fmt::format("elu_plus_one({})", u);
    }
    fail("export: activation {} of {} is unknown", int(f.activation), f.name);
  }

  // Heads that are divided by what is measured of each; others as they are.
  std::string normalised(const ExportedFeature& f, const std::string& heads) const {
    if (f.activation == Activation::unit_length) return fmt::format("unit_length({})", heads);
    if (f.activation == Activation::unit_rms)
      return fmt::format("unit_rms({}, {}.{}.norm)", heads, owner(f), f.name);
    return heads;
  }

  void feature(const ExportedFeature& f) {
    const std::string& g = f.name;
    const std::string u = activated(f), e = std::to_string(layer_.head_width);
    if (f.projection == Projection::a_head)
      return out.line(kBody, "{} = {}.transpose(1, 2)  # [B, H, L]", g,
                      f.activation == Activation::twice_sigmoid ? fmt::format("({})", u) : u);
    if (!by_head(f)) {
      if (f.activation == Activation::unit_length || f.activation == Activation::unit_rms)
        out.line(kBody, "{} = merge_heads({})", g,
                 normalised(f, fmt::format("split_heads({}, {})", u, e)));
      else
        out.line(kBody, "{} = {}", g, u);
      return;
    }
    out.line(kBody, "{} = split_heads({}, {})", g, u, e);
    if (normalised(f, g) != g) out.line(kBody, "{} = {}", g, normalised(f, g));
    if (layer_.rotary && (f.reads || f.writes))
      out.line(kBody, "{0} = rotate({0}, position(state))", g);
    if (layer_.rotary && !f.reads)
      out.line(kBody, "{0} = remember(state, {1}, {0}{2})", g, key(g),
               layer_.banded ? ", WINDOW - 1" : "");
  }

  // What stands for the nonlinearity on the entries of T, by name or called.
  std::string entries(const std::string& of) const {
    switch (layer_.entries) {
      case Entries::linear:
        return of.empty() ? "lambda scores: scores" : of;
      case Entries::relu:
        return of.empty() ? "F.relu" : fmt::format("F.relu({})", of);
      case Entries::silu:
        return of.empty() ? "F.silu" : fmt::format("F.silu({})", of);
      case Entries::softmax:
      case Entries::normalised:
        break;
    }
    fail("export: nonlinearity {} of entries is unknown", int(layer_.entries));
  }

  // Keys or values, a head of them for each query head.
  std::string for_each_head(const std::string& g) const {
    const int64_t H = layer_.heads, kv = layer_.kv_heads;
    if (H == kv) return g;
    if (H % kv == 0) return fmt::format("{}.repeat_interleave({}, 1)", g, H / kv);
    std::vector<int64_t> heads;
    for (int64_t h = 0; h < H; ++h) heads.push_back(h * kv / H);
    return fmt::format("{}[:, [{}]]", g, fmt::join(heads, ", "));
  }

  void low_rank() {
    const std::string qkv =
        fmt::format("{}, {}, {}", layer_.reader()->name, for_each_head(layer_.writer()->name),
                    for_each_head(text_of(Role::value)));
    const std::string window = layer_.banded ? ", WINDOW" : "";
    if (layer_.entries == Entries::normalised)
      out.line(kBody, "y = linear_attention({}, state, {})", qkv, key("S"));
    else if (layer_.entries == Entries::softmax)
      out.line(kBody, "y = softmax_attention({}{})", qkv, window);
    else
      out.line(kBody, "y = pointwise_attention({}, {}{})", entries(""), qkv, window);
  }

  void toeplitz() {
    const std::string C = layer_.reader()->name, B = layer_.writer()->name;
    if (const ExportedFeature* kernel = layer_.feature(Role::kernel))
      out.line(kBody, "y = {} * causal_convolution({} * v, {}.kernel, state, {})", C, B,
               owner(*kernel), key("kernel"));
    else
      out.line(kBody, "y = {} * long_convolution({} * v, {}.filter, self.D, state, {})", C, B,
               owner(*layer_.feature(Role::filter)), key("past"));
  }

  void recurrence() {
    const ExportedFeature* a = layer_.feature(Role::a);
    if (a && layer_.grouped) return channel_recurrence(*a);
    if (a) return out.line(kBody, "y = gated_recurrence(a, v, state, {})", key("h"));
    const std::string C = layer_.reader()->name, B = layer_.writer()->name;
    if (!layer_.grouped)
      return out.line(kBody, "y = selective_scan(dt, self.A_log, {}, {}, v, state, {})", B, C,
                      key("h"));
    out.line(kBody, "log_decay = -dt * torch.exp(self.A_log)[:, None]");
    if (layer_.feature(Role::beta))
      out.line(kBody, "y = delta_rule({}, {}, v, beta, log_decay, state, {})", C, B, key("S"));
    else
      out.line(kBody, "y = matrix_state({}, {}, dt[..., None] * v, log_decay, state, {})", C, B,
               key("S"));
  }

  void channel_recurrence(const ExportedFeature& a) {
    const std::string qkv = fmt::format("{}, {}, v", layer_.reader()->name, layer_.writer()->name);
    const bool root = a.activation == Activation::sigmoid_root_with_bias;
    out.line(kBody, "log_decay = split_heads(F.logsigmoid(a){}, {})",
             root ? fmt::format(" / {:.0f}", liv::kSigmoidRoot) : "", layer_.head_width);
    if (layer_.feature(Role::beta))
      out.line(kBody, "y = channel_delta({}, beta, log_decay, state, {})", qkv, key("S"));
    else
      out.line(kBody, "y = channel_state({}, log_decay, state, {})", qkv, key("S"));
  }

  const ExportedLayer& layer_;
  const bool part_;
};

// Distinct, in the order of the features, of those for which `test` holds.
template <class Test>
std::vector<std::string> lenders(const ExportedLayer& layer, Test test) {
  std::vector<std::string> found;
  for (const ExportedFeature& f : layer.features) {
    if (f.lender < 0 || !test(f)) continue;
    const std::string name = lender_argument(layer, f);
    if (std::find(found.begin(), found.end(), name) == found.end()) found.push_back(name);
  }
  return found;
}

// What makes one part of the map of a differential layer: the class before it.
std::string part_class(const ExportedLayer& layer) {
  ClassWriter w(layer, true);
  const auto here = [](const ExportedFeature& f) { return f.in_parts; };
  w.out.line(0, "class {}Part(nn.Module):", kClassName);
  w.out.line(kClass, "\"\"\"T₀(x) v or T₁(x) v of {}.\"\"\"", kClassName);
  w.out.empty();
  w.out.line(kClass, "def __init__(self, part):");
  w.out.line(kBody, "super().__init__()");
  w.out.line(kBody, "self.part = part  # begins the names under which a state keeps what is its");
  w.registrations();
  w.out.empty();
  w.out.line(
      kClass, "def forward(self, x, v, state{}{}):", joined(lenders(layer, here)),
      joined(roles(layer, [](const ExportedFeature& f) { return f.in_parts && f.donor >= 0; })));
  w.features();
  w.mixing();
  w.out.line(kBody, "return y{}",
             joined(roles(layer, [](const ExportedFeature& f) { return f.in_parts && f.given; })));
  w.out.empty();
  w.out.empty();
  return w.out.text();
}

// The call of part i from forward of the layer.
void call_part(const ExportedLayer& layer, int i, PythonText& out) {
  std::string results = fmt::format("y{}", i), arguments;
  for (auto& lender : lenders(layer, [](const ExportedFeature& f) { return f.in_parts; }))
    arguments += fmt::format(", {0}={0}.part({1})", lender, i);
  for (const ExportedFeature& f : layer.features) {
    if (!f.in_parts) continue;
    if (f.donor >= 0) arguments += fmt::format(", {0}={0}{1}", f.name, i);
    if (f.given) results += fmt::format(", {}{}", f.name, i);
  }
  out.line(kBody, "{} = self.part({})(x, v, state{})", results, i, arguments);
}

std::string whole_class(const ExportedLayer& layer) {
  ClassWriter w(layer, false);
  std::vector<std::string> reused, given;
  for (const ExportedFeature& f : layer.features)
    for (auto& name : feature_arguments(f, layer.differential)) {
      if (f.donor >= 0) reused.push_back(name);
      if (f.given) given.push_back(name);
    }
  w.out.line(0, "class {}(nn.Module):", kClassName);
  for (auto& line : layer_documentation(layer)) {
    if (line.empty())
      w.out.empty();
    else
      w.out.line(kClass, "{}", line);
  }
  w.out.empty();
  w.out.line(kClass, "def __init__(self):");
  w.out.line(kBody, "super().__init__()");
  if (layer.differential)
    for (int i : {0, 1})
      w.out.line(kBody, "self.add_module(\"{0}\", {1}Part(\"{0}.\"))", i, kClassName);
  w.registrations();
  w.out.empty();
  if (layer.differential) {
    w.out.line(kClass, "def part(self, i):");
    w.out.line(kBody, "return self.get_submodule(str(i))");
    w.out.empty();
  }
  const auto all = [](const ExportedFeature&) { return true; };
  w.out.line(kClass, "def forward(self, x, state{}{}):", joined(lenders(layer, all)),
             joined(reused));
  w.features();
  if (layer.differential) {
    for (int i : {0, 1}) call_part(layer, i, w.out);
  } else {
    w.mixing();
  }
  w.output();
  w.out.line(kBody, "return self.o(y){}", joined(given));
  return w.out.text();
}

}  // namespace

std::vector<std::string> feature_arguments(const ExportedFeature& f, bool differential) {
  if (differential && f.in_parts) return {f.name + "0", f.name + "1"};
  return {f.name};
}

std::string lender_argument(const ExportedLayer& layer, const ExportedFeature& feature) {
  std::set<int> owners;
  for (const ExportedFeature& f : layer.features)
    if (f.lender >= 0) owners.insert(f.lender);
  return owners.size() == 1 ? "lender" : feature.name + "_lender";
}

std::string layer_class(const ExportedLayer& layer) {
  return (layer.differential ? part_class(layer) : "") + whole_class(layer);
}

}  // namespace star::synthesis
