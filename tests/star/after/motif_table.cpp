#include "star/after/motif_table.h"

#include "liv/pool_file.h"
#include "star/breeding.h"
#include "tests/star/after/instant.h"

namespace star {
namespace {

const MotifFinding& found(const MotifTable& table, const std::string& text) {
  for (auto& f : table.findings)
    if (f.motif.text == text) return f;
  FAIL(text);
  return table.findings[0];
}

// The front has attention, the initial population none.
InstantRun searched() {
  InstantRun run;
  run.settings.objectives = {"quality"};
  const std::vector<std::string> genomes = {"11111-91111", "11111-11111", "51111-91111",
                                            "61111-91111", "71111-91111"};
  for (size_t i = 0; i < genomes.size(); ++i) run.found(genomes[i], double(i + 1), 10);
  run.contents.candidates = {{0, 0, genomes[2], {}, "initial"},
                             {0, 1, genomes[3], {}, "initial"},
                             {1, 0, genomes[0], {}, "mutation"},
                             {1, 1, genomes[1], {}, "mutation"},
                             {1, 2, genomes[4], {}, "mutation"}};
  run.close({genomes[0], genomes[1]}, {genomes[2], genomes[4]});
  return run;
}

}  // namespace

TEST_CASE("motif table: the kept against those at the beginning and random ones") {
  InstantRun run = searched();
  const MotifTable table = motif_table(run.study(), {.random = 40});
  CHECK(table.kept.size() == 2);
  CHECK(table.others.at("initial").size() == 2);
  CHECK(table.others.at("random").size() == 40);
  CHECK(table.judged.motifs.size() == 5);
  const MotifFinding& attention = found(table, "SA-1");
  CHECK(attention.count == 2);
  CHECK(attention.among.at("initial").others == 0);
  CHECK(attention.with == 2);
  CHECK(attention.without == 3);
  CHECK(attention.effects.at("quality").mean_with == 1.5);
  CHECK(attention.effects.at("quality").mean_without == 4);
  // Of one genome alone: too few.
  for (auto& f : table.findings) CHECK(f.count >= 2);
  CHECK(motif_table(run.study(), {.from = "population", .random = 1}).kept.size() == 2);
  CHECK(found(motif_table(run.study(), {.from = "population", .random = 1}), "GMemless").count ==
        2);
  CHECK_THROWS_AS(motif_table(run.study(), {.from = "nobody"}), Error);
}

TEST_CASE("motif table: random genomes are drawn by the study's seed, not the search's") {
  InstantRun run = searched();
  Study study = run.study();
  study.seed = 77;
  SearchSettings draws = run.settings;
  draws.seed = 77;
  const Pool pool = named_pool(draws.pool);
  MotifSets expected;
  for (auto& genome : random_genomes(draws, 9)) expected.push_back(motifs_of(genome, pool));
  CHECK(motif_table(study, {.random = 9}).others.at("random") == expected);
  CHECK(motif_table(run.study(), {.random = 9}).others.at("random") != expected);
}

TEST_CASE("motif table: of several seeds the mean counts, and a failure of one of them") {
  InstantRun run = searched();
  run.settings.reseed = 1;
  auto again = [&](const std::string& genome, double quality) {
    return evaluation(genome, {{"quality", quality}, {"params", 10}}, "search:seed=1");
  };
  run.contents.evaluations.push_back(again("11111-91111", 8));
  run.contents.evaluations.push_back(again("51111-91111", 8));
  run.contents.evaluations.back().failure = "diverged";
  const MotifTable table = motif_table(run.study(), {.random = 1});
  CHECK(table.judged.motifs.size() == 4);
  CHECK(found(table, "SA-1").effects.at("quality").mean_with == (4.5 + 2) / 2);
  CHECK(found(table, "SA-1").without == 2);
}

}  // namespace star
