#include "star/after/fidelity.h"

#include <set>

#include "tests/star/after/instant.h"

namespace star::synthesis {
namespace {

// The order of the search holds after longer training, is turned round in the task, and memory
// follows the cache. Genome i has i LIVs.
struct Searched : InstantRun {
  std::vector<int64_t> contexts;
  std::vector<std::string> data;

  Searched() {
    for (int i = 1; i <= 6; ++i) {
      found(genome(i), i, 100 - i);
      contents.evaluations.back().metrics["cache"] = 10 * i;
    }
    close({genome(1)}, {});
    result = [](const Trial& t) {
      const double n = double(t.genome.size());
      Metrics metrics = trained(n, 2 * n);
      metrics["test_accuracy"] =
          t.recipe.text().find("task=") == std::string::npos ? 1 / n : n / 100;
      return metrics;
    };
  }
  static std::string genome(int livs) {
    std::string text = "91111";
    for (int i = 1; i < livs; ++i) text += "-91111";
    return text;
  }
  Study study() {
    Study s = InstantRun::study();
    s.train_on = [this, train = s.train](auto& trials, const Dataset& on) {
      data.push_back(on.identity());
      return train(trials);
    };
    s.measure = [this](auto& subjects, auto& objectives, int64_t context) {
      contexts.push_back(context);
      std::vector<Evaluation> all;
      for (auto& subject : subjects) {
        Metrics metrics;
        for (auto& o : objectives) metrics[o.name()] = double(subject.genome.size());
        all.push_back(evaluation(subject.genome, metrics));
      }
      return all;
    };
    return s;
  }
};

double tau_of(const FidelityTable& table, const std::string& signal, const std::string& target) {
  for (auto& a : table.agreements)
    if (a.signal == signal && a.target == target) return a.kendall.tau;
  FAIL(target);
  return 0;
}

}  // namespace

TEST_CASE("fidelity: what the search goes by is compared with what is dear to know") {
  Searched run;
  const FidelityTable table =
      fidelity_table(run.study(), {.steps = 7, .context = 99, .downstream = "recall:V=8,L=8"});
  REQUIRE(table.rows.size() == 6);
  CHECK(run.contexts == std::vector<int64_t>{99});
  CHECK(run.data == std::vector<std::string>{"recall:V=8,L=8, seed 5"});
  for (auto& trial : run.asked) {
    CHECK(trial.training.steps == 7);
    CHECK(trial.test);
  }
  CHECK(run.asked[0].recipe == "width=16,heads=2,repeat=1,steps=7,batch=8,lr=0.01,seed=5");
  CHECK(run.asked[6].recipe == run.asked[0].recipe.with("task", "recall:V=8,L=8"));
  CHECK(run.asked[6].sizes.vocab == 8);
  CHECK(tau_of(table, "loss after 10 steps", "loss after 7") == 1);
  CHECK(tau_of(table, "loss after 10 steps", "test loss after 7") == 1);
  CHECK(tau_of(table, "loss after 10 steps", "test error after 7") == 1);
  CHECK(tau_of(table, "loss after 10 steps", "error in recall:V=8,L=8 after 7") == -1);
  CHECK(tau_of(table, "cache", "memory at 99 tokens") == 1);
  CHECK(tau_of(table, "params", "latency:decode at 99 tokens") == -1);
  CHECK(table.agreements.size() == 4 + 2 * Objective::all_measured().size());
}

TEST_CASE("fidelity: what is left open follows the search, and a sample is drawn by the seed") {
  Searched run;
  const FidelityTable table = fidelity_table(run.study(), {.sample = 3});
  CHECK(table.options.steps == 40);
  CHECK(table.options.context == run.settings.cache_context);
  std::set<std::string> drawn;
  for (auto& row : table.rows) drawn.insert(row.subject.genome);
  CHECK(drawn.size() == 3);
  CHECK(table.rows[0].subject.searched->metrics.at("quality") <
        table.rows[1].subject.searched->metrics.at("quality"));
  std::set<std::set<std::string>> samples;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Study study = run.study();
    study.seed = seed;
    std::set<std::string> other;
    for (auto& row : fidelity_table(study, {.sample = 3}).rows) other.insert(row.subject.genome);
    samples.insert(other);
  }
  CHECK(samples.size() > 5);
  CHECK_THROWS_AS(fidelity_table(run.study(), {.downstream = "nothing"}), Error);
}

TEST_CASE("fidelity: of several seeds the search is taken at its word by their mean") {
  Searched run;
  run.settings.reseed = 1;
  // The best by luck is the worst in the mean.
  run.contents.evaluations.push_back(evaluation(
      Searched::genome(1), {{"quality", 21}, {"params", 99}, {"cache", 10}}, "search:seed=1"));
  const FidelityTable table = fidelity_table(run.study(), {.steps = 7});
  CHECK(table.rows.back().subject.genome == Searched::genome(1));
  CHECK(table.rows.back().subject.searched->metrics.at("quality") == 11);
  // Of 15 pairs the 5 of that genome are turned round.
  CHECK(tau_of(table, "loss after 10 steps", "loss after 7") == doctest::Approx(5.0 / 15));
}

TEST_CASE("fidelity: what failed is left out of the comparison, and says why") {
  Searched run;
  run.result = [](const Trial& t) {
    return t.genome == Searched::genome(2) ? Metrics() : trained(double(t.genome.size()), 1);
  };
  const FidelityTable table = fidelity_table(run.study(), {.steps = 7});
  CHECK(table.rows[1].failure() == "diverged");
  CHECK(table.rows[0].failure() == "");
  CHECK(table.agreements[0].n == 5);
}

}  // namespace star::synthesis
