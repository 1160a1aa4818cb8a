#include "star/after/motif_table.h"

#include "liv/pool_file.h"
#include "star/breeding.h"
#include "star/seeds.h"

namespace star {
namespace {

// All that the search has evaluated and that did not fail.
Judged judged_of(const Study& study, const Pool& pool) {
  const SearchSettings& s = study.settings;
  Judged judged;
  for (auto& [genome, result] :
       results_over_seeds(s, study.contents.evaluations, int(study.contents.generations.size()))) {
    if (!result.mean.ok()) continue;
    judged.motifs.push_back(motifs_of(parse(genome, pool), pool));
    for (auto& objective : s.objectives)
      judged.objectives[objective.name()].push_back(
          metric_of(study, result.mean, objective.name()));
  }
  return judged;
}

}  // namespace

MotifTable motif_table(const Study& study, const MotifOptions& options) {
  const Pool pool = named_pool(study.settings.pool);
  MotifTable table{options, {}, {}, judged_of(study, pool), {}};
  for (auto& subject : subjects_of(study, options.from))
    table.kept.push_back(motifs_of(parse(subject.genome, pool), pool));
  MotifSets& initial = table.others["initial"];
  for (auto& candidate : study.contents.candidates)
    if (candidate.generation == 0)
      initial.push_back(motifs_of(parse(candidate.genome, pool), pool));
  SearchSettings draws = study.settings;
  draws.seed = study.seed;
  MotifSets& random = table.others["random"];
  for (auto& genome : random_genomes(draws, options.random))
    random.push_back(motifs_of(genome, pool));
  table.findings = find_motifs(table.kept, table.others, table.judged, options.least);
  return table;
}

}  // namespace star
