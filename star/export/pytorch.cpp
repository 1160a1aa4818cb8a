#include "star/export/pytorch.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "star/export/layer.h"
#include "star/export/layer_class.h"
#include "star/export/layer_text.h"
#include "star/export/pieces.h"
#include "star/export/python_text.h"

namespace star::synthesis {
namespace {

std::string replaced(std::string text, std::string_view what, const std::string& with) {
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

// The classes of all layers, each kind once, and the name of the class of each layer.
struct LayerClasses {
  std::string text;
  std::vector<std::string> names;

  explicit LayerClasses(const std::vector<ExportedLayer>& layers) {
    std::map<std::string, std::string> known;
    std::set<std::string> taken;
    for (const ExportedLayer& layer : layers) {
      const std::string code = layer_class(layer);
      auto [at, fresh] = known.try_emplace(code);
      if (fresh) {
        const std::string plain = layer_name(layer);
        at->second = plain;
        for (int n = 2; !taken.insert(at->second).second; ++n)
          at->second = plain + std::to_string(n);
        text += replaced(code, kClassName, at->second) + "\n\n";
      }
      names.push_back(at->second);
    }
  }
};

bool shares(const ExportedLayer& layer) {
  return layer.parallel || std::any_of(layer.features.begin(), layer.features.end(), [](auto& f) {
           return f.lender >= 0 || f.donor >= 0 || f.given;
         });
}

// A feature of layer l as a variable of Model.logits: "k_2", or of a part "k0_2".
std::string variable(const std::string& argument, int l) {
  return fmt::format("{}_{}", argument, l);
}

// The call of layer l, and what it is told of the layers that it shares with.
void call_layer(const std::vector<ExportedLayer>& layers, int l, const char* input,
                PythonText& out) {
  const ExportedLayer& layer = layers[size_t(l)];
  std::string results, arguments;
  std::set<std::string> told;
  for (const ExportedFeature& f : layer.features) {
    if (f.lender >= 0 && told.insert(lender_argument(layer, f)).second)
      arguments += fmt::format(", {}=block[{}].liv", lender_argument(layer, f), f.lender);
    for (auto& name : feature_arguments(f, layer.differential)) {
      if (f.donor >= 0) arguments += fmt::format(", {}={}", name, variable(name, f.donor));
      if (f.given) results += ", " + variable(name, l);
    }
  }
  const std::string call = fmt::format("block[{0}]({1}, states[{0}]{2})", l, input, arguments);
  if (results.empty()) return out.line(2, "h = h + {}", call);
  out.line(2, "y{} = {}", results, call);
  out.line(2, "h = h + y");
}

void residual_stream(const std::vector<ExportedLayer>& layers, PythonText& out) {
  if (std::none_of(layers.begin(), layers.end(), shares)) {
    out.line(2, "for block, state in zip(self.blocks, states):");
    out.line(3, "h = h + block(h, state)");
    return;
  }
  out.line(2, "block = self.blocks");
  for (int l = 0; l < int(layers.size()); ++l) {
    const bool begins = size_t(l + 1) < layers.size() && layers[size_t(l + 1)].parallel;
    const bool beside = layers[size_t(l)].parallel;
    if (begins && !beside) out.line(2, "read = h  # by the layers that stand in parallel");
    call_layer(layers, l, beside || begins ? "read" : "h", out);
  }
}

std::string model_class(const std::vector<ExportedLayer>& layers,
                        const std::vector<std::string>& names) {
  PythonText out;
  out.line(1, "def __init__(self):");
  out.line(2, "super().__init__()");
  out.line(2, "self.embed = nn.Embedding(VOCAB, WIDTH)");
  out.line(2, "self.blocks = nn.ModuleList([");
  for (size_t l = 0; l < layers.size(); ++l) out.line(3, "Block({}()),  # {}", names[l], l);
  out.line(2, "])");
  out.line(2, "self.norm = nn.RMSNorm(WIDTH, eps=1e-5)");
  out.empty();
  out.line(1, "def logits(self, tokens, states=None):");
  out.line(2,
           "\"\"\"[B, L, V]. Without states, one a layer, the tokens are whole sequences.\"\"\"");
  out.line(2, "states = states or [None] * len(self.blocks)");
  out.line(2, "h = self.embed(tokens)");
  residual_stream(layers, out);
  out.line(2, "return F.linear(self.norm(h), self.embed.weight)");
  return out.text();
}

std::string constants(const Sizes& sizes, const std::string& code) {
  std::string text = fmt::format("WIDTH = {}  # d, of the residual stream\n", sizes.width);
  text += fmt::format("VOCAB = {}  # V\n", sizes.vocab);
  if (names(code, "WINDOW"))
    text += fmt::format("WINDOW = {}  # tokens that a layer with a window sees\n", sizes.window);
  if (names(code, "SEQ"))
    text += fmt::format(
        "SEQ = {}  # tokens of a sequence in training, which long kernels are scaled to\n",
        sizes.seq);
  return text;
}

}  // namespace

std::string pytorch_program(const Backbone& model, const Checkpoint& about) {
  const std::vector<ExportedLayer> layers = exported_layers(model);
  const LayerClasses classes(layers);
  std::string end =
      replaced(export_file("model"), "    # layers\n", model_class(layers, classes.names));
  const size_t head = end.find("\n\n\n");
  std::string title = end.substr(0, head);
  title = replaced(title, "@genome@", about.genome);
  title = replaced(title, "@parameters@", std::to_string(model.parameter_count()));
  const std::string pieces = pieces_for(classes.text + end);
  const std::string code = pieces + classes.text + end.substr(head + 3);
  return title + "\n" + imports_for(code) + "\n" + constants(model.sizes(), code) + "\n\n" + code;
}

std::string transformers_config(const Backbone& model, const Checkpoint& about) {
  const Sizes& s = model.sizes();
  const nlohmann::ordered_json config = {
      {"model_type", "star"},
      {"architectures", {"StarForCausalLM"}},
      {"auto_map",
       {{"AutoConfig", "modeling_star.StarConfig"},
        {"AutoModelForCausalLM", "modeling_star.StarForCausalLM"}}},
      {"dtype", "float32"},
      {"vocab_size", s.vocab},
      {"hidden_size", s.width},
      {"num_attention_heads", s.heads},
      {"num_hidden_layers", model.blocks().size()},
      {"tie_word_embeddings", true},
      {"use_cache", true},
      {"star",
       {{"genome", about.genome},
        {"format", checkpoint_format(about)},
        {"seq", s.seq},
        {"window", s.window}}}};
  return config.dump(2) + "\n";
}

}  // namespace star::synthesis
