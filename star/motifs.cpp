#include "star/motifs.h"

#include <fmt/ranges.h>
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "star/statistics.h"

namespace star {
namespace {

std::string name_of(const LivClass& liv, const Pool& pool) {
  const LivClass* usual = pool.find(liv.id);
  bool overridden = usual && usual->op != liv.op;
  return overridden ? fmt::format("{}:{}", liv.name, digits_text(liv.op.digits)) : liv.name;
}

// Neighbours `length` at a time, those that read the same in the order of their names.
void add_neighbours(const Genome& genome, const std::vector<std::string>& names, size_t length,
                    const std::string& kind, std::set<Motif>& motifs) {
  for (size_t first = 0; first + length <= names.size(); ++first) {
    std::vector<std::vector<std::string>> runs = {{names[first]}};
    for (size_t i = first + 1; i < first + length; ++i) {
      if (!genome.segments[i].parallel) runs.emplace_back();
      runs.back().push_back(names[i]);
    }
    std::vector<std::string> texts;
    for (auto& run : runs) {
      std::sort(run.begin(), run.end());
      texts.push_back(fmt::format("{}", fmt::join(run, " ∥ ")));
    }
    motifs.insert({kind, fmt::format("{}", fmt::join(texts, " → "))});
  }
}

void add_sharing(const Genome& genome, const Pool& pool, const std::vector<std::string>& names,
                 const SharingKind& kind, const std::string& what, std::set<Motif>& motifs) {
  for (const std::vector<int>& members : sharing_groups(genome.segments, kind)) {
    const size_t donor = size_t(members[0]);
    const Segment& segment = genome.segments[donor];
    const std::vector<Role>& all = pool.find(segment.liv)->*kind.shareable;
    const unsigned mask = strategy_mask(segment.*kind.strategy, all.size());
    std::vector<Role> shared;
    for (size_t i = 0; i < all.size(); ++i)
      if (mask >> i & 1) shared.push_back(all[i]);
    motifs.insert(
        {"sharing", fmt::format("{} {} {}", names[donor], what, fmt::join(texts_of(shared), " "))});
    motifs.insert({"sharing", "any " + what});
  }
}

// In how many of the genomes each motif is.
std::map<Motif, int> occurrences(const MotifSets& genomes) {
  std::map<Motif, int> count;
  for (const std::set<Motif>& motifs : genomes)
    for (const Motif& motif : motifs) ++count[motif];
  return count;
}

// Adjusts the p-values of each kind by themselves: there are many more triples than classes.
template <class Test>
void adjust_by_kind(std::map<Motif, Test>& tests) {
  for (const std::string& kind : motif_kinds()) {
    std::vector<Test*> family;
    std::vector<double> p;
    for (auto& [motif, test] : tests) {
      if (motif.kind != kind) continue;
      family.push_back(&test);
      p.push_back(test.p);
    }
    const std::vector<double> adjusted = benjamini_hochberg(p);
    for (size_t i = 0; i < family.size(); ++i) family[i]->adjusted = adjusted[i];
  }
}

std::map<Motif, Enrichment> enrichment(const MotifSets& group, const MotifSets& others) {
  std::map<Motif, Enrichment> tests;
  for (auto& [motif, count] : occurrences(others)) tests[motif].others = count;
  // A motif that the group has not keeps p = 1.
  for (auto& [motif, count] : occurrences(group))
    tests[motif].p =
        fisher_greater(count, int64_t(group.size()), tests[motif].others, int64_t(others.size()));
  adjust_by_kind(tests);
  return tests;
}

std::map<Motif, Effect> effects_on(const std::vector<double>& objective, const MotifSets& motifs,
                                   int least) {
  std::map<Motif, Effect> tests;
  for (auto& [motif, count] : occurrences(motifs)) {
    if (count < least || int(motifs.size()) - count < least) continue;
    std::vector<double> with, without;
    for (size_t i = 0; i < motifs.size(); ++i)
      (motifs[i].count(motif) ? with : without).push_back(objective[i]);
    tests[motif] = {spread_of(with).mean, spread_of(without).mean, rank_sum(with, without)};
  }
  adjust_by_kind(tests);
  return tests;
}

double least_p(const MotifFinding& finding) {
  double p = 1;
  for (auto& [name, test] : finding.among) p = std::min(p, test.p);
  return p;
}

size_t place_of(const std::string& kind) {
  const auto& kinds = motif_kinds();
  return size_t(std::find(kinds.begin(), kinds.end(), kind) - kinds.begin());
}

}  // namespace

const std::vector<std::string>& motif_kinds() {
  static const std::vector<std::string> kinds = {"class", "pair", "triple", "sharing"};
  return kinds;
}

std::set<Motif> motifs_of(const Genome& genome, const Pool& pool) {
  const Pool effective = effective_pool(genome, pool);
  std::set<Motif> motifs;
  std::vector<std::string> names;
  for (const Segment& segment : genome.segments) {
    const LivClass* liv = effective.find(segment.liv);
    require(liv, "motifs: class {} is not in the pool", segment.liv);
    names.push_back(name_of(*liv, pool));
    motifs.insert({"class", names.back()});
  }
  add_neighbours(genome, names, 2, "pair", motifs);
  add_neighbours(genome, names, 3, "triple", motifs);
  add_sharing(genome, effective, names, kWeightSharing, "weights", motifs);
  add_sharing(genome, effective, names, kFeatureSharing, "features", motifs);
  return motifs;
}

std::vector<MotifFinding> find_motifs(const MotifSets& group,
                                      const std::map<std::string, MotifSets>& others,
                                      const Judged& judged, int least) {
  std::map<Motif, MotifFinding> found;
  for (auto& [motif, count] : occurrences(group)) {
    if (count < least) continue;
    found[motif].motif = motif;
    found[motif].count = count;
  }
  for (auto& [name, genomes] : others) {
    const auto tests = enrichment(group, genomes);
    for (auto& [motif, finding] : found) finding.among[name] = tests.at(motif);
  }
  auto evaluated = occurrences(judged.motifs);
  for (auto& [motif, finding] : found) {
    finding.with = evaluated[motif];
    finding.without = int(judged.motifs.size()) - finding.with;
  }
  for (auto& [objective, values] : judged.objectives)
    for (auto& [motif, effect] : effects_on(values, judged.motifs, least))
      if (auto it = found.find(motif); it != found.end()) it->second.effects[objective] = effect;

  std::vector<MotifFinding> findings;
  for (auto& [motif, finding] : found) findings.push_back(std::move(finding));
  std::stable_sort(findings.begin(), findings.end(), [](const auto& a, const auto& b) {
    return std::pair(place_of(a.motif.kind), least_p(a)) <
           std::pair(place_of(b.motif.kind), least_p(b));
  });
  return findings;
}

}  // namespace star
