#include "star/after/rates.h"

#include "tests/star/after/instant.h"

namespace star::synthesis {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// A rate at which seeds come to these qualities and test losses; NaN: failed.
AtRate at(double rate, const std::vector<double>& qualities) {
  AtRate result{rate, {}};
  for (double q : qualities) {
    result.by_seed.push_back(evaluation("11111", trained(q, -q)));
    if (std::isnan(q)) result.by_seed.back().failure = "diverged";
  }
  return result;
}

std::vector<Tuned> tune(InstantRun& run, const std::vector<double>& rates, int seeds) {
  std::vector<Subject> subjects = {{"", "11111-91111", "paper", {}},
                                   {"", "21111-91111", "paper", {}}};
  return train_at_rates(run.study(), subjects, rates, seeds,
                        [&](const Subject& subject, double rate, int seed) {
                          Trial trial = trial_for(run.study(), subject);
                          trial.training.learning_rate = rate;
                          trial.seed = uint64_t(seed);
                          return apart(trial);
                        });
}

}  // namespace

TEST_CASE("rates: the best is chosen by the mean validation loss, and never by the test loss") {
  InstantRun run;
  // The test part says the opposite of the validation part; one lucky seed does not decide.
  run.result = [](const Trial& t) {
    const double rate = t.training.learning_rate;
    double quality = t.genome == "11111-91111" ? std::fabs(rate - 0.003) : rate;
    if (rate == 0.01 && t.seed == 1) quality -= 0.008;
    return trained(2 + quality, 2 - quality);
  };
  const std::vector<Tuned> tuned = tune(run, {0.01, 0.003, 0.001}, 2);
  REQUIRE(tuned.size() == 2);
  CHECK(tuned[0].chosen().rate == 0.003);
  CHECK_FALSE(tuned[0].at_end());
  CHECK(tuned[1].chosen().rate == 0.001);
  CHECK(tuned[1].at_end());
  REQUIRE(run.asked.size() == 12);
  for (auto& t : tuned) {
    REQUIRE(t.rates.size() == 3);
    for (auto& rate : t.rates) CHECK(rate.by_seed.size() == 2);
  }
  // Each result belongs to its subject, rate and seed.
  CHECK(tuned[0].rates[0].by_seed[1].metrics.at("quality") == doctest::Approx(1.999));
  CHECK(tuned[1].rates[1].by_seed[0].metrics.at("quality") == doctest::Approx(2.003));
  CHECK(tune(run, {0.01}, 2)[1].at_end() == false);
}

TEST_CASE("rates: one at which nothing fails comes before one at which something does") {
  InstantRun run;
  run.result = [](const Trial& t) {
    if (t.training.learning_rate == 0.01 && t.seed == 1) return Metrics();
    return trained(t.training.learning_rate == 0.01 ? 1 : 2, 1);
  };
  const Tuned tuned = tune(run, {0.01, 0.003}, 2)[0];
  CHECK(tuned.chosen().rate == 0.003);
  CHECK(tuned.rates[0].failed() == 1);
  CHECK(tuned.rates[0].failure() == "diverged");
  CHECK(tuned.rates[1].failure() == "");
  run.result = [](const Trial&) { return Metrics(); };
  const std::vector<Tuned> none = tune(run, {0.01, 0.003}, 2);
  CHECK_FALSE(none[0].ok());
  CHECK(best_by_quality(run.study(), none) == -1);
}

TEST_CASE("rates: the best of several genomes is that of the least mean at its best rate") {
  InstantRun run;
  std::vector<Tuned> tuned = {{{}, {at(0.1, {3, 5}), at(0.2, {4, 6})}},
                              {{}, {at(0.1, {5, 2})}},
                              {{}, {at(0.1, {kNone, kNone})}}};
  CHECK(best_by_quality(run.study(), tuned) == 1);
  tuned[1].rates[0].by_seed[1].metrics["quality"] = 4;
  CHECK(best_by_quality(run.study(), tuned) == 0);
}

TEST_CASE("rates: differences are those of the test losses, of the seeds that both have") {
  InstantRun run;
  const PairedDifference d =
      test_difference(run.study(), at(0.1, {1, 2, 3, kNone}), at(0.3, {2, kNone, 5, 9}));
  CHECK(d.n == 2);  // −1 + 2 and −3 + 5
  CHECK(d.mean == 1.5);
  CHECK(d.standard_error == doctest::Approx(0.5));
}

TEST_CASE("rates: doubles are left out, and none are the search's") {
  InstantRun run;
  CHECK(rates_or_usual(run.study(), {}) == std::vector<double>{0.01});
  CHECK(rates_or_usual(run.study(), {0.1, 0.3, 0.1}) == std::vector<double>{0.1, 0.3});
}

}  // namespace star::synthesis
