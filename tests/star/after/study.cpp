#include "star/after/study.h"

#include "tests/star/after/instant.h"

namespace star::synthesis {
namespace {

std::vector<std::string> genomes(const std::vector<Subject>& subjects) {
  std::vector<std::string> all;
  for (auto& s : subjects) all.push_back(s.genome);
  return all;
}

using Genomes = std::vector<std::string>;

}  // namespace

TEST_CASE("study: groups are the front, the population or all, best first, without what failed") {
  InstantRun run;
  run.found("11111-91111", 3, 30);
  run.found("21111-91111", 1, 50);
  run.found("31111-91111", 2, 20);
  run.found("41111-91111", 0, 0);
  run.contents.evaluations.back().failure = "diverged";
  for (const char* genome : {"51111-91111", "21111-91111"})
    run.contents.evaluations.push_back(evaluation(genome, {{"quality", 0}}, "baseline"));
  CHECK_THROWS_WITH_AS(
      subjects_of(run.study(), "front"),
      "a.run: the search has no front yet; star search --resume a.run goes on with it", Error);
  run.close({"31111-91111", "21111-91111"}, {"11111-91111", "41111-91111", "31111-91111"});
  CHECK(genomes(subjects_of(run.study(), "front")) == Genomes{"21111-91111", "31111-91111"});
  CHECK(genomes(subjects_of(run.study(), "population")) == Genomes{"31111-91111", "11111-91111"});
  CHECK(genomes(subjects_of(run.study(), "all")) ==
        Genomes{"21111-91111", "31111-91111", "11111-91111"});
  // What keeps the bounds comes first.
  run.settings.bounds = {{"params", 40}};
  CHECK(genomes(subjects_of(run.study(), "all")) ==
        Genomes{"31111-91111", "11111-91111", "21111-91111"});
  CHECK_THROWS_AS(subjects_of(run.study(), "best"), Error);
  CHECK(usual_group(run.settings) == "front");
  run.settings.objectives = {"quality"};
  CHECK(usual_group(run.settings) == "all");
}

TEST_CASE("study: a name has the run's depth, and a genome what the search knows of it") {
  InstantRun run;
  run.found("11111-91111", 3, 30);
  const Subject name = named_subject(run.study(), "@mamba"),
                deep = named_subject(run.study(), "@mamba:3"),
                known = named_subject(run.study(), "11111-91111"),
                extended = named_subject(run.study(), "i1111-91111");
  CHECK(name.genome == "51111-91111");
  CHECK(name.label() == "@mamba");
  CHECK(deep.genome == "51111-91111-51111");
  CHECK(known.searched->metrics.at("params") == 30);
  CHECK(known.pool == "paper");
  CHECK_FALSE(extended.searched);
  CHECK(extended.pool == "extended");
  CHECK_THROWS_AS(named_subject(run.study(), "@nobody"), Error);
  CHECK_THROWS_AS(named_subject(run.study(), "1111"), Error);
  CHECK_THROWS_WITH_AS(metric_of(run.study(), *known.searched, "flops"),
                       "a.run: the run file is damaged: the evaluation of 11111-91111 lacks flops",
                       Error);
}

TEST_CASE("study: a trial is the search's own, or says by its recipe what it is") {
  InstantRun run;
  run.found("11111-91111", 3, 30);
  const Subject subject = named_subject(run.study(), "11111-91111");
  CHECK(searched_trial(run.study(), subject).recipe == "search");
  CHECK(trial_for(run.study(), subject).recipe == "baseline");
  Study other = run.study();
  other.seed = 6;
  const Trial trial = trial_for(other, subject);
  CHECK(trial.seed == 6);
  CHECK(trial.training.seed == 6);
  CHECK(trial.recipe == recipe_of(trial));
  CHECK(trial.test);
}

}  // namespace star::synthesis
