#include "star/genome.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/error.h"
#include "core/number.h"

namespace star::synthesis {
namespace {

// The base of a class; the class itself where the pool does not know better.
char base_of(char id, const Pool& pool) {
  const LivClass* c = pool.find(id);
  return c && c->differential ? c->base : id;
}

void number_groups(std::vector<Segment>& segments, const SharingKind& kind) {
  std::map<char, int> numbered;  // how many groups of a class have their number
  const auto groups = sharing_groups(segments, kind);
  for (Segment& s : segments) {
    if (s.*kind.strategy == 1) s.*kind.group = 1;
  }
  for (const std::vector<int>& members : groups) {
    const int number = ++numbered[segments[size_t(members[0])].liv];
    for (int member : members) segments[size_t(member)].*kind.group = number;
  }
}

// Keeps the overrides that change something about a class in the backbone.
void drop_idle_overrides(Genome& genome, const Pool& pool) {
  std::erase_if(genome.operators, [&](const ClassOverride& o) {
    const LivClass* c = pool.find(o.liv);
    return (c && c->op == o.op) ||
           std::none_of(genome.segments.begin(), genome.segments.end(),
                        [&](const Segment& s) { return base_of(s.liv, pool) == o.liv; });
  });
  const Pool effective = effective_pool(genome, pool);
  std::erase_if(genome.featurizers, [&](const FeaturizerOverride& o) {
    const Featurizer* before = pool.find_featurizer(o.id);
    const Featurizer* after = effective.find_featurizer(o.id);
    auto uses = [&](const Segment& s) {
      const LivClass* c = effective.find(s.liv);
      return c && base36_digit(c->op.featurizer()) == o.id;
    };
    return !before || *before == *after ||
           std::none_of(genome.segments.begin(), genome.segments.end(), uses);
  });
}

struct NamedGenome {
  const char* name;
  const char* cycle;  // the classes, repeated
};

// The first class of a genome of the pool `known` that `pool` defines otherwise; null if none.
const LivClass* other_class(const Genome& genome, const Pool& pool, const Pool& known) {
  for (const Segment& s : genome.segments) {
    const LivClass *here = pool.find(s.liv), *meant = known.find(s.liv);
    if (here && (here->op != meant->op || here->groups != meant->groups)) return meant;
  }
  return nullptr;
}

constexpr std::array<NamedGenome, 6> kNamed = {{{"@transformer", "19"},
                                                {"@hybrid", "59595919"},
                                                {"@mamba", "59"},
                                                {"@conv", "79"},
                                                {"@lfm2", "797949"},
                                                {"@linear", "i9"}}};

}  // namespace

std::vector<std::vector<int>> sharing_groups(const std::vector<Segment>& segments,
                                             const SharingKind& kind) {
  std::vector<std::vector<int>> groups;
  std::map<std::pair<char, int>, size_t> found;
  for (size_t i = 0; i < segments.size(); ++i) {
    const Segment& s = segments[i];
    if (s.*kind.strategy == 1) continue;
    auto [it, is_new] = found.try_emplace({s.liv, s.*kind.group}, groups.size());
    if (is_new) groups.emplace_back();
    groups[it->second].push_back(int(i));
  }
  return groups;
}

int strategies(size_t n) { return n < 6 ? 1 << n : 35; }

unsigned strategy_mask(int strategy, size_t n) {
  if (strategy == 1) return 0;
  return strategy == 2 ? (1u << n) - 1 : unsigned(strategy - 2);
}

Pool effective_pool(const Genome& genome, const Pool& pool) {
  Pool result = pool;
  if (!genome.has_overrides()) return result;
  for (const FeaturizerOverride& o : genome.featurizers) {
    for (Featurizer& f : result.featurizers) {
      for (size_t g = 0; f.id == o.id && g < f.groups.size() && g < o.groups.size(); ++g)
        f.groups[g].digits = o.groups[g];
    }
  }
  for (const ClassOverride& o : genome.operators) {
    for (LivClass& c : result.classes) {
      if (c.id == o.liv) c.op = o.op;
    }
  }
  derive(result);
  return result;
}

const Pool& effective_pool(const Genome& genome, const Pool& pool, Pool& changed) {
  if (!genome.has_overrides()) return pool;
  changed = effective_pool(genome, pool);
  return changed;
}

Genome canonical(const Genome& genome, const Pool& pool) {
  Genome result = genome;
  number_groups(result.segments, kWeightSharing);
  number_groups(result.segments, kFeatureSharing);
  if (!result.has_overrides()) return result;
  drop_idle_overrides(result, pool);
  std::sort(result.operators.begin(), result.operators.end(),
            [](const auto& a, const auto& b) { return a.liv < b.liv; });
  std::sort(result.featurizers.begin(), result.featurizers.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  return result;
}

std::vector<char> operators_in_force(const Genome& genome, const Pool& pool) {
  std::vector<char> ids;
  auto add = [&](char id) {
    if (pool.find(id) && std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  };
  for (const Segment& s : genome.segments) add(base_of(s.liv, pool));
  for (const ClassOverride& o : genome.operators) add(o.liv);
  return ids;
}

std::vector<std::string> genome_names() {
  std::vector<std::string> names;
  for (const NamedGenome& n : kNamed) names.push_back(n.name);
  return names;
}

Genome named_genome(std::string_view name) {
  const size_t colon = name.find(':');
  const std::string_view stem = name.substr(0, colon);
  auto named = std::find_if(kNamed.begin(), kNamed.end(), [&](auto& n) { return n.name == stem; });
  require(named != kNamed.end(), "genome: the name {} is not one of {}", stem,
          fmt::join(genome_names(), " "));
  int depth = 8;
  if (colon != name.npos) {
    depth =
        whole_number(name.substr(colon + 1), 1, 1000, fmt::format("genome: the depth of {}", name));
  }
  Genome genome;
  const std::string_view cycle = named->cycle;
  for (int i = 0; i < depth; ++i) {
    genome.segments.push_back({cycle[size_t(i) % cycle.size()], 1, 1, 1, 1, false});
  }
  return genome;
}

std::vector<NamedDesign> named_designs(const Pool& pool, int depth) {
  const Pool known = extended_pool();
  std::vector<NamedDesign> designs;
  for (const std::string& name : genome_names()) {
    const Genome genome = named_genome(at_depth(name, depth));
    const bool present = std::all_of(genome.segments.begin(), genome.segments.end(),
                                     [&](const Segment& s) { return pool.find(s.liv); }) &&
                         !other_class(genome, pool, known);
    const bool another =
        std::none_of(designs.begin(), designs.end(),
                     [&](const NamedDesign& other) { return other.genome == genome; });
    if (present && another) designs.push_back({name, genome});
  }
  return designs;
}

Genome resolve(std::string_view text_or_name, const Pool& pool) {
  if (!text_or_name.starts_with('@')) return parse(text_or_name, pool);
  Genome genome = named_genome(text_or_name);
  require_same_classes(genome, pool, extended_pool(), text_or_name);
  return genome;
}

std::string at_depth(const std::string& text_or_name, int depth) {
  const bool open = text_or_name.starts_with('@') && text_or_name.find(':') == text_or_name.npos;
  return open ? fmt::format("{}:{}", text_or_name, depth) : text_or_name;
}

void require_same_classes(const Genome& genome, const Pool& pool, const Pool& meant,
                          std::string_view text) {
  if (const LivClass* other = other_class(genome, pool, meant))
    fail("genome: {}: class {} of this pool is not the {} that is meant", text, other->id,
         other->name);
}

}  // namespace star::synthesis
