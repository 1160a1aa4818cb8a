#include "star/export/layer_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace star::synthesis {
namespace {

struct Description {
  std::string name;      // of the class
  std::string title;     // what it is
  std::string equation;  // of T(x), or of y = T(x) v
};

std::string past_text(const ExportedLayer& layer) {
  return layer.banded ? "i − WINDOW < j ≤ i" : "j ≤ i";
}

Description attention(const ExportedLayer& layer) {
  const std::string q = layer.reader()->name, k = layer.writer()->name;
  const std::string score = fmt::format("{}_i·{}_j / √{}", q, k, layer.head_width);
  const bool convolved = layer.writer()->convolved() && layer.reader()->convolved();
  const std::string kind = std::string(layer.banded ? "Window" : "") +
                           (layer.kv_heads < layer.heads ? "GroupedQuery" : "") +
                           (convolved ? "Convolved" : "");
  const auto divided = [&](const std::string& f) {
    return fmt::format("T_ij = {} / the number of visible j, {}", f, past_text(layer));
  };
  switch (layer.entries) {
    case Entries::softmax:
      return {kind + "Attention", "softmax attention",
              fmt::format("T_ij = softmax_j({}), {}", score, past_text(layer))};
    case Entries::linear:
      return {kind + "PlainAttention", "attention by plain scores", divided(score)};
    case Entries::relu:
      return {kind + "ReluAttention", "attention by rectified scores",
              divided(fmt::format("relu({})", score))};
    case Entries::silu:
      return {kind + "SwishAttention", "attention by swish scores",
              divided(fmt::format("silu({})", score))};
    case Entries::normalised:
      return {kind + "LinearAttention", "linear attention",
              fmt::format("T_ij = {0}_i·{1}_j / (Σ_j {0}_i·{1}_j + 1e-6), j ≤ i", q, k)};
  }
  fail("export: nonlinearity {} of entries is unknown", int(layer.entries));
}

Description channel_recurrence(const ExportedLayer& layer) {
  const std::string C = layer.reader()->name, B = layer.writer()->name;
  const bool root = layer.feature(Role::a)->activation == Activation::sigmoid_root_with_bias;
  const std::string read =
      fmt::format("T(x) v = {}_tᵀ S_t / √{},  D_t = Diag(σ(a_t){})", C, layer.head_width,
                  root ? fmt::format("^(1/{:.0f})", liv::kSigmoidRoot) : "");
  if (layer.feature(Role::beta))
    return {"ChannelDeltaRule", "matrix state with a decay a key channel and the delta rule",
            fmt::format("S_t = (I − beta_t {0}_t {0}_tᵀ) D_t S_{{t−1}} + beta_t {0}_t ⊗ v_t,  {1}",
                        B, read)};
  return {"ChannelState", "matrix state with a decay a key channel",
          fmt::format("S_t = D_t S_{{t−1}} + {}_t ⊗ v_t,  {}", B, read)};
}

Description recurrence(const ExportedLayer& layer) {
  if (layer.feature(Role::a) && layer.grouped) return channel_recurrence(layer);
  if (layer.feature(Role::a))
    return {"GatedRecurrence", "gated linear recurrence, one state a channel",
            "h_t = σ(a_t) h_{t−1} + σ(−a_t) v_t,  T(x) v = h"};
  const std::string C = layer.reader()->name, B = layer.writer()->name;
  if (!layer.grouped)
    return {
        "SelectiveStateSpace",
        fmt::format("selective state space, {} states a channel", layer.states),
        fmt::format("h_t = exp(−dt_t exp(A_log)) h_{{t−1}} + dt_t {}_t v_t,  T(x) v = {}·h", B, C)};
  const std::string read = fmt::format("T(x) v = {}_tᵀ S_t / √{}", C, layer.head_width);
  if (layer.feature(Role::beta))
    return {"GatedDeltaRule", "matrix state with a decay and the delta rule",
            fmt::format("S_t = a_t (I − beta_t {0}_t {0}_tᵀ) S_{{t−1}} + beta_t {0}_t ⊗ v_t,  {1},"
                        "  a_t = exp(−dt_t exp(A_log))",
                        B, read)};
  return {"MatrixState", "matrix state with a decay a head",
          fmt::format("S_t = a_t S_{{t−1}} + dt_t {}_t ⊗ v_t,  {},  a_t = exp(−dt_t exp(A_log))", B,
                      read)};
}

Description description(const ExportedLayer& layer) {
  switch (layer.mixing) {
    case Mixing::diagonal: {
      const bool silu = layer.entries == Entries::silu;
      const char* f = silu                             ? "silu(gate_i)"
                      : layer.entries == Entries::relu ? "relu(gate_i)"
                                                       : "gate_i";
      return {"GatedUnit", silu ? "gated linear unit (SwiGLU)" : "gated linear unit",
              fmt::format("T_ij = {} where i = j, else 0", f)};
    }
    case Mixing::low_rank:
      return attention(layer);
    case Mixing::toeplitz: {
      const std::string C = layer.reader()->name, B = layer.writer()->name;
      if (const ExportedFeature* kernel = layer.feature(Role::kernel))
        return {"ShortConvolution", "gated short convolution",
                fmt::format("T_ij = {}_i K_{{i−j}} {}_j, i − {} < j ≤ i", C, B, kernel->taps)};
      return {"LongConvolution", "gated long convolution",
              fmt::format("T_ij = {}_i (K_{{i−j}} + D δ_ij) {}_j, j ≤ i", C, B)};
    }
    case Mixing::semi_separable:
      return recurrence(layer);
  }
  fail("export: token mixing {} is unknown", int(layer.mixing));
}

std::vector<std::string> borrowed(const ExportedLayer& layer) {
  return roles(layer, [](const ExportedFeature& f) { return f.lender >= 0; });
}
std::vector<std::string> reused(const ExportedLayer& layer) {
  return roles(layer, [](const ExportedFeature& f) { return f.donor >= 0; });
}
std::vector<std::string> given(const ExportedLayer& layer) {
  return roles(layer, [](const ExportedFeature& f) { return f.given; });
}

std::string in_name(const std::string& before, const std::vector<std::string>& features) {
  std::string text = features.empty() ? "" : before;
  for (std::string role : features) {
    role[0] = char(std::toupper(static_cast<unsigned char>(role[0])));
    text += role;
  }
  return text;
}

std::string heads_text(const ExportedLayer& layer) {
  if (!layer.grouped) return fmt::format("{} channels", layer.inner);
  const std::string all = fmt::format("{} heads of {}", layer.heads, layer.head_width);
  if (layer.kv_heads == layer.heads) return all;
  return fmt::format("{}, {} of keys and values", all, layer.kv_heads);
}

}  // namespace

std::string layer_name(const ExportedLayer& layer) {
  return (layer.differential ? "Differential" : "") + description(layer).name +
         in_name("Borrowing", borrowed(layer)) + in_name("Reusing", reused(layer)) +
         in_name("Giving", given(layer));
}

std::vector<std::string> layer_documentation(const ExportedLayer& layer) {
  const Description about = description(layer);
  std::vector<std::string> lines = {
      fmt::format("\"\"\"{} (class {}, operator {}): {}{}; {}.", layer.name, layer.id, layer.op,
                  layer.differential ? "differential " : "", about.title, heads_text(layer)),
      "", "    " + about.equation};
  if (layer.differential)
    lines.push_back("    T = T₀ − lambda T₁, each with features of its own but for v" +
                    std::string(layer.feature(Role::z) ? " and z" : ""));
  std::string inside = "T(x) v";
  if (layer.skips()) inside += " + D v";
  if (layer.feature(Role::z))
    inside = fmt::format("z ⊙ {}", layer.skips() ? "(" + inside + ")" : inside);
  lines.push_back(fmt::format("    y = W_o ({}),  x and y [B, L, {}]", inside, layer.width));
  std::vector<std::string> sharing;
  if (const auto roles = borrowed(layer); !roles.empty())
    sharing.push_back(
        fmt::format("Its weights of {} are those of another layer.", fmt::join(roles, ", ")));
  if (const auto roles = reused(layer); !roles.empty())
    sharing.push_back(
        fmt::format("From another layer it takes {} as computed there.", fmt::join(roles, ", ")));
  if (const auto roles = given(layer); !roles.empty())
    sharing.push_back(fmt::format("Later layers take its {}.", fmt::join(roles, ", ")));
  if (!sharing.empty()) lines.push_back("");
  lines.insert(lines.end(), sharing.begin(), sharing.end());
  lines.push_back("\"\"\"");
  return lines;
}

}  // namespace star::synthesis
