// star genome show|check|repair|canonical|random|neighbours.
#include "liv/backbone.h"
#include "liv/pool_file.h"
#include "star/compiler.h"
#include "star/drawing.h"
#include "star/repair.h"
#include "star/variation.h"
#include "tools/command.h"
#include "tools/options.h"

namespace star::cli {
namespace {

struct GenomeCommand {
  Common common;
  ModelOptions model;
  std::string text;
  int64_t cache_context = 4096;
  int depth = 8, count = 1;  // of random ones
  bool sized = false;        // whether width or heads were given

  Sizes sizes() const {
    Sizes s = model.sizes;
    if (model.length > 0) s.seq = model.length;
    return s;
  }

  // A named genome is written out, in the pool in force.
  std::string written_out(Pool& pool) const {
    check_sizes(sizes());
    pool = named_pool(model.pool);
    const std::string given = model.at_depth(text);
    return given.starts_with('@') ? to_text(resolve(given, pool)) : given;
  }

  // Whatever can be cut into segments is, whether or not it is a genome's text.
  static bool repairable(const std::string& text, const Pool& pool) {
    try {
      repair(text, pool);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  int check_text() {
    Pool pool;
    std::string plain = written_out(pool);
    GenomeCheck result = check(plain, pool);
    // The usual sizes claim nothing, those that are given must fit.
    if (sized && result.valid()) Backbone(nullptr, compile(parse(plain, pool), pool), sizes());
    if (common.json) {
      nlohmann::json document = result.valid() ? described(parse(plain, pool), pool) : unknown();
      document.update({{"genome", plain}, {"valid", result.valid()}, {"errors", result.errors}});
      print_json(document);
    } else if (result.valid()) {
      fmt::print("valid\n");
    } else {
      for (auto& e : result.errors) fmt::print("{}\n", e);
      if (repairable(plain, pool)) fmt::print("star genome repair makes it valid\n");
    }
    return result.valid() ? 0 : result.readable ? 1 : 2;
  }

  void print_genome(const Genome& g, const Pool& pool) const {
    if (common.json)
      print_json(described(g, pool));
    else
      fmt::print("{}\n", to_text(g));
  }

  void repair_text() {
    Pool pool;
    std::string plain = written_out(pool);
    print_genome(repair(plain, pool), pool);
  }

  void canonical_text() {
    Pool pool;
    std::string plain = written_out(pool);
    print_genome(canonical(parse(plain, pool), pool), pool);
  }

  static nlohmann::json texts_of(const std::vector<Genome>& genomes) {
    nlohmann::json texts = nlohmann::json::array();
    for (auto& g : genomes) texts.push_back(to_text(g));
    return texts;
  }

  static void print_lines(const std::vector<Genome>& genomes) {
    for (auto& g : genomes) fmt::print("{}\n", to_text(g));
  }

  void random() {
    check_sizes(sizes());
    Pool pool = named_pool(model.pool);
    std::vector<Genome> genomes;
    for (int i = 0; i < count; ++i) {
      Rng rng(common.seed, "genome-random", uint64_t(i));
      genomes.push_back(random_genome(rng, pool, depth));
    }
    if (count == 1) return print_genome(genomes[0], pool);
    common.json ? print_json({{"genomes", texts_of(genomes)}}) : print_lines(genomes);
  }

  void list_neighbours() {
    Pool pool;
    std::string plain = written_out(pool);
    const Genome genome = parse(plain, pool);
    const std::vector<Genome> found = neighbours(genome, pool);
    if (!common.json) return print_lines(found);
    nlohmann::json document = described(genome, pool);
    document["genomes"] = texts_of(found);
    print_json(document);
  }

  void show();

  // A genome in JSON, with what it takes at the sizes; null where it does not fit them.
  nlohmann::json described(const Genome& genome, const Pool& pool) const;
  nlohmann::json described(const Genome& genome, const Backbone& backbone) const;
  static nlohmann::json valid(const Genome& genome) {
    return {{"genome", to_text(genome)}, {"valid", true}, {"errors", nlohmann::json::array()}};
  }
  static nlohmann::json unknown() {
    return {{"params", nullptr},
            {"body_params", nullptr},
            {"cache_bytes", nullptr},
            {"flops", nullptr},
            {"layers", nlohmann::json::array()}};
  }
};

// One LIV of it.
nlohmann::json describe(const Backbone& backbone, int l, int64_t context) {
  const Block& block = backbone.blocks()[size_t(l)];
  nlohmann::json weights = nlohmann::json::object(), features = nlohmann::json::object();
  for (size_t g = 0; g < block.sources.size(); ++g) {
    const FeatureSource& source = block.sources[g];
    const char* name = text_of(block.liv.groups[g].role);
    if (source.feature != l)
      features[name] = source.feature;
    else if (source.weights != l)
      weights[name] = source.weights;
  }
  return {{"index", l},
          {"class", std::string(1, block.liv.id)},
          {"name", block.liv.name},
          {"parallel", block.parallel},
          {"shared_weights", weights},
          {"reused_features", features},
          {"params", backbone.layer_parameter_count(l)},
          {"cache_bytes", backbone.layer_cache_bytes(l, context)}};
}

nlohmann::json GenomeCommand::described(const Genome& genome, const Pool& pool) const {
  std::optional<Backbone> backbone;
  try {
    backbone.emplace(nullptr, compile(genome, pool), sizes());
  } catch (const Error&) {
    nlohmann::json document = unknown();
    document.update(valid(genome));
    return document;
  }
  return described(genome, *backbone);
}

nlohmann::json GenomeCommand::described(const Genome& genome, const Backbone& backbone) const {
  nlohmann::json document = {{"params", backbone.parameter_count()},
                             {"body_params", backbone.body_parameter_count()},
                             {"cache_bytes", backbone.cache_bytes(cache_context)},
                             {"flops", backbone.training_flops()}};
  document.update(valid(genome));
  for (int l = 0; l < int(genome.segments.size()); ++l)
    document["layers"].push_back(describe(backbone, l, cache_context));
  return document;
}

void GenomeCommand::show() {
  Pool pool;
  std::string plain = written_out(pool);
  Genome g = canonical(parse(plain, pool), pool);
  const Sizes s = sizes();
  Backbone backbone(nullptr, compile(g, pool), s);
  if (common.json) return print_json(described(g, backbone));
  fmt::print(
      "{}\nwidth {}, {} heads, vocabulary {}, cache at {} tokens\n\n{}\nbody        {} "
      "parameters\ntraining    {:.0f} FLOPs a token\n",
      to_text(g), s.width, s.heads, s.vocab, cache_context, draw(g, backbone, cache_context),
      backbone.body_parameter_count(), backbone.training_flops());
}

}  // namespace

void declare_genome(CLI::App& app) {
  auto c = std::make_shared<GenomeCommand>();
  CLI::App* sub = app.add_subcommand("genome", "Reads, mends and draws genomes");
  sub->require_subcommand(1);
  auto add = [&](const char* name, const char* what, bool takes_genome) {
    CLI::App* action = sub->add_subcommand(name, what);
    if (takes_genome)
      action->add_option("genome", c->text, "A genome or a name such as @hybrid:8")->required();
    c->common.declare(*action);
    c->model.declare(*action);
    if (takes_genome) c->model.declare_depth(*action);
    add_whole(*action, "--vocab", c->model.sizes.vocab, 1, int64_t(1) << 24, "Vocabulary V")
        ->capture_default_str();
    add_whole(*action, "--cache-context", c->cache_context, 1, int64_t(1) << 40,
              "Tokens at which the cache is counted")
        ->capture_default_str();
    return action;
  };
  CLI::App* show = add("show", "Draws the backbone with its sharing, parameters and cache", true);
  show->callback([c] { c->show(); });
  CLI::App* check =
      add("check",
          "Says what is wrong: exit 0 valid, 1 invalid, 2 unreadable, or that it does not fit "
          "the --width and --heads that are given",
          true);
  check->callback([c, check] {
    c->sized = check->count("--width") > 0 || check->count("--heads") > 0;
    if (int status = c->check_text()) throw CLI::RuntimeError(status);
  });
  add("repair", "The nearest valid genome", true)->callback([c] { c->repair_text(); });
  add("canonical", "The canonical text", true)->callback([c] { c->canonical_text(); });
  add("neighbours", "All genomes one digit away", true)->callback([c] { c->list_neighbours(); });
  CLI::App* random = add("random", "A random valid genome", false);
  add_whole(*random, "--depth", c->depth, 1, 1000, "LIVs")->capture_default_str();
  add_whole(*random, "--count", c->count, 1, 1 << 20, "How many")->capture_default_str();
  random->callback([c] { c->random(); });
}

}  // namespace star::cli
