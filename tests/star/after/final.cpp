#include "star/after/final.h"

#include "tests/star/after/instant.h"

namespace star::synthesis {
namespace {

InstantRun searched() {
  InstantRun run;
  run.found("11111-91111", 3, 10);
  run.found("21111-91111", 1, 50);
  run.found("31111-91111", 2, 20);
  run.found("41111-91111", 2.5, 40);
  run.close({"11111-91111", "21111-91111"}, {"41111-91111", "31111-91111"});
  // Seeds 5, 6, 7 make losses that differ by 0.1; the test part adds a tenth.
  run.result = [](const Trial& t) {
    const double base = double(t.genome[0] - '0') + 0.1 * double(t.seed - 5);
    return trained(base, base * 1.1);
  };
  return run;
}

FinalOptions few() {
  FinalOptions options;
  options.names = {"@mamba", "@conv"};
  return options;
}

std::vector<std::string> found_in(const FinalTable& table) {
  std::vector<std::string> genomes;
  for (auto& row : table.rows)
    if (!row.baseline) genomes.push_back(row.tuned.subject.genome);
  return genomes;
}

using Genomes = std::vector<std::string>;

}  // namespace

TEST_CASE("final: which are taken is what was asked for, and with one objective the best of all") {
  InstantRun run = searched();
  FinalOptions options = few();
  CHECK(found_in(final_table(run.study(), options)) == Genomes{"11111-91111", "21111-91111"});
  options.top = 1;
  CHECK(found_in(final_table(run.study(), options)) == Genomes{"21111-91111"});
  options.by = "params";
  CHECK(found_in(final_table(run.study(), options)) == Genomes{"11111-91111"});
  options.by = "";
  options.from = "population";
  CHECK(found_in(final_table(run.study(), options)) == Genomes{"31111-91111"});
  options.from = "";
  options.top = 3;
  run.settings.objectives = {"quality"};
  const FinalTable all = final_table(run.study(), options);
  CHECK(all.options.from == "all");
  CHECK(found_in(all) == Genomes{"21111-91111", "31111-91111", "41111-91111"});
  options.by = "latency";
  CHECK_THROWS_WITH_AS(final_table(run.study(), options),
                       "--by: latency is not one of cache, params, quality", Error);
}

TEST_CASE("final: all have the same seeds, and differences are paired by them") {
  InstantRun run = searched();
  const FinalTable table = final_table(run.study(), few());
  CHECK(table.options.steps == 40);
  REQUIRE(run.asked.size() == 12);
  for (size_t i = 0; i < run.asked.size(); ++i) {
    CHECK(run.asked[i].seed == 5 + i % 3);
    CHECK(run.asked[i].training.seed == run.asked[i].seed);
    CHECK(run.asked[i].training.steps == 40);
    CHECK(run.asked[i].test);
  }
  // 1, 2, 5 (@mamba), 7 (@conv): the reference is the best baseline.
  REQUIRE(table.rows.size() == 4);
  CHECK(table.reference == 2);
  CHECK(table.rows[2].tuned.subject.name == "@mamba");
  CHECK_FALSE(table.rows[2].difference);
  const PairedDifference d = *table.rows[0].difference;
  CHECK(d.n == 3);
  CHECK(d.mean == doctest::Approx(1.1 * -4));
  CHECK(d.standard_error == doctest::Approx(0));  // seeds cancel
  CHECK(table.rows[0].spread.at("test_quality").deviation == doctest::Approx(0.11));
  CHECK(table.rows[3].difference->mean == doctest::Approx(1.1 * 2));
}

TEST_CASE("final: one seed has no interval") {
  InstantRun run = searched();
  FinalOptions options = few();
  options.seeds = 1;
  const FinalTable table = final_table(run.study(), options);
  CHECK(table.rows[0].difference->mean == doctest::Approx(1.1 * -4));
  CHECK(std::isnan(table.rows[0].difference->low));
  CHECK(std::isnan(table.rows[0].difference->p));
}

TEST_CASE("final: the reference is chosen by validation loss, or is what was asked for") {
  InstantRun run = searched();
  // By the test part @conv would be the better one.
  run.result = [](const Trial& t) { return t.genome[0] == '7' ? trained(4, 1) : trained(3, 2); };
  FinalTable table = final_table(run.study(), few());
  CHECK(table.rows[size_t(table.reference)].tuned.subject.name == "@mamba");
  FinalOptions options = few();
  options.against = "@conv";
  table = final_table(run.study(), options);
  CHECK(table.rows[size_t(table.reference)].tuned.subject.name == "@conv");
  CHECK(table.rows.size() == 4);
  options.against = "@mamba:3";  // nobody's yet
  table = final_table(run.study(), options);
  CHECK(table.rows.size() == 5);
  CHECK(table.rows[size_t(table.reference)].tuned.subject.name == "@mamba:3");
  options.against = "21111-91111";  // what was found may be it
  table = final_table(run.study(), options);
  CHECK(table.rows.size() == 4);
  CHECK_FALSE(table.rows[size_t(table.reference)].baseline);
}

TEST_CASE("final: every subject is tried at every rate and shown at its best") {
  InstantRun run = searched();
  run.result = [](const Trial& t) {
    const double best = t.genome[0] == '5' ? 0.001 : 0.003;
    return trained(1 + std::fabs(t.training.learning_rate - best), 9);
  };
  FinalOptions options = few();
  options.rates = {0.01, 0.003, 0.001};
  options.seeds = 2;
  const FinalTable table = final_table(run.study(), options);
  CHECK(run.asked.size() == 4 * 3 * 2);
  for (auto& row : table.rows) {
    const bool mamba = row.tuned.subject.name == "@mamba";
    CHECK(row.tuned.chosen().rate == (mamba ? 0.001 : 0.003));
    CHECK(row.tuned.at_end() == mamba);
    CHECK(row.mean("quality") == doctest::Approx(1));
  }
}

TEST_CASE("final: what failed comes last, and is no reference") {
  InstantRun run = searched();
  run.result = [](const Trial& t) {
    if (t.genome[0] == '1' || t.genome[0] == '5') return Metrics();
    return trained(t.genome[0] - '0', 1);
  };
  const FinalTable table = final_table(run.study(), few());
  REQUIRE(table.rows.size() == 4);
  CHECK(table.rows[0].tuned.ok());
  CHECK(table.rows[1].tuned.ok());
  CHECK_FALSE(table.rows[2].tuned.ok());
  CHECK(table.rows[2].spread.empty());
  CHECK(table.rows[size_t(table.reference)].tuned.subject.name == "@conv");
  run.result = [](const Trial&) { return Metrics(); };
  CHECK(final_table(run.study(), few()).reference == -1);
}

}  // namespace star::synthesis
