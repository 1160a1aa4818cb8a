// star liv page.
#include "core/file.h"
#include "core/number.h"
#include "liv/certificate.h"
#include "liv/formula.h"
#include "liv/random_operator.h"
#include "star/checkpoint.h"
#include "star/embed.h"
#include "star/family.h"
#include "tools/command.h"
#include "tools/figure.h"
#include "tools/model_input.h"
#include "tools/operator_sizes.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/tokenizer_option.h"
#include "tools/web_page.h"

STAR_EMBED(star_liv_page_pack, STAR_PACK_FILE);

namespace star::cli {
namespace {

// The two inputs differ in one token, so that one sees which entries of T it decides.
constexpr int kInputs = 2;

// An operator that is looked at.
struct Subject {
  std::string label;
  const Operator& op;
  std::function<DenseCore(int input, std::optional<int> part)> materialize;
  std::function<int64_t(int64_t tokens)> kept;  // by decoding, in numbers
};

// T_ij of a row with j ≤ i, row by row, to three digits; all others are 0. Less what `before` has.
nlohmann::json triangle(const DenseCore& T, int64_t row, const DenseCore* before = nullptr) {
  nlohmann::json entries = nlohmann::json::array();
  for (int64_t i = 0; i < T.length; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      const double x = T.at(row, i, j) - (before ? before->at(row, i, j) : 0);
      entries.push_back(read_number<double>(fmt::format("{:.3g}", x)).value_or(0));
    }
  return entries;
}

struct LivPage {
  Common common;
  Sizes sizes;
  ModelInput input;
  int64_t length = 48, change = 0, panels = 2;
  std::string source, out;
  CLI::App* app = nullptr;
  nlohmann::json operators = nlohmann::json::array();

  LivPage() {
    sizes.width = 16;
    sizes.heads = 2;
    sizes.window = 8;
  }

  void run() {
    check_output(out, {config_file(*app), source, input.tokenizer});
    auto exec = common.make_exec();
    const nlohmann::json document = source.empty() ? classes(*exec) : trained(*exec);
    const std::string page =
        web_page({star_liv_page_pack_begin, star_liv_page_pack_end}, "operators", document);
    write_file(out, std::array{std::string_view(page)});
    if (common.json)
      print_json({{"out", out}, {"operators", document.at("operators").size()}});
    else
      fmt::print("{}\n", out);
  }

 private:
  void add(const Subject& s) {
    const LivClass& liv = s.op.liv();
    nlohmann::json maps = nlohmann::json::array(), ranks = nlohmann::json::array(), kept, features;
    auto on_input = [&](int i) {
      return named_maps(liv, s.materialize(i, {}),
                        [&](int part) { return s.materialize(i, part); });
    };
    const std::vector<NamedMatrices> first = on_input(0), second = on_input(1);
    const DenseCore& whole = first.back().matrices;
    const std::vector<int64_t> rows = chosen_rows(whole.rows, panels);
    for (size_t m = 0; m < first.size(); ++m) {
      nlohmann::json values = nlohmann::json::array(), change_of = nlohmann::json::array();
      for (int64_t r : rows) {
        values.push_back(triangle(first[m].matrices, r));
        change_of.push_back(triangle(second[m].matrices, r, &first[m].matrices));
      }
      const std::string name = m + 1 < first.size() ? first[m].name : "T";
      maps.push_back({{"name", name}, {"values", values}, {"change", change_of}});
    }
    for (int64_t r : rows) ranks.push_back(cut_ranks(whole, r));
    for (int64_t t = 0; t <= length; ++t) kept.push_back(s.kept(t));
    for (auto& g : liv.groups)
      features.push_back({{"name", text_of(g.role)}, {"digits", digits_text(g.digits)}});
    const bool heads = whole.rows == s.op.layout().sizes.heads;
    operators.push_back({{"label", s.label},
                         {"id", std::string(1, liv.id)},
                         {"name", liv.name},
                         {"family", name_of(synthesis::family_of(liv))},
                         {"formula", formula_of(liv)},
                         {"operator", digits_text(liv.op.digits)},
                         {"features", features},
                         {"network", s.op.mixing().network().text()},
                         {"row", heads ? "head" : "channel"},
                         {"shown", rows},
                         {"maps", maps},
                         {"ranks", ranks},
                         {"kept", kept}});
  }

  nlohmann::json document(const std::string& title, const std::string& note, const Sizes& of,
                          int64_t place, const std::vector<std::string>& words,
                          const std::vector<std::string>& other) const {
    nlohmann::json inputs = nlohmann::json::array();
    for (auto* read : {&words, &other}) {
      inputs.push_back(nlohmann::json::array());
      for (auto& word : *read) inputs.back().push_back(label_of(word));
    }
    return {{"title", title},      {"note", note},
            {"width", of.width},   {"heads", of.heads},
            {"window", of.window}, {"length", length},
            {"changed", place},    {"trained", !source.empty()},
            {"inputs", inputs},    {"operators", operators}};
  }

  // A token of the model that is not this one: of those that it reads the first, else the next.
  static int32_t another(const Backbone& model, const std::vector<int32_t>& ids, int32_t own) {
    for (int32_t id : ids)
      if (id != own) return id;
    return int32_t((own + 1) % model.sizes().vocab);
  }

  // From 1; a third of the tokens in, unless --change says where.
  int64_t changed() const {
    require(length >= 2, "a page is of two tokens or more");
    const int64_t place = change > 0 ? change : length / 3 + 1;
    require(place <= length, "--change: there are {} tokens", length);
    return place;
  }

  // Every class of the pool on random input, with random weights.
  nlohmann::json classes(Exec& exec) {
    require(!input.given() && input.tokenizer.empty(),
            "--text, --tokens, --tokenizer: they are for a checkpoint");
    check_sizes(sizes);
    sizes.seq = length;
    const int64_t place = changed();
    Rng rng(common.seed, "matrix.input");
    const Shape shape = {1, length, sizes.width};
    const Tensor x = random_tensor(exec, rng, shape, DType::f64);
    std::vector<double> values = x.to_doubles();
    for (int64_t c = 0; c < sizes.width; ++c)
      values[size_t((place - 1) * sizes.width + c)] = rng.normal();
    const Tensor inputs[kInputs] = {x,
                                    exec.from(shape, std::span<const double>(values), DType::f64)};
    for (const LivClass& liv : extended_pool().classes) look_at(exec, liv, inputs);
    std::vector<std::string> words;
    for (int64_t i = 1; i <= length; ++i) words.push_back(fmt::to_string(i));
    std::vector<std::string> other = words;
    other[size_t(place - 1)] += "′";
    return document("The classes",
                    fmt::format("random weights, random input; seed {}", common.seed), sizes, place,
                    words, other);
  }

  void look_at(Exec& exec, const LivClass& liv, const Tensor (&inputs)[kInputs]) {
    RandomOperator random(exec, liv, sizes, DType::f64, Rng(common.seed, "matrix").bits());
    Tape tape(exec, false);
    const std::vector<Var> values = random.on(tape);
    const Weights weights = random.weights(values);
    FeatureSet features[kInputs];
    for (int i = 0; i < kInputs; ++i)
      random.op.apply(weights, tape.constant(inputs[i]), features[i], nullptr);
    add({liv.name, random.op,
         [&](int i, std::optional<int> part) {
           return part ? random.op.materialize_part(weights, features[i], *part)
                       : random.op.materialize(weights, features[i]);
         },
         [&](int64_t tokens) { return random.op.cache_floats(tokens, {}); }});
  }

  // Every LIV of a trained model on what it reads where the model is given a text, or random tokens.
  nlohmann::json trained(Exec& exec) {
    for (const char* option : {"--width", "--heads", "--window"})
      require(app->get_option(option)->count() == 0, "{}: {} has sizes of its own", option, source);
    require(!input.given() || app->get_option("--seq")->count() == 0,
            "--seq: {} reads what --text or --tokens says", source);
    const LoadedModel loaded = load_checkpoint(source, exec);
    const Backbone& model = *loaded.model;
    const auto [ids, words] = input.read(loaded, source, length, common.seed);
    length = int64_t(ids.size());
    const int64_t place = changed();
    std::vector<int32_t> other_ids = ids;
    std::vector<std::string> other_words = words;
    int32_t& replaced = other_ids[size_t(place - 1)];
    replaced = another(model, ids, replaced);
    other_words[size_t(place - 1)] =
        input.text.empty() ? fmt::to_string(replaced)
                           : TextCoding(loaded, source, input.tokenizer).decode(replaced);
    const Tensor tokens[kInputs] = {exec.from({1, length}, std::span<const int32_t>(ids)),
                                    exec.from({1, length}, std::span<const int32_t>(other_ids))};
    Tape tape(exec, false);
    for (int block = 0; block < int(model.blocks().size()); ++block)
      add({fmt::format("{}: {}", block + 1, model.liv(block).liv().name), model.liv(block),
           [&](int i, std::optional<int> part) {
             return model.materialize(tape, tokens[i], block, part);
           },
           [&](int64_t count) { return model.layer_cache_bytes(block, count) / 4; }});
    return document(source, "", model.sizes(), place, words, other_words);
  }
};

}  // namespace

void declare_liv_page(CLI::App& liv) {
  auto c = std::make_shared<LivPage>();
  CLI::App* sub = liv.add_subcommand(
      "page", "T(x) of every class, or of every LIV of a trained model, as one page to explore");
  c->app = sub;
  sub->add_option("checkpoint", c->source, "A trained model (default: the classes, untrained)");
  c->common.declare(*sub);
  declare_operator_sizes(*sub, c->sizes, c->length, "Tokens L");
  sub->get_option("--seq")->capture_default_str();
  c->input.declare(*sub);
  add_whole(*sub, "--change", c->change, 1, int64_t(1) << 20,
            "The token that another input has replaced, from 1 (default: a third in)");
  add_whole(*sub, "--panels", c->panels, 1, int64_t(1) << 20,
            "Heads or channels of each operator, evenly chosen")
      ->capture_default_str();
  sub->add_option("--out", c->out, "The HTML file to write")->required();
  sub->callback([c] { c->run(); });
}

}  // namespace star::cli
